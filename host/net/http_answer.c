/* How it works: header lines are collected as text and looked at once, at the empty line, when all of them are known; the body
 * then goes either straight into its block or through inflate into it. From status 300 on the status is the message: trouble
 * with such a body never hides it. */
#include "net/http_answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/number.h"
#include "os/inflate.h"
#include "os/spool.h"
#include "os/unpack.h"

enum { BODY_FIRST_BYTES = 64 * 1024 };

void answer_init(struct answer *answer, const struct http_limits *limits, struct budget *budget, struct arena *arena,
                 bool is_head)
{
    *answer = (struct answer){.limits = limits,
                              .budget = budget,
                              .arena = arena,
                              .is_head = is_head,
                              .head = BUF_INIT(limits->header_bytes),
                              .length = -1};
}

void answer_release(struct answer *answer)
{
    inflate_free(answer->inflate);
    unpack_free(answer->unpack);
    block_release(answer->body);
    buf_release(&answer->head);
    answer->inflate = NULL;
    answer->unpack = NULL;
    answer->body = NULL;
}

/* --- headers ------------------------------------------------------------------------------------- */

static int too_many_bytes(struct answer *answer)
{
    return err_set(&answer->failure, ERR_DATA, "the answer has more than %zu bytes of headers", answer->limits->header_bytes);
}

/* "HTTP/1.1 200 OK", "HTTP/2 200" */
static int begin_answer(struct answer *answer, struct str line)
{
    struct str rest = str_trim(line), version;
    int64_t status = 0;
    (void)str_next(&rest, ' ', &version);
    rest = str_trim(rest);
    if (rest.size > 3) rest.size = 3;
    bool is_digits = version.size > 5 && number_to_int64(rest, &status) && status >= 100 && status <= 999;
    if (!is_digits) return err_set(&answer->failure, ERR_DATA, "cannot read the answer's status line");
    answer->version = (version.data[5] - '0') * 10 + (version.size > 7 ? version.data[7] - '0' : 0);
    answer->status = (int)status;
    buf_clear(&answer->head);
    if (status >= 200 || ++answer->informational <= ANSWER_INFORMATIONAL_MAX) return 0;
    return err_set(&answer->failure, ERR_DATA, "the source sends informational answers (status %d) without end", (int)status);
}

/* A line that begins with a blank continues the one before. */
static void add_line(struct answer *answer, struct str line)
{
    bool is_folded = answer->head.size > 0 && (line.data[0] == ' ' || line.data[0] == '\t');
    struct str text = str_trim(line);
    if (is_folded) {
        answer->head.size--;
        buf_append_char(&answer->head, ' ');
    }
    buf_append_str(&answer->head, text);
    buf_append_char(&answer->head, '\n');
}

static bool split_header(struct str line, struct http_header *header)
{
    const char *colon = line.size ? memchr(line.data, ':', line.size) : NULL;
    if (!colon) return false;
    header->name = (struct str){line.data, (size_t)(colon - line.data)};
    header->value = str_trim((struct str){colon + 1, line.size - header->name.size - 1});
    char *name = (char *)(uintptr_t)header->name.data; /* our own copy */
    for (size_t i = 0; i < header->name.size; i++)
        if (name[i] >= 'A' && name[i] <= 'Z') name[i] = (char)(name[i] + ('a' - 'A'));
    return header->name.size > 0;
}

static int parse_headers(struct answer *answer)
{
    size_t lines = 0;
    for (size_t i = 0; i < answer->head.size; i++) lines += answer->head.data[i] == '\n';
    char *text = arena_try(answer->arena, answer->head.size + 1);
    struct http_header *headers = text ? arena_try(answer->arena, sizeof *headers * (lines + 1)) : NULL;
    if (!headers) return too_many_bytes(answer);
    if (answer->head.size > 0) memcpy(text, answer->head.data, answer->head.size);
    struct str rest = {text, answer->head.size}, line;
    size_t count = 0;
    while (str_next(&rest, '\n', &line)) count += split_header(line, &headers[count]);
    answer->headers = headers;
    answer->header_count = count;
    return 0;
}

/* The length of a body: digits only; a list of equal ones is one (RFC 9112 6.3). What contradicts itself is like a body that
 * was cut: something on the way broke this answer, and the next may be sound. */
static int read_length(struct answer *answer, struct str value)
{
    struct str part;
    while (str_next(&value, ',', &part)) {
        int64_t length;
        if (!number_to_int64(str_trim(part), &length) || length < 0)
            return err_set(&answer->failure, ERR_TRANSIENT, "could not read the answer's Content-Length '" STR_FMT "'",
                           STR_ARG(part));
        if (answer->length >= 0 && answer->length != length)
            return err_set(&answer->failure, ERR_TRANSIENT,
                           "could not tell where the answer ends: it has two lengths, %lld and %lld", (long long)answer->length,
                           (long long)length);
        answer->length = length;
    }
    return 0;
}

