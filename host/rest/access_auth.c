/* How it works: `auth` stays a checked node in the description, since it is read once per sync: each key is compiled and
 * rendered here when it is asked for, by the same function that access_check tries it with.
 *
 * The texts of a signature have holes ({{sign.timestamp}}) that only net/auth_sign.c can fill. They are cut at those holes;
 * what lies between is an ordinary template. */
#include "base/check.h"
#include "base/json.h"
#include "net/url.h"
#include "os/crypto.h"
#include "rest/access_parts.h"
#include "rest/vocabulary.h"

/* One look at `auth`: with `config` set it renders, else it only checks. */
struct auth_reader {
    const struct option_table *table;
    const struct node *auth;
    const char *path;
    const struct config_table *names;
    const struct config *config;
    int64_t now_us;
    struct arena *arena;
    struct problems *problems;
    struct err *err;
    int rc;                 /* the first failure sticks */
    enum rendered rendered; /* what the last text was */
};

/* --- one value ----------------------------------------------------------------------------------------------------------- */

/* Compiles, and renders if there is a configuration. An optional entry without a value gives an empty text. */
static struct str read_text(struct auth_reader *reader, struct str text, const struct node *place, const char *path)
{
    struct template_scope scope = {.config = reader->names, .roots = TEMPLATE_CONFIG | TEMPLATE_NOW};
    size_t before = reader->problems->count;
    const struct template *compiled = template_compile(text, place, path, &scope, reader->arena, reader->problems);
    struct str result = STR("");
    if (!reader->config || !compiled || reader->problems->count != before || reader->rc != 0) return result;
    struct template_values values = {.config = reader->config, .now_us = reader->now_us};
    struct buf out = BUF_INIT(TEMPLATE_MAX_BYTES);
    bool has_secret = false;
    int rc = template_render(compiled, &values, ESCAPE_NONE, &out, &has_secret, reader->err);
    if (rc < 0)
        reader->rc = err_context(reader->err, "%s", path);
    else
        result = arena_copy(reader->arena, buf_str(&out));
    if (rc >= 0) reader->rendered = (enum rendered)rc;
    buf_release(&out);
    return result;
}

/* A key's text, or its default. */
static struct str read_key(struct auth_reader *reader, const char *key)
{
    const char *text = option_text(reader->table, reader->auth, key);
    const char *path = arena_printf(reader->arena, "%s.%s", reader->path, key);
    return text ? read_text(reader, str_from(text), node_get(reader->auth, key), path) : STR("");
}

/* A key that must not end up empty. */
static struct str need_key(struct auth_reader *reader, const char *key)
{
    struct str text = read_key(reader, key);
    if (reader->config && reader->rc == 0 && text.size == 0) {
        reader->rc = err_set(reader->err, ERR_CONFIG, "%s.%s: there is no value", reader->path, key);
        err_hint(reader->err, "give the configuration entries it names");
    }
    return text;
}

static const struct node *map_of(const struct node *map, const char *key)
{
    const struct node *node = node_get(map, key);
    return node_is(node, NODE_MAP) ? node : NULL;
}

