/* How it works: exchanges are a list. Replay takes the first unused one that fits a request; when none does, each is compared
 * and the one with the fewest differences is told of. An answer goes through http_answer.c like one from the network, so caps,
 * framing and content codings count in a replay, too. A recorder copies what passes and is made clean when it is written,
 * since by then every secret is known. */
#include "net/cassette.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/time.h"
#include "data/node.h"
#include "net/cassette_internal.h"
#include "net/http_answer.h"
#include "net/url.h"
#include "os/fs.h"
#include "os/spool.h"

/* --- making one ---------------------------------------------------------------------------------- */

static struct cassette *make(const char *file, int64_t now_us, bool records)
{
    struct cassette *cassette = mem_zero(1, sizeof *cassette);
    cassette->file = arena_strdup(&cassette->arena, file);
    cassette->now_us = now_us;
    cassette->records = records;
    cassette->answered_ms = -1;
    cassette->misses = BUF_INIT(64 * 1024);
    CHECK(pthread_mutex_init(&cassette->lock, NULL) == 0);
    return cassette;
}

struct cassette *cassette_new_recorder(int64_t now_us)
{
    return make("the recording", now_us, true);
}

void cassette_read(struct str text, const char *file, unsigned first_line, int64_t wall_us, struct cassette **out,
                   struct problems *problems)
{
    struct cassette *cassette = make(file, wall_us, false);
    size_t before = problems->count;
    const char *kept = arena_strdup(problems->arena, file); /* the problems outlive a cassette that is refused */
    cassette->file = kept;
    cassette_parse(cassette, text, first_line, problems);
    clock_fake_init(&cassette->clock, cassette->now_us);
    if (problems->count == before) {
        cassette->file = arena_strdup(&cassette->arena, file);
        *out = cassette;
        return;
    }
    *out = NULL;
    cassette_free(cassette);
}

int cassette_load(const char *path, int64_t wall_us, struct cassette **out, struct problems *problems, struct err *err)
{
    struct buf text = BUF_INIT(CASSETTE_MAX_BYTES);
    int rc = fs_read_file(path, CASSETTE_MAX_BYTES, &text, err);
    *out = NULL;
    if (rc == 0) cassette_read(buf_str(&text), path, 1, wall_us, out, problems);
    buf_release(&text);
    if (rc != 0) err->class = ERR_CONFIG;
    return rc == 0 ? 0 : ERR_CONFIG;
}

void cassette_free(struct cassette *cassette)
{
    if (!cassette) return;
    free(cassette->list);
    buf_release(&cassette->misses);
    arena_release(&cassette->arena);
    pthread_mutex_destroy(&cassette->lock);
    free(cassette);
}

struct cassette_exchange *cassette_add(struct cassette *cassette)
{
    if (cassette->count == cassette->capacity) {
        cassette->capacity = cassette->capacity ? cassette->capacity * 2 : 16;
        cassette->list = mem_resize(cassette->list, cassette->capacity * sizeof *cassette->list);
    }
    cassette->list[cassette->count] = (struct cassette_exchange){0};
    return &cassette->list[cassette->count++];
}

bool cassette_is_recorder(const struct cassette *cassette)
{
    return cassette->records;
}

int64_t cassette_now_us(const struct cassette *cassette)
{
    return cassette->now_us;
}

struct clock *cassette_clock(struct cassette *cassette)
{
    return cassette->records ? NULL : &cassette->clock.clock;
}

const struct cassette_exchange *cassette_exchanges(const struct cassette *cassette, size_t *count)
{
    *count = cassette->count;
    return cassette->list;
}

size_t cassette_requests(const struct cassette *cassette)
{
    return cassette->requests;
}

const char *cassette_misses(const struct cassette *cassette)
{
    return buf_text(&cassette->misses);
}

/* --- does a request fit? ------------------------------------------------------------------------- */

