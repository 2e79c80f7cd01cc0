/* log: see log.h. A line is made outside the lock (format, redact, escape) and written under it, so that lines of many threads
 * do not mix and a live display moves away and back around each. Redacting comes before escaping: a secret with a control
 * character in it must be seen as it is. */
#include "os/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/jsonscan.h"
#include "base/time.h"
#include "base/utf8.h"
#include "os/clock.h"
#include "os/secret.h"

enum { MESSAGE_MAX = 64 * 1024, LINE_MAX_BYTES = 16 * MESSAGE_MAX }; /* name and message, each byte at most 6 when escaped */

/* What handles share. */
struct sink {
    int fd;
    enum log_format format;
    enum log_level level;
    struct secrets *secrets;
    pthread_mutex_t lock; /* guards all below, and the writing */
    void (*before)(void *context);
    void (*after)(void *context);
    void *context;
    struct log *children; /* all handles but the root */
};

struct log {
    struct sink *sink;
    char *name;       /* "" for the root */
    struct log *next; /* in sink->children */
};

/* Indexed by enum log_level. INFO is what people read all day: without a word in front. */
static const struct {
    const char *name;
    const char *prefix;
} LEVELS[] = {
    [LOG_ERROR] = {"error", "error: "},
    [LOG_WARN] = {"warn", "warning: "},
    [LOG_INFO] = {"info", ""},
    [LOG_DEBUG] = {"debug", "debug: "},
};

struct log *log_new(int fd, enum log_format format, enum log_level level, struct secrets *secrets)
{
    struct sink *sink = mem_zero(1, sizeof *sink);
    *sink = (struct sink){.fd = fd, .format = format, .level = level, .secrets = secrets};
    CHECK(pthread_mutex_init(&sink->lock, NULL) == 0);
    struct log *log = mem_zero(1, sizeof *log);
    log->sink = sink;
    log->name = mem_strdup("");
    return log;
}

struct log *log_child(struct log *parent, const char *name)
{
    struct sink *sink = parent->sink;
    struct buf full = BUF_INIT(MESSAGE_MAX);
    buf_printf(&full, "%s%s%s", parent->name, parent->name[0] ? "." : "", name);
    struct log *log = mem_zero(1, sizeof *log);
    log->sink = sink;
    log->name = buf_steal(&full);
    pthread_mutex_lock(&sink->lock);
    log->next = sink->children;
    sink->children = log;
    pthread_mutex_unlock(&sink->lock);
    return log;
}

void log_free(struct log *root)
{
    if (!root) return;
    struct sink *sink = root->sink;
    for (struct log *log = sink->children, *next; log; log = next) {
        next = log->next;
        free(log->name);
        free(log);
    }
    pthread_mutex_destroy(&sink->lock);
    free(sink);
    free(root->name);
    free(root);
}

bool log_wants(const struct log *log, enum log_level level)
{
    return log && level <= log->sink->level;
}

void log_set_hooks(struct log *log, void (*before)(void *context), void (*after)(void *context), void *context)
{
    struct sink *sink = log->sink;
    pthread_mutex_lock(&sink->lock);
    sink->before = before;
    sink->after = after;
    sink->context = context;
    pthread_mutex_unlock(&sink->lock);
}

/* --- making a line ---------------------------------------------------------------------------------------------------- */

/* Characters that steer a terminal or turn the order of what is read: C0, DEL, C1, line and paragraph separators, bidi
 * controls. */
static bool is_steering(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0x200e || code == 0x200f || code == 0x061c;
}