/* --- signatures --------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum auth_part_kind kind;
    bool in_message;
} HOLES[] = {
    {"sign.timestamp", AUTH_PART_TIMESTAMP, true},
    {"sign.timestamp_ms", AUTH_PART_TIMESTAMP_MS, true},
    {"sign.time", AUTH_PART_TIME, true},
    {"sign.nonce", AUTH_PART_NONCE, true},
    {"sign.method", AUTH_PART_METHOD, true},
    {"sign.url", AUTH_PART_URL, true},
    {"sign.host", AUTH_PART_HOST, true},
    {"sign.path", AUTH_PART_PATH, true},
    {"sign.query", AUTH_PART_QUERY, true},
    {"sign.target", AUTH_PART_TARGET, true},
    {"sign.body", AUTH_PART_BODY, true},
    {"sign.body_sha256", AUTH_PART_BODY_SHA256, true},
    {"sign.body_sha256_base64", AUTH_PART_BODY_SHA256_BASE64, true},
    {"sign.signature", AUTH_PART_SIGNATURE, false},
};

enum { SIGN_MAX_PARTS = 64 };

static void read_hole(struct auth_reader *reader, struct str name, const struct node *place, const char *path, bool in_message,
                      struct auth_part *part)
{
    for (size_t i = 0; i < ARRAY_SIZE(HOLES); i++) {
        if (!str_equal(name, str_from(HOLES[i].name))) continue;
        part->kind = HOLES[i].kind;
        if (in_message && !HOLES[i].in_message)
            problems_add(reader->problems, place, "%s: the signature cannot sign itself", path);
        return;
    }
    problems_add(reader->problems, place, "%s: unknown name '" STR_FMT "' in {{...}}", path, STR_ARG(name));
    const char *nearest = str_nearest(name, &HOLES[0].name, ARRAY_SIZE(HOLES), sizeof HOLES[0]);
    if (nearest) problems_hint(reader->problems, "did you mean '%s'?", nearest);
}

/* The next "{{ sign.x }}" in the text: where it begins and ends, and its name. */
static bool find_hole(struct str text, size_t *begin, size_t *end, struct str *name)
{
    for (size_t at = 0; at + 1 < text.size; at++) {
        if (text.data[at] != '{' || text.data[at + 1] != '{') continue;
        const char *close = memmem(text.data + at, text.size - at, "}}", 2);
        if (!close) return false;
        *begin = at;
        *end = (size_t)(close - text.data) + 2;
        *name = str_trim((struct str){text.data + at + 2, *end - at - 4});
        if (str_starts(*name, STR("sign."))) return true;
        at = *end - 1;
    }
    return false;
}

static struct auth_text read_parts(struct auth_reader *reader, struct str text, const struct node *place, const char *path,
                                   bool in_message)
{
    struct auth_part *parts = arena_array(reader->arena, struct auth_part, SIGN_MAX_PARTS);
    size_t count = 0, begin, end;
    struct str name;
    while (text.size && count + 2 < SIGN_MAX_PARTS) {
        bool has_hole = find_hole(text, &begin, &end, &name);
        struct str before = {text.data, has_hole ? begin : text.size};
        if (before.size) parts[count++] = (struct auth_part){AUTH_PART_TEXT, read_text(reader, before, place, path)};
        if (!has_hole) return (struct auth_text){parts, count};
        read_hole(reader, name, place, path, in_message, &parts[count++]);
        text = (struct str){text.data + end, text.size - end};
    }
    if (text.size) problems_add(reader->problems, place, "%s: more than %d parts", path, SIGN_MAX_PARTS);
    return (struct auth_text){parts, count};
}

static enum auth_encoding encoding_of(const char *name)
{
    return strcmp(name, "base64") == 0 ? AUTH_BASE64 : strcmp(name, "base64url") == 0 ? AUTH_BASE64URL : AUTH_HEX;
}

static enum jwt_key_encoding key_encoding_of(const char *name)
{
    return strcmp(name, "hex") == 0 ? JWT_KEY_HEX : strcmp(name, "base64") == 0 ? JWT_KEY_BASE64 : JWT_KEY_TEXT;
}

static const struct auth_sign_field *read_sign_fields(struct auth_reader *reader, const char *key, size_t *count,
                                                      bool *has_signature)
{
    const struct node *map = map_of(reader->auth, key);
    if (!map) return NULL;
    struct auth_sign_field *list = arena_array(reader->arena, struct auth_sign_field, map->count + 1);
    for (size_t i = 0; i < map->count; i++) {
        const struct node *field = &map->children[i];
        const char *path = arena_printf(reader->arena, "%s.%s." STR_FMT, reader->path, key, STR_ARG(field->key));
        list[i].name = field->key;
        list[i].value = read_parts(reader, node_text(field), field, path, false);
        for (size_t p = 0; p < list[i].value.count; p++)
            *has_signature = *has_signature || list[i].value.parts[p].kind == AUTH_PART_SIGNATURE;
    }
    *count = map->count;
    return list;
}