static int read_framing(struct answer *answer)
{
    int rc = 0;
    for (size_t i = 0; i < answer->header_count && rc == 0; i++) {
        const struct http_header *header = &answer->headers[i];
        if (str_equal(header->name, STR("content-length"))) rc = read_length(answer, header->value);
        if (!str_equal(header->name, STR("transfer-encoding"))) continue;
        if (answer->is_chunked || !str_equal_nocase(header->value, STR("chunked")))
            rc = err_set(&answer->failure, ERR_DATA, "the answer has a transfer coding '" STR_FMT "' that was not asked for",
                         STR_ARG(header->value));
        answer->is_chunked = true;
    }
    if (rc == 0 && answer->is_chunked && answer->length >= 0)
        rc = err_set(&answer->failure, ERR_TRANSIENT,
                     "could not tell where the answer ends: it has both a Content-Length and a Transfer-Encoding");
    return rc;
}

/* --- the body ------------------------------------------------------------------------------------ */

static bool is_refusal(const struct answer *answer)
{
    return answer->status >= 300;
}

static bool expects_body(const struct answer *answer)
{
    return !answer->is_head && answer->status != 204 && answer->status != 304 && answer->length != 0;
}

static size_t body_cap(const struct answer *answer)
{
    size_t cap = answer->limits->body_bytes;
    return is_refusal(answer) && cap > ANSWER_REFUSAL_BODY_BYTES ? ANSWER_REFUSAL_BODY_BYTES : cap;
}

static int body_too_large(struct answer *answer)
{
    err_set(&answer->failure, ERR_DATA, "the answer's body has more than %zu bytes", answer->limits->body_bytes);
    answer->failure.is_too_much = true;
    return err_hint(&answer->failure, "ask for smaller pages, or raise the page limit");
}

/* Room for `more` bytes: exactly the announced length where that is known, else doubled. */
static void make_room(struct answer *answer, size_t more)
{
    size_t cap = body_cap(answer), needed = (answer->body ? answer->body->size : 0) + more;
    size_t wanted = answer->body ? answer->body->capacity * 2 : BODY_FIRST_BYTES;
    if (!answer->body && !answer->inflate && !answer->unpack && answer->length > 0) wanted = (size_t)answer->length;
    if (wanted < needed) wanted = needed;
    if (wanted > cap) wanted = cap;
    if (!answer->body)
        answer->body = block_new(answer->budget, wanted);
    else if (needed > answer->body->capacity)
        block_grow(answer->body, wanted);
}

static int take_body(void *context, const void *data, size_t size, struct err *err)
{
    struct answer *answer = context;
    if (answer->spool && !is_refusal(answer)) {
        int rc = spool_append(answer->spool, data, size, &answer->failure);
        return rc == 0 ? 0 : err_copy(err, &answer->failure);
    }
    size_t have = answer->body ? answer->body->size : 0, room = body_cap(answer) - have;
    bool is_over = size > room;
    if (is_over && !is_refusal(answer)) {
        body_too_large(answer);
        return err_copy(err, &answer->failure);
    }
    if (is_over) size = room;
    make_room(answer, size);
    if (size > 0) memcpy(answer->body->data + answer->body->size, data, size);
    answer->body->size += size;
    return is_over ? err_set(err, ERR_DATA, "the rest of a refusal's body is not wanted") : 0;
}

static int take_packed(void *context, const void *data, size_t size, struct err *err)
{
    struct answer *answer = context;
    return unpack_feed(answer->unpack, data, size, err);
}

static struct str header_of(const struct answer *answer, struct str name)
{
    for (size_t i = 0; i < answer->header_count; i++)
        if (str_equal(answer->headers[i].name, name)) return answer->headers[i].value;
    return STR("");
}

/* The body itself may be packed. */
static void begin_unpacking(struct answer *answer, const struct inflate_limits *limits)
{
    static const char *const GZIP_TYPES[] = {"application/gzip", "application/x-gzip"};
    struct str rest = header_of(answer, STR("content-type")), type;
    if (is_refusal(answer) || !expects_body(answer)) return;
    bool is_packed = answer->compression != HTTP_UNPACK_BY_TYPE;
    (void)str_next(&rest, ';', &type);
    for (size_t i = 0; i < ARRAY_SIZE(GZIP_TYPES); i++)
        is_packed = is_packed || str_equal_nocase(str_trim(type), str_from(GZIP_TYPES[i]));
    enum unpack_format format = answer->compression == HTTP_UNPACK_ZIP ? UNPACK_ZIP : UNPACK_GZIP;
    if (is_packed) answer->unpack = unpack_new(format, limits, take_body, answer);
}

