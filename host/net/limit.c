/* How it works: each rule has a cell, and one more, the gate, holds the pauses of all requests. A try takes from the rules in
 * their order; when one refuses, what the ones before it gave goes back, so all hold at once and nobody holds one while he
 * waits for another. Waiting is done outside the cells: who finds nothing is told when to ask again, so a pause that begins
 * meanwhile holds for those who wait, too. */
#include "net/limit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/time.h"
#include "net/http.h"
#include "os/cancel.h"
#include "os/clock.h"

static const int64_t PER_MAX_MS = (int64_t)366 * 24 * 3600 * 1000, DAY_MS = (int64_t)24 * 3600 * 1000, HOUR_MS = 3600 * 1000,
                     FLIGHT_MS = 30000; /* what was in flight on a machine that is gone counts for so long */
static const char *const KIND_NAMES[] = {"bucket", "window", "concurrency", "cost", "quota"};
enum { KEY_MAX_BYTES = 64 * 1024, LABEL_MAX = 96, GATE = -1, NOT_OURS_YET = -1, SHARE_WAIT_MS = 200 };

struct place {
    struct limit_key key;
    int64_t horizon_ms;
    struct limit_cell *cell;             /* atomic */
    int64_t learned_limit, learned_rate; /* atomic; of cost; 0: not said */
    char label[LABEL_MAX];               /* "rate limit 'search'" */
};

struct limiter {
    const struct limiter_rule *rules;
    size_t count;
    struct limit_file *file;
    struct limit_file *spare;                   /* when the file is full; NULL until then */
    pthread_mutex_t lock;                       /* over finding cells */
    int64_t reported;                           /* atomic: what the source says is left; -1: nothing */
    int64_t reported_until_ms;                  /* atomic: how long that holds */
    struct place places[LIMITER_RULES_MAX + 1]; /* the gate is the last */
};

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* --- making -------------------------------------------------------------------------------------- */

static bool is_bucket(const struct limiter_rule *rule)
{
    return rule->kind == LIMITER_BUCKET || rule->kind == LIMITER_COST;
}

static bool has_match(const struct limiter_rule *rule)
{
    return rule->match.method || rule->match.path || rule->match.streams;
}

static bool in_range(int64_t value, int64_t least, int64_t most)
{
    return value >= least && value <= most;
}

static int check_rule(const struct limiter_rule *rule, struct err *err)
{
    bool is_flight = rule->kind == LIMITER_CONCURRENCY;
    bool is_good =
        in_range(rule->requests, rule->kind != LIMITER_QUOTA, is_flight ? LIMITER_CONCURRENCY_MAX : LIMITER_UNITS_MAX) &&
        (is_flight || in_range(rule->per_ms, 1, PER_MAX_MS)) &&
        in_range(rule->burst, is_bucket(rule), is_bucket(rule) ? LIMITER_UNITS_MAX : 0) &&
        in_range(rule->weight, 0,
                 is_bucket(rule)  ? rule->burst
                 : rule->requests ? rule->requests
                                  : INT64_MAX) &&
        rule->stop_at >= 0 && rule->stop_at <= 1 && rule->slow_down >= 0 && rule->slow_down <= 1;
    if (is_good) return 0;
    err_set(err, ERR_CONFIG, "cannot limit to %lld per %lld ms with a burst of %lld and requests that count as %lld",
            (long long)rule->requests, (long long)rule->per_ms, (long long)rule->burst, (long long)rule->weight);
    return err_hint(err,
                    "numbers are 1 to %d (of requests in flight to %d), the time is 1 ms to 366 days, a request counts as no "
                    "more than there are",
                    LIMITER_UNITS_MAX, LIMITER_CONCURRENCY_MAX);
}

static struct limit_key key_of(const char *pool, const struct limiter_rule *rule)
{
    struct buf text = BUF_INIT(KEY_MAX_BYTES);
    if (rule && rule->pool) pool = rule->pool;
    buf_printf(&text, "%s\n%s", pool ? pool : "", rule ? KIND_NAMES[rule->kind] : "gate");
    if (rule) buf_printf(&text, "\nper %lld", (long long)rule->per_ms);
    if (rule && rule->name) {
        buf_printf(&text, "\nname %s", rule->name);
    } else if (rule) {
        buf_printf(&text, "\n%s\n%s", rule->match.method ? rule->match.method : "", rule->match.path ? rule->match.path : "");
        for (size_t i = 0; i < rule->match.stream_count; i++) buf_printf(&text, "\n%s", rule->match.streams[i]);
    }
    struct limit_key key = limit_key_of(buf_str(&text));
    buf_release(&text);
    return key;
}

