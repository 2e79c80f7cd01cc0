/* How it works: the canonical request is written into one buffer, its digest into the text that is signed; the key is derived
 * anew for each request, which is four HMACs. */
#include "net/auth_sigv4.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "net/canonical.h"
#include "os/crypto.h"

enum { CANONICAL_MAX_BYTES = 8 * URL_MAX_BYTES, STAMP_SIZE = sizeof "20150830T123600Z", DAY_SIZE = 8 };

/* --- path and query ------------------------------------------------------------------------------ */

static void write_s3_path(struct str path, struct buf *out)
{
    struct str rest = path, segment;
    rest.data++;
    rest.size--;
    buf_append_char(out, '/');
    while (str_next(&rest, '/', &segment)) {
        canonical_encode(segment, false, out);
        if (rest.data) buf_append_char(out, '/');
    }
}

/* Empty segments and dots are resolved; a slash at the end stays. */
static void write_path(struct str path, struct buf *out)
{
    size_t begin = out->size;
    struct str rest = path, segment;
    while (str_next(&rest, '/', &segment)) {
        if (segment.size == 0 || str_equal(segment, STR("."))) continue;
        if (!str_equal(segment, STR(".."))) {
            buf_append_char(out, '/');
            url_encode(segment, out);
            continue;
        }
        while (out->size > begin && out->data[--out->size] != '/') continue;
    }
    if (out->size == begin || path.data[path.size - 1] == '/') buf_append_char(out, '/');
}

static void write_query(struct str query, struct arena *arena, struct buf *out)
{
    struct canonical canonical = CANONICAL_INIT(arena);
    canonical_add_query(&canonical, query);
    canonical_write(&canonical, out);
}

/* --- headers ------------------------------------------------------------------------------------- */

struct signed_header {
    const char *name; /* lower case */
    struct str value;
};

static int compare_headers(const void *a, const void *b)
{
    return strcmp(((const struct signed_header *)a)->name, ((const struct signed_header *)b)->name);
}

static bool is_signed(const char *name)
{
    return strcmp(name, "content-type") == 0 || strcmp(name, "date") == 0 || strcmp(name, "range") == 0 ||
           str_starts(str_from(name), STR("x-amz-"));
}

static const char *lower(struct str name, struct arena *arena)
{
    char *text = arena_alloc(arena, name.size + 1);
    for (size_t i = 0; i < name.size; i++) text[i] = (char)tolower((unsigned char)name.data[i]);
    text[name.size] = '\0';
    return text;
}

static bool is_named(const struct http_header *headers, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal_nocase(headers[i].name, name)) return true;
    return false;
}

/* Runs of spaces count as one. */
static void write_value(struct str value, struct buf *out)
{
    value = str_trim(value);
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] != ' ' || value.data[i - 1] != ' ') buf_append_char(out, value.data[i]);
}

/* What stands in the Host header: the authority of the URL. */
static struct str authority_of(const struct url *url)
{
    const char *begin = strstr(url->text, "://") + 3;
    return (struct str){begin, strcspn(begin, "/?#")};
}

/* Appends the lines of all signed headers; returns their names: "host;x-amz-date". */
static const char *write_headers(const struct http_request *request, const struct url *url, const struct http_header *own,
                                 size_t own_count, struct arena *arena, struct buf *out)
{
    struct signed_header *all = arena_array(arena, struct signed_header, request->header_count + own_count + 1);
    size_t count = 0;
    struct buf names = BUF_INIT(CANONICAL_MAX_BYTES);
    all[count++] = (struct signed_header){"host", authority_of(url)};
    for (size_t i = 0; i < own_count; i++) all[count++] = (struct signed_header){lower(own[i].name, arena), own[i].value};
    for (size_t i = 0; i < request->header_count; i++) {
        const char *name = lower(request->headers[i].name, arena);
        if (is_signed(name) && !is_named(own, own_count, request->headers[i].name))
            all[count++] = (struct signed_header){name, request->headers[i].value};
    }
    qsort(all, count, sizeof *all, compare_headers);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buf_append_char(&names, ';');
        buf_append_text(&names, all[i].name);
        buf_append_text(out, all[i].name);
        buf_append_char(out, ':');
        write_value(all[i].value, out);
        buf_append_char(out, '\n');
    }
    const char *text = arena_text(arena, buf_str(&names));
    buf_release(&names);
    return text;
}