/* "***" in the pattern stands for any text. */
bool cassette_fits(struct str pattern, struct str text)
{
    const char *star = pattern.size >= 3 ? memmem(pattern.data, pattern.size, "***", 3) : NULL;
    if (!star) return str_equal(pattern, text);
    size_t before = (size_t)(star - pattern.data);
    if (text.size < before || memcmp(text.data, pattern.data, before) != 0) return false;
    pattern = (struct str){star + 3, pattern.size - before - 3};
    text = (struct str){text.data + before, text.size - before};
    if (pattern.size == 0) return true;
    for (size_t i = 0; i <= text.size; i++)
        if (cassette_fits(pattern, (struct str){text.data + i, text.size - i})) return true;
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct str decode_url(struct str text, bool is_form, struct arena *arena)
{
    char *out = arena_alloc(arena, text.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        int high = text.data[i] == '%' && i + 2 < text.size ? hex_digit(text.data[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text.data[i + 2]) : -1;
        out[size++] = low >= 0 ? (char)(high * 16 + low) : text.data[i] == '+' && is_form ? ' ' : text.data[i];
        if (low >= 0) i += 2;
    }
    return (struct str){out, size};
}

struct params {
    struct {
        struct str name, value;
        bool is_met;
    } list[256];
    size_t count;
};

static void read_params(struct str query, struct arena *arena, struct params *params)
{
    struct str part;
    params->count = 0;
    while (str_next(&query, '&', &part) && params->count < ARRAY_SIZE(params->list)) {
        struct str name = {0}, rest = part;
        if (part.size == 0) continue;
        str_next(&rest, '=', &name);
        params->list[params->count].name = decode_url(name, true, arena);
        params->list[params->count].value = decode_url(rest, true, arena);
        params->list[params->count++].is_met = false;
    }
}

static size_t differ(struct buf *out, const char *format, ...) PRINTF_LIKE(2, 3);
static size_t differ(struct buf *out, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (out->size) buf_append_text(out, "; ");
    buf_append_text(out, text);
    return 1;
}

#define SHOWN(s) (int)((s).size > 80 ? 80 : (s).size), ((s).size ? (s).data : "")

/* "what is 'got', not 'wanted'", of long texts the parts around the first difference. */
static size_t differ_in_text(struct buf *out, const char *what, struct str name, struct str got, struct str wanted)
{
    enum { BEFORE = 30 };
    size_t same = 0;
    while (same < got.size && same < wanted.size && got.data[same] == wanted.data[same]) same++;
    size_t skipped = same > BEFORE ? same - BEFORE : 0;
    const char *from = skipped ? ".." : "";
    while (skipped && ((unsigned char)got.data[skipped] & 0xc0) == 0x80) skipped--; /* not within a character */
    struct str new = {got.data + skipped, got.size - skipped}, old = {wanted.data + skipped, wanted.size - skipped};
    return differ(out, "%s%.*s is '%s%.*s', not '%s%.*s'", what, SHOWN(name), from, SHOWN(new), from, SHOWN(old));
}

/* First those that fit, then those of one name with other values, then what only one side has. */
static size_t compare_params(const char *what, struct str wanted_text, struct str got_text, struct arena *arena,
                             struct buf *out)
{
    struct params *wanted = arena_new(arena, struct params), *got = arena_new(arena, struct params);
    size_t differences = 0;
    read_params(wanted_text, arena, wanted);
    read_params(got_text, arena, got);
    for (int pass = 0; pass < 2; pass++)
        for (size_t w = 0; w < wanted->count; w++)
            for (size_t g = 0; g < got->count && !wanted->list[w].is_met; g++) {
                bool is_same = str_equal(wanted->list[w].name, got->list[g].name);
                bool has_value = cassette_fits(wanted->list[w].value, got->list[g].value);
                if (got->list[g].is_met || !is_same || (pass == 0 && !has_value)) continue;
                wanted->list[w].is_met = got->list[g].is_met = true;
                if (pass == 1)
                    differences += differ_in_text(out, arena_printf(arena, "%s ", what), got->list[g].name, got->list[g].value,
                                                  wanted->list[w].value);
            }
    for (size_t w = 0; w < wanted->count; w++)
        if (!wanted->list[w].is_met)
            differences +=
                differ(out, "%s %.*s=%.*s is missing", what, SHOWN(wanted->list[w].name), SHOWN(wanted->list[w].value));
    for (size_t g = 0; g < got->count; g++)
        if (!got->list[g].is_met)
            differences += differ(out, "%s %.*s=%.*s is more", what, SHOWN(got->list[g].name), SHOWN(got->list[g].value));
    return differences;
}

/* JSON by content, forms by their parameters, anything else by its bytes. */
static size_t compare_body(struct str wanted, struct str got, struct arena *arena, struct buf *out)
{
    const struct node *a, *b;
    struct err ignored = ERR_INIT;
    struct buf first = BUF_INIT(CASSETTE_MAX_BYTES), second = BUF_INIT(CASSETTE_MAX_BYTES);
    if (wanted.size == 0) return 0;
    wanted = str_trim(wanted), got = str_trim(got);
    if (cassette_fits(wanted, got)) return 0;
    char begin = wanted.data[0];
    if ((begin == '{' || begin == '[') && node_from_json(wanted, arena, &a, &ignored) == 0 &&
        node_from_json(got, arena, &b, &ignored) == 0) {
        node_to_json(a, &first), node_to_json(b, &second);
    } else if (!memchr(wanted.data, '\n', wanted.size) && memchr(wanted.data, '=', wanted.size)) {
        return compare_params("field", wanted, got, arena, out);
    } else {
        buf_append_str(&first, wanted), buf_append_str(&second, got);
    }
    size_t differences = 0;
    if (!cassette_fits(buf_str(&first), buf_str(&second)))
        differences = differ_in_text(out, "the body", STR(""), buf_str(&second), buf_str(&first));
    buf_release(&first);
    buf_release(&second);
    return differences;
}

static size_t compare_headers(const struct cassette_exchange *exchange, const struct http_request *request, struct buf *out)
{
    static const char *const NOT_ASKED[] = {"Host", "User-Agent", "Accept-Encoding", "Content-Length", "Connection"};
    size_t differences = 0;
    for (size_t i = 0; i < exchange->header_count; i++) {
        const struct http_header *wanted = &exchange->headers[i];
        const struct http_header *got = NULL;
        bool is_asked = true;
        for (size_t n = 0; n < ARRAY_SIZE(NOT_ASKED); n++)
            is_asked = is_asked && !str_equal_nocase(wanted->name, str_from(NOT_ASKED[n]));
        for (size_t j = 0; j < request->header_count && !got; j++)
            if (str_equal_nocase(wanted->name, request->headers[j].name)) got = &request->headers[j];
        if (!is_asked || (got && cassette_fits(wanted->value, str_trim(got->value)))) continue;
        if (got)
            differences += differ_in_text(out, "header ", wanted->name, got->value, wanted->value);
        else
            differences += differ(out, "header %.*s is missing", SHOWN(wanted->name));
    }
    return differences;
}

/* Origin (empty for a URL that begins with its path), path and query of a URL. */
static void cut_url(struct str url, struct str *origin, struct str *path, struct str *query)
{
    struct str rest = url;
    size_t scheme = 0;
    const char *colon = url.size ? memmem(url.data, url.size, "://", 3) : NULL;
    if (colon && url.data[0] != '/') scheme = (size_t)(colon - url.data) + 3;
    size_t begin = scheme;
    while (scheme && begin < url.size && url.data[begin] != '/' && url.data[begin] != '?') begin++;
    *origin = (struct str){url.data, begin};
    rest = (struct str){url.data + begin, url.size - begin};
    *path = (struct str){0};
    str_next(&rest, '?', path);
    if (path->size == 0) *path = STR("/");
    *query = rest;
}

size_t cassette_compare(const struct cassette_exchange *exchange, const struct http_request *request, struct arena *arena,
                        struct buf *out)
{
    enum { HEAVY = 10 }; /* another method or path is further away than any parameter */
    struct str origin, path, query, got_origin, got_path, got_query;
    size_t differences = 0;
    cut_url(exchange->url, &origin, &path, &query);
    cut_url(str_from(request->url), &got_origin, &got_path, &got_query);
    if (!str_equal(exchange->method, str_from(request->method)))
        differences += HEAVY * differ(out, "the method is %s, not " STR_FMT, request->method, STR_ARG(exchange->method));
    if (origin.size && !str_equal_nocase(origin, got_origin))
        differences += HEAVY * differ(out, "the host is %.*s, not %.*s", SHOWN(got_origin), SHOWN(origin));
    if (!cassette_fits(decode_url(path, false, arena), decode_url(got_path, false, arena)))
        return differences + HEAVY * differ(out, "the path is %.*s, not %.*s", SHOWN(got_path), SHOWN(path));
    differences += compare_params("parameter", query, got_query, arena, out);
    differences += compare_headers(exchange, request, out);
    return differences + compare_body(exchange->body, request->body, arena, out);
}

/* --- replay -------------------------------------------------------------------------------------- */

/* The first unused exchange that fits, NULL when there is none. */
static struct cassette_exchange *find(struct cassette *cassette, const struct http_request *request, struct arena *arena)
{
    struct buf ignored = BUF_INIT(CASSETTE_DIFFERENCE_BYTES);
    struct cassette_exchange *found = NULL;
    for (size_t i = 0; i < cassette->count && !found; i++) {
        buf_clear(&ignored);
        if (!cassette->list[i].is_used && cassette_compare(&cassette->list[i], request, arena, &ignored) == 0)
            found = &cassette->list[i];
    }
    buf_release(&ignored);
    return found;
}

static int explain(struct cassette *cassette, const struct http_request *request, struct arena *arena, struct err *err)
{
    struct buf differences = BUF_INIT(CASSETTE_DIFFERENCE_BYTES), least = BUF_INIT(CASSETTE_DIFFERENCE_BYTES);
    const struct cassette_exchange *nearest = NULL;
    size_t fewest = SIZE_MAX;
    for (size_t i = 0; i < cassette->count; i++) {
        buf_clear(&differences);
        size_t count = 2 * cassette_compare(&cassette->list[i], request, arena, &differences) + cassette->list[i].is_used;
        if (count >= fewest) continue;
        fewest = count, nearest = &cassette->list[i];
        buf_clear(&least);
        buf_append_str(&least, buf_str(&differences));
    }
    if (!nearest)
        err_set(err, ERR_SOURCE, "cannot replay: there are no exchanges in %s", cassette->file);
    else if (fewest <= 1)
        err_set(err, ERR_SOURCE, "cannot replay: asked once more for what %s:%u answers once", cassette->file, nearest->line);
    else
        err_set(err, ERR_SOURCE, "cannot replay: no exchange fits; the nearest is %s:%u, but %s", cassette->file, nearest->line,
                buf_text(&least));
    err_hint(err, "write the exchange, or record anew");
    buf_printf(&cassette->misses, "%s %s\n  %s\n", request->method, request->url, err->message);
    buf_release(&differences);
    buf_release(&least);
    return err->class;
}

static bool has_header(const struct cassette_exchange *exchange, struct str name)
{
    for (size_t i = 0; i < exchange->answer_header_count; i++)
        if (str_equal_nocase(exchange->answer_headers[i].name, name)) return true;
    return false;
}

static int play(const struct cassette_exchange *exchange, const struct http_options *options,
                const struct http_request *request, struct arena *arena, struct http_response *response, struct err *err)
{
    bool is_head = strcmp(request->method, "HEAD") == 0;
    struct answer answer;
    struct err failure = ERR_INIT;
    struct buf line = BUF_INIT(options->limits.header_bytes + 64);
    answer_init(&answer, &options->limits, options->budget, arena, is_head);
    bool is_recorded_plain = request->compression == HTTP_UNPACK_ZIP && !str_starts(exchange->answer_body, STR("PK"));
    answer.compression = is_recorded_plain ? HTTP_UNPACK_BY_TYPE : request->compression;
    answer.spool = request->spool;
    buf_printf(&line, "HTTP/1.1 %d\r\n", exchange->status);
    bool goes_on = answer_header(&answer, buf_text(&line), line.size);
    for (size_t i = 0; i < exchange->answer_header_count && goes_on; i++) {
        buf_clear(&line);
        buf_append_str(&line, exchange->answer_headers[i].name);
        buf_append_text(&line, ": ");
        buf_append_str(&line, exchange->answer_headers[i].value);
        buf_append_text(&line, "\r\n");
        goes_on = answer_header(&answer, buf_text(&line), line.size);
    }
    if (goes_on && !has_header(exchange, STR("content-length")) && !has_header(exchange, STR("transfer-encoding"))) {
        buf_clear(&line);
        buf_printf(&line, "content-length: %zu\r\n", exchange->answer_body.size);
        goes_on = answer_header(&answer, buf_text(&line), line.size);
    }
    if (goes_on) goes_on = answer_header(&answer, "\r\n", 2);
    if (goes_on && exchange->answer_body.size)
        (void)answer_body(&answer, exchange->answer_body.data, exchange->answer_body.size);
    if (answer.length > (int64_t)exchange->answer_body.size && !is_head)
        err_set(&failure, ERR_TRANSIENT, "could not get all of the body: %zu of %lld bytes came", exchange->answer_body.size,
                (long long)answer.length);
    int rc = answer_finish(&answer, &failure, response, err);
    answer_release(&answer);
    buf_release(&line);
    return rc;
}

int cassette_answer(struct cassette *cassette, const struct http_options *options, const struct http_request *request,
                    struct arena *arena, struct http_response *response, bool *was_sent, struct err *err)
{
    struct clock *clock = &cassette->clock.clock;
    int rc;
    *was_sent = true;
    pthread_mutex_lock(&cassette->lock);
    cassette->requests++;
    struct cassette_exchange *exchange = find(cassette, request, arena);
    int64_t waited_ms = clock_now_ms(clock) - (cassette->answered_ms < 0 ? 0 : cassette->answered_ms);
    if (!exchange) {
        rc = explain(cassette, request, arena, err);
    } else {
        exchange->is_used = true;
        if (waited_ms < exchange->after_ms)
            buf_printf(&cassette->misses, "%s %s\n  came %lld ms after the answer before it, which %s:%u has after %lld ms\n",
                       request->method, request->url, (long long)waited_ms, cassette->file, exchange->line,
                       (long long)exchange->after_ms);
        *response = (struct http_response){.url = request->url, .arena = arena};
        if (exchange->status == 0)
            rc = err_set(err, ERR_TRANSIENT, "could not get an answer: " STR_FMT, STR_ARG(exchange->broken));
        else
            rc = play(exchange, options, request, arena, response, err);
        cassette->answered_ms = clock_now_ms(clock);
    }
    pthread_mutex_unlock(&cassette->lock);
    if (rc == 0) {
        int64_t seconds, now_us = clock_wall_us(clock);
        if (time_parse_http_date(http_header(response, "date"), &seconds)) now_us = seconds * 1000000;
        limit_facts_read(response->headers, response->header_count, now_us, &response->limits);
    }
    return rc;
}

/* --- recording ----------------------------------------------------------------------------------- */

static bool holds(struct str text, const char *word)
{
    size_t size = strlen(word);
    for (size_t i = 0; i + size <= text.size; i++)
        if (str_equal_nocase((struct str){text.data + i, size}, str_from(word))) return true;
    return false;
}

/* Is this the name of what opens a door? */
static bool names_credential(struct str name)
{
    static const char *const WORDS[] = {"authorization", "token",     "secret",  "password", "api-key",  "api_key",
                                        "apikey",        "assertion", "session", "cookie",   "signature"};
    static const char *const HARMLESS[] = {"_type", "_in", "_at", "next", "page"};
    for (size_t i = 0; i < ARRAY_SIZE(HARMLESS); i++)
        if (str_ends(name, str_from(HARMLESS[i])) || (i > 2 && holds(name, HARMLESS[i]))) return false;
    for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++)
        if (holds(name, WORDS[i])) return true;
    return false;
}

/* What says nothing to us and differs each time. */
static bool is_noise(struct str name)
{
    static const char *const NAMES[] = {"date",
                                        "server",
                                        "connection",
                                        "keep-alive",
                                        "content-length",
                                        "expires",
                                        "last-modified",
                                        "transfer-encoding",
                                        "content-encoding",
                                        "age",
                                        "vary",
                                        "cache-control",
                                        "via",
                                        "alt-svc",
                                        "report-to",
                                        "nel",
                                        "etag",
                                        "x-request-id",
                                        "x-runtime",
                                        "cf-ray",
                                        "x-amzn-requestid",
                                        "strict-transport-security",
                                        "content-security-policy",
                                        "x-powered-by",
                                        "x-content-type-options",
                                        "x-frame-options",
                                        "x-xss-protection",
                                        "referrer-policy",
                                        "server-timing",
                                        "user-agent",
                                        "accept-encoding",
                                        "host"};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++)
        if (str_equal_nocase(name, str_from(NAMES[i]))) return true;
    return str_starts(name, STR("access-control-")) || str_starts(name, STR("cf-"));
}

