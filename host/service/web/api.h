/* api: what the service answers, by one table of routes (routes.c), from which the OpenAPI document is made, too.
 *
 * Everything that looks at the store or asks another process is done by a few threads of its own, never by the one that moves
 * bytes. When too many questions wait, more are answered 503. */
#ifndef SLUICE_SERVICE_WEB_API_H
#define SLUICE_SERVICE_WEB_API_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "service/web/server.h"

struct api;
struct hooks;
struct roster;
struct store;
struct tally;

/* What it points to outlives the api. */
struct api_settings {
    const char *file;         /* sluice.yaml */
    const char *state_folder; /* NULL: the default */
    const char *node;
    struct roster *roster;
    struct store *store;
    struct tally *tally;
    struct hooks *hooks;
    struct clock *clock;
    struct log *log;
    void (*changed)(void *context); /* jobs were asked for or cancelled; from any thread */
    void *context;
};

int api_open(const struct api_settings *settings, struct api **out, struct err *err) MUST_USE;
void api_bind(struct api *api, const char *address); /* that the Host header may name, beside loopback and `hosts` */
void api_drain(struct api *api);                     /* /readyz says no from now on */
/* Answers what waits and ends its threads; what comes later is answered 503. Before the server is closed. */
void api_stop(struct api *api);
void api_free(struct api *api); /* NULL is fine */

/* For server_settings, with the api as context. */
bool api_admit(void *api, struct web_request *request);
void api_handle(void *api, struct web_request *request);

#endif