static int64_t horizon_of(const struct limiter_rule *rule)
{
    if (!rule) return HOUR_MS;
    if (rule->kind == LIMITER_CONCURRENCY) return DAY_MS;
    int64_t ms = rule->by_calendar ? 2 * DAY_MS : rule->per_ms;
    if (is_bucket(rule)) {
        double full_ms = (double)rule->burst / (double)rule->requests * (double)rule->per_ms;
        ms = full_ms < (double)PER_MAX_MS ? max64(ms, (int64_t)full_ms) : PER_MAX_MS;
    }
    return max64(ms, HOUR_MS);
}

int limiter_new(const struct limiter_options *options, struct limiter **out, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < options->rule_count && rc == 0; i++) rc = check_rule(&options->rules[i], err);
    if (rc == 0 && options->rule_count > LIMITER_RULES_MAX)
        rc = err_set(err, ERR_CONFIG, "cannot keep to %zu limits at once: %d at most", options->rule_count, LIMITER_RULES_MAX);
    if (rc != 0) {
        limit_file_close(options->file);
        return rc;
    }
    struct limiter *limiter = mem_zero(1, sizeof *limiter);
    limiter->rules = options->rules;
    limiter->count = options->rule_count;
    limiter->file = options->file ? options->file : limit_file_private();
    limiter->reported = -1;
    const char *gate_pool = options->pool;
    for (size_t i = 0; i <= limiter->count; i++) {
        const struct limiter_rule *rule = i < limiter->count ? &limiter->rules[i] : NULL;
        struct place *place = &limiter->places[i];
        if (rule && rule->pool && !has_match(rule)) gate_pool = rule->pool; /* that account's answers are about it */
        place->key = key_of(rule ? options->pool : gate_pool, rule);
        place->horizon_ms = horizon_of(rule);
        snprintf(place->label, sizeof place->label, rule && rule->name ? "%s '%.60s'" : "%s",
                 rule && rule->kind == LIMITER_QUOTA ? "quota" : "rate limit", rule && rule->name ? rule->name : "");
    }
    CHECK(pthread_mutex_init(&limiter->lock, NULL) == 0);
    *out = limiter;
    return 0;
}

void limiter_free(struct limiter *limiter)
{
    if (!limiter) return;
    limit_file_close(limiter->file);
    limit_file_close(limiter->spare);
    pthread_mutex_destroy(&limiter->lock);
    free(limiter);
}

/* --- cells --------------------------------------------------------------------------------------- */

static struct limit_cell *find_cell(struct limiter *limiter, struct place *place, int64_t now_ms)
{
    pthread_mutex_lock(&limiter->lock);
    struct limit_cell *cell = limit_file_cell(limiter->file, place->key, place->horizon_ms, now_ms);
    if (!cell && !limiter->spare) limiter->spare = limit_file_private();
    if (!cell) cell = limit_file_cell(limiter->spare, place->key, place->horizon_ms, now_ms);
    CHECK(cell); /* the spare one has room for every rule */
    __atomic_store_n(&place->cell, cell, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&limiter->lock);
    return cell;
}

/* The rule's (or the gate's) cell, used now. */
static struct limit_cell *cell_of(struct limiter *limiter, int rule, int64_t now_ms)
{
    struct place *place = &limiter->places[rule == GATE ? limiter->count : (size_t)rule];
    struct limit_cell *cell = __atomic_load_n(&place->cell, __ATOMIC_ACQUIRE);
    if (!cell || !limit_cell_is(cell, place->key)) return find_cell(limiter, place, now_ms);
    __atomic_store_n(&cell->used_ms, (uint64_t)now_ms, __ATOMIC_RELAXED);
    return cell;
}

