/* lua: a proposal as a connector's init.lua. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "rest/propose/parts.h"

/* A Lua string. Braces that would be a template are none in what was seen. */
static void text(struct buf *out, const char *value)
{
    buf_append_char(out, '"');
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_printf(out, "\\%c", *c);
        else if (*c < ' ' || *c == 0x7f)
            buf_printf(out, "\\%d", *c);
        else if (*c == '{' && c[1] == '{')
            buf_append_text(out, "{{\\\"{{\\\"}}"), c++;
        else
            buf_append_char(out, (char)*c);
    }
    buf_append_char(out, '"');
}

static bool is_name(const char *key)
{
    static const char *const KEYWORDS[] = {"and",      "break",  "do",   "else", "elseif", "end",  "false", "for",
                                           "function", "goto",   "if",   "in",   "local",  "nil",  "not",   "or",
                                           "repeat",   "return", "then", "true", "until",  "while"};
    for (size_t i = 0; i < ARRAY_SIZE(KEYWORDS); i++)
        if (strcmp(KEYWORDS[i], key) == 0) return false;
    return key[0] && !(key[0] >= '0' && key[0] <= '9') &&
           strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(key);
}

/* A table's key. One that begins with '$' is spelled with two, as those with one are the host's. */
static void key(struct buf *out, const char *name)
{
    struct buf spelled = BUF_INIT(1024);
    buf_printf(&spelled, "%s%s", name[0] == '$' ? "$" : "", name);
    if (is_name(name)) {
        buf_append_text(out, name);
    } else {
        buf_append_char(out, '[');
        text(out, buf_text(&spelled));
        buf_append_char(out, ']');
    }
    buf_release(&spelled);
}

static void member(struct buf *out, const char *name, const char *value, const char **separator)
{
    if (!value) return;
    buf_printf(out, "%s%s = ", *separator, name);
    text(out, value);
    *separator = ", ";
}

static void pairs(struct buf *out, const char *name, const struct proposed_pair *list, size_t count, const char *indent)
{
    if (count == 0) return;
    buf_printf(out, "%s%s = { ", indent, name);
    for (size_t i = 0; i < count; i++) {
        if (i) buf_append_text(out, ", ");
        key(out, list[i].name);
        buf_append_text(out, " = ");
        text(out, list[i].value);
    }
    buf_append_text(out, " },\n");
}

static void write_config(struct buf *out, const struct proposal *proposal)
{
    bool needs_start = false;
    for (size_t i = 0; i < proposal->stream_count; i++)
        needs_start = needs_start || (proposal->streams[i].cursor_field && proposal->streams[i].cursor_param);
    buf_append_text(out, "  config = {\n    base_url = { type = \"string\", default = ");
    text(out, proposal->base);
    buf_append_text(out, ", title = \"API base URL\" },\n");
    if (proposal->auth == PROPOSED_BASIC)
        buf_append_text(out, "    username = { type = \"string\", required = true, title = \"User name\" },\n"
                             "    password = { type = \"string\", secret = true, required = true, title = \"Password\" },\n");
    else if (proposal->auth == PROPOSED_OAUTH2)
        buf_append_text(out,
                        "    client_id = { type = \"string\", required = true, title = \"OAuth client\" },\n"
                        "    client_secret = { type = \"string\", secret = true, required = true, title = \"Its secret\" },\n");
    else if (proposal->auth != PROPOSED_NONE)
        buf_append_text(out, "    api_key = { type = \"string\", secret = true, required = true, title = \"API key\" },\n");
    if (needs_start)
        buf_append_text(
            out,
            "    start = { type = \"timestamp\", default = \"2024-01-01T00:00:00Z\", title = \"Load what changed since\" },\n");
    buf_append_text(out, "  },\n\n");
}

