/* errors: what a failure that PostgreSQL reports means: its SQLSTATE as the host's class, and what to do about it. Pure.
 * Appendix A of PostgreSQL's manual lists the codes. */
#ifndef SLUICE_POSTGRES_ERRORS_H
#define SLUICE_POSTGRES_ERRORS_H

#include <sluice/plugin.h>

struct pg_meaning {
    const char *state; /* SQLSTATE, or how it begins */
    enum sluice_error error;
    const char *hint;
};

/* Never NULL: what no row names is refused for good (SOURCE). `state` may be NULL: the connection broke. */
const struct pg_meaning *error_meaning(const char *state);
/* Where there is no SQLSTATE, because no session came about: what libpq's message says. */
const struct pg_meaning *error_of_connecting(const char *message);

#endif