/* As declared, or as the source said. */
static struct limit_terms whole_terms(const struct limiter *limiter, size_t i)
{
    const struct limiter_rule *rule = &limiter->rules[i];
    struct limit_terms terms = {rule->requests, rule->per_ms, rule->burst};
    if (rule->kind == LIMITER_COST) {
        int64_t limit = __atomic_load_n(&limiter->places[i].learned_limit, __ATOMIC_RELAXED);
        int64_t rate = __atomic_load_n(&limiter->places[i].learned_rate, __ATOMIC_RELAXED);
        if (limit > 0) terms.burst = limit;
        if (rate > 0) terms.requests = rate, terms.per_ms = 1000;
    } else if (rule->kind == LIMITER_QUOTA && rule->stop_at > 0) {
        terms.requests = (int64_t)((double)rule->requests * rule->stop_at);
    }
    return terms;
}

static int64_t part_of(int64_t whole, int64_t share)
{
    return whole > 0 ? max64(whole * share / LIMIT_SHARE_ALL, 1) : whole;
}

/* What holds now: this machine's part of it, at least one. False in *is_ours: it has none yet. */
static struct limit_terms terms_of(const struct limiter *limiter, size_t i, const struct limit_cell *cell, int64_t now_ms,
                                   bool *is_ours)
{
    struct limit_terms terms = whole_terms(limiter, i);
    int64_t share = limit_file_share(limiter->file, cell, now_ms);
    *is_ours = share > 0;
    if (share == LIMIT_SHARE_ALL) return terms;
    terms.requests = part_of(terms.requests, share);
    terms.burst = part_of(terms.burst, share);
    return terms;
}

/* A request that weighs more than our part may go all the same, once there is nothing else in it; its weight counts. */
static void make_room(const struct limiter *limiter, size_t i, int64_t units, struct limit_terms *terms)
{
    struct limit_terms whole = whole_terms(limiter, i);
    if (is_bucket(&limiter->rules[i]))
        terms->burst = max64(terms->burst, units < whole.burst ? units : whole.burst);
    else
        terms->requests = max64(terms->requests, units < whole.requests ? units : whole.requests);
}

/* --- matching ------------------------------------------------------------------------------------ */

/* '*' stands for any characters; a step back goes to the last one only, so it takes no more than size x size. */
static bool matches_pattern(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            from = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == '\0';
}

static bool matches(const struct limiter_match *match, const struct limiter_request *asked)
{
    bool is_stream = !match->streams;
    if (match->method && (!asked->method || strcmp(match->method, asked->method) != 0)) return false;
    if (match->path && (!asked->path || !matches_pattern(match->path, asked->path))) return false;
    for (size_t i = 0; i < match->stream_count && !is_stream; i++)
        is_stream = asked->stream && strcmp(match->streams[i], asked->stream) == 0;
    return is_stream;
}

/* --- taking -------------------------------------------------------------------------------------- */

static int64_t day_of(const struct limiter_rule *rule, struct clock *clock, int64_t *until_ms)
{
    int64_t local_ms = clock_wall_us(clock) / 1000 + (int64_t)rule->zone_s * 1000;
    *until_ms = DAY_MS - local_ms % DAY_MS;
    return local_ms / DAY_MS;
}

static int64_t take_quota(struct limit_cell *cell, const struct limiter_rule *rule, const struct limit_terms *terms,
                          int64_t units, const struct limit_time *time, struct limiter_ticket *ticket, struct cell_hold *hold)
{
    int64_t until_ms;
    if (rule->requests == 0) return 0; /* the source counts */
    if (!rule->by_calendar) return cell_window_take(cell, terms, units, time, hold);
    ticket->day = day_of(rule, time->clock, &until_ms);
    hold->units = units;
    return cell_day_take(cell, terms, units, ticket->day) ? 0 : until_ms;
}

/* How much of the whole this machine has used, as far as it counts yet. */
static int64_t used_of(const struct limiter_rule *rule, const struct limit_terms *whole, const struct limit_cell *cell,
                       int64_t day, int64_t now_ms)
{
    if (rule->kind == LIMITER_CONCURRENCY) return cell_flight_reach(cell, now_ms);
    return whole->requests - (rule->by_calendar ? cell_day_left(cell, whole, day) : cell_window_left(cell, whole, now_ms));
}

