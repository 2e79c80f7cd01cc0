/* prepare: what prepare.c and login.c share, and nobody else. */
#ifndef SLUICE_SYNC_PREPARE_H
#define SLUICE_SYNC_PREPARE_H

#include "net/auth.h"
#include "sync/sync.h"

/* From the description's nodes to what is compiled, and the parsers that its streams name; mistakes go to `problems`, what the
 * code of a parser does wrong is an error. */
int prepare_compile(struct sync_prepared *prepared, const struct node *root, struct problems *problems,
                    struct err *err) MUST_USE;

/* The pipeline's credentials with their store. */
int prepare_auth(const struct sync_prepared *prepared, struct cancel *cancel, struct arena *arena, struct auth **out,
                 struct err *err) MUST_USE;

/* A client that gets tokens and reaches nothing else. `auth` (may be NULL) is set to its credentials, which it owns. */
int prepare_login_client(struct sync_prepared *prepared, struct cancel *cancel, struct auth **auth, struct client **out,
                         struct err *err) MUST_USE;

#endif