static void write_auth(struct buf *out, const struct proposal *proposal)
{
    switch (proposal->auth) {
    case PROPOSED_NONE:
        return;
    case PROPOSED_BEARER:
        buf_append_text(out, "    auth = { kind = \"bearer\", token = \"{{config.api_key}}\"");
        break;
    case PROPOSED_BASIC:
        buf_append_text(
            out, "    auth = { kind = \"basic\", username = \"{{config.username}}\", password = \"{{config.password}}\"");
        break;
    case PROPOSED_HEADER:
    case PROPOSED_QUERY:
        buf_append_text(out, "    auth = { kind = \"api_key\", key = \"{{config.api_key}}\", name = ");
        text(out, proposal->auth_name);
        if (proposal->auth == PROPOSED_QUERY) buf_append_text(out, ", into = \"query\"");
        break;
    case PROPOSED_OAUTH2:
        buf_append_text(
            out, "    auth = { kind = \"oauth2\", grant = \"client_credentials\", client_id = \"{{config.client_id}}\",\n"
                 "             client_secret = \"{{config.client_secret}}\", token_url = ");
        text(out, proposal->token_url);
    }
    if (proposal->auth_prefix) {
        buf_append_text(out, ", prefix = ");
        text(out, proposal->auth_prefix);
    }
    buf_append_text(out, " },\n");
}

static void write_pages(struct buf *out, const struct proposed_stream *stream)
{
    const struct proposed_pages *pages = &stream->pages;
    const char *kind = pages->kind ? pages->kind : pages->more || pages->total ? "page" : NULL, *separator = ", ";
    if (!kind) {
        buf_append_text(out, "      -- pages: nothing that was seen says how a longer list goes on; see sdk/description.md\n");
        return;
    }
    bool is_url = strcmp(kind, "next_url") == 0 || strcmp(kind, "link_header") == 0;
    buf_append_text(out, "      pages = { kind = ");
    text(out, kind);
    if (!is_url)
        member(out, "param",
               pages->param                  ? pages->param
               : strcmp(kind, "page") == 0   ? "page"
               : strcmp(kind, "offset") == 0 ? "offset"
                                             : "cursor",
               &separator);
    if (pages->start) buf_printf(out, ", start = %s", pages->start);
    if (strcmp(kind, "cursor") == 0 || strcmp(kind, "next_url") == 0)
        member(out, "next", pages->next ? pages->next : "next_cursor", &separator);
    bool takes_more = strcmp(kind, "link_header") != 0;
    if (takes_more) member(out, "more", pages->more, &separator);
    bool is_counted = strcmp(kind, "page") == 0 || strcmp(kind, "offset") == 0;
    if (is_counted) member(out, "total", pages->more ? NULL : pages->total, &separator);
    const char *size = pages->size && strspn(pages->size, "0123456789") == strlen(pages->size) ? pages->size : "100";
    if (pages->size_param) {
        buf_printf(out, ", size = %s", size);
        member(out, "size_param", pages->size_param, &separator);
        if (is_counted && !pages->more && !pages->total) buf_append_text(out, ", stop = \"short\"");
    }
    buf_append_text(out, " },\n");
}

static void write_fields(struct buf *out, const struct proposed_stream *stream)
{
    if (stream->field_count == 0) return;
    buf_append_text(out, "      fields = {\n");
    for (size_t i = 0; i < stream->field_count; i++) {
        buf_append_text(out, "        ");
        key(out, stream->fields[i].name);
        buf_printf(out, " = \"%s\",\n", stream->fields[i].type);
    }
    buf_append_text(out, "      },\n");
}

/* What carries a credential is left empty. */
static void write_value(struct buf *out, const struct cJSON *json, bool is_hidden)
{
    const char *string = json_string(json);
    if (is_hidden) {
        buf_append_text(out, "\"\"");
    } else if (string) {
        text(out, string);
    } else if (json_is_array(json)) {
        buf_append_text(out, "sluice.array { ");
        for (const struct cJSON *item = json_first(json); item; item = json_next(item))
            write_value(out, item, false), buf_append_text(out, ", ");
        buf_append_char(out, '}');
    } else if (json_is_object(json)) {
        buf_append_text(out, "{ ");
        for (const struct cJSON *item = json_first(json); item; item = json_next(item)) {
            key(out, json_key(item));
            buf_append_text(out, " = ");
            write_value(out, item, propose_is_key_name(json_key(item)));
            buf_append_text(out, ", ");
        }
        buf_append_char(out, '}');
    } else {
        struct buf literal = BUF_INIT(4096);
        json_print(json, &literal);
        buf_append_text(out, str_equal(buf_str(&literal), STR("null")) ? "sluice.null" : buf_text(&literal));
        buf_release(&literal);
    }
}

