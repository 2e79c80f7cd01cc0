/* device: a login whose browser is on another device (RFC 8628): the server gives a code to be typed in there, and is asked
 * again and again whether somebody has.
 *
 *     rc = device_begin(&spec, sender, &options, &arena, &login, err);       // login.url and login.user_code are for people
 *     if (rc == 0) rc = device_wait(auth, sender, &login, &options, err);    // tokens are stored
 *
 * Both are through a session: session_log_in_by_device. */
#ifndef SLUICE_NET_DEVICE_H
#define SLUICE_NET_DEVICE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "net/auth.h"

struct cancel;
struct log;

struct device_login {
    const char *url, *user_code; /* to be shown: visible characters only */
    const char *complete_url;    /* has the code in it; NULL: there is none */
    struct str device_code;      /* a secret */
    int64_t interval_ms;         /* at least, between two questions */
    int64_t ends_ms;             /* monotonic: when the code has ended */
};

struct device_options {
    struct clock *clock;
    struct cancel *cancel;   /* ends the wait */
    struct secrets *secrets; /* may be NULL */
    struct log *log;         /* may be NULL */
};

/* Asks for a code (RFC 8628 3.1). Texts live in `arena`. What token_fetch gives, DATA for an answer that cannot be shown. */
int device_begin(const struct auth_spec *spec, const struct auth_sender *sender, const struct device_options *options,
                 struct arena *arena, struct device_login *login, struct err *err) MUST_USE;
/* Asks until somebody has typed it in (RFC 8628 3.4 and 3.5). AUTH when it was refused or has ended, CANCELLED. */
int device_wait(struct auth *auth, const struct auth_sender *sender, const struct device_login *login,
                const struct device_options *options, struct err *err) MUST_USE;

#endif
