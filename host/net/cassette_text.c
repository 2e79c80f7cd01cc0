/* How it works: a line's first character says whose it is, so no body needs escaping and none ends by accident. Reading is a
 * state per line; a mistake is noted and the next line read on. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/json_layout.h"
#include "base/number.h"
#include "base/time.h"
#include "data/duration.h"
#include "net/cassette_internal.h"
#include "os/crypto.h"
#include "os/fs.h"
#include "os/secret.h"

enum { LINE_WIDTH = 100, BYTES_PER_LINE = 72 };

/* --- reading ------------------------------------------------------------------------------------- */

enum part { PART_NONE, PART_REQUEST, PART_REQUEST_BODY, PART_ANSWER, PART_ANSWER_BODY };

struct reading {
    struct cassette *cassette;
    struct problems *problems;
    struct node place;
    enum part part;
    struct cassette_exchange *exchange; /* the one in hand */
    struct buf body;
    bool has_body_line;
    int64_t after_ms;
    size_t header_capacity;
};

#define WRONG(reading, ...) problems_add((reading)->problems, &(reading)->place, __VA_ARGS__)

/* The body that was gathered belongs to the part that ends. */
static void end_part(struct reading *reading)
{
    struct str body = arena_copy(&reading->cassette->arena, buf_str(&reading->body));
    if (reading->part == PART_REQUEST_BODY) reading->exchange->body = body;
    if (reading->part == PART_ANSWER_BODY) reading->exchange->answer_body = body;
    buf_clear(&reading->body);
    reading->has_body_line = false;
    reading->header_capacity = 0;
}

static void end_exchange(struct reading *reading)
{
    end_part(reading);
    if (reading->part == PART_REQUEST || reading->part == PART_REQUEST_BODY) {
        reading->place.line = reading->exchange->line;
        WRONG(reading, "the request '" STR_FMT "' has no answer", STR_ARG(reading->exchange->url));
        problems_hint(reading->problems, "write '< 200' below it, or '! connection reset'");
    }
    reading->part = PART_NONE;
}

/* "HTTP/1.1" may stand behind the URL, as curl -v prints it; spaces may stand in it. */
static struct str without_version(struct str url)
{
    static const char *const VERSIONS[] = {" HTTP/1.0", " HTTP/1.1", " HTTP/2", " HTTP/3"};
    for (size_t i = 0; i < ARRAY_SIZE(VERSIONS); i++)
        if (str_ends(url, str_from(VERSIONS[i]))) url.size -= strlen(VERSIONS[i]);
    return url;
}

static void begin_request(struct reading *reading, struct str line)
{
    struct str method = {0}, url = {0}, rest = line;
    unsigned at = reading->place.line;
    end_exchange(reading);
    reading->place.line = at;
    str_next(&rest, ' ', &method);
    rest = str_trim(rest);
    url = str_trim(without_version(rest));
    if (url.size == 0 || (url.data[0] != '/' && !str_starts(url, STR("http://")) && !str_starts(url, STR("https://")))) {
        WRONG(reading, "cannot read the request '" STR_FMT "'", STR_ARG(line));
        problems_hint(reading->problems, "write the method and the URL: '> GET /orders?page=1'");
    }
    reading->exchange = cassette_add(reading->cassette);
    reading->exchange->line = at;
    reading->exchange->method = arena_copy(&reading->cassette->arena, method);
    reading->exchange->url = arena_copy(&reading->cassette->arena, url);
    reading->exchange->after_ms = reading->after_ms;
    reading->after_ms = 0;
    reading->part = PART_REQUEST;
}

static void begin_answer(struct reading *reading, struct str line)
{
    int64_t status = 0;
    struct str rest = line, word = {0};
    end_part(reading);
    reading->part = PART_ANSWER;
    if (str_starts(line, STR("HTTP/"))) str_next(&rest, ' ', &word);
    str_next(&rest, ' ', &word);
    if (number_to_int64(word, &status) && status >= 200 && status <= 599) {
        reading->exchange->status = (int)status;
        return;
    }
    reading->exchange->status = 200;
    WRONG(reading, "expected a status from 200 to 599, not '" STR_FMT "'", STR_ARG(line));
}

static void add_header(struct reading *reading, struct http_header **list, size_t *count, struct str line)
{
    struct arena *arena = &reading->cassette->arena;
    const char *colon = memchr(line.data, ':', line.size);
    if (!colon || colon == line.data) {
        WRONG(reading, "expected a header, 'Name: value', not '" STR_FMT "'", STR_ARG(line));
        problems_hint(reading->problems, "a body begins behind an empty line ('%c')", reading->part == PART_ANSWER ? '<' : '>');
        return;
    }
    if (*count == reading->header_capacity) {
        reading->header_capacity = reading->header_capacity ? reading->header_capacity * 2 : 8;
        struct http_header *more = arena_array(arena, struct http_header, reading->header_capacity);
        if (*count) memcpy(more, *list, *count * sizeof *more);
        *list = more;
    }
    struct str name = {line.data, (size_t)(colon - line.data)};
    struct str value = {colon + 1, line.size - name.size - 1};
    (*list)[(*count)++] = (struct http_header){arena_copy(arena, str_trim(name)), arena_copy(arena, str_trim(value))};
}