/* A body that is no JSON is sent as it is. */
static void write_body(struct buf *out, const char *body)
{
    struct cJSON *json;
    struct err ignored = ERR_INIT;
    if (!body) return;
    buf_append_text(out, "      body = ");
    if (json_parse(str_from(body), PROPOSE_MAX_BYTES, &json, &ignored) == 0) {
        write_value(out, json, false);
        json_free(json);
        buf_append_text(out, ",\n");
    } else {
        text(out, body);
        buf_append_text(out, ", body_as = \"raw\",\n");
    }
}

static void write_cursor(struct buf *out, const struct proposed_stream *stream)
{
    const char *separator = "";
    if (stream->cursor_field && stream->cursor_param) {
        buf_append_text(out, "      cursor = { ");
        member(out, "field", stream->cursor_field, &separator);
        member(out, "param", stream->cursor_param, &separator);
        buf_append_text(out, ", start = \"{{config.start}}\" },\n");
    } else if (stream->cursor_field) {
        buf_printf(out,
                   "      -- cursor: '%s' says when a record changed; if a parameter filters by it: cursor = { field = .., "
                   "param = .. }\n",
                   stream->cursor_field);
    }
}

static const char *records_of(const struct proposed_stream *stream)
{
    return stream->records && strcmp(stream->records, "$") != 0 ? stream->records : NULL;
}

static void write_stream(struct buf *out, const struct proposed_stream *stream)
{
    const char *separator = ", ";
    buf_append_text(out, "    ");
    key(out, stream->name);
    buf_append_text(out, " = {\n      path = ");
    text(out, stream->path);
    if (strcmp(stream->method, "GET") != 0) {
        member(out, "method", stream->method, &separator);
        buf_append_text(out, ", idempotent = true");
    }
    member(out, "records", records_of(stream), &separator);
    member(out, "primary_key", stream->primary_key, &separator);
    buf_append_text(out, ",\n");
    pairs(out, "params", stream->params, stream->param_count, "      ");
    write_body(out, stream->body);
    write_pages(out, stream);
    write_cursor(out, stream);
    write_fields(out, stream);
    buf_append_text(out, "    },\n");
}

void proposed_stream_to_lua(const struct proposed_stream *stream, struct buf *out)
{
    const char *separator = "      ";
    member(out, "records", records_of(stream), &separator);
    member(out, "primary_key", stream->primary_key, &separator);
    if (separator[0] == ',') buf_append_text(out, ",\n");
    if (!stream->primary_key) buf_append_text(out, "      -- primary_key: no field tells the records that came apart\n");
    write_pages(out, stream);
    write_cursor(out, stream);
    write_fields(out, stream);
}

void proposal_to_lua(const struct proposal *proposal, struct buf *out)
{
    buf_printf(out,
               "-- Try it:  sluice connector describe ./connectors/%s\nreturn sluice.connector {\n  name = ", proposal->name);
    text(out, proposal->name);
    buf_append_text(out, ", version = \"0.1.0\", title = ");
    text(out, proposal->title ? proposal->title : proposal->name);
    buf_append_text(out, ",\n\n");
    write_config(out, proposal);
    buf_append_text(out, "  http = {\n    base = \"{{config.base_url}}\",\n");
    write_auth(out, proposal);
    pairs(out, "headers", proposal->headers, proposal->header_count, "    ");
    buf_append_text(
        out,
        "    rate_limit = { requests = 5, per = \"1s\" }, -- a guess: see the API's documentation\n  },\n\n  streams = {\n");
    for (size_t i = 0; i < proposal->stream_count; i++) write_stream(out, &proposal->streams[i]);
    buf_append_text(out, "  },\n}\n");
}
