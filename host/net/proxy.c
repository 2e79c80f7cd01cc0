/* proxy: see proxy.h. */
#include "net/proxy.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/str.h"
#include "net/guard.h"
#include "net/url.h"

static int refuse(struct err *err, const char *what)
{
    err_set(err, ERR_CONFIG, "network.proxy: %s", what);
    return err_hint(err,
                    "http://HOST:PORT, https://HOST:PORT or socks5h://HOST:PORT, with USER:PASSWORD@ in front of the host");
}

/* %40 and the like, as in any URL's userinfo (RFC 3986, 2.1); NULL when a percent sign begins nothing. */
static const char *unescape(struct str text, struct arena *arena)
{
    char *out = arena_alloc(arena, text.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char digits[3] = "", *end;
        if (text.data[i] != '%') {
            out[size++] = text.data[i];
            continue;
        }
        if (text.size - i < 3) return NULL;
        memcpy(digits, text.data + i + 1, 2);
        unsigned long byte = strtoul(digits, &end, 16);
        if (end != digits + 2 || byte == 0) return NULL;
        out[size++] = (char)byte;
        i += 2;
    }
    out[size] = '\0';
    return out;
}

static int read_user(struct str text, struct arena *arena, struct proxy *proxy, struct err *err)
{
    const char *colon = memchr(text.data, ':', text.size);
    size_t size = colon ? (size_t)(colon - text.data) : text.size;
    proxy->user = unescape((struct str){text.data, size}, arena);
    proxy->password = colon ? unescape((struct str){colon + 1, text.size - size - 1}, arena) : "";
    if (proxy->user && proxy->user[0] && proxy->password) return 0;
    return refuse(err, "its user name and password cannot be read");
}

/* HOST or HOST:PORT, of which nothing else is expected. */
static bool is_authority(struct str text)
{
    if (!text.size) return false;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= ' ' || c >= 0x7f || strchr("/?#@\\%\"<>^`{|}", c)) return false;
    }
    const char *colon = memrchr(text.data, ':', text.size), *bracket = memrchr(text.data, ']', text.size);
    int64_t port;
    if (!colon || (bracket && colon < bracket)) return true;
    struct str digits = {colon + 1, (size_t)(text.data + text.size - colon - 1)};
    return colon > text.data && number_to_int64(digits, &port) && port > 0 && port < 65536;
}

int proxy_parse(const char *text, struct arena *arena, struct proxy *proxy, struct err *err)
{
    static const char *const SCHEMES[] = {"http", "https", "socks5h"};
    const char *separator = strstr(text, "://");
    if (!separator) return refuse(err, "it is no URL");
    struct str scheme = {text, (size_t)(separator - text)}, rest = str_from(separator + 3);
    bool is_known = false;
    for (size_t i = 0; i < ARRAY_SIZE(SCHEMES); i++) is_known = is_known || str_equal(scheme, str_from(SCHEMES[i]));
    if (!is_known && str_equal(scheme, STR("socks5"))) return refuse(err, "socks5 looks names up here; use socks5h");
    if (!is_known) return refuse(err, "its scheme is not known");
    if (rest.size && rest.data[rest.size - 1] == '/') rest.size--;
    const char *at = rest.size ? memrchr(rest.data, '@', rest.size) : NULL;
    struct str user = {rest.data, at ? (size_t)(at - rest.data) : 0};
    if (at) rest = (struct str){at + 1, rest.size - user.size - 1};
    if (!is_authority(rest)) return refuse(err, "its host and port cannot be read");
    proxy->url = arena_printf(arena, STR_FMT "://" STR_FMT, STR_ARG(scheme), STR_ARG(rest));
    return at ? read_user(user, arena, proxy, err) : 0;
}

/* "*.example.com" and ".example.com" are the names below it; anything else is the name itself. */
static bool matches(const char *pattern, const char *host)
{
    if (pattern[0] == '*') pattern++;
    if (pattern[0] != '.') return str_equal_nocase(str_from(pattern), str_from(host));
    size_t size = strlen(pattern), length = strlen(host);
    return length > size && str_equal_nocase(str_from(pattern), str_from(host + length - size));
}

bool proxy_serves(const struct proxy *proxy, const struct url *url)
{
    if (!proxy->url) return false;
    for (size_t i = 0; i < proxy->direct_count; i++)
        if (matches(proxy->direct[i], url->host)) return false;
    return true;
}

static bool is_address(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

int proxy_check_host(const struct guard *guard, const struct url *url, struct err *err)
{
    bool is_local = str_equal_nocase(str_from(url->host), STR("localhost")) || matches(".localhost", url->host);
    return is_local                ? guard_address_text(guard, "127.0.0.1", err)
           : is_address(url->host) ? guard_address_text(guard, url->host, err)
                                   : 0;
}
