/* counter: open, page and close with sluice_checkpoint, sluice_committed and sluice_sleep: a log that grows to config.count,
 * read from where the last checkpoint was. */
#include <inttypes.h>
#include <sluice/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct counting {
    int64_t next, end, pause_ms, fails_at;
    int is_continuous;
};

static int open_log(struct sluice_session *session, const struct sluice_slice *slice, void **instance)
{
    struct counting *counting = calloc(1, sizeof *counting);
    if (!counting) return sluice_fail(session, SLUICE_ERROR_CONNECTOR, "out of memory", NULL);
    counting->next = slice->state ? strtoll(slice->state, NULL, 10) : 0;
    counting->end = strtoll(sluice_config(session, "count"), NULL, 10);
    counting->pause_ms = strtoll(sluice_config(session, "pause_ms"), NULL, 10);
    counting->is_continuous = slice->continuous;
    counting->fails_at = strtoll(sluice_config(session, "fails_at"), NULL, 10);
    if (slice->state && counting->next >= counting->fails_at) counting->fails_at = 0; /* the second try goes well */
    *instance = counting;
    return 0;
}

static void tell_committed(struct sluice_session *session)
{
    char line[64];
    const char *committed = sluice_committed(session);
    if (!committed) return;
    snprintf(line, sizeof line, "durable up to %s", committed);
    sluice_log(session, SLUICE_LOG_INFO, line);
}

static int page(struct sluice_session *session, void *instance)
{
    struct counting *counting = instance;
    char text[32];
    tell_committed(session);
    if (counting->pause_ms && sluice_sleep(session, (uint32_t)counting->pause_ms) < 0) return -1;
    if (counting->fails_at && counting->next >= counting->fails_at)
        return sluice_fail(session, SLUICE_ERROR_TRANSIENT, "the log cannot be reached just now", NULL);
    for (int i = 0; i < 100 && counting->next < counting->end; i++, counting->next++) {
        int size = snprintf(text, sizeof text, "number %" PRId64, counting->next);
        const struct sluice_value row[2] = {sluice_integer(counting->next), sluice_text(text, (size_t)size)};
        if (sluice_emit(session, 0, SLUICE_UPSERT, row, 2) < 0) return -1;
    }
    int size = snprintf(text, sizeof text, "%" PRId64, counting->next);
    if (sluice_checkpoint(session, text, (size_t)size) < 0) return -1;
    return counting->next < counting->end || counting->is_continuous;
}

static void close_log(struct sluice_session *session, void *instance)
{
    sluice_log(session, SLUICE_LOG_INFO, "closed");
    free(instance);
}

static const struct sluice_plugin PLUGIN = {
    SLUICE_PLUGIN_HEADER,
    .profile = SLUICE_NETWORK,
    .name = "counter",
    .version = "1.0.0",
    .description = SLUICE_JSON({
        "config": {"count": {"type": "integer", "default": 1000},
                   "pause_ms": {"type": "integer", "default": 0},
                   "fails_at": {"type": "integer", "default": 0}},
        "streams": {
            "numbers": {
                "native": true,
                "primary_key": "n",
                "write_mode": "append",
                "cursor": {"kind": "token"},
                "fields": {"n": "integer", "text": "string"}
            }
        }
    }),
                                  .open = open_log, .page = page, .close = close_log,
};
SLUICE_PLUGIN(PLUGIN);