static void read_signing(struct auth_reader *reader, struct auth_sign *sign)
{
    bool has_signature = false;
    *sign = (struct auth_sign){
        .key = need_key(reader, "key"),
        .key_encoding = key_encoding_of(option_text(reader->table, reader->auth, "key_encoding")),
        .encoding = encoding_of(option_text(reader->table, reader->auth, "encoding")),
        .sign_body = option_boolean(reader->table, reader->auth, "sign_body"),
    };
    sign->message =
        read_parts(reader, str_from(option_text(reader->table, reader->auth, "message")), node_get(reader->auth, "message"),
                   arena_printf(reader->arena, "%s.message", reader->path), true);
    CHECK(crypto_hash_from_name(str_from(option_text(reader->table, reader->auth, "algorithm")), &sign->hash));
    sign->headers = read_sign_fields(reader, "headers", &sign->header_count, &has_signature);
    sign->params = read_sign_fields(reader, "params", &sign->param_count, &has_signature);
    if (has_signature) return;
    problems_add(reader->problems, reader->auth, "%s: the signature goes nowhere", reader->path);
    problems_hint(reader->problems, "place {{sign.signature}} in a header%s",
                  reader->table == &VOCABULARY_SIGN ? "" : " or a parameter");
}

static const struct auth_sign *read_sign(struct auth_reader *reader)
{
    const struct node *node = map_of(reader->auth, "sign");
    if (!node) return NULL;
    struct auth_sign *sign = arena_new(reader->arena, struct auth_sign);
    struct auth_reader below = *reader;
    below.table = &VOCABULARY_SIGN;
    below.auth = node;
    below.path = arena_printf(reader->arena, "%s.sign", reader->path);
    read_signing(&below, sign);
    reader->rc = below.rc;
    return sign;
}

/* --- signed tokens ------------------------------------------------------------------------------------------------------ */

static void read_claims(struct auth_reader *reader, struct jwt *jwt)
{
    const struct node *map = map_of(reader->auth, "claims");
    if (!map) return;
    struct jwt_claim *claims = arena_array(reader->arena, struct jwt_claim, map->count + 1);
    for (size_t i = 0; i < map->count; i++) {
        const struct node *claim = &map->children[i];
        const char *path = arena_printf(reader->arena, "%s.claims." STR_FMT, reader->path, STR_ARG(claim->key));
        struct str value = read_text(reader, node_text(claim), claim, path);
        bool is_plain = claim->kind == NODE_NUMBER || claim->kind == NODE_BOOLEAN || reader->rendered == RENDERED_NUMBER ||
                        reader->rendered == RENDERED_BOOLEAN || reader->rendered == RENDERED_LIST;
        if (value.size == 0) continue;
        struct buf json = BUF_INIT(6 * (size_t)TEMPLATE_MAX_BYTES);
        if (is_plain)
            buf_append_str(&json, value);
        else
            buf_append_json_string(&json, value);
        claims[jwt->claim_count++] = (struct jwt_claim){claim->key, arena_copy(reader->arena, buf_str(&json))};
        buf_release(&json);
    }
    jwt->claims = claims;
}

static void read_jwt_keys(struct auth_reader *reader, struct jwt *jwt)
{
    *jwt = (struct jwt){
        .algorithm = str_from(option_text(reader->table, reader->auth, "algorithm")),
        .key = need_key(reader, "key"),
        .key_encoding = key_encoding_of(option_text(reader->table, reader->auth, "key_encoding")),
        .key_place = arena_printf(reader->arena, "%s.key", reader->path),
        .key_id = read_key(reader, "key_id"),
        .issuer = read_key(reader, "issuer"),
        .subject = read_key(reader, "subject"),
        .audience = read_key(reader, "audience"),
        .lifetime_ms = option_duration_ms(reader->table, reader->auth, "lifetime"),
    };
    read_claims(reader, jwt);
    if (jwt->lifetime_ms < 4000)
        problems_add(reader->problems, reader->auth, "%s.lifetime: expected at least 4s", reader->path);
}

static struct jwt *read_assertion(struct auth_reader *reader)
{
    const struct node *node = map_of(reader->auth, "assertion");
    if (!node) return NULL;
    struct jwt *jwt = arena_new(reader->arena, struct jwt);
    struct auth_reader below = *reader;
    below.table = &VOCABULARY_ASSERTION;
    below.auth = node;
    below.path = arena_printf(reader->arena, "%s.assertion", reader->path);
    read_jwt_keys(&below, jwt);
    reader->rc = below.rc;
    return jwt;
}

