/* How it works: hosts are read once into patterns; addresses are looked up in tables of special ranges, first match wins, taken
 * from the IANA special-purpose address registries (RFC 6890 and later). IPv4 inside IPv6 is unwrapped before it is judged. */
#include "net/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/number.h"
#include "base/str.h"
#include "net/url.h"

/* --- hosts --------------------------------------------------------------------------------------- */

struct pattern {
    struct str host; /* lower case; of "*.example.com": ".example.com" */
    bool is_suffix;
    int64_t port; /* 0: any */
};

struct guard {
    struct arena arena;
    struct pattern *patterns;
    size_t count;
    bool allow_private;
    bool allow_http;
};

static bool is_host_text(struct str host, bool is_v6)
{
    static const char NAME[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    static const char V6[] = "abcdef0123456789:.";
    for (size_t i = 0; i < host.size; i++)
        if (!host.data[i] || !strchr(is_v6 ? V6 : NAME, host.data[i])) return false;
    return host.size > 0;
}

static struct str lower_copy(struct arena *arena, const char *text)
{
    struct str copy = arena_copy(arena, str_trim(str_from(text)));
    char *data = (char *)(uintptr_t)copy.data;
    for (size_t i = 0; i < copy.size; i++)
        if (data[i] >= 'A' && data[i] <= 'Z') data[i] = (char)(data[i] + ('a' - 'A'));
    return copy;
}

/* "[::1]" and "[::1]:80": the address without brackets; *rest is what stands behind. */
static bool take_brackets(struct str text, struct str *host, struct str *rest)
{
    const char *end = text.size ? memchr(text.data, ']', text.size) : NULL;
    if (!end) return false;
    *host = (struct str){text.data + 1, (size_t)(end - text.data) - 1};
    *rest = (struct str){end + 1, text.size - host->size - 2};
    return true;
}

static bool read_pattern(struct arena *arena, const char *text, struct pattern *pattern)
{
    struct str host = lower_copy(arena, text), rest = {0};
    bool is_v6 = host.size && host.data[0] == '[';
    if (is_v6 && !take_brackets(host, &host, &rest)) return false;
    if (!is_v6) {
        const char *colon = host.size ? memchr(host.data, ':', host.size) : NULL;
        size_t size = colon ? (size_t)(colon - host.data) : host.size;
        rest = (struct str){host.data + size, host.size - size};
        host.size = size;
    }
    pattern->is_suffix = !is_v6 && str_starts(host, STR("*."));
    if (pattern->is_suffix) host = (struct str){host.data + 1, host.size - 1};
    pattern->host = host;
    pattern->port = 0;
    if (!is_host_text(host, is_v6) || (pattern->is_suffix && host.size < 2)) return false;
    if (rest.size == 0) return true;
    return rest.data[0] == ':' && number_to_int64((struct str){rest.data + 1, rest.size - 1}, &pattern->port) &&
           pattern->port > 0 && pattern->port < 65536;
}

int guard_new(const struct guard_options *options, struct guard **out, struct err *err)
{
    struct guard *guard = mem_zero(1, sizeof *guard);
    guard->allow_private = options->allow_private;
    guard->allow_http = options->allow_http;
    guard->patterns = arena_array(&guard->arena, struct pattern, options->host_count + 1);
    for (size_t i = 0; i < options->host_count; i++) {
        if (read_pattern(&guard->arena, options->hosts[i], &guard->patterns[guard->count++])) continue;
        err_set(err, ERR_CONFIG, "cannot read the allowed host '%.200s'", options->hosts[i]);
        err_hint(err, "write api.example.com, *.example.com, 127.0.0.1:8080 or [::1]:8080");
        guard_free(guard);
        return ERR_CONFIG;
    }
    *out = guard;
    return 0;
}

void guard_free(struct guard *guard)
{
    if (!guard) return;
    arena_release(&guard->arena);
    free(guard);
}

bool guard_allows_http(const struct guard *guard)
{
    return guard->allow_http;
}

static bool matches(const struct pattern *pattern, const struct url *url)
{
    struct str host = str_from(url->host);
    if (pattern->port && pattern->port != url->port) return false;
    if (!pattern->is_suffix) return str_equal(host, pattern->host);
    return host.size > pattern->host.size && str_ends(host, pattern->host);
}

static int check_scheme(const struct guard *guard, const struct url *url, struct err *err)
{
    if (strcmp(url->scheme, "https") == 0) return 0;
    if (strcmp(url->scheme, "http") != 0) {
        err_set(err, ERR_PERMISSION, "cannot go to '%.200s': '%.40s' is not allowed, only https and http are", url->host,
                url->scheme);
        return err_hint(err, "a source is reached by https; anything else needs a plugin");
    }
    if (guard->allow_http) return 0;
    err_set(err, ERR_PERMISSION, "cannot go to '%.200s' by plain http: only https is allowed", url->host);
    return err_hint(err, "use https, or let the connector's base URL say http if the network is trusted");
}

int guard_url(const struct guard *guard, const struct url *url, struct err *err)
{
    int rc = check_scheme(guard, url, err);
    if (rc != 0) return rc;
    for (size_t i = 0; i < guard->count; i++)
        if (matches(&guard->patterns[i], url)) return 0;
    err_set(err, ERR_PERMISSION, "cannot go to '%.200s' (port %d): the host is not among those allowed", url->host, url->port);
    return err_hint(err, "add it to the connector's http.hosts if it belongs to the source");
}

/* --- addresses ----------------------------------------------------------------------------------- */

/* Ranges that a source on the public Internet cannot have. With is_private they are in use inside networks. */
struct range4 {
    uint32_t address;
    int bits;
    bool is_private;
    const char *kind;
};

#define V4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

static const struct range4 RANGES4[] = {
    {V4(0, 0, 0, 0), 8, false, "an address of 'this network'"},   /* RFC 791; 0.0.0.0 reaches the own host */
    {V4(10, 0, 0, 0), 8, true, "a private address"},              /* RFC 1918 */
    {V4(100, 64, 0, 0), 10, true, "a carrier-grade NAT address"}, /* RFC 6598 */
    {V4(127, 0, 0, 0), 8, true, "a loopback address"},            /* RFC 1122 */
    {V4(169, 254, 0, 0), 16, true, "a link-local address"},       /* RFC 3927; clouds answer with credentials there */
    {V4(172, 16, 0, 0), 12, true, "a private address"},           /* RFC 1918 */
    {V4(192, 0, 0, 0), 24, false, "a reserved address"},          /* RFC 6890 */
    {V4(192, 0, 2, 0), 24, false, "a documentation address"},     /* RFC 5737 */
    {V4(192, 88, 99, 0), 24, false, "a 6to4 relay address"},      /* RFC 7526 */
    {V4(192, 168, 0, 0), 16, true, "a private address"},          /* RFC 1918 */
    {V4(198, 18, 0, 0), 15, true, "a benchmarking address"},      /* RFC 2544 */
    {V4(198, 51, 100, 0), 24, false, "a documentation address"},  /* RFC 5737 */
    {V4(203, 0, 113, 0), 24, false, "a documentation address"},   /* RFC 5737 */
    {V4(224, 0, 0, 0), 4, false, "a multicast address"},          /* RFC 5771 */
    {V4(255, 255, 255, 255), 32, false, "the broadcast address"}, /* RFC 919 */
    {V4(240, 0, 0, 0), 4, false, "a reserved address"},           /* RFC 1112 */
};

/* What an IPv6 range means; INSIDE: an IPv4 address lies at that byte. */
struct range6 {
    unsigned char prefix[16];
    int bits;
    bool is_private;
    const char *kind; /* NULL: judge the IPv4 address at byte `inside` */
    int inside;
};

static const struct range6 RANGES6[] = {
    {{0}, 128, false, "the unspecified address", 0},                              /* RFC 4291 */
    {{[15] = 1}, 128, true, "a loopback address", 0},                             /* RFC 4291 */
    {{[10] = 0xff, [11] = 0xff}, 96, false, NULL, 12},                            /* IPv4-mapped, RFC 4291 */
    {{0x00, 0x64, 0xff, 0x9b}, 96, false, NULL, 12},                              /* NAT64, RFC 6052 */
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, true, "a local NAT64 address", 0}, /* RFC 8215 */
    {{0x20, 0x02}, 16, false, NULL, 2},                                           /* 6to4, RFC 3056 */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, false, "a documentation address", 0},          /* RFC 3849 */
    {{0x20, 0x01}, 23, false, "a reserved address", 0},                           /* RFC 2928: Teredo, ORCHID and others */
    {{0x3f, 0xff}, 20, false, "a documentation address", 0},                      /* RFC 9637 */
    {{0xfc}, 7, true, "a private address", 0},                                    /* unique local, RFC 4193 */
    {{0xfe, 0x80}, 10, true, "a link-local address", 0},                          /* RFC 4291 */
    {{0xfe, 0xc0}, 10, true, "a private address", 0},                             /* site-local, RFC 3879 */
    {{0xff}, 8, false, "a multicast address", 0},                                 /* RFC 4291 */
};