static void add_body_line(struct reading *reading, struct str line, bool is_bytes)
{
    if (is_bytes) {
        if (!crypto_base64_decode(str_trim(line), &reading->body)) WRONG(reading, "cannot read this line as base64");
        return;
    }
    if (reading->has_body_line) buf_append_char(&reading->body, '\n');
    reading->has_body_line = true;
    buf_append_str(&reading->body, line);
}

/* Behind "> " or "< "; `is_bytes`: behind ">>" or "<<". */
static void read_request_line(struct reading *reading, struct str line, bool is_bytes)
{
    struct cassette_exchange *exchange = reading->exchange;
    if (reading->part == PART_REQUEST && line.size == 0 && !is_bytes)
        reading->part = PART_REQUEST_BODY;
    else if (reading->part == PART_REQUEST_BODY)
        add_body_line(reading, line, is_bytes);
    else if (reading->part == PART_REQUEST)
        add_header(reading, &exchange->headers, &exchange->header_count, line);
    else
        begin_request(reading, line);
}

static void read_answer_line(struct reading *reading, struct str line, bool is_bytes)
{
    struct cassette_exchange *exchange = reading->exchange;
    if (reading->part == PART_NONE)
        WRONG(reading, "an answer without a request above it");
    else if (reading->part == PART_REQUEST || reading->part == PART_REQUEST_BODY)
        begin_answer(reading, line);
    else if (reading->part == PART_ANSWER && line.size == 0 && !is_bytes)
        reading->part = PART_ANSWER_BODY;
    else if (reading->part == PART_ANSWER_BODY)
        add_body_line(reading, line, is_bytes);
    else
        add_header(reading, &exchange->answer_headers, &exchange->answer_header_count, line);
}

static void read_broken(struct reading *reading, struct str line)
{
    if (reading->part != PART_REQUEST && reading->part != PART_REQUEST_BODY) {
        WRONG(reading, "'!' stands below a request, in place of its answer");
        return;
    }
    end_part(reading);
    reading->exchange->broken = arena_copy(&reading->cassette->arena, line.size ? line : STR("connection reset"));
    reading->part = PART_NONE;
}

static void read_setting(struct reading *reading, struct str line)
{
    struct cassette *cassette = reading->cassette;
    const char *colon = memchr(line.data, ':', line.size);
    struct str name = {line.data, colon ? (size_t)(colon - line.data) : line.size};
    struct str value = str_trim((struct str){line.data + name.size + 1, colon ? line.size - name.size - 1 : 0});
    if (reading->part != PART_NONE) end_exchange(reading);
    if (colon && str_equal(name, STR("now"))) {
        enum time_zone_mark mark;
        if (!time_parse_iso(value, &cassette->now_us, &mark))
            WRONG(reading, "expected an instant, not '" STR_FMT "'", STR_ARG(value));
    } else if (colon && str_equal(name, STR("after"))) {
        if (!duration_parse(value, &reading->after_ms))
            WRONG(reading, "expected a duration like 30s, not '" STR_FMT "'", STR_ARG(value));
    } else {
        WRONG(reading, "cannot read this line: '" STR_FMT "'", STR_ARG(line));
        problems_hint(reading->problems, "exchanges are '> GET /path', '< 200'; '#' begins a comment");
    }
}

static struct str behind_mark(struct str line, size_t mark)
{
    line = (struct str){line.data + mark, line.size - mark};
    if (line.size > 0 && line.data[0] == ' ') line = (struct str){line.data + 1, line.size - 1};
    return line;
}

static bool is_text(struct str body)
{
    for (size_t i = 0; i < body.size; i++) {
        unsigned char c = (unsigned char)body.data[i];
        if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f || c >= 0xf8) return false;
    }
    return true;
}