/* "sid=***": its name says which one a login takes. */
static struct str scrub_cookie(struct str cookie, struct arena *arena)
{
    const char *equals = cookie.size ? memchr(cookie.data, '=', cookie.size) : NULL;
    size_t size = equals ? (size_t)(equals - cookie.data) : 0;
    return str_from(arena_printf(arena, "%.*s=***", (int)size, size ? cookie.data : ""));
}

static struct http_header *copy_headers(struct cassette *cassette, const struct http_header *headers, size_t count,
                                        size_t *kept)
{
    struct http_header *copy = arena_array(&cassette->arena, struct http_header, count + 1);
    *kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_noise(headers[i].name)) continue;
        struct str value = names_credential(headers[i].name) ? STR("***") : arena_copy(&cassette->arena, headers[i].value);
        if (str_equal_nocase(headers[i].name, STR("Set-Cookie"))) value = scrub_cookie(headers[i].value, &cassette->arena);
        copy[(*kept)++] = (struct http_header){arena_copy(&cassette->arena, headers[i].name), value};
    }
    return copy;
}

/* Behind a string that begins at `at` with a quote; the text's size when it has no end. */
static size_t behind_string(struct str text, size_t at)
{
    for (at++; at < text.size && text.data[at] != '"'; at++)
        if (text.data[at] == '\\') at++;
    return at < text.size ? at + 1 : text.size;
}

