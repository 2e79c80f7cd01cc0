/* How it works: libcurl's parser (RFC 3986 with WHATWG's habits) takes URLs apart and resolves references, so that what guard.h
 * judges is what libcurl connects to. Around it stands what it leaves open: bytes that do not belong in a URL, credentials, odd
 * hosts. */
#include "net/url.h"

#include <curl/curl.h>
#include <string.h>

#include "base/check.h"
#include "os/secret.h"

enum { REDACTED_MAX_BYTES = 400 };

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* Spaces and bytes over 127, as careless servers send them, are encoded; a control character is refused. The host is looked at
 * when the URL is apart: an encoded one does not pass there. */
static int clean(struct str text, int class, struct buf *out, struct err *err)
{
    if (text.size > URL_MAX_BYTES)
        return err_set(err, class, "cannot use a URL of %zu bytes: the limit is %d", text.size, URL_MAX_BYTES);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (is_control(c)) return err_set(err, class, "cannot use a URL with a control character (0x%02x at byte %zu)", c, i);
        if (c == ' ' || c >= 0x80)
            buf_printf(out, "%%%02X", c);
        else
            buf_append_char(out, (char)c);
    }
    return 0;
}

static int cannot_read(struct str text, int class, CURLUcode code, struct err *err)
{
    struct buf shown = BUF_INIT(2 * REDACTED_MAX_BYTES);
    url_redact(text, NULL, &shown);
    err_set(err, class, "cannot read the URL '%s': %s", buf_text(&shown), curl_url_strerror(code));
    buf_release(&shown);
    return class;
}

static CURLU *handle_new(void)
{
    CURLU *handle = curl_url();
    CHECK(handle);
    return handle;
}

/* One part as a copy in the arena; NULL when the URL has none. */
static const char *part(CURLU *handle, CURLUPart which, unsigned flags, struct arena *arena)
{
    char *text = NULL;
    if (curl_url_get(handle, which, &text, flags) != CURLUE_OK) return NULL;
    const char *copy = arena_strdup(arena, text);
    curl_free(text);
    return copy;
}

static char *lower(struct arena *arena, const char *text)
{
    char *copy = arena_strdup(arena, text);
    for (char *c = copy; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + ('a' - 'A'));
    return copy;
}

