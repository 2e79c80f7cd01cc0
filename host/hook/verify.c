/* verify: see verify.h. */
#include "hook/verify.h"

#include <string.h>

#include "base/number.h"
#include "base/time.h"
#include "hook/form.h"

enum { KEY_MAX = 4096 };

static const int64_t MILLISECONDS_FROM = 100000000000; /* as seconds it would be the year 5138 */

/* What is named `name` in "t=1,v1=ab"; the next one when *rest is what was left. */
static bool next_pair(struct str *rest, struct str name, struct str *value)
{
    struct str pair;
    while (str_next(rest, ',', &pair)) {
        pair = str_trim(pair);
        if (!str_starts(pair, name) || pair.size <= name.size || pair.data[name.size] != '=') continue;
        *value = (struct str){pair.data + name.size + 1, pair.size - name.size - 1};
        return true;
    }
    return false;
}

/* --- when ---------------------------------------------------------------------------------------------------------------- */

static bool find_timestamp(const struct hook_scheme *scheme, const struct hook_request *request, struct str signature,
                           struct str *out)
{
    *out = STR("");
    if (!scheme->timestamp) return true;
    if (scheme->form == HOOK_PAIRS) return next_pair(&signature, str_from(scheme->timestamp), out);
    *out = str_from(request->header(request->context, scheme->timestamp));
    return out->size > 0;
}

static bool read_ms(struct str text, int64_t *ms)
{
    enum time_zone_mark mark;
    int64_t us;
    if (number_to_int64(text, ms)) {
        if (*ms < 0 || *ms > MILLISECONDS_FROM * 100) return false;
        if (*ms < MILLISECONDS_FROM) *ms *= 1000;
        return true;
    }
    if (!time_parse_iso(text, &us, &mark)) return false;
    *ms = us / 1000;
    return true;
}

static bool is_of_now(const struct hook_scheme *scheme, struct str timestamp, int64_t now_ms)
{
    int64_t at_ms;
    if (!scheme->timestamp || scheme->tolerance_ms == 0) return true;
    if (!read_ms(timestamp, &at_ms)) return false;
    int64_t apart_ms = now_ms > at_ms ? now_ms - at_ms : at_ms - now_ms;
    return apart_ms <= scheme->tolerance_ms;
}

/* --- what is signed ------------------------------------------------------------------------------------------------------ */

static const char *decode_escape(struct str rest)
{
    static const char *const KNOWN[] = {"%3A:", "%2F/", "%3F?", "%40@", "%21!", "%24$",
                                        "%27'", "%28(", "%29)", "%2A*", "%2C,", "%3B;"};
    for (size_t i = 0; rest.size >= 3 && i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (str_equal_nocase((struct str){rest.data, 3}, (struct str){KNOWN[i], 3})) return KNOWN[i] + 3;
    return NULL;
}

static void append_url(struct buf *out, const char *url, bool decodes)
{
    struct str rest = str_from(url);
    while (rest.size) {
        const char *plain = decodes ? decode_escape(rest) : NULL;
        size_t taken = plain ? 3 : 1;
        buf_append_char(out, plain ? *plain : *rest.data);
        rest = (struct str){rest.data + taken, rest.size - taken};
    }
}

static bool signs_form(const struct hook_scheme *scheme)
{
    return scheme->message && strstr(scheme->message, "{form}");
}

/* "" of a body that is none: hook_refusal has looked at that. */
static struct str sorted_form(const struct hook_scheme *scheme, const struct hook_request *request, struct arena *arena)
{
    struct form form;
    struct buf text = BUF_INIT(HOOK_BODY_MAX);
    if (signs_form(scheme) && form_read(request->body, arena, &form)) form_append_sorted(&form, arena, &text);
    struct str copy = arena_copy(arena, buf_str(&text));
    buf_release(&text);
    return copy;
}

static void append_message(const struct hook_settings *settings, const struct hook_request *request, struct str timestamp,
                           struct arena *arena, struct buf *out)
{
    const struct hook_scheme *scheme = &settings->scheme;
    struct str rest = str_from(scheme->message);
    const char *id =
        scheme->id && strncmp(scheme->id, "header:", 7) == 0 ? request->header(request->context, scheme->id + 7) : NULL;
    const struct {
        struct str name, value;
    } known[] = {{STR("{body}"), request->body},
                 {STR("{timestamp}"), timestamp},
                 {STR("{id}"), str_from(id)},
                 {STR("{method}"), str_from(request->method)},
                 {STR("{form}"), sorted_form(scheme, request, arena)}};
    while (rest.size) {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && !str_starts(rest, known[i].name)) i++;
        size_t taken = 1;
        if (i < sizeof known / sizeof *known) {
            buf_append_str(out, known[i].value);
            taken = known[i].name.size;
        } else if (str_starts(rest, STR("{url}"))) {
            append_url(out, settings->url ? settings->url : "", scheme->decodes_url);
            taken = strlen("{url}");
        } else {
            buf_append_char(out, *rest.data);
        }
        rest = (struct str){rest.data + taken, rest.size - taken};
    }
}