void cassette_parse(struct cassette *cassette, struct str text, unsigned first_line, struct problems *problems)
{
    struct reading reading = {.cassette = cassette, .problems = problems, .body = BUF_INIT(CASSETTE_MAX_BYTES)};
    struct str rest = text, line;
    reading.place = (struct node){.file = cassette->file, .line = first_line};
    for (; str_next(&rest, '\n', &line); reading.place.line++) {
        if (line.size > 0 && line.data[line.size - 1] == '\r') line.size--;
        char mark = line.size ? line.data[0] : '\0';
        bool is_bytes = line.size > 1 && (mark == '>' || mark == '<') && line.data[1] == mark;
        if (!is_text(line))
            WRONG(&reading, "a control character; bytes stand behind '>>' or '<<' as base64");
        else if (mark == '>')
            read_request_line(&reading, behind_mark(line, is_bytes ? 2 : 1), is_bytes);
        else if (mark == '<')
            read_answer_line(&reading, behind_mark(line, is_bytes ? 2 : 1), is_bytes);
        else if (mark == '!')
            read_broken(&reading, behind_mark(line, 1));
        else if (str_trim(line).size > 0 && mark != '#')
            read_setting(&reading, line);
    }
    if (reading.part != PART_NONE) end_exchange(&reading);
    buf_release(&reading.body);
}

/* --- writing ------------------------------------------------------------------------------------- */

static void write_headers(char mark, const struct http_header *headers, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%c ", mark);
        buf_append_str(out, headers[i].name);
        buf_append_text(out, ": ");
        buf_append_str(out, headers[i].value);
        buf_append_char(out, '\n');
    }
}

static void write_bytes(char mark, struct str body, struct buf *out)
{
    for (size_t at = 0; at < body.size; at += BYTES_PER_LINE) {
        size_t size = body.size - at < BYTES_PER_LINE ? body.size - at : BYTES_PER_LINE;
        buf_printf(out, "%c%c ", mark, mark);
        crypto_base64((struct str){body.data + at, size}, out);
        buf_append_char(out, '\n');
    }
}

static void write_body(char mark, struct str body, struct buf *out)
{
    struct buf laid = BUF_INIT(CASSETTE_MAX_BYTES);
    struct str rest, line, trimmed = str_trim(body);
    if (body.size == 0) return;
    buf_printf(out, "%c\n", mark);
    bool is_json = trimmed.size > 1 && (trimmed.data[0] == '{' || trimmed.data[0] == '[');
    if (is_json && !memchr(trimmed.data, '\n', trimmed.size)) json_layout(trimmed, LINE_WIDTH, &laid);
    if (laid.size) body = buf_str(&laid);
    if (!is_text(body)) {
        write_bytes(mark, body, out);
    } else {
        rest = body;
        while (str_next(&rest, '\n', &line))
            buf_printf(out, "%c%s", mark, line.size ? " " : ""), buf_append_str(out, line), buf_append_char(out, '\n');
        if (body.data[body.size - 1] == '\n') buf_printf(out, "%c\n", mark);
    }
    buf_release(&laid);
}

static void write_exchange(const struct cassette_exchange *exchange, struct buf *out)
{
    buf_append_char(out, '\n');
    buf_printf(out, "> " STR_FMT " ", STR_ARG(exchange->method));
    buf_append_str(out, exchange->url);
    buf_append_char(out, '\n');
    write_headers('>', exchange->headers, exchange->header_count, out);
    write_body('>', exchange->body, out);
    if (exchange->status == 0) {
        buf_printf(out, "! " STR_FMT "\n", STR_ARG(exchange->broken));
        return;
    }
    buf_printf(out, "< %d\n", exchange->status);
    write_headers('<', exchange->answer_headers, exchange->answer_header_count, out);
    write_body('<', exchange->answer_body, out);
}

void cassette_write(struct cassette *cassette, const struct secrets *secrets, bool with_now, struct buf *out)
{
    struct buf plain = BUF_INIT(2 * (size_t)CASSETTE_MAX_BYTES);
    char now[TIME_TEXT_MAX];
    pthread_mutex_lock(&cassette->lock);
    time_write_iso(cassette->now_us, now);
    if (with_now)
        buf_printf(&plain, "# Recorded by sluice " SLUICE_VERSION ". *** was a secret, and fits any text.\nnow: %s\n", now);
    for (size_t i = 0; i < cassette->count; i++) write_exchange(&cassette->list[i], &plain);
    pthread_mutex_unlock(&cassette->lock);
    secrets_redact(secrets, buf_str(&plain), out);
    buf_release(&plain);
}

int cassette_save(struct cassette *cassette, const struct secrets *secrets, const char *path, struct err *err)
{
    struct buf text = BUF_INIT(2 * (size_t)CASSETTE_MAX_BYTES);
    if (cassette->is_full) {
        err_set(err, ERR_DATA, "cannot record more than %d MiB", CASSETTE_MAX_BYTES >> 20);
        return err_hint(err, "record less: one stream with --stream, or a later start");
    }
    cassette_write(cassette, secrets, true, &text);
    int rc = fs_write_file(path, 0644, buf_str(&text), err);
    buf_release(&text);
    if (rc != 0) err->class = ERR_CONFIG;
    return rc == 0 ? 0 : ERR_CONFIG;
}
