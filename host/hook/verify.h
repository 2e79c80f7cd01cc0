/* verify: is a request by whom it says, and of now? Over the bytes as they came, before anything is parsed. Pure. */
#ifndef SLUICE_HOOK_VERIFY_H
#define SLUICE_HOOK_VERIFY_H

#include "hook/settings.h"

struct hook_request {
    const char *method;
    const char *query; /* "" for none */
    struct str body;
    const char *(*header)(void *context, const char *name); /* NULL: not sent */
    void *context;
    int64_t now_ms; /* since 1970 */
};

/* NULL when it is good, else why not, for the sender: "the header 'X' is missing". Texts live for ever or in the arena. */
const char *hook_refusal(const struct hook_settings *settings, const struct hook_request *request, struct arena *arena);

#endif