/* --- kinds --------------------------------------------------------------------------------------------------------------- */

static void read_none(struct auth_reader *reader, struct auth_spec *spec)
{
    (void)reader;
    spec->kind = AUTH_NONE;
}

/* One credential, or several: `key` and those of `pool`, each once. Gives the first. */
static struct str read_credentials(struct auth_reader *reader, const char *key, struct auth_spec *spec)
{
    struct str rest = read_key(reader, "pool"), only = read_key(reader, key), one;
    struct str *list = arena_array(reader->arena, struct str, AUTH_POOL_MAX);
    size_t count = 0;
    if (!option_is_set(reader->auth, key) && !option_is_set(reader->auth, "pool"))
        problems_add(reader->problems, reader->auth, "%s: '%s' is missing", reader->path, key);
    if (only.size) list[count++] = only;
    while (rest.size && str_next(&rest, ',', &one)) {
        bool is_new = one.size > 0;
        for (size_t i = 0; i < count; i++) is_new = is_new && !str_equal(list[i], one);
        if (!is_new) continue;
        if (count == AUTH_POOL_MAX) {
            if (reader->rc == 0)
                reader->rc = err_set(reader->err, ERR_CONFIG, "%s.pool: more than %d", reader->path, AUTH_POOL_MAX);
            break;
        }
        list[count++] = arena_copy(reader->arena, one);
    }
    if (reader->config && reader->rc == 0 && count == 0) {
        reader->rc = err_set(reader->err, ERR_CONFIG, "%s.%s: there is no value", reader->path, key);
        err_hint(reader->err, "give the configuration entries it names");
    }
    spec->pool = list;
    spec->pool_count = count > 1 ? count : 0;
    return count ? list[0] : STR("");
}

static void read_bearer(struct auth_reader *reader, struct auth_spec *spec)
{
    spec->kind = AUTH_BEARER;
    spec->token = read_credentials(reader, "token", spec);
    spec->prefix = read_key(reader, "prefix");
}

static void read_basic(struct auth_reader *reader, struct auth_spec *spec)
{
    spec->kind = AUTH_BASIC;
    spec->username = need_key(reader, "username");
    spec->password = read_key(reader, "password");
}

static enum auth_place place_of(const char *name)
{
    return strcmp(name, "query") == 0 ? AUTH_IN_QUERY : strcmp(name, "cookie") == 0 ? AUTH_IN_COOKIE : AUTH_IN_HEADER;
}

static void read_api_key(struct auth_reader *reader, struct auth_spec *spec)
{
    spec->kind = AUTH_API_KEY;
    spec->key = read_credentials(reader, "key", spec);
    spec->name = need_key(reader, "name");
    spec->prefix = read_key(reader, "prefix");
    spec->into = place_of(option_text(reader->table, reader->auth, "into"));
}

/* The key that a grant needs must be there, and nobody else's. */
static const struct {
    const char *name;
    enum auth_grant grant;
    const char *needs; /* the key that belongs to it; NULL: none does */
} GRANTS[] = {
    {"client_credentials", AUTH_CLIENT_CREDENTIALS, NULL},
    {"refresh_token", AUTH_REFRESH_TOKEN, "refresh_token"},
    {"password", AUTH_PASSWORD, "username"},
    {"jwt_bearer", AUTH_JWT_BEARER, "assertion"},
    {"authorization_code", AUTH_AUTHORIZATION_CODE, "authorize_url"},
    {"device_code", AUTH_DEVICE_CODE, "device_authorization_url"},
};