/* What a window or a quota remembers for long must not be there anew for another machine that begins to use it, nor may that
 * one send what is still in flight here. A bucket is full again soon. */
static void note_spent(const struct limiter *limiter, size_t i, struct limit_cell *cell, const struct limiter_ticket *ticket,
                       int64_t now_ms)
{
    const struct limiter_rule *rule = &limiter->rules[i];
    struct limit_terms whole = whole_terms(limiter, i);
    bool is_flight = rule->kind == LIMITER_CONCURRENCY;
    if (is_bucket(rule) || whole.requests <= 0) return;
    int64_t share = limit_file_share(limiter->file, cell, now_ms), used = used_of(rule, &whole, cell, ticket->day, now_ms);
    if (used > whole.requests) used = whole.requests;
    bool is_beyond = is_flight || used > part_of(whole.requests, share) + 1 || share == LIMIT_SHARE_ALL;
    limit_file_spend(limiter->file, cell, is_beyond ? used * LIMIT_SHARE_ALL / whole.requests : 0,
                     is_flight           ? FLIGHT_MS
                     : rule->by_calendar ? DAY_MS
                                         : rule->per_ms,
                     now_ms);
}

/* 0: taken; how long to wait; or NOT_OURS_YET. */
static int64_t take(struct limiter *limiter, size_t i, const struct limiter_request *asked, struct clock *clock, int64_t now_ms,
                    struct limiter_ticket *ticket)
{
    const struct limiter_rule *rule = &limiter->rules[i];
    struct limit_cell *cell = cell_of(limiter, (int)i, now_ms);
    bool is_ours;
    struct limit_terms terms = terms_of(limiter, i, cell, now_ms, &is_ours);
    struct cell_hold *hold = &ticket->holds[i];
    const struct limit_time time = {limiter->file, clock};
    int64_t units = asked->weight ? asked->weight : rule->weight ? rule->weight : 1, wait_ms = cell_paused_ms(cell, now_ms);
    make_room(limiter, i, units, &terms);
    if (units > terms.requests && terms.requests > 0 && !is_bucket(rule)) units = terms.requests;
    *hold = (struct cell_hold){0};
    if (wait_ms > 0) return wait_ms;
    if (!is_ours) return NOT_OURS_YET;
    switch (rule->kind) {
    case LIMITER_BUCKET:
    case LIMITER_COST:
        wait_ms = cell_bucket_take(cell, &terms, units, &time, hold);
        break;
    case LIMITER_WINDOW:
        wait_ms = cell_window_take(cell, &terms, units, &time, hold);
        break;
    case LIMITER_CONCURRENCY:
        wait_ms = cell_flight_take(cell, &terms, now_ms, hold);
        break;
    case LIMITER_QUOTA:
        wait_ms = take_quota(cell, rule, &terms, units, &time, ticket, hold);
        break;
    }
    if (wait_ms == 0) note_spent(limiter, i, cell, ticket, now_ms);
    return wait_ms;
}

/* More, or less, of rule `i` was used than was taken. */
static void correct(struct limiter *limiter, size_t i, const struct limiter_ticket *ticket, int64_t units, struct clock *clock)
{
    const struct limit_time time = {limiter->file, clock};
    const struct limiter_rule *rule = &limiter->rules[i];
    bool is_ours;
    int64_t now_ms = limit_file_now_ms(limiter->file, clock);
    struct limit_cell *cell = cell_of(limiter, (int)i, now_ms);
    struct limit_terms terms = terms_of(limiter, i, cell, now_ms, &is_ours);
    if (units == 0 || ticket->holds[i].units == 0) return;
    if (is_bucket(rule))
        cell_bucket_correct(cell, &terms, units, &time);
    else if (rule->kind == LIMITER_QUOTA && rule->by_calendar)
        cell_day_correct(cell, units, ticket->day);
    else if (rule->kind != LIMITER_CONCURRENCY)
        cell_window_correct(cell, &ticket->holds[i], units);
}

