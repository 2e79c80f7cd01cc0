/* parts: what server.c and flow.c share. */
#ifndef SLUICE_SERVICE_WEB_PARTS_H
#define SLUICE_SERVICE_WEB_PARTS_H

#include <microhttpd.h>

#include "service/web/server.h"

struct flows;

/* The answers without end of one server, and the thread that asks them for more. */
int flows_open(struct clock *clock, struct flows **out, struct err *err) MUST_USE;
void flows_poke(struct flows *flows);
void flows_end(struct flows *flows);   /* every flow ends with what it has; before the server's daemon is stopped */
void flows_close(struct flows *flows); /* after it; NULL is fine */

/* Makes the answer that tells `flow`; NULL (and it is closed) when there are too many. */
struct MHD_Response *flows_start(struct flows *flows, const struct web_flow *flow, struct MHD_Connection *connection);

#endif