static void check_grant_keys(struct auth_reader *reader, size_t chosen)
{
    bool has_client_assertion = strcmp(option_text(reader->table, reader->auth, "credentials"), "assertion") == 0;
    for (size_t i = 0; i < ARRAY_SIZE(GRANTS); i++) {
        const char *key = GRANTS[i].needs;
        if (!key) continue;
        bool is_set = option_is_set(reader->auth, key);
        bool belongs = i == chosen || (strcmp(key, "assertion") == 0 && has_client_assertion);
        bool is_choice = GRANTS[i].grant == AUTH_DEVICE_CODE && GRANTS[chosen].grant == AUTH_AUTHORIZATION_CODE;
        if (is_set && !belongs && !is_choice)
            problems_add(reader->problems, reader->auth, "%s: '%s' belongs to grant %s only", reader->path, key,
                         GRANTS[i].name);
        if (!is_set && belongs)
            problems_add(reader->problems, reader->auth, "%s: %s needs %s '%s'", reader->path,
                         i == chosen ? arena_printf(reader->arena, "grant %s", GRANTS[i].name) : "credentials assertion",
                         strchr("aeio", key[0]) ? "an" : "a", key);
    }
    if (has_client_assertion && GRANTS[chosen].grant == AUTH_JWT_BEARER)
        problems_add(reader->problems, reader->auth, "%s: grant jwt_bearer and credentials assertion have one 'assertion'",
                     reader->path);
}

static enum auth_grant read_grant(struct auth_reader *reader)
{
    const struct node *node = node_get(reader->auth, "grant");
    struct str name = node_text(node);
    for (size_t i = 0; i < ARRAY_SIZE(GRANTS); i++) {
        if (!str_equal(name, str_from(GRANTS[i].name))) continue;
        check_grant_keys(reader, i);
        return GRANTS[i].grant;
    }
    problems_add(reader->problems, node, "%s: unknown grant '" STR_FMT "'", reader->path, STR_ARG(name));
    const char *nearest = str_nearest(name, &GRANTS[0].name, ARRAY_SIZE(GRANTS), sizeof GRANTS[0]);
    if (nearest) problems_hint(reader->problems, "did you mean '%s'?", nearest);
    return AUTH_CLIENT_CREDENTIALS;
}

static enum auth_client client_of(const char *name)
{
    return strcmp(name, "basic") == 0       ? AUTH_CLIENT_BASIC
           : strcmp(name, "assertion") == 0 ? AUTH_CLIENT_ASSERTION
                                            : AUTH_CLIENT_BODY;
}

static const struct auth_pair *read_params(struct auth_reader *reader, const char *key, size_t *count)
{
    const struct node *params = map_of(reader->auth, key);
    if (!params) return NULL;
    struct auth_pair *pairs = arena_array(reader->arena, struct auth_pair, params->count + 1);
    for (size_t i = 0; i < params->count; i++) {
        const struct node *param = &params->children[i];
        const char *path = arena_printf(reader->arena, "%s.%s." STR_FMT, reader->path, key, STR_ARG(param->key));
        struct str value = read_text(reader, node_text(param), param, path);
        if (value.size) pairs[(*count)++] = (struct auth_pair){param->key, value};
    }
    return pairs;
}

static void read_captures(struct auth_reader *reader, struct auth_spec *spec)
{
    const struct node *map = map_of(reader->auth, "capture");
    if (!map) return;
    struct auth_capture *captures = arena_array(reader->arena, struct auth_capture, map->count + 1);
    for (size_t i = 0; i < map->count; i++)
        captures[spec->capture_count++] = (struct auth_capture){map->children[i].key, node_cstr(&map->children[i], "")};
    spec->captures = captures;
}

