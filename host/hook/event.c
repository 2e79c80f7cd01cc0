/* event: see event.h. */
#include "hook/event.h"

#include <string.h>

#include "base/json.h"
#include "base/jsonscan.h"
#include "base/time.h"
#include "hook/form.h"

enum { ID_BYTES = 16 };

static void refuse(struct hook_outcome *out, const char *why)
{
    out->kind = HOOK_BAD;
    out->why = why;
}

/* --- one event ----------------------------------------------------------------------------------------------------------- */

/* Paths that are absent or null, as a list; NULL when all are there. */
static const char *missing_fields(const struct hook_settings *settings, struct str event, struct arena *arena)
{
    const char *missing = NULL;
    for (size_t i = 0; i < settings->required_count; i++) {
        struct json_value value;
        const char *path = settings->required[i];
        if (jsonscan_find(event.data, event.size, path, &value) && value.kind != JSON_NULL) continue;
        missing =
            missing ? arena_printf(arena, "%s, %s", missing, path) : arena_printf(arena, "Missing required fields: %s", path);
    }
    return missing;
}

static const char *digest_of(struct str event, struct arena *arena)
{
    unsigned char digest[SHA256_SIZE];
    char *text = arena_alloc(arena, 2 * ID_BYTES + 1);
    crypto_sha256(event, digest);
    crypto_hex_text(digest, ID_BYTES, text);
    return text;
}

/* What the sender calls it. Of several in one request that one header names, each is its number, too. */
static struct str id_of(const struct hook_settings *settings, const struct hook_request *request, struct str event, bool is_one,
                        size_t number, struct arena *arena)
{
    const char *id = settings->scheme.id;
    struct json_value value;
    if (id && strncmp(id, "header:", 7) == 0) {
        const char *given = request->header(request->context, id + 7);
        if (given && given[0]) return str_from(is_one ? given : arena_printf(arena, "%s-%zu", given, number));
    } else if (id && jsonscan_find(event.data, event.size, id, &value)) {
        if (value.kind == JSON_STRING && value.raw.size) return jsonscan_text(&value, arena, NULL);
        if (value.kind == JSON_NUMBER) return value.raw;
    }
    return str_from(digest_of(event, arena));
}

/* White space may break a line only between tokens: inside a string a raw line end is no JSON. */
static void append_in_one_line(struct buf *out, struct str text)
{
    size_t from = out->size;
    buf_append_str(out, text);
    for (size_t i = from; i < out->size; i++)
        if (out->data[i] == '\n' || out->data[i] == '\r') out->data[i] = ' ';
}

static void append_line(struct buf *out, struct str event, struct str id, const char *received_at)
{
    struct json_writer json = JSON_WRITER(out);
    struct str inside = str_trim((struct str){event.data + 1, event.size - 2});
    buf_append_char(out, '{');
    append_in_one_line(out, inside);
    json.needs_comma = inside.size > 0;
    json_member(&json, "_event_id"), json_text(&json, id);
    json_member(&json, "_received_at"), json_cstr(&json, received_at);
    buf_append_text(out, "}\n");
}

/* --- a body -------------------------------------------------------------------------------------------------------------- */

static bool take_event(const struct hook_settings *settings, const struct hook_request *request, struct str event, bool is_one,
                       struct arena *arena, struct hook_outcome *out)
{
    char received_at[TIME_TEXT_MAX];
    const char *missing = missing_fields(settings, event, arena);
    if (missing) return refuse(out, missing), false;
    time_write_iso(request->now_ms * 1000, received_at);
    append_line(&out->lines, event, id_of(settings, request, event, is_one, out->count, arena), received_at);
    out->count++;
    return true;
}

/* Every value of the body was scanned before: what is found here is whole. */
static void take_body(const struct hook_settings *settings, const struct hook_request *request, struct str body,
                      struct arena *arena, struct hook_outcome *out)
{
    struct jsonscan scan;
    struct json_value value;
    out->kind = HOOK_EVENTS;
    jsonscan_init(&scan, body.data, body.size);
    if (jsonscan_peek(&scan) == JSON_OBJECT) {
        if (jsonscan_value(&scan, &value)) take_event(settings, request, value.raw, true, arena, out);
        return;
    }
    jsonscan_enter_array(&scan);
    while (out->kind == HOOK_EVENTS && jsonscan_next_element(&scan) && jsonscan_value(&scan, &value)) {
        if (value.kind != JSON_OBJECT)
            refuse(out, "an event that is no JSON object");
        else if (out->count == HOOK_EVENTS_MAX)
            refuse(out, arena_printf(arena, "more than %d events at once", HOOK_EVENTS_MAX));
        else
            take_event(settings, request, value.raw, false, arena, out);
    }
}

