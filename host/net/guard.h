/* guard: where requests may go. Two questions: may this URL be asked (scheme, host, port by name), and may this address, to
 * which the name was resolved, be connected to? The second is asked at the socket, so that neither a spelling (0x7f.1) nor a
 * DNS answer that changes between check and use gets around it.
 *
 *     struct guard_options options = {.hosts = hosts, .host_count = 2};
 *     if ((rc = guard_new(&options, &guard, err)) != 0) ...
 *     rc = guard_url(guard, &url, err);                 // before the first request, each redirect, each next-page URL
 *     rc = guard_address(guard, address, err);          // at each connection
 *
 * Hosts: "api.example.com" (any port), "*.example.com" (any name below it, not itself), "127.0.0.1:8080", "[::1]:8080" (that
 * port only). Read-only once made: may be used by many threads. */
#ifndef SLUICE_NET_GUARD_H
#define SLUICE_NET_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct sockaddr;
struct url;

struct guard_options {
    const char *const *hosts; /* copied */
    size_t host_count;
    bool allow_private; /* loopback, private, carrier-grade NAT, link-local addresses may be reached */
    bool allow_http;    /* beside https */
};

struct guard;

/* CONFIG when a host pattern cannot be read. */
int guard_new(const struct guard_options *options, struct guard **out, struct err *err) MUST_USE;
void guard_free(struct guard *guard); /* NULL is fine */

/* 0, or PERMISSION with the reason and the remedy. */
int guard_url(const struct guard *guard, const struct url *url, struct err *err) MUST_USE;
int guard_address(const struct guard *guard, const struct sockaddr *address, struct err *err) MUST_USE;
/* The same for an address as text without brackets or zone ("::1"); text that is no address is refused. */
int guard_address_text(const struct guard *guard, const char *address, struct err *err) MUST_USE;
bool guard_allows_http(const struct guard *guard);

/* What is special about an address; NULL when it is an ordinary public one. *is_private tells whether allow_private admits it.
 * An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) is judged as the IPv4 address. (IANA special-purpose registries) */
const char *guard_address_kind(const struct sockaddr *address, bool *is_private);

#endif
