/* How it works: a place at a time. The body is searched per path, which is fine for the few that are declared: a search passes
 * over what it does not need. */
#include "net/limit_learn.h"

#include <stdbool.h>

#include "base/arena.h"
#include "base/jsonscan.h"
#include "base/str.h"
#include "net/http.h"
#include "net/limit_headers.h"

static bool find_text(const char *place, const struct http_response *response, struct arena *arena, struct str *text)
{
    struct json_value value;
    if (!place) return false;
    if (!str_starts(str_from(place), STR("$."))) {
        *text = http_header(response, place);
        return text->size > 0;
    }
    if (!response->body || !jsonscan_find(response->body->data, response->body->size, place + 2, &value)) return false;
    if (value.kind != JSON_STRING && value.kind != JSON_NUMBER) return false;
    *text = value.kind == JSON_STRING ? jsonscan_text(&value, arena, NULL) : value.raw;
    return text->data != NULL;
}

static bool find_count(const char *place, const struct http_response *response, struct arena *arena, int64_t *count)
{
    struct str text;
    return find_text(place, response, arena, &text) && limit_read_count(text, count);
}

void limit_learn_read(const struct limit_learn *learn, const struct http_response *response, int64_t wall_us,
                      struct limit_learned *learned)
{
    struct arena arena = ARENA_INIT(64 * 1024);
    struct str text;
    int64_t used;
    *learned = (struct limit_learned){-1, -1, -1, -1, -1};
    if (find_text(learn->usage, response, &arena, &text)) {
        struct limit_facts facts;
        limit_read_usage(text, &facts);
        learned->limit = facts.limit;
        learned->remaining = facts.remaining;
        learned->reset_ms = facts.reset_ms;
    }
    (void)find_count(learn->limit, response, &arena, &learned->limit);
    (void)find_count(learn->cost, response, &arena, &learned->cost);
    (void)find_count(learn->rate, response, &arena, &learned->rate);
    if (!find_count(learn->remaining, response, &arena, &learned->remaining) && learned->limit >= 0 &&
        find_count(learn->used, response, &arena, &used))
        learned->remaining = used < learned->limit ? learned->limit - used : 0;
    if (find_text(learn->reset, response, &arena, &text)) (void)limit_read_reset(text, wall_us, &learned->reset_ms);
    arena_release(&arena);
}