static bool is_whole(struct str body, struct arena *arena, const char **why)
{
    struct jsonscan scan;
    struct json_value value;
    jsonscan_init(&scan, body.data, body.size);
    if (jsonscan_value(&scan, &value) && jsonscan_finish(&scan)) {
        *why = "the body is no JSON object, and no list of them";
        return value.kind == JSON_OBJECT || value.kind == JSON_ARRAY;
    }
    *why = arena_printf(arena, "the body is no JSON: %s at byte %zu", scan.error ? scan.error : "something behind its end",
                        jsonscan_offset(&scan));
    return false;
}

/* --- questions ----------------------------------------------------------------------------------------------------------- */

static const char *text_at(struct str body, const char *path, struct arena *arena)
{
    struct json_value value;
    if (!jsonscan_find(body.data, body.size, path, &value) || value.kind != JSON_STRING) return NULL;
    return arena_text(arena, jsonscan_text(&value, arena, NULL));
}

static void answer_json(struct hook_outcome *out, const char *const *members, size_t count, struct arena *arena)
{
    struct buf text = BUF_INIT(64 * 1024);
    struct json_writer json = JSON_WRITER(&text);
    json_open(&json, '{');
    for (size_t i = 0; i + 1 < count; i += 2) json_member(&json, members[i]), json_cstr(&json, members[i + 1]);
    json_close(&json, '}');
    out->kind = text.failed ? HOOK_BAD : HOOK_ANSWER;
    out->why = "the challenge is too long";
    out->type = "application/json";
    out->reply = arena_strdup(arena, buf_text(&text));
    buf_release(&text);
}

static bool answer_challenge(const struct hook_settings *settings, struct str body, struct arena *arena,
                             struct hook_outcome *out)
{
    if (settings->scheme.challenge == HOOK_SLACK) {
        const char *type = text_at(body, "type", arena), *challenge = text_at(body, "challenge", arena);
        if (!type || strcmp(type, "url_verification") != 0 || !challenge) return false;
        answer_json(out, (const char *const[]){"challenge", challenge}, 2, arena);
        return true;
    }
    if (settings->scheme.challenge == HOOK_ZOOM) {
        unsigned char digest[CRYPTO_HASH_MAX];
        char hex[2 * CRYPTO_HASH_MAX + 1];
        const char *event = text_at(body, "event", arena), *plain = text_at(body, "payload.plainToken", arena);
        if (!event || strcmp(event, "endpoint.url_validation") != 0 || !plain || settings->secret_count == 0) return false;
        size_t size = crypto_hmac(CRYPTO_SHA256, str_from(settings->secrets[0]), str_from(plain), digest);
        crypto_hex_text(digest, size, hex);
        answer_json(out, (const char *const[]){"plainToken", plain, "encryptedToken", hex}, 4, arena);
        return true;
    }
    return false;
}

bool hook_greets(const struct hook_settings *settings, const char *mode, const char *token, const char *challenge)
{
    return settings->scheme.challenge == HOOK_META && settings->verify_token && settings->verify_token[0] && mode &&
           strcmp(mode, "subscribe") == 0 && token && challenge && challenge[0] &&
           crypto_equal(str_from(token), str_from(settings->verify_token));
}

/* The body as JSON: as it came, or made of a form's fields. */
static bool json_of(const struct hook_request *request, struct arena *arena, struct str *out)
{
    struct form form;
    *out = request->body;
    if (!form_is_type(request->header(request->context, "Content-Type"))) return true;
    if (!form_read(request->body, arena, &form)) return false;
    if (form.count) *out = form_json(&form, arena);
    return true;
}

void hook_read(const struct hook_settings *settings, const struct hook_request *request, struct arena *arena,
               struct hook_outcome *out)
{
    const char *why;
    struct str given;
    if (!json_of(request, arena, &given)) {
        refuse(out, arena_printf(arena, "a form of more than %d fields", FORM_FIELDS_MAX));
        return;
    }
    struct str body = jsonscan_padded(arena, given);
    if (!is_whole(body, arena, &why)) {
        refuse(out, why);
        return;
    }
    if (answer_challenge(settings, body, arena, out)) return;
    take_body(settings, request, body, arena, out);
    if (out->kind == HOOK_EVENTS && out->lines.failed) refuse(out, "the events are too large");
    if (out->kind != HOOK_EVENTS) buf_clear(&out->lines);
}
