/* How it works: parameters are collected as pairs, first the connector's, then the stream's, the cursor's and the page's; later
 * ones replace earlier ones of the same name. The same is done to a query that already stands in the path or in a next page's
 * URL. Then everything is written at once.
 *
 * Two rules guard what a description or an answer can do here: bytes that have no place in a URL are encoded, those that would
 * break a header are refused; and a request that holds a secret only goes to the connector's own hosts. */
#include "rest/request.h"

#include "base/check.h"
#include "base/json.h"
#include "base/number.h"
#include "base/time.h"
#include "net/url.h"
#include "os/crypto.h"

/* A request on its way. */
struct request_in_hand {
    const struct request_source *source;
    const struct page_place *place;
    struct template_values values;
    struct operand_source operands;
    struct operand_pairs query, headers, body; /* body: what goes into it by parameter */
    bool has_secret;
};

/* --- values -------------------------------------------------------------------------------------------------------------- */

static struct str number_text(int64_t number, struct arena *arena)
{
    char text[NUMBER_TEXT_MAX];
    return arena_copy(arena, (struct str){text, number_from_int64(number, text)});
}

static struct str day_before(struct str date, struct arena *arena)
{
    char text[TIME_TEXT_MAX];
    int64_t day;
    if (!time_parse_date(date, &day)) return date;
    return arena_copy(arena, (struct str){text, time_write_date(day - 1, text)});
}

static void fill_cursor(const struct request_source *source, struct template_values *values, struct arena *arena)
{
    const struct window_slice *slice = source->slice;
    if (slice) {
        values->slice_id = str_from(slice->id);
        values->slice_from = str_from(slice->from);
        values->slice_to = str_from(slice->to);
    }
    if (!source->stream || !source->stream->has_cursor) return;
    const struct window_cursor *cursor = &source->stream->cursor.window;
    bool is_time = cursor->type == TYPE_TIMESTAMP || cursor->type == TYPE_TIMESTAMP_NTZ || cursor->type == TYPE_DATE;
    values->cursor_from = values->slice_from;
    values->cursor_until = source->stream->cursor.until_is_last ? day_before(values->slice_to, arena) : values->slice_to;
    values->cursor_value = source->cursor_value;
    values->cursor_token = source->token;
    values->cursor_format = is_time ? cursor->format : NULL;
    values->cursor_is_number = cursor->type == TYPE_INTEGER || cursor->type == TYPE_DECIMAL ||
                               (values->cursor_format && strncmp(values->cursor_format, "epoch", 5) == 0);
}

static struct template_values values_of(const struct request_source *source, const struct page_place *place,
                                        struct arena *arena)
{
    struct template_values values = {
        .config = source->config,
        .now_us = source->now_us,
        .job = source->job,
        .parent = source->parent,
        .partition = source->partition,
        .batch_ids = source->batch_ids,
    };
    fill_cursor(source, &values, arena);
    if (source->stream) {
        values.stream_name = str_from(source->stream->name);
        values.stream_fields = source->fields.size ? source->fields : source->stream->asked;
    }
    if (!place) return values;
    if (place->has_number) values.page_number = number_text(place->number, arena);
    if (place->has_offset) values.page_offset = number_text(place->offset, arena);
    int64_t size = place->size || !source->stream ? place->size : pages_moving(&source->stream->pages)->size;
    if (size) values.page_size = number_text(size, arena);
    values.page_token = place->token;
    values.page_key = place->key;
    return values;
}

static void context_text(struct json_writer *writer, const char *key, struct str text)
{
    if (text.size == 0) return;
    json_member(writer, key);
    json_text(writer, text);
}

static void context_number(struct json_writer *writer, const char *key, struct str number)
{
    if (number.size == 0) return;
    json_member(writer, key);
    json_raw(writer, number);
}