static void read_oauth2(struct auth_reader *reader, struct auth_spec *spec)
{
    struct auth_oauth2 *oauth2 = &spec->oauth2;
    struct jwt *assertion = read_assertion(reader);
    spec->kind = AUTH_OAUTH2;
    *oauth2 = (struct auth_oauth2){
        .grant = read_grant(reader),
        .token_url = need_key(reader, "token_url").data,
        .client_id = read_key(reader, "client_id"),
        .client_secret = read_key(reader, "client_secret"),
        .refresh_token = read_key(reader, "refresh_token"),
        .username = read_key(reader, "username"),
        .password = read_key(reader, "password"),
        .scope = read_key(reader, "scope"),
        .json = strcmp(option_text(reader->table, reader->auth, "body"), "json") == 0,
        .client = client_of(option_text(reader->table, reader->auth, "credentials")),
        .assertion = assertion,
        .sign = read_sign(reader),
        .authorize_url = read_key(reader, "authorize_url").data,
        .device_url = read_key(reader, "device_authorization_url").data,
        .redirect_url = read_key(reader, "redirect_url").data,
    };
    oauth2->params = read_params(reader, "params", &oauth2->param_count);
    oauth2->authorize_params = read_params(reader, "authorize_params", &oauth2->authorize_param_count);
    read_captures(reader, spec);
    if (assertion) {
        assertion->has_id = oauth2->client == AUTH_CLIENT_ASSERTION;
        if (assertion->issuer.size == 0) assertion->issuer = oauth2->client_id;
        if (assertion->subject.size == 0 && assertion->has_id) assertion->subject = oauth2->client_id;
    }
    bool says_who = oauth2->sign || (assertion && option_is_set(map_of(reader->auth, "assertion"), "issuer"));
    if (!says_who && !option_is_set(reader->auth, "client_id"))
        problems_add(reader->problems, reader->auth, "%s: 'client_id' is missing", reader->path);
}

static void read_jwt(struct auth_reader *reader, struct auth_spec *spec)
{
    const struct node *exchange = map_of(reader->auth, "exchange");
    spec->kind = AUTH_JWT;
    spec->prefix = read_key(reader, "prefix");
    read_jwt_keys(reader, &spec->jwt);
    if (!exchange) return;
    struct auth_reader below = *reader;
    below.table = &VOCABULARY_EXCHANGE;
    below.auth = exchange;
    below.path = arena_printf(reader->arena, "%s.exchange", reader->path);
    spec->exchange.url = need_key(&below, "url").data;
    spec->exchange.token_key = option_text(&VOCABULARY_EXCHANGE, exchange, "token");
    reader->rc = below.rc;
}

static void read_sigv4(struct auth_reader *reader, struct auth_spec *spec)
{
    spec->kind = AUTH_SIGV4;
    spec->sigv4.access_key = need_key(reader, "access_key");
    spec->sigv4.secret_key = need_key(reader, "secret_key");
    spec->sigv4.session_token = read_key(reader, "session_token");
    spec->sigv4.region = need_key(reader, "region");
    spec->sigv4.service = need_key(reader, "service");
}

static enum auth_oauth1_method oauth1_method_of(const char *name)
{
    return strcmp(name, "HMAC-SHA1") == 0 ? AUTH_HMAC_SHA1 : strcmp(name, "PLAINTEXT") == 0 ? AUTH_PLAINTEXT : AUTH_HMAC_SHA256;
}

static void read_oauth1(struct auth_reader *reader, struct auth_spec *spec)
{
    bool has_token = option_is_set(reader->auth, "token"), has_secret = option_is_set(reader->auth, "token_secret");
    spec->kind = AUTH_OAUTH1;
    spec->oauth1 = (struct auth_oauth1){
        .consumer_key = need_key(reader, "consumer_key"),
        .consumer_secret = need_key(reader, "consumer_secret"),
        .token = read_key(reader, "token"),
        .token_secret = read_key(reader, "token_secret"),
        .realm = read_key(reader, "realm"),
        .method = oauth1_method_of(option_text(reader->table, reader->auth, "method")),
    };
    if (has_token != has_secret)
        problems_add(reader->problems, reader->auth, "%s: 'token' and 'token_secret' go together", reader->path);
}

static void read_hmac(struct auth_reader *reader, struct auth_spec *spec)
{
    spec->kind = AUTH_HMAC;
    read_signing(reader, &spec->hmac);
}

/* Like read_params, for a map whose values may be maps and lists: JSON. */
static void write_json(struct auth_reader *reader, const struct node *node, const char *path, struct json_writer *writer)
{
    if (node_is(node, NODE_MAP) || node_is(node, NODE_LIST)) {
        bool is_map = node_is(node, NODE_MAP);
        json_open(writer, is_map ? '{' : '[');
        for (size_t i = 0; i < node->count; i++) {
            const struct node *child = &node->children[i];
            const char *name = is_map ? arena_text(reader->arena, child->key) : arena_printf(reader->arena, "%zu", i);
            if (is_map) json_member(writer, name);
            write_json(reader, child, arena_printf(reader->arena, "%s.%s", path, name), writer);
        }
        json_close(writer, is_map ? '}' : ']');
        return;
    }
    struct str value = read_text(reader, node_text(node), node, path);
    bool is_plain = node_is(node, NODE_NUMBER) || node_is(node, NODE_BOOLEAN) || reader->rendered == RENDERED_NUMBER ||
                    reader->rendered == RENDERED_BOOLEAN || reader->rendered == RENDERED_LIST;
    if (is_plain && value.size)
        json_raw(writer, value);
    else
        json_text(writer, value);
}

