/* proxy: the way out that a pipeline names, where there is no direct one.
 *
 *     rc = proxy_parse("http://user:secret@proxy.example.com:3128", &arena, &proxy, err);
 *     if (proxy_serves(&proxy, &url)) ...                   // else the host is reached directly
 *
 * http and https proxies (CONNECT for https, the absolute URL for http), and socks5h. The proxy looks names up: which address a
 * request goes to cannot be seen here, so through a proxy the declared hosts alone say what may be reached, and a host that is
 * given as a private address, or as localhost, is refused as it is without one. The proxy's own address is the owner's choice
 * and may be private. Read-only once parsed. */
#ifndef SLUICE_NET_PROXY_H
#define SLUICE_NET_PROXY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

struct guard;
struct url;

struct proxy {
    const char *url;             /* scheme, host and port; NULL: there is no proxy */
    const char *user, *password; /* NULL: none */
    const char *const *direct;   /* hosts that are reached without it: "intern.example.com", "*.example.com", ".example.com" */
    size_t direct_count;
};

/* CONFIG when the text is no URL of a proxy; it is not repeated, since it may hold a password. Leaves `direct` alone. */
int proxy_parse(const char *text, struct arena *arena, struct proxy *proxy, struct err *err) MUST_USE;
bool proxy_serves(const struct proxy *proxy, const struct url *url);
/* May this host be asked for through a proxy? PERMISSION for private addresses and localhost. */
int proxy_check_host(const struct guard *guard, const struct url *url, struct err *err) MUST_USE;

#endif