static struct str write_context(const struct request_source *source, const struct template_values *values, struct arena *arena)
{
    struct buf text = BUF_INIT(REQUEST_MAX_BODY);
    struct json_writer writer = JSON_WRITER(&text);
    char now[TIME_TEXT_MAX];
    json_open(&writer, '{');
    if (values->batch_ids.size) {
        json_member(&writer, "batch");
        json_open(&writer, '{');
        context_text(&writer, "ids", values->batch_ids);
        json_close(&writer, '}');
    }
    json_member(&writer, "config");
    config_to_json(source->config, &text);
    writer.needs_comma = true;
    json_member(&writer, "cursor");
    json_open(&writer, '{');
    context_text(&writer, "from", values->cursor_from);
    context_text(&writer, "token", values->cursor_token);
    context_text(&writer, "until", values->cursor_until);
    context_text(&writer, "value", values->cursor_value);
    json_close(&writer, '}');
    if (values->job.size) json_member(&writer, "job"), json_raw(&writer, values->job);
    json_member(&writer, "now");
    json_text(&writer, (struct str){now, time_write_iso(values->now_us, now)});
    json_member(&writer, "page");
    json_open(&writer, '{');
    context_text(&writer, "key", values->page_key);
    context_number(&writer, "number", values->page_number);
    context_number(&writer, "offset", values->page_offset);
    context_number(&writer, "size", values->page_size);
    context_text(&writer, "token", values->page_token);
    json_close(&writer, '}');
    if (values->parent.size) {
        json_member(&writer, "parent");
        json_raw(&writer, values->parent);
    }
    json_member(&writer, "secrets");
    config_secrets_to_json(source->config, &text);
    writer.needs_comma = true;
    json_member(&writer, "slice");
    json_open(&writer, '{');
    context_text(&writer, "from", values->slice_from);
    context_text(&writer, "id", values->slice_id);
    context_text(&writer, "to", values->slice_to);
    if (values->partition.size) {
        json_member(&writer, "values");
        json_raw(&writer, values->partition);
    }
    json_close(&writer, '}');
    json_close(&writer, '}');
    struct str context = arena_copy(arena, buf_str(&text));
    buf_release(&text);
    return context;
}

struct str request_context(const struct request_source *source, const struct page_place *place, struct arena *arena)
{
    struct template_values values = values_of(source, place, arena);
    return write_context(source, &values, arena);
}

/* --- parameters ---------------------------------------------------------------------------------------------------------- */

static void set_param(struct request_in_hand *hand, bool into_body, const char *name, struct str value, bool is_number)
{
    if (!name || value.size == 0) return;
    struct operand_pairs *pairs = into_body ? &hand->body : &hand->query;
    struct operand_pair pair = {.name = str_from(name), .value = value, .is_number = is_number};
    operand_set_pair(pairs, hand->operands.arena, pair);
}

static int set_cursor_param(struct request_in_hand *hand, const char *name, struct str canonical, struct err *err)
{
    if (!name || canonical.size == 0) return 0;
    struct buf text = BUF_INIT(TEMPLATE_MAX_BYTES);
    int rc = template_write_cursor(&hand->values, canonical, &text, err);
    if (rc == 0)
        set_param(hand, hand->source->stream->cursor.into_body, name, arena_copy(hand->operands.arena, buf_str(&text)),
                  hand->values.cursor_is_number);
    buf_release(&text);
    return rc;
}

/* Says where to begin: at the token, or where the window does. A page's own token that goes the same way says it, too. */
static int add_cursor_params(struct request_in_hand *hand, struct err *err)
{
    const struct request_source *source = hand->source;
    const struct cursor_description *cursor = &source->stream->cursor;
    const char *page_param = source->stream->pages.param;
    if (cursor->token_param && page_param && hand->values.page_token.size && strcmp(cursor->token_param, page_param) == 0)
        return 0;
    if (source->token.size) {
        set_param(hand, cursor->into_body, cursor->token_param, source->token, false);
        return 0;
    }
    int rc = set_cursor_param(hand, cursor->param, hand->values.cursor_from, err);
    return rc ? rc : set_cursor_param(hand, cursor->until_param, hand->values.cursor_until, err);
}