static void read_login_body(struct auth_reader *reader, struct auth_session *session)
{
    const struct node *params = map_of(reader->auth, "params");
    bool is_query = strcmp(session->method, "GET") == 0;
    struct buf body = BUF_INIT(TEMPLATE_MAX_BYTES);
    size_t count = 0;
    session->json = strcmp(option_text(reader->table, reader->auth, "body"), "json") == 0;
    if (!params) {
        if (option_is_set(reader->auth, "params"))
            problems_add(reader->problems, reader->auth, "%s.params: expected a map", reader->path);
        return;
    }
    if (session->json && !is_query) {
        struct json_writer writer = JSON_WRITER(&body);
        write_json(reader, params, arena_printf(reader->arena, "%s.params", reader->path), &writer);
    } else {
        for (size_t i = 0; i < params->count; i++)
            if (!node_is_scalar(&params->children[i]))
                problems_add(reader->problems, &params->children[i],
                             "%s.params." STR_FMT ": only a JSON body holds maps and lists", reader->path,
                             STR_ARG(params->children[i].key));
        const struct auth_pair *pairs = read_params(reader, "params", &count);
        for (size_t i = 0; i < count; i++) url_add_form(&body, pairs[i].name, pairs[i].value);
    }
    if (body.failed) problems_add(reader->problems, params, "%s.params: over %d bytes", reader->path, TEMPLATE_MAX_BYTES);
    session->body = arena_copy(reader->arena, buf_str(&body));
    buf_release(&body);
    if (!is_query || session->body.size == 0) return;
    const char *url = session->login_url;
    session->login_url = arena_printf(reader->arena, "%s%c" STR_FMT, url, strchr(url, '?') ? '&' : '?', STR_ARG(session->body));
    session->body = STR("");
}

static enum auth_source source_of(const char *name)
{
    return strcmp(name, "header") == 0 ? AUTH_FROM_HEADER : strcmp(name, "cookie") == 0 ? AUTH_FROM_COOKIE : AUTH_FROM_BODY;
}

static void read_session(struct auth_reader *reader, struct auth_spec *spec)
{
    struct auth_session *session = &spec->session;
    bool has_place = option_is_set(reader->auth, "into") || option_is_set(reader->auth, "name");
    spec->kind = AUTH_SESSION;
    spec->prefix = read_key(reader, "prefix");
    spec->name = read_key(reader, "name");
    spec->into = place_of(option_text(reader->table, reader->auth, "into"));
    *session = (struct auth_session){
        .login_url = need_key(reader, "login_url").data,
        .method = option_text(reader->table, reader->auth, "method"),
        .username = read_key(reader, "username"),
        .password = read_key(reader, "password"),
        .from = source_of(option_text(reader->table, reader->auth, "from")),
        .token = option_text(reader->table, reader->auth, "token"),
    };
    if (option_is_set(reader->auth, "lifetime"))
        session->lifetime_ms = option_duration_ms(reader->table, reader->auth, "lifetime");
    session->headers = read_params(reader, "headers", &session->header_count);
    read_login_body(reader, session);
    read_captures(reader, spec);
    if (session->from == AUTH_FROM_COOKIE && !has_place) {
        spec->into = AUTH_IN_COOKIE;
        spec->name = str_from(session->token);
    }
}

static const struct {
    const char *name;
    void (*read)(struct auth_reader *reader, struct auth_spec *spec);
} READERS[] = {
    {"none", read_none}, {"bearer", read_bearer}, {"basic", read_basic},   {"api_key", read_api_key}, {"oauth2", read_oauth2},
    {"jwt", read_jwt},   {"sigv4", read_sigv4},   {"oauth1", read_oauth1}, {"hmac", read_hmac},       {"session", read_session},
};

