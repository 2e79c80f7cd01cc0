/* resolve: a host's name to the addresses that may be connected to, for whom connects by himself (native plugins); requests
 * have their addresses looked at when they are connected to (guard.h). */
#ifndef SLUICE_NET_RESOLVE_H
#define SLUICE_NET_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/* Addresses as text ("192.0.2.1", "::1"), in the resolver's order, each once. Errors: TRANSIENT when the name cannot be looked
 * up just now, SOURCE when there is none, PERMISSION when all it has are private and `allow_private` is not given. */
int resolve_host(const char *name, uint16_t port, bool allow_private, struct arena *arena, const char ***addresses,
                 size_t *count, struct err *err) MUST_USE;

#endif
