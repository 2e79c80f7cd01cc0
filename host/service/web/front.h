/* front: what others see of the service: the API and the page on one address. server.h moves the bytes, api.h answers. */
#ifndef SLUICE_SERVICE_WEB_FRONT_H
#define SLUICE_SERVICE_WEB_FRONT_H

#include "base/err.h"
#include "service/web/api.h"

struct front;

/* Listens on `listen`. CONFIG when it cannot, and when others than this machine could reach it and sluice.yaml declares no
 * tokens. `settings` is copied; what it points to outlives the front. */
int front_open(const char *listen, const struct api_settings *settings, struct front **out, struct err *err) MUST_USE;
const char *front_address(const struct front *front); /* "127.0.0.1:7077" */
void front_turn(struct front *front);                 /* about once a second: cuts connections that are past their time */
void front_poke(struct front *front);                 /* a job began or ended */
void front_drain(struct front *front);                /* the service stops: /readyz says so */
void front_close(struct front *front);                /* NULL is fine */

#endif