static const char *kind4(uint32_t address, bool *is_private)
{
    for (size_t i = 0; i < ARRAY_SIZE(RANGES4); i++) {
        uint32_t mask = UINT32_MAX << (32 - RANGES4[i].bits);
        if ((address & mask) != RANGES4[i].address) continue;
        *is_private = RANGES4[i].is_private;
        return RANGES4[i].kind;
    }
    return NULL;
}

static bool in_range6(const unsigned char *address, const struct range6 *range)
{
    size_t whole = (size_t)range->bits / 8;
    int rest = range->bits % 8;
    if (memcmp(address, range->prefix, whole) != 0) return false;
    return rest == 0 || (address[whole] ^ range->prefix[whole]) >> (8 - rest) == 0;
}

static const char *kind6(const unsigned char *address, bool *is_private)
{
    for (size_t i = 0; i < ARRAY_SIZE(RANGES6); i++) {
        const struct range6 *range = &RANGES6[i];
        if (!in_range6(address, range)) continue;
        const unsigned char *v4 = address + range->inside;
        if (!range->kind) return kind4(V4(v4[0], v4[1], v4[2], v4[3]), is_private);
        *is_private = range->is_private;
        return range->kind;
    }
    /* Only 2000::/3 has been given out (RFC 4291 2.4); all else is nobody's. */
    return (address[0] & 0xe0) == 0x20 ? NULL : "a reserved address";
}