/* The cursor's and the page's own parameters. */
static int add_machine_params(struct request_in_hand *hand, struct err *err)
{
    const struct stream_description *stream = hand->source->stream;
    const struct page_place *place = hand->place;
    int rc = 0;
    if (!stream) return 0;
    /* With a job, it is the job that is told where to read from. */
    bool is_page = hand->source->request == &stream->request;
    bool says_where = stream->job ? hand->source->request == &stream->job->create : is_page;
    bool goes_by_url = place && place->url.size;
    if (stream->has_cursor && says_where && (!place || place->own_params)) rc = add_cursor_params(hand, err);
    if (!place || goes_by_url || !is_page) return rc;
    const struct pages *pages = pages_moving(&stream->pages);
    set_param(hand, stream->pages.key_into_body, stream->pages.key_param, hand->values.page_key, false);
    set_param(hand, pages->into_body, pages->size_param, hand->values.page_size, true);
    if (place->has_number) set_param(hand, pages->into_body, pages->param, hand->values.page_number, true);
    if (place->has_offset) set_param(hand, pages->into_body, pages->param, hand->values.page_offset, true);
    set_param(hand, pages->into_body, pages->param, hand->values.page_token, false);
    return rc;
}

static int collect_query(struct request_in_hand *hand, struct err *err)
{
    const struct request_source *source = hand->source;
    bool own_params = !hand->place || hand->place->own_params;
    int rc = 0;
    if (own_params && source->description->params)
        rc = operand_add_pairs(source->description->params, "http.params", &hand->operands, &hand->query, err);
    if (rc == 0 && own_params && source->request->params)
        rc = operand_add_pairs(source->request->params, "params", &hand->operands, &hand->query, err);
    if (rc == 0) rc = add_machine_params(hand, err);
    for (size_t i = 0; i < hand->query.count; i++) hand->has_secret = hand->has_secret || hand->query.list[i].has_secret;
    return rc;
}

/* --- the URL ------------------------------------------------------------------------------------------------------------- */

/* Bytes that have no place in a URL (RFC 3986) are percent-encoded; what is encoded already stays. A fragment is not sent: it
 * ends the URL. */
static void append_clean(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '#') return;
        bool is_bad = c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c);
        if (is_bad)
            buf_printf(out, "%%%02X", c);
        else
            buf_append_char(out, (char)c);
    }
}

static bool is_absolute(struct str path)
{
    return str_starts(path, STR("https://")) || str_starts(path, STR("http://"));
}

static bool is_dots(struct str segment)
{
    size_t dots = 0;
    while (segment.size) {
        bool is_encoded = segment.size >= 3 && str_equal_nocase((struct str){segment.data, 3}, STR("%2e"));
        if (!is_encoded && segment.data[0] != '.') return false;
        segment.data += is_encoded ? 3 : 1;
        segment.size -= is_encoded ? 3 : 1;
        dots++;
    }
    return dots == 1 || dots == 2;
}

/* A value must not be able to climb out of the path it was put into. */
static int check_segments(struct str path, struct err *err)
{
    if (path.size == 0) return 0;
    const char *query = memchr(path.data, '?', path.size);
    struct str rest = {path.data, query ? (size_t)(query - path.data) : path.size}, segment;
    while (str_next(&rest, '/', &segment))
        if (is_dots(segment)) return err_set(err, ERR_CONFIG, "the path '" STR_FMT "' holds '.' or '..'", STR_ARG(path));
    return 0;
}

