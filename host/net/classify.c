/* classify: see classify.h. First match in the table wins. */
#include "net/classify.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"

static const struct {
    int from, to;
    int class;
    bool was_not_done;
    const char *hint;
} STATUSES[] = {
    {206, 206, ERR_SOURCE, false, "the source sent a part of what was asked for; no part was"},
    {200, 299, 0, false, ""},
    {300, 399, ERR_SOURCE, false, "the source points elsewhere; look whether the base URL is right"},
    {401, 401, ERR_AUTH, true, ""},
    {402, 403, ERR_PERMISSION, true, ""},
    {408, 408, ERR_TRANSIENT, false, ""},
    {425, 425, ERR_TRANSIENT, true, ""},
    {429, 429, ERR_RATE_LIMIT, true, ""},
    {400, 499, ERR_SOURCE, true, ""},
    {500, 599, ERR_TRANSIENT, false, ""},
};

/* Some sources say 403 where they mean 429 (GitHub's secondary limits): then they say how long, or that nothing is left. */
static bool is_limit(const struct http_response *response)
{
    return response->status == 403 && limit_facts_wait_ms(&response->limits) >= 0;
}

struct verdict classify(const struct http_response *response)
{
    struct verdict verdict = {.class = ERR_SOURCE,
                              .renews_auth = response->status == 401,
                              .wait_ms = limit_facts_wait_ms(&response->limits),
                              .hint = "the status is none that HTTP knows"};
    for (size_t i = 0; i < ARRAY_SIZE(STATUSES); i++) {
        if (response->status < STATUSES[i].from || response->status > STATUSES[i].to) continue;
        verdict.class = is_limit(response) ? ERR_RATE_LIMIT : STATUSES[i].class;
        verdict.was_not_done = STATUSES[i].was_not_done;
        verdict.hint = STATUSES[i].hint;
        break;
    }
    return verdict;
}

bool classify_is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

const char *classify_redirect_method(int status, const char *method)
{
    bool is_post = strcmp(method, "POST") == 0, is_head = strcmp(method, "HEAD") == 0;
    if (status == 303 && !is_head) return "GET";
    return (status == 301 || status == 302) && is_post ? "GET" : method;
}

const char *classify_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } TEXTS[] = {
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {423, "Locked"},
        {425, "Too Early"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++)
        if (TEXTS[i].status == status) return TEXTS[i].text;
    return "";
}
