/* page: the files of host/service/ui, built into the program (CMakeLists.txt writes page_files.h). */
#include <string.h>

#include "service/web/page_files.h"
#include "service/web/route.h"

/* Nothing but our own files, no framing, no form that goes elsewhere. */
static const char POLICY[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
                             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

int answer_page(struct api_call *call, struct err *err)
{
    const char *name = call->names[0] ? call->names[0] : "index.html";
    struct web_request *request = call->request;
    (void)err;
    for (size_t i = 0; i < ARRAY_SIZE(PAGE_FILES); i++) {
        if (strcmp(PAGE_FILES[i].name, name) != 0) continue;
        request->answer.type = PAGE_FILES[i].type;
        web_add_header(request, "Content-Security-Policy", POLICY);
        web_add_header(request, "Referrer-Policy", "no-referrer");
        web_add_header(request, "Cache-Control", "no-cache");
        buf_append(&request->answer.body, PAGE_FILES[i].data, PAGE_FILES[i].size);
        return 0;
    }
    return api_missing(call, "file", name);
}
