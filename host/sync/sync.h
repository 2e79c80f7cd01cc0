/* sync: one run of one pipeline, from finding its connector to the summary. What `sluice run PIPELINE` does, in this process.
 *
 *     prepared = what is needed before anything moves: connector found and described, config resolved, plan made.
 *     sync_prepare(&options, &prepared, problems, err);    // also used by check, discover, preview
 *     code = sync_run(prepared, &observer, err);           // lease, flows, release; the exit code
 *     sync_prepared_free(prepared); */
#ifndef SLUICE_SYNC_SYNC_H
#define SLUICE_SYNC_SYNC_H

#include "base/arena.h"
#include "base/err.h"
#include "connector/connector.h"
#include "net/client.h"
#include "net/token_store.h"
#include "rest/config.h"
#include "rest/description.h"
#include "rest/request.h"
#include "sync/plan.h"
#include "sync/progress.h"
#include "sync/project.h"

struct cancel;
struct cassette;
struct clock;
struct log;
struct memory;
struct secrets;

struct sync_options {
    const struct project *project;
    const struct pipeline *pipeline;
    struct plan_request request;
    const char *state_folder; /* for tokens; NULL: the default */
    struct secrets *secrets;
    struct clock *clock;
    struct cassette
        *cassette;         /* of all requests to the source; NULL: the network alone. A replay's clock is the source's time */
    struct memory *memory; /* what the memory writer fills, see writer/memory.h; NULL for the others */
    struct cancel *cancel;
    struct log *log;
    struct tokens *tokens; /* where a replay keeps those it is given, for the next one; NULL: until it ends */
    /* Where tokens are kept, by the name of a credential; NULL: in the state folder. */
    struct token_store *(*token_store)(void *context, const char *credential, struct cancel *cancel);
    void *token_context;
    bool goes_on;     /* with a recording: the syncs of one case log in once */
    bool refresh;     /* ask for fields anew, whatever is kept */
    bool tokens_only; /* for sync_auth and sync_log_in: no stream is planned, and no source asked for fields */
};

struct auth;

/* Everything about a pipeline that does not need the destination. Read-only for others. */
struct sync_prepared {
    struct sync_options options;
    struct arena arena;
    const struct connector *connector;
    struct connector_sources sources;
    struct connector_options connector_options;
    const struct node *root; /* the description as the connector gave it */
    const struct description *description;
    const struct config *config;
    struct guard
        *own; /* the connector's own hosts: where secrets may go; with a base that a login tells, from sync_client on */
    struct sync_plan plan;
    struct budget *budget;
    struct tokens own_tokens;   /* of a replay without options.tokens */
    struct clock *source_clock; /* what requests and waits on the source go by */
    int64_t now_us;             /* frozen */
};

/* Finds, describes, compiles, asks for fields (see discovery.h), plans. Mistakes in configuration and description go to
 * `problems` (the result is then NULL and 0 is returned); a connector whose code fails is an error. */
int sync_prepare(const struct sync_options *options, struct sync_prepared **out, struct problems *problems,
                 struct err *err) MUST_USE;
void sync_prepared_free(struct sync_prepared *prepared); /* NULL is fine */

/* A client for the pipeline's requests: its hosts, credentials, limits. `cancel` ends its transfers and waits. */
int sync_client(struct sync_prepared *prepared, struct cancel *cancel, struct client **out, struct err *err) MUST_USE;

/* The pipeline's stored tokens, without a client. CONFIG when its credentials are of a kind that has none. */
int sync_auth(struct sync_prepared *prepared, struct auth **out, struct err *err) MUST_USE;
/* Logs in by a browser: on this machine (grant authorization_code), where `show` gets the URL to open and this waits for the
 * redirect, or on any other (grant device_code, or `by_device`), where `show_device` gets URL and code. */
struct device_login;
struct sync_login {
    bool by_device;
    void (*show)(void *context, const char *url);
    void (*show_device)(void *context, const struct device_login *login);
    void *context;
};
int sync_log_in(struct sync_prepared *prepared, const struct sync_login *login, struct err *err) MUST_USE;

/* Opens the pipeline's destination. `cancel` ends its waits. */
int sync_destination(const struct sync_prepared *prepared, struct cancel *cancel, struct destination **out,
                     struct err *err) MUST_USE;

/* The same to look at it: nothing is made or written there. */
int sync_look_destination(const struct sync_prepared *prepared, struct cancel *cancel, struct destination **out,
                          struct err *err) MUST_USE;

/* The source side of a request for stream `flow` (NULL: none), for preview and check. */
struct request_source sync_request_source(const struct sync_prepared *prepared, const struct flow_plan *flow);

/* Runs the sync and returns its exit code; *err holds the failure that ended it as a whole (class 0: none; streams have their
 * own in `progress`, which the observer sees). */
int sync_run(struct sync_prepared *prepared, const struct observer *observer, struct err *err);

#endif