static void read_auth(struct auth_reader *reader, const struct vocabulary_kind *kind, struct auth_spec *spec)
{
    reader->table = kind->table;
    for (size_t i = 0; i < ARRAY_SIZE(READERS); i++)
        if (strcmp(kind->name, READERS[i].name) == 0) {
            READERS[i].read(reader, spec);
            return;
        }
    check_failed(__FILE__, __LINE__, "a kind of auth in the vocabulary without a reader");
}

void access_check(const struct node *auth, const struct config_table *table, struct arena *arena, struct problems *problems)
{
    const struct vocabulary_kind *kind = vocabulary_check_kind(&VOCABULARY_AUTH, auth, "http.auth", problems);
    struct auth_reader reader = {.auth = auth, .path = "http.auth", .names = table, .arena = arena, .problems = problems};
    struct auth_spec spec = {0};
    if (kind) read_auth(&reader, kind, &spec);
}

/* "/auth/token" stands behind the base, as a stream's path does. */
static const char *absolute_token_url(const char *token_url, const struct url *base, struct arena *arena)
{
    if (strstr(token_url, "://")) return token_url;
    size_t size = strlen(base->text);
    while (size && base->text[size - 1] == '/') size--;
    return arena_printf(arena, "%.*s%s%s", (int)size, base->text, token_url[0] == '/' ? "" : "/", token_url);
}

/* Where a token is fetched; NULL: nowhere. */
const char **access_token_url(struct auth_spec *spec)
{
    if (spec->kind == AUTH_OAUTH2) return &spec->oauth2.token_url;
    if (spec->kind == AUTH_SESSION) return &spec->session.login_url;
    return spec->kind == AUTH_JWT && spec->exchange.url ? &spec->exchange.url : NULL;
}

const char *access_token_key(const struct auth_spec *spec)
{
    return spec->kind == AUTH_JWT       ? "http.auth.exchange.url"
           : spec->kind == AUTH_SESSION ? "http.auth.login_url"
                                        : "http.auth.token_url";
}

int access_auth(const struct description *description, const struct config *config, int64_t now_us, struct arena *arena,
                struct auth_spec *spec, struct err *err)
{
    struct problems problems = PROBLEMS_INIT(arena);
    *spec = (struct auth_spec){.kind = AUTH_NONE};
    if (!description->auth) return 0;
    struct auth_reader reader = {
        .auth = description->auth,
        .path = "http.auth",
        .names = config->table,
        .config = config,
        .now_us = now_us,
        .arena = arena,
        .problems = &problems,
        .err = err,
    };
    read_auth(&reader, vocabulary_kind_of(&VOCABULARY_AUTH, description->auth), spec);
    CHECK(problems.count == 0); /* access_check has seen it */
    const char **url = access_token_url(spec);
    if (reader.rc != 0 || !url) return reader.rc;
    struct url base = {0};
    int rc = description->base_is_captured ? 0 : access_base(description, config, now_us, arena, &base, err);
    if (rc != 0) return rc;
    if (description->base_is_captured && !strstr(*url, "://"))
        return err_set(err, ERR_CONFIG, "%s: must be absolute, since http.base is not known before", access_token_key(spec));
    *url = absolute_token_url(*url, &base, arena);
    const char **device_url = &spec->oauth2.device_url;
    bool has_device = spec->kind == AUTH_OAUTH2 && *device_url && (*device_url)[0];
    if (has_device && description->base_is_captured && !strstr(*device_url, "://"))
        return err_set(err, ERR_CONFIG,
                       "http.auth.device_authorization_url: must be absolute, since http.base is not known before");
    if (has_device) *device_url = absolute_token_url(*device_url, &base, arena);
    /* Whom an assertion is for is whom it is shown, unless the connector says otherwise (RFC 7523 3). */
    struct jwt *assertion = spec->kind == AUTH_OAUTH2 ? spec->oauth2.assertion : NULL;
    if (assertion && assertion->audience.size == 0) assertion->audience = str_from(*url);
    return 0;
}
