/* statsd: see statsd.h. */
#include "service/statsd.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "os/log.h"
#include "service/child.h"

enum { DATAGRAM_MAX = 1432, TAG_MAX = 100 }; /* what fits one Ethernet frame; a tag with its name has at most 200 characters */

struct statsd {
    int fd; /* -1: the address is not known */
    bool has_tags;
    char *prefix;
};

/* A socket that sends to "HOST:PORT"; -1 with *why, which is text for people. */
static int open_socket(const char *address, const char **why)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    char *host = mem_strdup(address), *colon = strrchr(host, ':');
    int fd = -1;
    if (colon) *colon = '\0';
    int rc = getaddrinfo(host, colon ? colon + 1 : "8125", &hints, &found);
    if (rc == 0) {
        fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
        freeaddrinfo(found);
    }
    *why = rc ? gai_strerror(rc) : strerror(errno);
    free(host);
    return fd;
}

struct statsd *statsd_open(const char *address, bool has_tags, const char *prefix, struct log *log)
{
    struct statsd *statsd = mem_zero(1, sizeof *statsd);
    const char *why;
    *statsd = (struct statsd){.fd = open_socket(address, &why), .has_tags = has_tags, .prefix = mem_strdup(prefix)};
    if (statsd->fd < 0) log_warn(log, "service.statsd: nothing is sent to '%s': %s", address, why);
    return statsd;
}

void statsd_close(struct statsd *statsd)
{
    if (!statsd) return;
    if (statsd->fd >= 0) close(statsd->fd);
    free(statsd->prefix);
    free(statsd);
}

/* Letters, digits and what else cannot be taken for the protocol. In a plain name a dot would begin another part. */
static void append_part(struct buf *out, const char *text, bool is_tag)
{
    for (size_t i = 0; text[i] && i < TAG_MAX; i++) {
        char c = text[i];
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
        buf_append_char(out, is_plain || (is_tag && (c == '.' || c == '/')) ? c : '_');
    }
}

struct measured {
    const char *connector, *table, *status;
};

static void append_measure(bool has_tags, const char *prefix, const struct measured *of, const char *name, double value,
                           bool counts, struct buf *out)
{
    if (out->size) buf_append_char(out, '\n');
    buf_printf(out, "%s%s", prefix, name);
    const char *const parts[][2] = {{"connector", of->connector}, {"table", of->table}, {"status", of->status}};
    for (size_t i = 0; !has_tags && i < ARRAY_SIZE(parts); i++) {
        buf_append_char(out, '.');
        append_part(out, parts[i][1], false);
    }
    buf_printf(out, counts ? ":%.0f|c" : has_tags ? ":%.4f|h" : ":%.4f|g", value);
    for (size_t i = 0; has_tags && i < ARRAY_SIZE(parts); i++) {
        buf_printf(out, "%s%s:", i ? "," : "|#", parts[i][0]);
        append_part(out, parts[i][1], true);
    }
}

void statsd_write(bool has_tags, const char *prefix, const char *connector, struct str line, struct buf *out)
{
    struct cJSON *event;
    struct err ignored = ERR_INIT;
    double emitted = 0, ms = 0;
    if (json_parse(line, CHILD_LINE_MAX, &event, &ignored) != 0) return;
    const char *kind = json_string(json_get(event, "event")), *stream = json_string(json_get(event, "stream"));
    const char *table = json_string(json_get(event, "target")), *status = json_string(json_get(event, "status"));
    if (kind && strcmp(kind, "stream_ended") == 0 && stream && status) {
        const struct measured of = {connector, table ? table : stream, status};
        json_number(json_get(event, "emitted"), &emitted);
        json_number(json_get(event, "stream_ms"), &ms);
        append_measure(has_tags, prefix, &of, "ingestion.records_per_second", ms > 0 ? emitted * 1000 / ms : emitted, false,
                       out);
        append_measure(has_tags, prefix, &of, "ingestion.duration_minutes", ms / 60000, false, out);
        if (json_get(event, "error")) append_measure(has_tags, prefix, &of, "ingestion.errors", 1, true, out);
    }
    json_free(event);
}

void statsd_take(struct statsd *statsd, const char *connector, struct str line)
{
    struct buf out = BUF_INIT(DATAGRAM_MAX);
    if (!statsd || statsd->fd < 0) return;
    statsd_write(statsd->has_tags, statsd->prefix, connector, line, &out);
    if (out.size && !out.failed && send(statsd->fd, out.data, out.size, MSG_NOSIGNAL) < 0) errno = 0; /* nobody listens */
    buf_release(&out);
}

/* https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/: lengths are of bytes, and a line end is "\\n". */
int statsd_event(const char *address, const char *pipeline, const char *kind, struct str text, bool is_over, struct err *err)
{
    struct buf title = BUF_INIT(1024), escaped = BUF_INIT(DATAGRAM_MAX / 2), out = BUF_INIT(DATAGRAM_MAX);
    const char *why = "it does not fit a datagram";
    buf_printf(&title, "sluice: %s of %.200s%s", kind, pipeline, is_over ? " is over" : "");
    for (size_t i = 0; i < text.size && escaped.size + 4 < escaped.max; i++)
        if (text.data[i] == '\n')
            buf_append_text(&escaped, "\\n");
        else
            buf_append_char(&escaped, text.data[i]);
    buf_printf(&out, "_e{%zu,%zu}:%s|%s|t:%s|#pipeline:", title.size, escaped.size, buf_text(&title), buf_text(&escaped),
               is_over ? "success" : "error");
    append_part(&out, pipeline, true);
    buf_append_text(&out, ",kind:");
    append_part(&out, kind, true);
    int fd = out.failed ? -1 : open_socket(address, &why);
    bool is_sent = fd >= 0 && send(fd, out.data, out.size, MSG_NOSIGNAL) == (ssize_t)out.size;
    if (fd >= 0 && !is_sent) why = strerror(errno);
    if (fd >= 0) close(fd);
    buf_release(&title);
    buf_release(&escaped);
    buf_release(&out);
    return is_sent ? 0 : err_set(err, ERR_TRANSIENT, "the alert's statsd server could not be told: %s", why);
}