static int append_own_url(struct request_in_hand *hand, struct buf *url, struct err *err)
{
    struct buf path = BUF_INIT(REQUEST_MAX_URL);
    bool is_set = false;
    int rc =
        operand_to_text(hand->source->request->path, &hand->operands, ESCAPE_SEGMENT, &path, &is_set, &hand->has_secret, err);
    if (rc == 0 && !is_set) rc = err_set(err, ERR_CONFIG, "there is no path");
    if (rc == 0) rc = check_segments(buf_str(&path), err);
    if (rc == 0 && !is_absolute(buf_str(&path))) {
        const char *base = NULL;
        rc = template_text(hand->source->description->base, &hand->values, hand->operands.arena, &base, &hand->has_secret, err);
        if (rc != 0) err_context(err, "http.base");
        struct str left = str_trim(str_from(base));
        while (left.size && left.data[left.size - 1] == '/') left.size--;
        bool needs_slash = path.size && path.data[0] != '/' && path.data[0] != '?';
        append_clean(url, left);
        if (needs_slash) buf_append_char(url, '/');
    }
    if (rc == 0) append_clean(url, buf_str(&path));
    if (path.failed && rc == 0) rc = err_set(err, ERR_CONFIG, "a path over %d bytes", REQUEST_MAX_URL);
    buf_release(&path);
    return rc;
}

/* Is the pair the first of its name? */
static bool is_first(const struct operand_pairs *pairs, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (str_equal(pairs->list[i].name, pairs->list[at].name)) return false;
    return true;
}

/* A URL that has a query keeps its parameters, but for those that are set anew. */
static void append_query(const struct operand_pairs *pairs, struct buf *url)
{
    for (size_t i = 0; i < pairs->count; i++) {
        const struct operand_pair *pair = &pairs->list[i];
        if (is_first(pairs, i)) {
            url_set_param(url, pair->name, pair->value);
        } else {
            buf_append_char(url, '&');
            url_encode(pair->name, url);
            buf_append_char(url, '=');
            url_encode(pair->value, url);
        }
    }
}

static int write_url(struct request_in_hand *hand, const char **text, struct err *err)
{
    struct buf url = BUF_INIT(REQUEST_MAX_URL);
    int rc = 0;
    if (hand->place && hand->place->url.size)
        append_clean(&url, hand->place->url);
    else
        rc = append_own_url(hand, &url, err);
    if (rc == 0) append_query(&hand->query, &url);
    if (rc == 0 && url.failed) rc = err_set(err, ERR_CONFIG, "a URL over %d bytes", REQUEST_MAX_URL);
    struct url parsed;
    if (rc == 0) rc = url_parse(buf_str(&url), hand->operands.arena, &parsed, err);
    if (rc == 0) *text = parsed.text;
    buf_release(&url);
    return rc;
}

/* --- headers ------------------------------------------------------------------------------------------------------------- */

/* Those belong to the transport. */
static const char *const RESERVED_HEADERS[] = {"Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade",
                                               "TE",   "Trailer",        "Accept-Encoding"};

static int check_header(const struct operand_pair *header, struct err *err)
{
    bool is_name = header->name.size > 0, is_value = true;
    for (size_t i = 0; i < header->name.size; i++) {
        char c = header->name.data[i];
        is_name = is_name && c > ' ' && c < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c);
    }
    for (size_t i = 0; i < header->value.size; i++) {
        unsigned char c = (unsigned char)header->value.data[i];
        is_value = is_value && (c == '\t' || (c >= ' ' && c != 0x7f));
    }
    if (!is_name) return err_set(err, ERR_CONFIG, "'" STR_FMT "' is no header's name", STR_ARG(header->name));
    if (!is_value)
        return err_set(err, ERR_CONFIG, "the header '" STR_FMT "' holds a line break or control character",
                       STR_ARG(header->name));
    for (size_t i = 0; i < ARRAY_SIZE(RESERVED_HEADERS); i++)
        if (str_equal_nocase(header->name, str_from(RESERVED_HEADERS[i])))
            return err_set(err, ERR_CONNECTOR, "the header '%s' is the host's to set", RESERVED_HEADERS[i]);
    return 0;
}

