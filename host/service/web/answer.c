/* answer: what is asked for and what is answered, apart from the bytes' way. See server.h. */
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "service/web/server.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool web_decode(struct str text, bool is_form, struct arena *arena, const char **out)
{
    char *decoded = arena_alloc(arena, text.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.size ? hex_digit(text.data[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text.data[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0)) return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (is_form && c == '+') {
            c = ' ';
        }
        decoded[size++] = c;
    }
    *out = decoded;
    return utf8_valid_prefix((struct str){decoded, size}) == size;
}

bool web_read_path(struct web_request *request)
{
    struct str rest = {request->target, strcspn(request->target, "?")}, segment;
    struct str whole = rest;
    while (str_next(&rest, '/', &segment)) {
        const char *text;
        if (!web_decode(segment, false, &request->arena, &text) || strchr(text, '/')) return false;
        if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0) return false;
    }
    return whole.size && whole.data[0] == '/' && web_decode(whole, false, &request->arena, &request->path);
}

const char *web_parameter(struct web_request *request, const char *name)
{
    struct str rest = str_from(request->query), pair, key;
    while (str_next(&rest, '&', &pair)) {
        const char *text;
        struct str value = pair;
        if (!str_next(&value, '=', &key) || !web_decode(key, true, &request->arena, &text) || strcmp(text, name) != 0) continue;
        if (web_decode(value, true, &request->arena, &text)) return text;
    }
    return NULL;
}

void web_add_header(struct web_request *request, const char *name, const char *value)
{
    struct web_answer *answer = &request->answer;
    CHECK(answer->header_count < WEB_HEADERS_MAX);
    answer->headers[answer->header_count++] = (struct web_header){name, value};
}

void web_problem(struct web_request *request, int status, const char *class, const char *detail, const char *hint)
{
    struct web_answer *answer = &request->answer;
    answer->status = status;
    answer->type = "application/problem+json";
    answer->flow = (struct web_flow){0};
    buf_clear(&answer->body);
    struct json_writer json = JSON_WRITER(&answer->body);
    json_open(&json, '{');
    json_member(&json, "type"), json_cstr(&json, "about:blank");
    json_member(&json, "status"), json_int(&json, status);
    json_member(&json, "class"), json_cstr(&json, class);
    json_member(&json, "detail"), json_cstr(&json, detail);
    if (hint && *hint) json_member(&json, "hint"), json_cstr(&json, hint);
    json_close(&json, '}');
}

void web_failure(struct web_request *request, const struct err *err)
{
    const struct err_class_info *info = err_class_info(err->class);
    web_problem(request, info->http_status, info->name, err->message, err_hint_text(err));
}
