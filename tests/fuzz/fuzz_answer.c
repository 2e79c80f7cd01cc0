/* answer: an HTTP answer in whatever pieces it arrives is the same answer, or the same failure, within its caps. Input: header
 * lines up to an empty line, the body behind it. */
#include "fuzz.h"

#include "data/block.h"
#include "net/http_answer.h"

static const struct http_limits LIMITS = {.body_bytes = 64 * 1024, .header_bytes = 4096, .inflate_ratio = 200};

struct result {
    int rc, status;
    size_t header_count;
    struct buf body;
};

static void feed_head(struct answer *answer, struct str *rest)
{
    while (rest->size > 0 && !answer->has_headers) {
        const char *end = memchr(rest->data, '\n', rest->size);
        size_t size = end ? (size_t)(end - rest->data) + 1 : rest->size;
        char *line = fuzz_padded((struct str){rest->data, size}, 0);
        bool goes_on = answer_header(answer, line, size);
        free(line);
        rest->data += size;
        rest->size -= size;
        if (!goes_on) rest->size = 0;
    }
}

static void feed(struct str input, size_t piece, struct result *result)
{
    struct arena arena = ARENA_INIT(1 << 20);
    struct budget *budget = budget_new(1 << 24);
    struct answer answer;
    struct http_response response = {0};
    struct err err = ERR_INIT;
    const struct err transfer = ERR_INIT;
    *result = (struct result){.body = BUF_INIT(1 << 24)};
    answer_init(&answer, &LIMITS, budget, &arena, false);
    feed_head(&answer, &input);
    while (input.size > 0) {
        size_t size = piece < input.size ? piece : input.size;
        if (!answer_body(&answer, input.data, size)) break;
        input.data += size;
        input.size -= size;
    }
    result->rc = answer_finish(&answer, &transfer, &response, &err);
    CHECK(result->rc == 0 || (err.class == result->rc && err.message[0]));
    if (result->rc == 0) {
        CHECK(response.body && response.body->size <= LIMITS.body_bytes && response.status >= 200 && response.status <= 999);
        result->status = response.status;
        result->header_count = response.header_count;
        buf_append(&result->body, response.body->data, response.body->size);
        block_release(response.body);
    }
    answer_release(&answer);
    CHECK(budget_used(budget) == 0);
    budget_free(budget);
    arena_release(&arena);
}

void fuzz(struct str input)
{
    struct result whole, pieces;
    feed(input, SIZE_MAX, &whole);
    feed(input, 1, &pieces);
    CHECK(whole.rc == pieces.rc && whole.status == pieces.status && whole.header_count == pieces.header_count);
    CHECK(str_equal(buf_str(&whole.body), buf_str(&pieces.body)));
    buf_release(&whole.body);
    buf_release(&pieces.body);
}
