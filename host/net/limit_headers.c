/* How it works: a table says which header fills which fact and how its value is read. Resets are told apart by size: a number
 * from 1e11 on is epoch milliseconds (1973 on), one from 1e9 on is epoch seconds (2001 on), anything less is a delay (30 years
 * at most). */
#include "net/limit_headers.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "base/number.h"
#include "base/str.h"
#include "base/time.h"
#include "net/http.h"

static const int64_t EPOCH_MS_FROM = 100000000000, EPOCH_S_FROM = 1000000000;
static const int64_t WAIT_MAX_MS = (int64_t)366 * 24 * 3600 * 1000; /* longer ones are as good as this */

static int64_t clamp_wait(int64_t ms)
{
    return ms < 0 ? 0 : ms > WAIT_MAX_MS ? WAIT_MAX_MS : ms;
}

/* The number a value begins with: "100, 100;window=60" is 100. */
static struct str leading_number(struct str text)
{
    size_t size = 0;
    text = str_trim(text);
    while (size < text.size && ((text.data[size] >= '0' && text.data[size] <= '9') || text.data[size] == '.')) size++;
    return (struct str){text.data, size};
}

bool limit_read_count(struct str text, int64_t *count)
{
    struct str number = leading_number(text);
    int64_t thousandths;
    if (number_to_int64(number, count)) return true;
    if (!number_scaled(number, 3, &thousandths)) return false;
    *count = thousandths / 1000;
    return true;
}

/* A delay in seconds, with or without a fraction, rounded up to what a clock of milliseconds can wait. */
static bool read_seconds(struct str text, int64_t *ms)
{
    int64_t us;
    if (!number_scaled(text, 6, &us) || us < 0) return false;
    *ms = us / 1000 + (us % 1000 != 0);
    return true;
}

static bool read_date(struct str text, int64_t wall_us, int64_t *ms)
{
    enum time_zone_mark mark;
    int64_t seconds, instant_us;
    if (time_parse_http_date(text, &seconds))
        instant_us = seconds * 1000000;
    else if (!time_parse_iso(text, &instant_us, &mark))
        return false;
    *ms = clamp_wait((instant_us - wall_us + 999) / 1000);
    return true;
}

/* Retry-After = HTTP-date / delay-seconds */
static bool read_retry_after(struct str text, int64_t wall_us, int64_t *ms)
{
    text = str_trim(text);
    if (read_seconds(text, ms))
        *ms = clamp_wait(*ms);
    else if (number_is_json(text) && text.data[0] != '-')
        *ms = WAIT_MAX_MS; /* too large for 64 bits */
    else
        return read_date(text, wall_us, ms);
    return true;
}

bool limit_read_reset(struct str text, int64_t wall_us, int64_t *ms)
{
    struct str number = leading_number(text);
    int64_t value_ms; /* as if it were seconds */
    if (read_date(str_trim(text), wall_us, ms)) return true;
    if (!read_seconds(number, &value_ms)) return false;
    if (value_ms >= EPOCH_MS_FROM * 1000)
        *ms = value_ms / 1000 - wall_us / 1000;
    else if (value_ms >= EPOCH_S_FROM * 1000)
        *ms = value_ms - wall_us / 1000;
    else
        *ms = value_ms;
    *ms = clamp_wait(*ms);
    return true;
}

static void take_remaining(struct limit_facts *facts, int64_t remaining)
{
    if (facts->remaining < 0 || remaining < facts->remaining) facts->remaining = remaining;
}

/* --- RateLimit of the IETF draft ----------------------------------------------------------------- */

struct policy_item {
    int64_t limit, remaining, reset_s;
};

static void read_member(struct str member, struct policy_item *item)
{
    static const struct {
        const char *name;
        size_t field;
    } MEMBERS[] = {
        {"limit", offsetof(struct policy_item, limit)},   {"remaining", offsetof(struct policy_item, remaining)},
        {"reset", offsetof(struct policy_item, reset_s)}, {"r", offsetof(struct policy_item, remaining)},
        {"t", offsetof(struct policy_item, reset_s)},     {"total", offsetof(struct policy_item, limit)},
        {"q", offsetof(struct policy_item, limit)},       {"resets", offsetof(struct policy_item, reset_s)},
    };
    struct str name = {0};
    if (!str_next(&member, '=', &name)) return;
    for (size_t i = 0; i < ARRAY_SIZE(MEMBERS); i++)
        if (str_equal_nocase(str_trim(name), str_from(MEMBERS[i].name)))
            (void)limit_read_count(member, (int64_t *)(void *)((char *)item + MEMBERS[i].field));
}