/* --- the signature ------------------------------------------------------------------------------- */

static void derive_key(const struct auth_sigv4 *spec, struct str day, unsigned char key[CRYPTO_HASH_MAX])
{
    const struct str steps[] = {day, spec->region, spec->service, STR("aws4_request")};
    struct buf first = BUF_INIT(spec->secret_key.size + 4);
    buf_append_text(&first, "AWS4");
    buf_append_str(&first, spec->secret_key);
    struct str from = buf_str(&first);
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        unsigned char next[CRYPTO_HASH_MAX];
        crypto_hmac(CRYPTO_SHA256, from, steps[i], next);
        memcpy(key, next, SHA256_SIZE);
        crypto_wipe(next, sizeof next);
        from = (struct str){(const char *)key, SHA256_SIZE};
    }
    crypto_wipe(first.data, first.size);
    buf_release(&first);
}

size_t sigv4_headers(const struct auth_sigv4 *spec, const struct http_request *request, const struct url *url, int64_t wall_us,
                     struct arena *arena, struct http_header headers[AUTH_SIGNING_HEADERS_MAX])
{
    char stamp[STAMP_SIZE], body[SHA256_HEX_SIZE], digest[SHA256_HEX_SIZE], signature[SHA256_HEX_SIZE];
    unsigned char key[CRYPTO_HASH_MAX], code[CRYPTO_HASH_MAX];
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm utc;
    size_t count = 0;
    bool is_s3 = str_equal(spec->service, STR("s3"));
    CHECK(gmtime_r(&seconds, &utc) && strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc) == STAMP_SIZE - 1);
    crypto_sha256_hex(request->body, body);
    headers[count++] = (struct http_header){STR("X-Amz-Date"), str_from(arena_strdup(arena, stamp))};
    if (is_s3) headers[count++] = (struct http_header){STR("X-Amz-Content-Sha256"), str_from(arena_strdup(arena, body))};
    if (spec->session_token.size) headers[count++] = (struct http_header){STR("X-Amz-Security-Token"), spec->session_token};

    struct buf canonical = BUF_INIT(CANONICAL_MAX_BYTES);
    buf_printf(&canonical, "%s\n", request->method);
    if (is_s3)
        write_s3_path(str_from(url->path), &canonical);
    else
        write_path(str_from(url->path), &canonical);
    buf_append_char(&canonical, '\n');
    if (url->query) write_query(str_from(url->query), arena, &canonical);
    buf_append_char(&canonical, '\n');
    const char *names = write_headers(request, url, headers, count, arena, &canonical);
    buf_printf(&canonical, "\n%s\n%s", names, body);
    CHECK(!canonical.failed);
    crypto_sha256_hex(buf_str(&canonical), digest);
    buf_release(&canonical);

    const char *scope = arena_printf(arena, "%.*s/" STR_FMT "/" STR_FMT "/aws4_request", DAY_SIZE, stamp, STR_ARG(spec->region),
                                     STR_ARG(spec->service));
    const char *message = arena_printf(arena, "AWS4-HMAC-SHA256\n%s\n%s\n%s", stamp, scope, digest);
    derive_key(spec, (struct str){stamp, DAY_SIZE}, key);
    size_t size = crypto_hmac(CRYPTO_SHA256, (struct str){(const char *)key, SHA256_SIZE}, str_from(message), code);
    crypto_hex_text(code, size, signature);
    crypto_wipe(key, sizeof key);
    const char *value = arena_printf(arena, "AWS4-HMAC-SHA256 Credential=" STR_FMT "/%s, SignedHeaders=%s, Signature=%s",
                                     STR_ARG(spec->access_key), scope, names, signature);
    headers[count++] = (struct http_header){STR("Authorization"), str_from(value)};
    return count;
}