int64_t limiter_try(struct limiter *limiter, const struct limiter_request *asked, struct clock *clock,
                    struct limiter_ticket *ticket, int *rule)
{
    int64_t now_ms = limit_file_now_ms(limiter->file, clock), wait_ms = cell_paused_ms(cell_of(limiter, GATE, now_ms), now_ms);
    *rule = GATE;
    *ticket = (struct limiter_ticket){.is_taken = true};
    for (size_t i = 0; i < limiter->count && wait_ms == 0; i++) {
        if (!matches(&limiter->rules[i].match, asked)) continue;
        *rule = (int)i;
        wait_ms = take(limiter, i, asked, clock, now_ms, ticket);
        if (wait_ms == 0) ticket->matched |= 1u << i;
        if (wait_ms == 0 && limiter->rules[i].slow_down > 0) wait_ms = cell_pace_take(cell_of(limiter, (int)i, now_ms), now_ms);
    }
    if (wait_ms == NOT_OURS_YET) { /* also of a quota: nothing of it is used up */
        if (limiter_is_quota(limiter, *rule)) *rule = GATE;
        wait_ms = SHARE_WAIT_MS;
    }
    if (wait_ms > 0) {
        limiter_give_back(limiter, ticket, clock);
        return wait_ms;
    }
    int64_t reported = __atomic_load_n(&limiter->reported, __ATOMIC_RELAXED);
    if (reported > 0)
        (void)__atomic_compare_exchange_n(&limiter->reported, &reported, reported - 1, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED);
    return 0;
}

void limiter_release(struct limiter *limiter, const struct limiter_ticket *ticket, struct clock *clock)
{
    for (size_t i = 0; i < limiter->count && ticket->is_taken; i++) {
        if (!(ticket->matched >> i & 1) || limiter->rules[i].kind != LIMITER_CONCURRENCY) continue;
        const struct place *place = &limiter->places[i];
        cell_flight_give_back(place->cell, &ticket->holds[i]);
        if (limit_cell_is(place->cell, place->key))
            note_spent(limiter, i, place->cell, ticket, limit_file_now_ms(limiter->file, clock));
    }
}

void limiter_give_back(struct limiter *limiter, struct limiter_ticket *ticket, struct clock *clock)
{
    if (!ticket->is_taken) return;
    limiter_release(limiter, ticket, clock);
    for (size_t i = 0; i < limiter->count; i++)
        if (ticket->matched >> i & 1) correct(limiter, i, ticket, -ticket->holds[i].units, clock);
    *ticket = (struct limiter_ticket){0};
}

/* --- waiting ------------------------------------------------------------------------------------- */

bool limiter_is_quota(const struct limiter *limiter, int rule)
{
    return rule != GATE && limiter->rules[rule].kind == LIMITER_QUOTA;
}

static int refuse(const struct limiter *limiter, int rule, int64_t wait_ms, struct err *err)
{
    char span[TIME_TEXT_MAX];
    const char *label = limiter->places[rule == GATE ? limiter->count : (size_t)rule].label;
    time_write_span(wait_ms, span);
    if (limiter_is_quota(limiter, rule)) {
        err_set(err, ERR_RATE_LIMIT, "could not be sent: the %s is used up for %s", label, span);
        return err_hint(err, "run again in %s: the sync goes on where it stopped", span);
    }
    err_set(err, ERR_RATE_LIMIT, "could not be sent: the %s lets nothing through for %s", label, span);
    return err_hint(err, "run again in %s, or raise `rate_limit` in the pipeline if the source allows more", span);
}

static void tell(const struct limiter_watch *watch, int64_t until_ms, const char *what)
{
    if (watch) watch->waiting(watch->context, until_ms, what);
}

int limiter_acquire(struct limiter *limiter, const struct limiter_request *asked, struct clock *clock, struct cancel *cancel,
                    const struct limiter_watch *watch, struct limiter_ticket *ticket, int64_t *resume_ms, struct err *err)
{
    int64_t wait_ms;
    int rule = GATE, rc = 0;
    bool has_waited = false;
    while (rc == 0 && (wait_ms = limiter_try(limiter, asked, clock, ticket, &rule)) > 0) {
        if (limiter_is_quota(limiter, rule) || wait_ms > LIMITER_WAIT_MAX_MS) {
            *resume_ms = clock_now_ms(clock) + wait_ms;
            rc = refuse(limiter, rule, wait_ms, err);
            break;
        }
        tell(watch, clock_now_ms(clock) + wait_ms, limiter->places[rule == GATE ? limiter->count : (size_t)rule].label);
        has_waited = true;
        if (!clock_sleep_ms(clock, wait_ms, cancel))
            rc = err_set(err, ERR_CANCELLED, "stopped while waiting for the rate limit");
    }
    if (has_waited) tell(watch, 0, NULL);
    return rc;
}