/* Header names have no case: a pair whose name comes again later gives way. */
static bool comes_again(const struct operand_pairs *pairs, size_t at)
{
    for (size_t i = at + 1; i < pairs->count; i++)
        if (str_equal_nocase(pairs->list[i].name, pairs->list[at].name)) return true;
    return false;
}

static int write_headers(struct request_in_hand *hand, struct http_request *request, struct err *err)
{
    const struct request_source *source = hand->source;
    int rc = 0;
    if (source->description->headers)
        rc = operand_add_pairs(source->description->headers, "http.headers", &hand->operands, &hand->headers, err);
    if (rc == 0 && source->request->headers)
        rc = operand_add_pairs(source->request->headers, "headers", &hand->operands, &hand->headers, err);
    if (rc != 0) return rc;
    struct http_header *headers = arena_array(hand->operands.arena, struct http_header, hand->headers.count + 1);
    size_t count = 0, bytes = 0;
    for (size_t i = 0; i < hand->headers.count && rc == 0; i++) {
        const struct operand_pair *pair = &hand->headers.list[i];
        if (comes_again(&hand->headers, i)) continue;
        rc = check_header(pair, err);
        headers[count++] = (struct http_header){pair->name, pair->value};
        bytes += pair->name.size + pair->value.size + 4;
        hand->has_secret = hand->has_secret || pair->has_secret;
    }
    if (rc == 0 && bytes > REQUEST_MAX_HEADERS) rc = err_set(err, ERR_CONFIG, "headers over %d bytes", REQUEST_MAX_HEADERS);
    request->headers = headers;
    request->header_count = count;
    return rc;
}

static void default_header(struct request_in_hand *hand, const char *name, const char *value)
{
    operand_set_pair(&hand->headers, hand->operands.arena,
                     (struct operand_pair){.name = str_from(name), .value = str_from(value)});
}

/* The same request, sent again, has the same key, by which the source knows it (draft-ietf-httpapi-idempotency-key-header). */
static void add_idempotency_key(struct request_in_hand *hand)
{
    unsigned char random[16];
    char *key = arena_alloc(hand->operands.arena, 2 * sizeof random + 1);
    if (!hand->source->request->idempotency_header) return;
    crypto_random(random, sizeof random);
    crypto_hex_text(random, sizeof random, key);
    default_header(hand, hand->source->request->idempotency_header, key);
}

/* --- the body ------------------------------------------------------------------------------------------------------------ */

/* `map` with the value put to its place: a member of that name, or a dotted path through maps ("variables.after"), which are
 * made where there are none. */
static int put_member(struct request_in_hand *hand, const struct operand *map, struct str path, const struct operand *value,
                      const struct operand **out, struct err *err)
{
    struct arena *arena = hand->operands.arena;
    const struct operand *own = NULL;
    bool is_empty = !map || (map->kind == OPERAND_LIST && map->count == 0);
    if (map) {
        int rc = operand_resolve(map, &hand->operands, &own, err);
        if (rc != 0) return rc;
        is_empty = own->kind == OPERAND_LIST && own->count == 0;
    }
    if (!is_empty && own->kind != OPERAND_MAP)
        return err_set(err, ERR_CONNECTOR, "a body that takes parameters must be a map, where '" STR_FMT "' goes, too",
                       STR_ARG(path));
    size_t count = is_empty ? 0 : own->count, at = 0;
    while (at < count && !str_equal(own->children[at].key, path)) at++;
    struct str rest = path, step = path;
    bool is_path = hand->source->request->body_format == BODY_JSON;
    if (at == count && is_path && str_next(&rest, '.', &step))
        for (at = 0; at < count && !str_equal(own->children[at].key, step);) at++;
    bool is_here = step.size == path.size;
    struct operand *members = arena_array(arena, struct operand, count + 1), *put = arena_new(arena, struct operand);
    if (count) memcpy(members, own->children, count * sizeof *members);
    const struct operand *inner = value;
    int rc = is_here ? 0 : put_member(hand, at < count ? &own->children[at] : NULL, rest, value, &inner, err);
    if (rc != 0) return rc;
    members[at] = *inner;
    members[at].key = step;
    *put = (struct operand){.kind = OPERAND_MAP, .children = members, .count = at == count ? count + 1 : count};
    *out = put;
    return 0;
}

