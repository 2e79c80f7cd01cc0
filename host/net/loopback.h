/* loopback: waits for the one redirect of a browser login (RFC 8252 7.3, RFC 6749 4.1.2), on 127.0.0.1 only.
 *
 *     rc = loopback_open(0, &loopback, err);                                   // 0: any free port
 *     port = loopback_port(loopback);
 *     rc = loopback_wait(loopback, "/callback", state, 300000, cancel, &code, err);
 *     loopback_free(loopback);
 *
 * Whoever can connect may send anything: requests without the right `state` are answered 400 and change nothing, those that are
 * too long, too slow or too many lose their connection. One thread. */
#ifndef SLUICE_NET_LOOPBACK_H
#define SLUICE_NET_LOOPBACK_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct cancel;
struct clock;
struct loopback;

/* CONFIG when the port is taken. */
int loopback_open(int port, struct loopback **out, struct err *err) MUST_USE;
int loopback_port(const struct loopback *loopback);
void loopback_free(struct loopback *loopback); /* NULL is fine */

/* Waits for GET PATH?code=..&state=STATE and appends the code. AUTH when the server sends an `error` with the right state
 * instead, TRANSIENT after `timeout_ms`, CANCELLED. */
int loopback_wait(struct loopback *loopback, const char *path, struct str state, int64_t timeout_ms, struct clock *clock,
                  struct cancel *cancel, struct buf *code, struct err *err) MUST_USE;

#endif