/* The answer to a token call, with "***" for the values of what opens doors. */
static struct str scrub_tokens(struct str text, struct arena *arena)
{
    struct buf out = BUF_INIT(CASSETTE_MAX_BYTES);
    bool hides_next = false;
    for (size_t i = 0; i < text.size;) {
        if (text.data[i] != '"') {
            buf_append_char(&out, text.data[i++]);
            continue;
        }
        size_t end = behind_string(text, i), colon = end;
        while (colon < text.size && strchr(" \t\r\n", text.data[colon])) colon++;
        bool is_key = colon < text.size && text.data[colon] == ':';
        if (!is_key && hides_next)
            buf_append_text(&out, "\"***\"");
        else
            buf_append(&out, text.data + i, end - i);
        hides_next = is_key && end - i > 2 && names_credential((struct str){text.data + i + 1, end - i - 2});
        i = end;
    }
    struct str scrubbed = arena_copy(arena, buf_str(&out));
    buf_release(&out);
    return scrubbed;
}

/* Without the host, when it is that of the first request. */
static struct str shorten(struct cassette *cassette, struct str url)
{
    struct str origin, path, query, first_origin, first_path, first_query;
    cut_url(url, &origin, &path, &query);
    if (cassette->count == 0) {
        cassette->file = arena_text(&cassette->arena, origin); /* a recorder's file is only for this */
    }
    cut_url(str_from(cassette->file), &first_origin, &first_path, &first_query);
    if (!str_equal(origin, first_origin)) return arena_copy(&cassette->arena, url);
    return arena_copy(&cassette->arena, (struct str){url.data + origin.size, url.size - origin.size});
}