/* The body with the values that parameters put into it: members of a form, or places in a document. */
static int merge_body(struct request_in_hand *hand, const struct operand **body, struct err *err)
{
    *body = hand->source->request->body;
    int rc = *body ? operand_resolve(*body, &hand->operands, body, err) : 0;
    for (size_t i = 0; rc == 0 && i < hand->body.count; i++) {
        const struct operand_pair *pair = &hand->body.list[i];
        const struct operand value = {.kind = pair->is_number ? OPERAND_RAW : OPERAND_TEXT, .text = pair->value};
        rc = put_member(hand, *body, pair->name, &value, body, err);
    }
    return rc;
}

static int render_body(struct request_in_hand *hand, const struct operand *body, struct buf *out, struct err *err)
{
    struct operand_pairs pairs = {0};
    bool is_set = true;
    int rc = 0;
    switch (hand->source->request->body_format) {
    case BODY_JSON:
        return operand_to_json(body, &hand->operands, out, &hand->has_secret, err);
    case BODY_RAW:
        return operand_to_text(body, &hand->operands, ESCAPE_NONE, out, &is_set, &hand->has_secret, err);
    case BODY_FORM:
        rc = operand_add_pairs(body, "body", &hand->operands, &pairs, err);
        for (size_t i = 0; i < pairs.count; i++) hand->has_secret = hand->has_secret || pairs.list[i].has_secret;
        for (size_t i = 0; i < pairs.count; i++) url_add_form(out, pairs.list[i].name, pairs.list[i].value);
        return rc;
    }
    return rc;
}

static int write_body(struct request_in_hand *hand, struct http_request *request, struct err *err)
{
    static const char *const CONTENT_TYPES[] = {[BODY_JSON] = "application/json",
                                                [BODY_FORM] = "application/x-www-form-urlencoded",
                                                [BODY_RAW] = "text/plain; charset=utf-8"};
    const struct operand *body = NULL;
    int rc = merge_body(hand, &body, err);
    if (rc != 0 || !body) return rc == 0 ? 0 : err_context(err, "body");
    struct buf text = BUF_INIT(REQUEST_MAX_BODY);
    rc = render_body(hand, body, &text, err);
    if (rc == 0 && text.failed) rc = err_set(err, ERR_CONFIG, "over %d bytes", REQUEST_MAX_BODY);
    if (rc == 0) {
        request->body = arena_copy(hand->operands.arena, buf_str(&text));
        default_header(hand, "Content-Type", CONTENT_TYPES[hand->source->request->body_format]);
    }
    buf_release(&text);
    return rc == 0 ? 0 : err_context(err, "body");
}

/* --- the whole ----------------------------------------------------------------------------------------------------------- */

static int check_target(struct request_in_hand *hand, struct http_request *request, struct err *err)
{
    struct url url;
    struct err elsewhere = ERR_INIT;
    int rc = url_parse(str_from(request->url), hand->operands.arena, &url, err);
    if (rc != 0 || guard_url(hand->source->own, &url, &elsewhere) == 0) return rc;
    request->anonymous = true;
    if (!hand->has_secret) return 0;
    err_set(err, ERR_PERMISSION, "a secret would go to '%s', which is none of the connector's own hosts", url.host);
    return err_hint(err, "add the host to the connector's http.hosts if it is one of its own");
}