const char *guard_address_kind(const struct sockaddr *address, bool *is_private)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    *is_private = false;
    switch (address->sa_family) {
    case AF_INET:
        memcpy(&v4, address, sizeof v4);
        return kind4(ntohl(v4.sin_addr.s_addr), is_private);
    case AF_INET6:
        memcpy(&v6, address, sizeof v6);
        return kind6(v6.sin6_addr.s6_addr, is_private);
    default:
        return "no Internet address";
    }
}

static void address_text(const struct sockaddr *address, char *out, size_t size)
{
    const void *bytes = address->sa_family == AF_INET6
                            ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
                            : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    bool is_known = address->sa_family == AF_INET || address->sa_family == AF_INET6;
    if (!is_known || !inet_ntop(address->sa_family, bytes, out, (socklen_t)size)) snprintf(out, size, "?");
}

int guard_address(const struct guard *guard, const struct sockaddr *address, struct err *err)
{
    bool is_private = false;
    char text[INET6_ADDRSTRLEN];
    const char *kind = guard_address_kind(address, &is_private);
    if (!kind || (is_private && guard->allow_private)) return 0;
    address_text(address, text, sizeof text);
    err_set(err, ERR_PERMISSION, "cannot connect to %s: %s", text, kind);
    return is_private
               ? err_hint(err, "set 'network: { allow_private: true }' in the pipeline if the source is inside your network")
               : err_hint(err, "check what the host's name resolves to; no source has such an address");
}

int guard_address_text(const struct guard *guard, const char *address, struct err *err)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) return guard_address(guard, (const struct sockaddr *)&v4, err);
    if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1) return guard_address(guard, (const struct sockaddr *)&v6, err);
    return err_set(err, ERR_PERMISSION, "cannot tell what address '%.100s' is", address);
}