static int begin_body(struct answer *answer)
{
    static const struct {
        const char *coding;
        enum inflate_format format;
    } CODINGS[] = {{"gzip", INFLATE_GZIP}, {"x-gzip", INFLATE_GZIP}, {"deflate", INFLATE_DEFLATE}};
    const size_t most = answer->spool ? SIZE_MAX / 2 : answer->limits->body_bytes; /* a spool has a limit of its own */
    const struct inflate_limits limits = {most, answer->limits->inflate_ratio};
    if (answer->spool) spool_clear(answer->spool);
    begin_unpacking(answer, &limits);
    inflate_sink *sink = answer->unpack ? take_packed : take_body;
    if (!answer->is_head && !is_refusal(answer) && !answer->spool && answer->length > 0 &&
        (uint64_t)answer->length > answer->limits->body_bytes)
        return body_too_large(answer);
    for (size_t i = 0; i < answer->header_count; i++) {
        struct str value = answer->headers[i].value;
        bool is_known = !str_equal(answer->headers[i].name, STR("content-encoding")) || value.size == 0 ||
                        str_equal_nocase(value, STR("identity"));
        for (size_t j = 0; j < ARRAY_SIZE(CODINGS) && !is_known && !answer->inflate; j++) {
            is_known = str_equal_nocase(value, str_from(CODINGS[j].coding));
            if (is_known && expects_body(answer)) answer->inflate = inflate_new(CODINGS[j].format, &limits, sink, answer);
        }
        if (!is_known && expects_body(answer))
            return err_set(&answer->failure, ERR_DATA, "cannot decode the answer's content coding '" STR_FMT "': %s",
                           STR_ARG(value), "one of gzip and deflate was asked for");
    }
    return 0;
}

bool answer_header(struct answer *answer, const char *line, size_t size)
{
    struct str text = {line, size};
    bool is_begin = !answer->has_headers && str_starts(text, STR("HTTP/"));
    answer->head_bytes += size;
    if (answer->head_bytes > answer->limits->header_bytes) {
        too_many_bytes(answer);
        return false;
    }
    if (answer->has_headers) return true; /* trailers say nothing we use */
    if (is_begin) return begin_answer(answer, text) == 0;
    bool is_end = size == 0 || line[0] == '\r' || line[0] == '\n';
    if (!is_end) { /* one of blanks alone continues the line before with nothing */
        if (str_trim(text).size > 0) add_line(answer, text);
        return true;
    }
    if (answer->status < 200) return true;
    answer->has_headers = true;
    return parse_headers(answer) == 0 && read_framing(answer) == 0 && begin_body(answer) == 0;
}

bool answer_body(struct answer *answer, const char *data, size_t size)
{
    struct err failure = ERR_INIT;
    answer->wire_bytes += size;
    if (!expects_body(answer)) return true;
    int rc = answer->inflate  ? inflate_feed(answer->inflate, data, size, &failure)
             : answer->unpack ? take_packed(answer, data, size, &failure)
                              : take_body(answer, data, size, &failure);
    if (rc != 0) answer->failure = failure;
    return rc == 0;
}

/* --- the end ------------------------------------------------------------------------------------- */

/* Does anything but the connection's end say that the body is whole? HTTP/2 frames it; it is spoken over TLS only, so that a
 * plain answer whose status line claims it is not believed. */
static bool has_proved_end(const struct answer *answer)
{
    bool is_framed = answer->version >= 20 && answer->is_over_tls;
    return !expects_body(answer) || answer->length >= 0 || answer->is_chunked || is_framed || answer->inflate ||
           (answer->unpack && unpack_proves_end(answer->unpack));
}

int answer_finish(struct answer *answer, const struct err *transfer, struct http_response *response, struct err *err)
{
    bool status_counts = answer->headers && is_refusal(answer);
    struct err inflated = ERR_INIT;
    if (answer->failure.class == 0 && transfer->class != 0) answer->failure = *transfer;
    if (answer->failure.class == 0 && !answer->has_headers)
        err_set(&answer->failure, ERR_TRANSIENT, "could not get an answer: the connection ended before its headers did");
    if (answer->failure.class == 0 && answer->inflate && inflate_finish(answer->inflate, &inflated) != 0)
        answer->failure = inflated;
    if (answer->failure.class == 0 && answer->unpack && unpack_finish(answer->unpack, &inflated) != 0)
        answer->failure = inflated;
    if (answer->failure.class != 0 && (!status_counts || answer->failure.class == ERR_CANCELLED)) {
        if (answer->failure.class == ERR_DATA && !answer->failure.hint[0])
            err_hint(&answer->failure, "check what the source, or a proxy before it, sends");
        return err_copy(err, &answer->failure);
    }
    if (!answer->body) answer->body = block_new(answer->budget, 0);
    block_seal(answer->body);
    response->status = answer->status;
    response->headers = answer->headers;
    response->header_count = answer->header_count;
    response->ends_with_connection = !has_proved_end(answer);
    response->wire_bytes = answer->wire_bytes;
    response->body = answer->body;
    answer->body = NULL;
    return 0;
}
