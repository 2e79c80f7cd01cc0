/* limits: headers about limits give waits that are never negative and never overflow, and what retry makes of them stays within
 * its policy. Input: a status in the first line, then "Name: value" lines. */
#include "fuzz.h"

#include "base/err.h"
#include "base/number.h"
#include "net/http.h"
#include "net/limit_headers.h"
#include "net/retry.h"

enum { HEADERS_MAX = 16 };

static const int64_t NOW_US = 1704067200000000;

static void check_retry(const struct limit_facts *facts)
{
    struct retry retry = RETRY_INIT(&RETRY_POLICY_DEFAULT, 0);
    const struct http_response response = {.status = 429, .limits = *facts};
    int64_t now_ms = 0, declared_ms = 0;
    int tries = 0;
    for (;;) {
        CHECK(++tries < 10000); /* no request is tried for ever */
        struct retry_verdict verdict =
            retry_next(&retry, ERR_RATE_LIMIT, limit_facts_wait_ms(&response.limits), 1u << 31, now_ms);
        if (!verdict.again) return;
        CHECK(verdict.wait_ms >= 0 && verdict.wait_ms <= RETRY_POLICY_DEFAULT.max_retry_after_ms);
        now_ms += verdict.wait_ms;
        if (verdict.reason == RETRY_DECLARED) declared_ms += verdict.wait_ms;
        CHECK(declared_ms <= RETRY_POLICY_DEFAULT.max_retry_after_ms);
    }
}

void fuzz(struct str input)
{
    struct http_header headers[HEADERS_MAX];
    struct str line;
    size_t count = 0;
    while (count < HEADERS_MAX && str_next(&input, '\n', &line)) {
        headers[count].name = (struct str){line.data, 0};
        str_next(&line, ':', &headers[count].name);
        headers[count++].value = str_trim(line);
    }
    struct limit_facts facts, fewer;
    limit_facts_read(headers, count, NOW_US, &facts);
    CHECK(facts.limit >= -1 && facts.remaining >= -1 && facts.reset_ms >= -1 && facts.retry_after_ms >= -1);
    CHECK(facts.reset_ms < INT64_MAX / 4 && facts.retry_after_ms < INT64_MAX / 4);
    int64_t wait_ms = limit_facts_wait_ms(&facts);
    CHECK(wait_ms == -1 || wait_ms == facts.retry_after_ms || (facts.remaining == 0 && wait_ms == facts.reset_ms));
    if (wait_ms >= 0) check_retry(&facts);
    /* A header taken away never lengthens a Retry-After. */
    if (count > 0) {
        limit_facts_read(headers, count - 1, NOW_US, &fewer);
        CHECK(fewer.retry_after_ms <= facts.retry_after_ms);
    }
}
