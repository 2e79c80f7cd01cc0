/* settings: the key `webhook` of a pipeline: who sends, how it is known to be them, and what becomes of an event.
 *
 *     pipelines:
 *       payments:
 *         webhook: { scheme: stripe, secret: "${STRIPE_WEBHOOK_SECRET}" }
 *         destination: warehouse
 *
 * Such a pipeline has no connector: events are received by the service (POST /webhooks/payments/payments), kept in a journal,
 * and the journal is its source: hook_as_pipeline writes down what the plugin `files` needs to read it. */
#ifndef SLUICE_HOOK_SETTINGS_H
#define SLUICE_HOOK_SETTINGS_H

#include "base/arena.h"
#include "data/node.h"
#include "data/option.h"
#include "data/problems.h"
#include "hook/scheme.h"

enum { HOOK_BODY_MAX = 5 * 1024 * 1024 };

struct hook_settings {
    const char *stream;
    struct hook_scheme scheme; /* the sender's row, with what the pipeline says of it */
    const char *const *secrets;
    size_t secret_count;
    const char *url; /* as the sender has it; NULL: not signed */
    const char *verify_token;
    const char *const *required; /* paths that each event must have */
    size_t required_count;
    const char *journal; /* folder, relative to sluice.yaml */
    size_t max_body;
    uint64_t max_backlog; /* bytes that wait to be loaded; more are refused */
    int64_t load_every_ms, keep_ms;
};

extern const struct option_table WEBHOOK_OPTIONS;

/* What the table does not say: which keys a scheme needs. `pipeline` is its node. */
void hook_settings_check(const struct node *pipeline, const char *path, struct problems *problems);
/* Of a node that was checked, with its references replaced. */
void hook_settings_read(const struct node *webhook, const char *pipeline, struct arena *arena, struct hook_settings *out);

/* The pipeline's node as one that reads the journal; itself when it has no `webhook`, or one that is no map. Mistakes: a
 * connector, config or streams beside it. */
const struct node *hook_as_pipeline(const struct node *pipeline, const char *path, struct arena *arena,
                                    struct problems *problems);

#endif