/* --- by whom ------------------------------------------------------------------------------------------------------------- */

/* The next signature in the header; false at its end. */
static bool next_signature(const struct hook_scheme *scheme, struct str *rest, struct str *signature)
{
    struct str mark = str_from(scheme->mark);
    if (scheme->form == HOOK_PAIRS) return next_pair(rest, mark, signature);
    while (str_next(rest, scheme->form == HOOK_LIST ? ' ' : '\n', signature)) {
        if (!str_starts(*signature, mark)) continue;
        *signature = (struct str){signature->data + mark.size, signature->size - mark.size};
        return true;
    }
    return false;
}

static bool has_signature(const struct hook_scheme *scheme, struct str header, struct str expected)
{
    struct str signature;
    bool found = false;
    while (next_signature(scheme, &header, &signature)) found = crypto_equal(signature, expected) || found;
    return found;
}

/* The secret as the key that it stands for. */
static bool read_key(const struct hook_scheme *scheme, struct str secret, struct buf *key)
{
    struct str prefix = STR("whsec_");
    if (!scheme->has_base64_key) return buf_append_str(key, secret), true;
    if (str_starts(secret, prefix)) secret = (struct str){secret.data + prefix.size, secret.size - prefix.size};
    return crypto_base64_decode(secret, key);
}

static bool is_signed_by(const struct hook_scheme *scheme, struct str secret, struct str message, struct str header)
{
    unsigned char digest[CRYPTO_HASH_MAX];
    struct buf key = BUF_INIT(KEY_MAX), expected = BUF_INIT(4 * CRYPTO_HASH_MAX);
    bool good = read_key(scheme, secret, &key) && !key.failed && key.size > 0;
    if (good) {
        struct str bytes = {(const char *)digest, crypto_hmac(scheme->hash, buf_str(&key), message, digest)};
        if (scheme->is_base64)
            crypto_base64(bytes, &expected);
        else
            crypto_hex(bytes, &expected);
        good = has_signature(scheme, header, buf_str(&expected));
    }
    if (key.data) crypto_wipe(key.data, key.size);
    buf_release(&key);
    buf_release(&expected);
    return good;
}

static bool is_by_sender(const struct hook_settings *settings, const struct hook_request *request, struct str header,
                         struct str timestamp, struct arena *arena)
{
    const struct hook_scheme *scheme = &settings->scheme;
    struct buf message = BUF_INIT(HOOK_BODY_MAX + 64 * 1024);
    bool good = false;
    if (!scheme->is_token) append_message(settings, request, timestamp, arena, &message);
    for (size_t i = 0; i < settings->secret_count && !message.failed; i++) {
        struct str secret = str_from(settings->secrets[i]);
        if (secret.size == 0) continue; /* a variable that is empty: anybody knows that */
        good =
            (scheme->is_token ? crypto_equal(header, secret) : is_signed_by(scheme, secret, buf_str(&message), header)) || good;
    }
    buf_release(&message);
    return good;
}

const char *hook_refusal(const struct hook_settings *settings, const struct hook_request *request, struct arena *arena)
{
    const struct hook_scheme *scheme = &settings->scheme;
    struct str timestamp;
    if (!scheme->header) return NULL;
    const char *header = request->header(request->context, scheme->header);
    if (signs_form(scheme) && !form_is_type(request->header(request->context, "Content-Type")))
        return "the body is no form, and nothing else of it is signed";
    if (!header) return arena_printf(arena, "the header '%s' is missing", scheme->header);
    if (!find_timestamp(scheme, request, str_from(header), &timestamp))
        return arena_printf(arena, "the time of the signature is missing ('%s')", scheme->timestamp);
    if (!is_of_now(scheme, timestamp, request->now_ms)) return "the signature is too old, or of a time to come";
    if (!is_by_sender(settings, request, str_from(header), timestamp, arena)) return "the signature does not fit";
    return NULL;
}