/* --- what the source says ------------------------------------------------------------------------ */

/* The rules of the request's own class, or everybody. */
static void pause_class(struct limiter *limiter, const struct limiter_ticket *ticket, int64_t wait_ms, int64_t now_ms)
{
    bool has_class = false;
    for (size_t i = 0; i < limiter->count; i++) {
        const struct limiter_rule *rule = &limiter->rules[i];
        if (!(ticket->matched >> i & 1) || !has_match(rule) || rule->kind == LIMITER_QUOTA) continue;
        cell_pause(cell_of(limiter, (int)i, now_ms), now_ms + wait_ms);
        has_class = true;
    }
    if (!has_class) cell_pause(cell_of(limiter, GATE, now_ms), now_ms + wait_ms);
}

void limiter_pause(struct limiter *limiter, const struct limiter_ticket *ticket, int64_t wait_ms, struct clock *clock)
{
    if (wait_ms > 0 && wait_ms <= LIMITER_WAIT_MAX_MS)
        pause_class(limiter, ticket, wait_ms, limit_file_now_ms(limiter->file, clock));
}

/* How long a quota that is used up stays so: a rolling one gives back all the time, so it is asked again before it is over. */
static int64_t quota_wait_ms(const struct limiter_rule *rule, const struct limit_learned *learned, struct clock *clock)
{
    int64_t until_ms;
    if (learned->reset_ms >= 0) return learned->reset_ms;
    if (!rule->by_calendar) return max64(rule->per_ms / 24, 1000);
    (void)day_of(rule, clock, &until_ms);
    return until_ms;
}

static void observe_quota(struct limiter *limiter, size_t i, const struct limit_learned *learned, struct clock *clock,
                          int64_t now_ms)
{
    const struct limiter_rule *rule = &limiter->rules[i];
    int64_t limit = learned->limit > 0 ? learned->limit : rule->requests;
    double stop_at = rule->stop_at > 0 ? rule->stop_at : 1;
    if (learned->remaining < 0 || limit <= 0) return;
    if ((double)(limit - learned->remaining) < (double)limit * stop_at) return;
    cell_pause(cell_of(limiter, (int)i, now_ms), now_ms + quota_wait_ms(rule, learned, clock));
}

/* This machine's part of what the source says all have left. */
static int64_t own_left(const struct limiter *limiter, const struct limit_cell *cell, int64_t left, int64_t now_ms)
{
    int64_t share = limit_file_share(limiter->file, cell, now_ms);
    return left > 0 && left <= LIMITER_UNITS_MAX ? left * share / LIMIT_SHARE_ALL : left;
}

static void observe_rule(struct limiter *limiter, size_t i, const struct limiter_ticket *ticket,
                         const struct limit_learned *learned, struct clock *clock, int64_t now_ms)
{
    const struct limiter_rule *rule = &limiter->rules[i];
    struct place *place = &limiter->places[i];
    const struct limit_time time = {limiter->file, clock};
    struct limit_cell *cell = cell_of(limiter, (int)i, now_ms);
    int64_t limit = learned->limit > 0 ? learned->limit : rule->requests;
    if (learned->cost >= 0 && learned->cost <= LIMITER_UNITS_MAX)
        correct(limiter, i, ticket, learned->cost - ticket->holds[i].units, clock);
    if (rule->learn && in_range(learned->limit, 1, LIMITER_UNITS_MAX))
        __atomic_store_n(&place->learned_limit, learned->limit, __ATOMIC_RELAXED);
    if (rule->learn && in_range(learned->rate, 1, LIMITER_UNITS_MAX))
        __atomic_store_n(&place->learned_rate, learned->rate, __ATOMIC_RELAXED);
    bool is_ours;
    struct limit_terms terms = terms_of(limiter, i, cell, now_ms, &is_ours);
    int64_t left = own_left(limiter, cell, learned->remaining, now_ms);
    if (rule->kind == LIMITER_QUOTA && rule->learn)
        observe_quota(limiter, i, learned, clock, now_ms);
    else if (is_bucket(rule) && rule->learn && left >= 0)
        cell_bucket_report(cell, &terms, left, &time);
    if (rule->kind != LIMITER_QUOTA && rule->learn && learned->remaining == 0 &&
        in_range(learned->reset_ms, 1, LIMITER_WAIT_MAX_MS))
        cell_pause(cell, now_ms + learned->reset_ms);
    if (rule->slow_down > 0 && learned->remaining >= 0 && (double)learned->remaining < rule->slow_down * (double)limit) {
        int64_t reset_ms = learned->reset_ms >= 0 ? learned->reset_ms : rule->per_ms;
        cell_pace(cell, reset_ms / (left + 1), now_ms + reset_ms);
    }
}