int request_build(const struct request_source *source, const struct page_place *place, struct arena *arena,
                  struct http_request *request, struct err *err)
{
    struct request_in_hand hand = {.source = source, .place = place, .values = values_of(source, place, arena)};
    hand.operands = (struct operand_source){.values = &hand.values, .functions = source->functions, .arena = arena};
    if (source->functions) hand.operands.context_json = write_context(source, &hand.values, arena);
    *request = (struct http_request){.method = source->request->method,
                                     .idempotent = source->request->idempotent,
                                     .stream = source->stream ? source->stream->name : NULL,
                                     .weight = source->request->weight};
    bool is_page = source->stream && source->request == &source->stream->request;
    default_header(&hand, "Accept", is_page ? format_media_type(&source->stream->format) : "application/json");
    if (is_page) request->compression = source->stream->format.compression;
    add_idempotency_key(&hand);
    int rc = collect_query(&hand, err);
    if (rc == 0) rc = write_url(&hand, &request->url, err);
    if (rc == 0) rc = write_body(&hand, request, err);
    if (rc == 0) rc = write_headers(&hand, request, err);
    if (rc == 0) rc = check_target(&hand, request, err);
    return rc == 0 ? 0 : err_context(err, "%s", source->request->where);
}

const char *request_first_time(const struct request_source *source, struct arena *arena)
{
    const char *format = source->stream ? source->stream->pages.format : NULL, *from = source->slice ? source->slice->from : "";
    char text[64];
    int64_t instant_us;
    enum time_zone_mark mark;
    if (!format || !from[0]) return NULL;
    if (!time_parse_iso(str_from(from), &instant_us, &mark)) return from; /* an integer cursor: spelled already */
    return time_write_format(instant_us, format, text, sizeof text) ? arena_strdup(arena, text) : NULL;
}

int request_members(const struct request_source *source, const struct page_place *place, const struct operand *map,
                    struct arena *arena, struct str *members, struct err *err)
{
    struct template_values values = values_of(source, place, arena);
    struct operand_source operands = {.values = &values, .functions = source->functions, .arena = arena};
    struct buf text = BUF_INIT(REQUEST_MAX_BODY);
    const struct operand *resolved = NULL;
    bool has_secret = false;
    if (source->functions) operands.context_json = write_context(source, &values, arena);
    int rc = operand_resolve(map, &operands, &resolved, err);
    bool is_empty = rc == 0 && (!resolved || (resolved->kind == OPERAND_LIST && resolved->count == 0));
    if (rc == 0 && !is_empty && resolved->kind != OPERAND_MAP) rc = err_set(err, ERR_CONNECTOR, "expected a map");
    if (rc == 0 && !is_empty) rc = operand_to_json(resolved, &operands, &text, &has_secret, err);
    if (rc == 0 && has_secret) rc = err_set(err, ERR_CONNECTOR, "a secret would be loaded");
    if (rc == 0 && text.failed) rc = err_set(err, ERR_CONFIG, "over %d bytes", REQUEST_MAX_BODY);
    if (rc == 0 && text.size > 2) *members = arena_copy(arena, (struct str){text.data + 1, text.size - 2});
    buf_release(&text);
    return rc == 0 ? 0 : err_context(err, "%s.add", source->request->where);
}

int request_plan(const struct request_source *source, struct arena *arena, struct window_plan *plan, struct err *err)
{
    const struct stream_description *stream = source->stream;
    struct template_values values = {.config = source->config, .now_us = source->now_us};
    bool has_secret = false;
    const char *start = "";
    if (!stream->has_cursor) {
        window_plan_whole(arena, plan);
        return 0;
    }
    /* An optional entry may be the start: without a value the stream begins at its beginning. */
    struct buf text = BUF_INIT(TEMPLATE_MAX_BYTES);
    int rc = stream->cursor.start ? template_render(stream->cursor.start, &values, ESCAPE_NONE, &text, &has_secret, err) : 0;
    if (rc >= 0 && rc != RENDERED_NOTHING) start = arena_text(arena, buf_str(&text));
    buf_release(&text);
    if (rc >= 0)
        rc = window_plan(&stream->cursor.window, source->cursor_value, str_from(start), source->now_us, arena, plan, err);
    return rc < 0 ? err_context(err, "%s.cursor", source->request->where) : 0;
}