static uint32_t decode_utf8(const char *data, size_t length)
{
    static const unsigned char LEAD_MASKS[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = (unsigned char)data[0] & LEAD_MASKS[length];
    for (size_t i = 1; i < length; i++) code = code << 6 | ((unsigned char)data[i] & 0x3f);
    return code;
}

static void append_escaped(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.size;) {
        const char *at = text.data + i;
        size_t length = utf8_length((struct str){at, text.size - i});
        uint32_t code = length ? decode_utf8(at, length) : 0;
        if (length == 0)
            buf_append_text(out, UTF8_REPLACEMENT);
        else if (!is_steering(code))
            buf_append(out, at, length);
        else if (code == '\n')
            buf_append_text(out, "\\n");
        else if (code == '\t')
            buf_append_text(out, "\\t");
        else
            buf_printf(out, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
        i += length ? length : 1;
    }
}

static void make_text_line(const struct log *log, enum log_level level, struct str message, struct buf *line)
{
    struct buf plain = BUF_INIT(LINE_MAX_BYTES), redacted = BUF_INIT(LINE_MAX_BYTES);
    buf_printf(&plain, "%s%s%s", LEVELS[level].prefix, log->name, log->name[0] ? ": " : "");
    buf_append_str(&plain, message);
    secrets_redact(log->sink->secrets, buf_str(&plain), &redacted);
    append_escaped(line, buf_str(&redacted));
    buf_release(&redacted);
    buf_release(&plain);
}

static void add_redacted(const struct log *log, struct json_writer *writer, const char *key, struct str text)
{
    struct buf redacted = BUF_INIT(LINE_MAX_BYTES);
    secrets_redact(log->sink->secrets, text, &redacted);
    json_member(writer, key);
    json_text(writer, buf_str(&redacted));
    buf_release(&redacted);
}

static void make_json_line(const struct log *log, enum log_level level, struct str message, struct buf *line)
{
    char at[TIME_TEXT_MAX];
    int64_t now_us = clock_wall_us(clock_system());
    struct json_writer writer = JSON_WRITER(line);
    json_open(&writer, '{');
    json_member(&writer, "at");
    json_text(&writer, (struct str){at, time_write_iso(now_us - now_us % 1000, at)});
    json_member(&writer, "level");
    json_cstr(&writer, LEVELS[level].name);
    if (log->name[0]) add_redacted(log, &writer, "name", str_from(log->name));
    add_redacted(log, &writer, "message", message);
    json_close(&writer, '}');
}

/* --- writing it ------------------------------------------------------------------------------------------------------- */

static void write_line(struct sink *sink, struct buf *line)
{
    buf_append_char(line, '\n');
    pthread_mutex_lock(&sink->lock);
    if (sink->before) sink->before(sink->context);
    for (size_t written = 0; written < line->size;) {
        ssize_t size = write(sink->fd, line->data + written, line->size - written);
        if (size >= 0) {
            written += (size_t)size;
        } else if (errno == EAGAIN) {
            struct pollfd room = {.fd = sink->fd, .events = POLLOUT};
            poll(&room, 1, -1);
        } else if (errno != EINTR) {
            break; /* nobody is left to be told */
        }
    }
    if (sink->after) sink->after(sink->context);
    pthread_mutex_unlock(&sink->lock);
}

void log_at(struct log *log, enum log_level level, const char *format, ...)
{
    if (!log_wants(log, level)) return;
    char *message = mem_alloc(MESSAGE_MAX);
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(message, MESSAGE_MAX, format, arguments);
    va_end(arguments);
    struct str text = {message, size < 0 ? 0 : (size_t)size};
    bool is_cut = text.size >= MESSAGE_MAX;
    if (is_cut) text.size = MESSAGE_MAX - 1;

    struct buf line = BUF_INIT(LINE_MAX_BYTES);
    if (log->sink->format == LOG_JSON)
        make_json_line(log, level, text, &line);
    else
        make_text_line(log, level, text, &line);
    if (is_cut && log->sink->format == LOG_TEXT) buf_append_text(&line, " [cut]");
    write_line(log->sink, &line);
    buf_release(&line);
    free(message);
}

/* The index behind the JSON string that begins at `at` with its quote. */
static size_t string_end(struct str json, size_t at)
{
    for (at++; at < json.size && json.data[at] != '"'; at++)
        if (json.data[at] == '\\') at++;
    return at < json.size ? at + 1 : json.size;
}

static bool is_key(struct str json, size_t after)
{
    while (after < json.size && (json.data[after] == ' ' || json.data[after] == '\t')) after++;
    return after < json.size && json.data[after] == ':';
}

/* Appends the JSON string `quoted`, redacted: decoded first, for what looks like a secret may begin in the middle of an escape.
 */
static void append_redacted_string(const struct secrets *secrets, struct str quoted, struct buf *line)
{
    struct arena arena = ARENA_INIT(0);
    struct str raw = {quoted.data + 1, quoted.size < 2 ? 0 : quoted.size - 2};
    struct json_value value = {.kind = JSON_STRING, .flags = JSON_ESCAPED | JSON_DIRTY, .raw = raw};
    struct str text = jsonscan_text(&value, &arena, NULL);
    struct buf redacted = BUF_INIT(text.size);
    secrets_redact(secrets, text, &redacted);
    if (str_equal(buf_str(&redacted), text))
        buf_append_str(line, quoted);
    else
        buf_append_json_string(line, buf_str(&redacted));
    buf_release(&redacted);
    arena_release(&arena);
}

void log_event(struct log *log, struct str json)
{
    struct buf line = BUF_INIT(8 * json.size + 1); /* a byte becomes 6 when it is written as an escape */
    for (size_t at = 0; at < json.size;) {
        const char *quote = memchr(json.data + at, '"', json.size - at);
        size_t start = quote ? (size_t)(quote - json.data) : json.size;
        buf_append(&line, json.data + at, start - at);
        if (!quote) break;
        size_t end = string_end(json, start);
        struct str quoted = {quote, end - start};
        if (is_key(json, end))
            buf_append_str(&line, quoted);
        else
            append_redacted_string(log->sink->secrets, quoted, &line);
        at = end;
    }
    write_line(log->sink, &line);
    buf_release(&line);
}