/* A name or address in its plainest spelling: no escapes, no empty label, no zone. */
static bool is_plain_host(const char *host)
{
    static const char NAME[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    static const char V6[] = "abcdef0123456789:.";
    size_t size = strlen(host);
    if (host[0] == '[') return size > 2 && strspn(host + 1, V6) == size - 2 && host[size - 1] == ']';
    return size > 0 && size <= 253 && strspn(host, NAME) == size && host[0] != '.' && host[size - 1] != '.' &&
           !strstr(host, "..");
}

static int check_host(const char *host, struct err *err)
{
    if (is_plain_host(host)) return 0;
    if (!host[0]) {
        err_set(err, ERR_CONFIG, "cannot use a URL without a host");
        return err_hint(err, "only https and http URLs can be followed");
    }
    err_set(err, ERR_CONFIG, "cannot use the host '%.200s' of a URL", host);
    return err_hint(err, "write the host as a plain name; one with other letters than a to z in its xn-- form");
}

static int check_no_login(CURLU *handle, struct arena *arena, struct err *err)
{
    if (!part(handle, CURLUPART_USER, 0, arena) && !part(handle, CURLUPART_PASSWORD, 0, arena)) return 0;
    err_set(err, ERR_CONFIG, "cannot use a URL with a user name or password in it");
    return err_hint(err, "use auth kind 'basic' instead");
}

static int take_apart(CURLU *handle, struct arena *arena, struct url *url, struct err *err)
{
    const char *zone = part(handle, CURLUPART_ZONEID, 0, arena);
    const char *raw_host = part(handle, CURLUPART_HOST, 0, arena);
    const char *host = lower(arena, raw_host ? raw_host : "");
    int rc = check_no_login(handle, arena, err);
    if (rc == 0) rc = check_host(zone ? zone : host, err);
    if (rc == 0 && zone) rc = err_set(err, ERR_CONFIG, "cannot use a URL with an address zone '%.40s'", zone);
    if (rc != 0) return rc;
    CHECK(curl_url_set(handle, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK);
    CHECK(curl_url_set(handle, CURLUPART_HOST, host, 0) == CURLUE_OK);
    const char *port = part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT, arena);
    url->scheme = lower(arena, part(handle, CURLUPART_SCHEME, 0, arena));
    url->port = port ? (int)strtol(port, NULL, 10) : 0;
    url->path = part(handle, CURLUPART_PATH, 0, arena);
    url->query = part(handle, CURLUPART_QUERY, 0, arena);
    if (url->query && !url->query[0]) url->query = NULL; /* a lone "?", which is not in the text either */
    url->text = part(handle, CURLUPART_URL, CURLU_NO_DEFAULT_PORT, arena);
    if (host[0] == '[') host = arena_text(arena, (struct str){host + 1, strlen(host) - 2});
    url->host = host;
    CHECK(url->path && url->text);
    return 0;
}

int url_parse(struct str text, struct arena *arena, struct url *url, struct err *err)
{
    struct buf cleaned = BUF_INIT(3 * (size_t)URL_MAX_BYTES);
    struct url parsed = {0};
    CURLU *handle = handle_new();
    int rc = clean(text, ERR_CONFIG, &cleaned, err);
    if (rc != 0) goto out;
    CURLUcode code = curl_url_set(handle, CURLUPART_URL, buf_text(&cleaned), CURLU_NON_SUPPORT_SCHEME);
    rc = code == CURLUE_OK ? take_apart(handle, arena, &parsed, err) : cannot_read(text, ERR_CONFIG, code, err);
    if (rc == 0) *url = parsed;
out:
    curl_url_cleanup(handle);
    buf_release(&cleaned);
    return rc;
}

int url_resolve(struct str base, struct str reference, struct buf *out, struct err *err)
{
    struct buf from = BUF_INIT(3 * (size_t)URL_MAX_BYTES), to = BUF_INIT(3 * (size_t)URL_MAX_BYTES);
    char *text = NULL;
    CURLU *handle = handle_new();
    reference = str_trim(reference);
    int rc = reference.size ? 0 : err_set(err, ERR_DATA, "cannot follow an empty URL");
    if (rc == 0) rc = clean(base, ERR_DATA, &from, err);
    if (rc == 0) rc = clean(reference, ERR_DATA, &to, err);
    if (rc != 0) goto out;
    CURLUcode code = curl_url_set(handle, CURLUPART_URL, buf_text(&from), CURLU_NON_SUPPORT_SCHEME);
    if (code == CURLUE_OK && to.data[0] == '#')
        code = curl_url_set(handle, CURLUPART_FRAGMENT, NULL, 0);
    else if (code == CURLUE_OK)
        code = curl_url_set(handle, CURLUPART_URL, buf_text(&to), CURLU_NON_SUPPORT_SCHEME);
    if (code == CURLUE_OK) code = curl_url_set(handle, CURLUPART_FRAGMENT, NULL, 0);
    if (code == CURLUE_OK) code = curl_url_get(handle, CURLUPART_URL, &text, CURLU_NO_DEFAULT_PORT);
    if (code != CURLUE_OK) {
        rc = cannot_read(reference, ERR_DATA, code, err);
        goto out;
    }
    buf_append_text(out, text);
    if (out->failed) rc = err_set(err, ERR_DATA, "cannot use a URL over %zu bytes", out->max);
out:
    curl_free(text);
    curl_url_cleanup(handle);
    buf_release(&from);
    buf_release(&to);
    return rc;
}

bool url_same_origin(const struct url *a, const struct url *b)
{
    return strcmp(a->scheme, b->scheme) == 0 && strcmp(a->host, b->host) == 0 && a->port == b->port;
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

void url_encode(struct str text, struct buf *out)
{
    static const char HEX[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (is_unreserved(c)) {
            buf_append_char(out, (char)c);
        } else {
            const char escape[3] = {'%', HEX[c >> 4], HEX[c & 15]};
            buf_append(out, escape, sizeof escape);
        }
    }
}

void url_add_form(struct buf *form, struct str name, struct str value)
{
    if (form->size > 0) buf_append_char(form, '&');
    url_encode(name, form);
    buf_append_char(form, '=');
    url_encode(value, form);
}

static struct str name_of(struct str pair)
{
    const char *equals = pair.size ? memchr(pair.data, '=', pair.size) : NULL;
    return (struct str){pair.data, equals ? (size_t)(equals - pair.data) : pair.size};
}

void url_set_param(struct buf *url, struct str name, struct str value)
{
    struct buf query = BUF_INIT(url->max), encoded = BUF_INIT(3 * name.size + 1);
    const char *mark = url->size ? memchr(url->data, '?', url->size) : NULL;
    size_t head = mark ? (size_t)(mark - url->data) : url->size;
    struct str rest = {url->data + (mark ? head + 1 : head), mark ? url->size - head - 1 : 0}, pair;
    url_encode(name, &encoded);
    while (str_next(&rest, '&', &pair)) {
        if (pair.size == 0 || str_equal(name_of(pair), name) || str_equal_nocase(name_of(pair), buf_str(&encoded))) continue;
        if (query.size > 0) buf_append_char(&query, '&');
        buf_append_str(&query, pair);
    }
    url_add_form(&query, name, value);
    url->size = head;
    buf_append_char(url, '?');
    buf_append_str(url, buf_str(&query));
    if (query.failed) url->failed = true;
    buf_release(&query);
    buf_release(&encoded);
}

/* --- showing ------------------------------------------------------------------------------------- */

/* Parts of names whose values are credentials or stand in for them. */
static const char *const CREDENTIAL_NAMES[] = {"token",      "key",  "secret", "password",  "passwd", "pwd",
                                               "credential", "auth", "sig",    "assertion", "session"};

static bool contains_nocase(struct str text, struct str part_of)
{
    for (size_t i = 0; i + part_of.size <= text.size; i++)
        if (str_equal_nocase((struct str){text.data + i, part_of.size}, part_of)) return true;
    return false;
}

static bool is_credential(struct str name)
{
    for (size_t i = 0; i < ARRAY_SIZE(CREDENTIAL_NAMES); i++)
        if (contains_nocase(name, str_from(CREDENTIAL_NAMES[i]))) return true;
    return false;
}

static void redact_query(struct str query, struct buf *out)
{
    struct str pair;
    for (char separator = '?'; str_next(&query, '&', &pair); separator = '&') {
        struct str name = name_of(pair);
        buf_append_char(out, separator);
        if (name.size < pair.size && is_credential(name)) {
            buf_append_str(out, name);
            buf_append_text(out, "=***");
        } else {
            buf_append_str(out, pair);
        }
    }
}

/* "https://user:pass@host/" -> "https://host/": the authority ends at the first slash or question mark. */
static void append_without_login(struct str text, struct buf *out)
{
    static const struct str MARK = {"://", 3};
    size_t at = 0;
    while (at + MARK.size <= text.size && !str_equal((struct str){text.data + at, MARK.size}, MARK)) at++;
    if (at + MARK.size <= text.size) {
        size_t start = at + MARK.size, end = start, login = start;
        for (; end < text.size && text.data[end] != '/'; end++)
            if (text.data[end] == '@') login = end + 1;
        buf_append(out, text.data, start);
        text = (struct str){text.data + login, text.size - login};
    }
    buf_append_str(out, text);
}

void url_redact(struct str url, const struct secrets *secrets, struct buf *out)
{
    enum { LOOKED_AT = 64 * 1024 };
    struct buf plain = BUF_INIT(4 * LOOKED_AT), shown = BUF_INIT(8 * LOOKED_AT);
    if (url.size > LOOKED_AT) url.size = LOOKED_AT;
    const char *mark = url.size ? memchr(url.data, '?', url.size) : NULL;
    struct str head = {url.data, mark ? (size_t)(mark - url.data) : url.size};
    append_without_login(head, &plain);
    if (mark) redact_query((struct str){mark + 1, url.size - head.size - 1}, &plain);
    secrets_redact(secrets, buf_str(&plain), &shown);
    bool is_cut = shown.size > REDACTED_MAX_BYTES;
    if (is_cut)
        buf_append(out, shown.data, REDACTED_MAX_BYTES);
    else
        buf_append_str(out, buf_str(&shown));
    if (is_cut) buf_append_text(out, "...");
    buf_release(&plain);
    buf_release(&shown);
}
