/* parts: what the files of this folder share. */
#ifndef SLUICE_WORKER_PLUGIN_PARTS_H
#define SLUICE_WORKER_PLUGIN_PARTS_H

#include <sluice/plugin.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "worker/deadline.h"
#include "worker/plugin/plugin.h"

enum {
    PLUGIN_PAGE_FULL = 1024 * 1024,       /* of values and texts: the page should end */
    PLUGIN_PAGE_MAX = 15 * 1024 * 1024,   /* and must */
    PLUGIN_MAX_CHECKPOINT = 1024 * 1024,  /* bytes of its text */
    PLUGIN_MAX_NOTES = 1000,              /* lines of one callback */
    PLUGIN_MAX_NOTE = 8 * 1024,           /* bytes of a line */
    PLUGIN_MAX_DESCRIPTION = 1024 * 1024, /* bytes */
    PLUGIN_MAX_FUNCTIONS = 1000,
    PLUGIN_MAX_CALLBACK_MEMORY = 1 << 30, /* of sluice_alloc; the process's limit comes first */
    PLUGIN_DONE = 0,                      /* exit codes of the worker */
    PLUGIN_FAILED = 3,
};

/* Which callback runs: host functions belong to some of them only. */
enum plugin_stage { STAGE_NONE, STAGE_CHECK, STAGE_SOURCE, STAGE_OPEN, STAGE_PAGE, STAGE_CLOSE, STAGE_CALL };

/* The page in hand, as it will travel. */
struct plugin_page {
    struct buf operations, tables, values, texts, checkpoint;
    bool has_checkpoint, is_bytes;
    size_t rows;
};

/* The body that a parser was opened for. */
struct plugin_body {
    bool is_there; /* the session parses */
    bool has_ended;
    struct buf piece; /* as the host gave it */
    size_t taken;     /* of the piece */
};

struct plugin {
    struct sluice_session session; /* first: what the plugin is given */
    struct sluice_plugin about;    /* as large as ours: what an older one lacks is NULL */
    char refusal[400];
    struct wire_stream *stream;
    struct wire_stream nested; /* for what the host answers in the middle of a callback */
    struct buf out, last_words;
    uint64_t call_cpu_ms;
    struct deadline deadline;
    uint32_t id; /* of the request in hand */
    enum plugin_stage stage;
    unsigned notes;
    bool is_stopping; /* no more is wanted */
    bool has_failed;  /* the callback in hand: */
    bool may_go_on;   /* ... in what it may do without */
    uint64_t error;
    struct buf message, hint;
    struct arena callback_memory;
    /* of the session: */
    struct arena memory;
    struct wire_setting *config;
    size_t config_count;
    struct sluice_slice slice;
    bool is_open;
    void *instance;
    char *committed;
    struct plugin_page page;
    struct plugin_body body;
    struct buf result; /* of a function */
};

static inline struct plugin *plugin_of(struct sluice_session *session)
{
    return (struct plugin *)session;
}

extern const struct sluice_host PLUGIN_HOST; /* the table of host functions */

/* load.c: the checks of a plugin's descriptor, in their order. NULL: it passes; else why not. `trace` (may be NULL) is told of
 * each check that was passed. */
const char *plugin_refusal(struct plugin *plugin, const char *object, uint64_t profile, bool inspects,
                           void (*trace)(struct plugin *plugin, const char *check));

/* host.c */
void plugin_send(struct plugin *plugin, struct buf *out);
void plugin_note(struct plugin *plugin, int level, const char *text);
int plugin_fault(struct plugin *plugin, const char *message); /* the plugin breaks its contract: -1 */
/* Asks what is in plugin->out, and waits for the host's answer in the middle of a callback. */
struct wire_frame plugin_ask_host(struct plugin *plugin);
/* The host could not do it, and says why: -1. */
int plugin_fail_as_told(struct plugin *plugin, uint64_t error, struct str message, struct str hint);

/* page.c: sluice_emit, sluice_emit_bytes, sluice_checkpoint */
void plugin_page_init(struct plugin_page *page);
void plugin_page_clear(struct plugin_page *page);
int plugin_emit(struct sluice_session *session, uint32_t table, int operation, const struct sluice_value *values,
                uint32_t count);
int plugin_emit_bytes(struct sluice_session *session, const char *data, size_t size);
int plugin_checkpoint(struct sluice_session *session, const char *state, size_t size);

/* input.c: sluice_input */
void plugin_body_begin(struct plugin_body *body, bool is_there);
int plugin_input(struct sluice_session *session, void *into, size_t room, size_t *size);

#endif