static void take_item(const struct policy_item *item, struct limit_facts *facts)
{
    if (item->limit >= 0 && facts->limit < 0) facts->limit = item->limit;
    if (item->remaining < 0) return;
    /* Of several allowances the one that is used up for the longest counts. */
    bool is_new_least = facts->remaining < 0 || item->remaining < facts->remaining;
    take_remaining(facts, item->remaining);
    if (item->reset_s < 0 || item->remaining > facts->remaining) return;
    int64_t reset_ms = item->reset_s < WAIT_MAX_MS / 1000 ? item->reset_s * 1000 : WAIT_MAX_MS;
    if (is_new_least || reset_ms > facts->reset_ms) facts->reset_ms = reset_ms;
}

/* Older drafts separate the three members by commas, newer ones have items separated by commas with members behind semicolons:
 * a policy's name in quotes begins an item. */
static void read_policy(struct str text, struct limit_facts *facts)
{
    struct policy_item item = {-1, -1, -1};
    struct str part, member;
    while (str_next(&text, ',', &part)) {
        if (str_starts(str_trim(part), STR("\""))) {
            take_item(&item, facts);
            item = (struct policy_item){-1, -1, -1};
        }
        while (str_next(&part, ';', &member)) read_member(member, &item);
    }
    take_item(&item, facts);
}

/* used / limit */
static bool read_fraction(struct str text, struct policy_item *item)
{
    struct str part = {0};
    int64_t used, limit;
    if (!str_next(&text, '/', &part) || !limit_read_count(part, &used) || !limit_read_count(text, &limit)) return false;
    *item = (struct policy_item){limit, used < limit ? limit - used : 0, -1};
    return true;
}

static void read_usage(struct str text, struct limit_facts *facts)
{
    struct policy_item item = {-1, -1, -1};
    struct str first = text, member = {0};
    if (str_next(&first, ';', &member)) {
        struct str value = member, name = {0};
        bool is_named = str_next(&value, '=', &name) && value.size > 0;
        if (read_fraction(is_named ? value : member, &item)) {
            take_item(&item, facts);
            return;
        }
    }
    read_policy(text, facts);
}

void limit_read_usage(struct str text, struct limit_facts *facts)
{
    *facts = (struct limit_facts){-1, -1, -1, -1};
    read_usage(text, facts);
}

/* --- all headers --------------------------------------------------------------------------------- */

enum fact { LIMIT, REMAINING, RESET, RETRY_AFTER, POLICY, USAGE };

static const struct {
    const char *name;
    enum fact fact;
} HEADERS[] = {
    {"retry-after", RETRY_AFTER},
    {"x-ratelimit-limit", LIMIT},
    {"x-ratelimit-remaining", REMAINING},
    {"x-ratelimit-reset", RESET},
    {"x-rate-limit-limit", LIMIT},
    {"x-rate-limit-remaining", REMAINING},
    {"x-rate-limit-reset", RESET},
    {"ratelimit-limit", LIMIT},
    {"ratelimit-remaining", REMAINING},
    {"ratelimit-reset", RESET},
    {"ratelimit", POLICY},
    {"ratelimit-policy", POLICY},
    {"x-rate-limit", LIMIT},
    {"x-hubspot-ratelimit-max", LIMIT},
    {"x-hubspot-ratelimit-remaining", REMAINING},
    {"zendesk-ratelimit-*", USAGE},
    {"x-shopify-shop-api-call-limit", USAGE},
    {"sforce-limit-info", USAGE},
};

static void read_header(enum fact fact, struct str value, int64_t wall_us, struct limit_facts *facts)
{
    int64_t number;
    switch (fact) {
    case LIMIT:
        if (limit_read_count(value, &number)) facts->limit = number;
        break;
    case REMAINING:
        if (limit_read_count(value, &number)) take_remaining(facts, number);
        break;
    case RESET:
        if (limit_read_reset(value, wall_us, &number) && number > facts->reset_ms) facts->reset_ms = number;
        break;
    case RETRY_AFTER:
        if (read_retry_after(value, wall_us, &number) && number > facts->retry_after_ms) facts->retry_after_ms = number;
        break;
    case POLICY:
        read_policy(value, facts);
        break;
    case USAGE:
        read_usage(value, facts);
        break;
    }
}

/* A name, or with '*' at its end the beginning of names. */
static bool is_named(struct str header, struct str name)
{
    if (!str_ends(name, STR("*"))) return str_equal_nocase(header, name);
    name.size--;
    return header.size > name.size && str_equal_nocase((struct str){header.data, name.size}, name);
}

void limit_facts_read(const struct http_header *headers, size_t count, int64_t wall_us, struct limit_facts *facts)
{
    *facts = (struct limit_facts){-1, -1, -1, -1};
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < ARRAY_SIZE(HEADERS); j++)
            if (is_named(headers[i].name, str_from(HEADERS[j].name)))
                read_header(HEADERS[j].fact, headers[i].value, wall_us, facts);
}

int64_t limit_facts_wait_ms(const struct limit_facts *facts)
{
    if (facts->retry_after_ms >= 0) return facts->retry_after_ms;
    return facts->remaining == 0 ? facts->reset_ms : -1;
}
