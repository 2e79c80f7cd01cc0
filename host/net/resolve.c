/* resolve: see resolve.h. */
#include "net/resolve.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "net/guard.h"

enum { MAX_ADDRESSES = 32, ADDRESS_BYTES = 64 };

static bool is_known(const char *const *addresses, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(addresses[i], text) == 0) return true;
    return false;
}

static int not_found(const char *name, int code, struct err *err)
{
    bool may_heal = code == EAI_AGAIN || code == EAI_MEMORY || code == EAI_SYSTEM;
    err_set(err, may_heal ? ERR_TRANSIENT : ERR_SOURCE, "could not find the host '%s': %s", name, gai_strerror(code));
    return err_hint(err, "is the name right, and can this machine resolve it?");
}

int resolve_host(const char *name, uint16_t port, bool allow_private, struct arena *arena, const char ***addresses,
                 size_t *count, struct err *err)
{
    char service[8], text[ADDRESS_BYTES];
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    const char *refused = NULL;
    snprintf(service, sizeof service, "%u", port);
    int code = getaddrinfo(name, service, &hints, &found);
    if (code) return not_found(name, code, err);
    *addresses = arena_array(arena, const char *, MAX_ADDRESSES);
    *count = 0;
    for (const struct addrinfo *at = found; at && *count < MAX_ADDRESSES; at = at->ai_next) {
        bool is_private = false;
        const char *kind = guard_address_kind(at->ai_addr, &is_private);
        if (kind && !(is_private && allow_private)) {
            refused = kind;
            continue;
        }
        if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0) continue;
        if (!is_known(*addresses, *count, text)) (*addresses)[(*count)++] = arena_strdup(arena, text);
    }
    freeaddrinfo(found);
    if (*count) return 0;
    if (!refused) return not_found(name, EAI_NONAME, err);
    err_set(err, ERR_PERMISSION, "cannot connect to '%s': its address is %s", name, refused);
    return err_hint(err, "if that is meant, allow it: network: { allow_private: true }");
}