/* The body, wherever it went. What was packed is recorded as it came out. */
static struct str body_of(struct cassette *cassette, const struct http_request *request, const struct http_response *response)
{
    struct err ignored = ERR_INIT;
    size_t size = request->spool && response->status < 300 ? (size_t)spool_size(request->spool) : 0;
    if (size == 0) return (struct str){response->body->data, response->body->size};
    char *body = arena_try(&cassette->arena, size + 1);
    if (!body || spool_read(request->spool, 0, body, size, &ignored) != 0) return (struct str){0};
    return (struct str){body, size};
}

void cassette_record(struct cassette *cassette, const struct http_request *request, int rc,
                     const struct http_response *response, const struct err *failure)
{
    const struct http_request *shown = request->recorded ? request->recorded : request;
    uint64_t body_size = rc != 0          ? 0
                         : request->spool ? response->body->size + spool_size(request->spool)
                                          : response->body->size;
    size_t size = request->body.size + strlen(request->url) + (size_t)body_size + 512;
    if (rc != 0 && rc != ERR_TRANSIENT) return; /* ours, not the source's */
    pthread_mutex_lock(&cassette->lock);
    struct arena *arena = &cassette->arena;
    cassette->bytes += size;
    cassette->is_full = cassette->is_full || cassette->bytes > CASSETTE_MAX_BYTES;
    if (!cassette->is_full) {
        struct str url = shorten(cassette, str_from(shown->url));
        struct cassette_exchange *exchange = cassette_add(cassette);
        cassette->requests++;
        exchange->method = arena_copy(arena, str_from(request->method));
        exchange->url = url;
        exchange->headers = copy_headers(cassette, shown->headers, shown->header_count, &exchange->header_count);
        exchange->body = request->anonymous ? scrub_tokens(request->body, arena) : arena_copy(arena, request->body);
        if (rc == 0) {
            struct str body = body_of(cassette, request, response);
            exchange->status = response->status;
            exchange->answer_headers =
                copy_headers(cassette, response->headers, response->header_count, &exchange->answer_header_count);
            exchange->answer_body = request->anonymous ? scrub_tokens(body, arena) : arena_copy(arena, body);
        } else {
            exchange->broken = arena_copy(arena, str_from(failure->message));
        }
    }
    pthread_mutex_unlock(&cassette->lock);
}