void limiter_observe(struct limiter *limiter, const struct limiter_ticket *ticket, const struct http_response *response,
                     struct clock *clock)
{
    const struct limit_facts *facts = &response->limits;
    int64_t now_ms = limit_file_now_ms(limiter->file, clock);
    bool is_refusal = response->status == 429 || response->status == 503;
    int64_t wait_ms = is_refusal ? limit_facts_wait_ms(facts) : facts->remaining == 0 ? facts->reset_ms : -1;
    if (facts->remaining >= 0) {
        int64_t until_ms = facts->reset_ms >= 0 ? now_ms + facts->reset_ms : INT64_MAX;
        __atomic_store_n(&limiter->reported, facts->remaining, __ATOMIC_RELAXED);
        __atomic_store_n(&limiter->reported_until_ms, until_ms, __ATOMIC_RELAXED);
    }
    limiter_pause(limiter, ticket, wait_ms, clock);
    for (size_t i = 0; i < limiter->count; i++) {
        struct limit_learned learned = {facts->limit, facts->remaining, facts->reset_ms, -1, -1};
        const struct limiter_rule *rule = &limiter->rules[i];
        if (!(ticket->matched >> i & 1)) continue;
        if (rule->learn) limit_learn_read(rule->learn, response, http_source_now_us(response, clock_wall_us(clock)), &learned);
        if (rule->learn || rule->slow_down > 0) observe_rule(limiter, i, ticket, &learned, clock, now_ms);
    }
}

/* --- for the display ----------------------------------------------------------------------------- */

static int64_t left_of(struct limiter *limiter, size_t i, struct clock *clock, int64_t now_ms)
{
    const struct limiter_rule *rule = &limiter->rules[i];
    struct limit_cell *cell = cell_of(limiter, (int)i, now_ms);
    bool is_ours;
    struct limit_terms terms = terms_of(limiter, i, cell, now_ms, &is_ours);
    int64_t unused;
    if (rule->kind == LIMITER_CONCURRENCY || rule->requests == 0) return -1;
    if (cell_paused_ms(cell, now_ms) > 0 || !is_ours) return 0;
    if (is_bucket(rule)) return cell_bucket_left(cell, &terms, now_ms);
    if (rule->by_calendar) return cell_day_left(cell, &terms, day_of(rule, clock, &unused));
    return cell_window_left(cell, &terms, now_ms);
}

int64_t limiter_left(struct limiter *limiter, struct clock *clock)
{
    int64_t now_ms = limit_file_now_ms(limiter->file, clock), left = __atomic_load_n(&limiter->reported, __ATOMIC_RELAXED);
    if (cell_paused_ms(cell_of(limiter, GATE, now_ms), now_ms) > 0) return 0;
    if (now_ms >= __atomic_load_n(&limiter->reported_until_ms, __ATOMIC_RELAXED)) left = -1;
    for (size_t i = 0; i < limiter->count; i++) {
        int64_t of_rule = has_match(&limiter->rules[i]) ? -1 : left_of(limiter, i, clock, now_ms);
        if (of_rule >= 0 && (left < 0 || of_rule < left)) left = of_rule;
    }
    return left;
}
