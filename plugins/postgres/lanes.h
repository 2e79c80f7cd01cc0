/* lanes: the sessions that read the parts of one table at the same time, at one moment (an exported snapshot).
 *
 *     lanes_init(&lanes, &connection);
 *     rc = lanes_widen(&lanes, 4);                            // in a REPEATABLE READ transaction of `connection`
 *     while (lanes_has_room(&lanes)) rc = lanes_ask(&lanes, "COPY ..");
 *     connection_line(lanes_front(&lanes), ..)                // to its end, then lanes_next
 *
 * What was asked for first is given first, whichever comes first: a reading that goes part by part goes on from one place. */
#ifndef SLUICE_POSTGRES_LANES_H
#define SLUICE_POSTGRES_LANES_H

#include "postgres/connection.h"

struct lanes {
    struct connection *list[CONNECTIONS_MAX]; /* the first is the caller's */
    size_t count, at, asked;                  /* those asked are `asked` of them from `at` on, in a ring */
};

void lanes_init(struct lanes *lanes, struct connection *connection);
/* Up to `count` of them, as many as the server lets us have. */
int lanes_widen(struct lanes *lanes, size_t count);
/* Is one idle? */
bool lanes_has_room(const struct lanes *lanes);
int lanes_ask(struct lanes *lanes, const char *copy);
/* The one that was asked first. */
struct connection *lanes_front(const struct lanes *lanes);
void lanes_next(struct lanes *lanes);
/* Ends all sessions but the caller's. */
void lanes_release(struct lanes *lanes);

#endif
