/* reject: see reject.h. */
#include "rest/reject.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"
#include "os/secret.h"

enum { SHOWN_BYTES = 80, LOOKED_AT = 4096 };

bool reject_has_room(const struct decoded *out)
{
    return out->reject_count < DECODE_MAX_REJECTS;
}

/* Appends what fits; false once the text is full. */
static bool append_cut(struct buf *text, struct str piece)
{
    size_t room = text->max - text->size;
    buf_append(text, piece.data, piece.size < room ? piece.size : room);
    return piece.size <= room;
}

/* Without the character that a cut left unfinished. */
static struct str whole_characters(struct str text)
{
    return (struct str){text.data, utf8_valid_prefix(text)};
}

static bool append_member(struct buf *text, struct fields *fields, const struct json_value *key, const struct json_value *value,
                          struct arena *scratch)
{
    struct str name = jsonscan_text(key, scratch, NULL);
    struct field *field = fields_get(fields, name);
    if (field ? field->hidden : fields_is_hidden(fields, name)) return true;
    struct json_value quoted = *key;
    return (text->size == 1 || append_cut(text, STR(","))) && append_cut(text, jsonscan_clean(&quoted, scratch, NULL)) &&
           append_cut(text, STR(":")) && append_cut(text, jsonscan_clean(value, scratch, NULL));
}

/* Every member is read, so that a repeated hidden key is seen each time; writing stops when the text is full. */
static void append_object(struct buf *text, struct fields *fields, struct str record, struct arena *scratch)
{
    struct jsonscan scan;
    struct json_value key, value;
    bool fits = append_cut(text, STR("{"));
    jsonscan_init(&scan, record.data, record.size);
    if (!jsonscan_enter_object(&scan)) return;
    while (fits && jsonscan_next_key(&scan, &key) && jsonscan_value(&scan, &value))
        fits = append_member(text, fields, &key, &value, scratch);
    if (fits) append_cut(text, STR("}"));
}

/* A copy without secrets: a source may echo what it was sent. */
static struct str redacted(struct decoded *out, const struct secrets *secrets, struct str text)
{
    struct buf clean = BUF_INIT(SIZE_MAX);
    secrets_redact(secrets, text, &clean);
    struct str copy = arena_copy(&out->arena, buf_str(&clean));
    buf_release(&clean);
    return copy;
}

struct str reject_record(struct decoded *out, struct fields *fields, const struct json_value *record)
{
    struct arena scratch = ARENA_INIT(0);
    struct buf text = BUF_INIT(DECODE_MAX_REJECT_BYTES);
    bool hides = fields->spec->blocked_count > 0 || fields->spec->select;
    if (record->kind == JSON_OBJECT)
        append_object(&text, fields, record->raw, &scratch);
    else
        append_cut(&text, hides ? STR("null") : jsonscan_clean(record, &scratch, NULL));
    struct str copy = redacted(out, fields->spec->secrets, whole_characters(buf_str(&text)));
    buf_release(&text);
    arena_release(&scratch);
    return copy;
}

struct str reject_answer(struct decoded *out, const struct decode_spec *spec, struct str body)
{
    struct buf text = BUF_INIT(SIZE_MAX);
    struct json_writer writer = JSON_WRITER(&text);
    bool hides = spec->blocked_count > 0 || spec->select;
    if (hides)
        buf_append_text(&text, "null");
    else
        json_text(&writer, body);
    struct str copy = redacted(out, spec->secrets, buf_str(&text));
    buf_release(&text);
    return copy;
}

void reject_add(struct decoded *out, const struct decode_spec *spec, struct str field, const char *reason, const char *detail,
                struct str record, bool row_was_dropped)
{
    if (!reject_has_room(out)) return;
    if (!out->rejects) out->rejects = arena_array(&out->arena, struct decoded_reject, DECODE_MAX_REJECTS);
    out->rejects[out->reject_count++] = (struct decoded_reject){
        .stream = spec->stream,
        .field = redacted(out, spec->secrets, field),
        .reason = reason,
        .detail = detail,
        .record = record,
        .row_was_dropped = row_was_dropped,
    };
}

const char *reject_mismatch(struct decoded *out, const struct secrets *secrets, enum type type, const struct json_value *json)
{
    struct arena scratch = ARENA_INIT(0);
    struct str text = jsonscan_clean(json, &scratch, NULL);
    /* First of all: half a secret would not be recognised behind the cut. */
    if (text.size > LOOKED_AT) text.size = LOOKED_AT;
    text = redacted(out, secrets, text);
    bool cut = text.size > SHOWN_BYTES;
    if (cut) text = whole_characters((struct str){text.data, SHOWN_BYTES});
    const char *detail = arena_printf(&out->arena, "expected %s, got %s: " STR_FMT "%s", type_name(type),
                                      json_kind_name(json->kind), STR_ARG(text), cut ? "..." : "");
    arena_release(&scratch);
    return detail;
}
