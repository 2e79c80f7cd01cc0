/* hooks: the webhooks of a node: a journal for each pipeline that receives, and when what came is loaded.
 *
 * Pipelines without a schedule are loaded soon after events came (webhook.load_every); others when they are due. What a load
 * read is forgotten by the journal when it has ended well (hook/journal.h). Any thread, but for hooks_update and hooks_turn,
 * which are the service's.
 *
 * Where several nodes share the store, each receives and has a journal of its own, so each asks for loads that only it may do;
 * one at a time, as any two syncs of a pipeline. When a schedule is due, one node does its job, and the others that have
 * something ask for theirs. */
#ifndef SLUICE_SERVICE_HOOKS_H
#define SLUICE_SERVICE_HOOKS_H

#include "base/buf.h"
#include "hook/event.h"
#include "service/roster.h"
#include "service/store.h"

struct clock;
struct hooks;
struct log;

int hooks_open(struct roster *roster, struct store *store, struct clock *clock, struct log *log, struct hooks **out,
               struct err *err) MUST_USE;
void hooks_close(struct hooks *hooks); /* NULL is fine */

/* Opens the journals of pipelines that are new in the roster; one that cannot be opened is told, and tried again. */
void hooks_update(struct hooks *hooks);
/* Asks for loads that are due, and lets go what was kept for long enough. `node`: us, among others; NULL: there is only one.
 * True when a job was queued. */
bool hooks_turn(struct hooks *hooks, const char *node);
/* Among several nodes: is the pipeline loaded by webhook.load_every though it has a schedule? One sync that never ends would
 * keep the other nodes' events waiting. */
bool hooks_replace_schedule(const struct roster_pipeline *entry);
/* A sync of a pipeline begins, or has ended; others than webhooks' are passed over. */
void hooks_load_begins(struct hooks *hooks, const char *pipeline);
void hooks_load_ends(struct hooks *hooks, const char *pipeline, bool went_well);

enum hook_status {
    HOOK_TAKEN,
    HOOK_ANSWERED,
    HOOK_UNKNOWN,
    HOOK_FORGED,
    HOOK_REFUSED,
    HOOK_TOO_LARGE,
    HOOK_FULL,
    HOOK_STATUSES
};

/* Verifies, reads and keeps what a request brings. HOOK_TAKEN: `done` is called once it is on the disk, or could not be kept.
 * HOOK_ANSWERED: out->reply is the answer. HOOK_FORGED, HOOK_REFUSED: out->why. */
enum hook_status hooks_take(struct hooks *hooks, const char *pipeline, const char *stream, const struct hook_request *request,
                            struct arena *arena, struct hook_outcome *out, void (*done)(void *context, bool is_durable),
                            void *context);
/* A sender's question before it sends (hook_greets). */
bool hooks_greet(struct hooks *hooks, const char *pipeline, const char *stream, const char *mode, const char *token,
                 const char *challenge);

void hooks_settle(struct hooks *hooks); /* waits until every event that was taken is settled */

/* Appends what was received and what waits, for Prometheus. */
void hooks_write_metrics(struct hooks *hooks, struct buf *out);

#endif
