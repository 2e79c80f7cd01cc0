/* How it works: a reference's value is put into a scratch buffer, the filters rewrite it there, and it is appended to the
 * output, which is never looked at again: that is why nothing a source sends can be expanded a second time. */
#include "rest/template.h"

#include "base/check.h"
#include "base/jsonscan.h"
#include "base/number.h"
#include "base/time.h"
#include "net/url.h"
#include "rest/template_parts.h"

/* A reference's value on its way through the filters. */
struct value_in_hand {
    struct buf text;
    bool is_set;
    bool is_number, is_boolean, is_list;
    const char *format; /* to write it in at the end; NULL: as it is */
};

static void set_value(struct value_in_hand *value, struct str text)
{
    buf_append_str(&value->text, text);
    value->is_set = text.size > 0;
}

/* A scalar in the parent or record; containers and null give nothing. */
static void set_from_json(struct value_in_hand *value, struct str json, struct str path, struct arena *arena)
{
    struct json_value found;
    if (json.size == 0 || !jsonscan_find(json.data, json.size, path.data, &found)) return;
    if (found.kind == JSON_NULL || found.kind == JSON_ARRAY || found.kind == JSON_OBJECT) return;
    struct str text = found.kind == JSON_STRING ? jsonscan_text(&found, arena, NULL) : found.raw;
    value->is_set = true;
    value->is_number = found.kind == JSON_NUMBER;
    value->is_boolean = found.kind == JSON_TRUE || found.kind == JSON_FALSE;
    if (text.data || text.size == 0)
        buf_append_str(&value->text, text);
    else
        value->text.failed = true;
}

static void set_from_config(struct value_in_hand *value, const struct config *config, struct str name, bool *has_secret)
{
    const struct config_value *found = config_get(config, name);
    CHECK(found);
    if (!found->is_set) return;
    value->is_set = true;
    value->is_number = found->entry->type == CONFIG_INTEGER || found->entry->type == CONFIG_NUMBER;
    value->is_boolean = found->entry->type == CONFIG_BOOLEAN;
    buf_append_str(&value->text, found->text);
    if (found->entry->secret) *has_secret = true;
}

static void set_from_facts(struct value_in_hand *value, const struct config *config, struct str name)
{
    for (size_t i = 0; config->facts && i < config->facts->count; i++)
        if (str_equal(config->facts->list[i].name, name)) set_value(value, config->facts->list[i].value);
}

static void set_cursor(struct value_in_hand *value, const struct template_values *values, struct str text)
{
    set_value(value, text);
    value->format = values->cursor_format;
    value->is_number = values->cursor_is_number;
}

static void set_number(struct value_in_hand *value, struct str text)
{
    set_value(value, text);
    value->is_number = true;
}

static void load_value(const struct part *part, const struct template_values *values, struct arena *arena,
                       struct value_in_hand *value, bool *has_secret)
{
    char text[TIME_TEXT_MAX];
    switch (part->name) {
    case NAME_LITERAL:
        buf_append_str(&value->text, part->below);
        value->is_set = true;
        break;
    case NAME_CONFIG:
        set_from_config(value, values->config, part->below, has_secret);
        break;
    case NAME_AUTH:
        set_from_facts(value, values->config, part->below);
        break;
    case NAME_PARENT:
        set_from_json(value, values->parent, part->below, arena);
        break;
    case NAME_PARTITION:
        set_from_json(value, values->partition, part->below, arena);
        break;
    case NAME_RECORD:
        set_from_json(value, values->record, part->below, arena);
        break;
    case NAME_JOB:
        set_from_json(value, values->job, part->below, arena);
        break;
    case NAME_CURSOR_FROM:
        set_cursor(value, values, values->cursor_from);
        break;
    case NAME_CURSOR_UNTIL:
        set_cursor(value, values, values->cursor_until);
        break;
    case NAME_CURSOR_VALUE:
        set_cursor(value, values, values->cursor_value);
        break;
    case NAME_CURSOR_TOKEN:
        buf_append_str(&value->text, values->cursor_token);
        break;
    case NAME_SLICE_FROM:
        set_cursor(value, values, values->slice_from);
        break;
    case NAME_SLICE_TO:
        set_cursor(value, values, values->slice_to);
        break;
    case NAME_SLICE_ID:
        set_value(value, values->slice_id);
        break;
    case NAME_PAGE_NUMBER:
        set_number(value, values->page_number);
        break;
    case NAME_PAGE_OFFSET:
        set_number(value, values->page_offset);
        break;
    case NAME_PAGE_SIZE:
        set_number(value, values->page_size);
        break;
    case NAME_PAGE_TOKEN:
        set_value(value, values->page_token);
        break;
    case NAME_PAGE_KEY:
        set_value(value, values->page_key);
        break;
    case NAME_STREAM_NAME:
        set_value(value, values->stream_name);
        break;
    case NAME_STREAM_FIELDS:
        set_value(value, values->stream_fields);
        break;
    case NAME_BATCH_IDS:
        set_value(value, values->batch_ids);
        break;
    case NAME_NOW:
        set_value(value, (struct str){text, time_write_iso(values->now_us, text)});
        break;
    }
}

static bool write_instant(struct value_in_hand *value, int64_t instant, const char *format)
{
    char text[256];
    size_t size = time_write_format(instant, format, text, sizeof text);
    buf_clear(&value->text);
    buf_append(&value->text, text, size);
    return size > 0;
}

/* format, minus, plus: the text is read as an instant and written again. A date stays one under minus and plus. */
static bool apply_time(struct value_in_hand *value, const char *format, int64_t add_us)
{
    int64_t instant;
    enum time_zone_mark mark;
    if (!time_parse_iso(buf_str(&value->text), &instant, &mark)) return false;
    if (__builtin_add_overflow(instant, add_us, &instant)) return false;
    if (!format) format = value->text.size == 10 ? "date" : "iso8601";
    return write_instant(value, instant, format);
}

static bool is_epoch(const char *format)
{
    return strncmp(format, "epoch", 5) == 0;
}

static void apply_case(struct buf *text, char first, char last, int shift)
{
    for (size_t i = 0; i < text->size; i++)
        if (text->data[i] >= first && text->data[i] <= last) text->data[i] = (char)(text->data[i] + shift);
}

static void apply_urlencode(struct buf *text)
{
    struct buf encoded = BUF_INIT(3 * (size_t)TEMPLATE_MAX_BYTES);
    url_encode(buf_str(text), &encoded);
    buf_release(text);
    *text = encoded;
}

static void apply_default(struct value_in_hand *value, const char *fallback)
{
    if (value->is_set) return;
    buf_append_text(&value->text, fallback);
    value->is_set = true;
    value->format = NULL;
    value->is_number = value->is_number && number_is_json(str_from(fallback));
}

/* What stands between commas, as a JSON list of texts, or of objects that have it as `member`. */
static void apply_list(struct value_in_hand *value, const char *member)
{
    struct buf list = BUF_INIT(4 * (size_t)TEMPLATE_MAX_BYTES);
    struct str rest = buf_str(&value->text), part;
    while (str_next(&rest, ',', &part)) {
        buf_append_char(&list, list.size ? ',' : '[');
        if (member) {
            buf_append_char(&list, '{');
            buf_append_json_string(&list, str_from(member));
            buf_append_char(&list, ':');
        }
        buf_append_json_string(&list, part);
        if (member) buf_append_char(&list, '}');
    }
    buf_append_char(&list, ']');
    buf_release(&value->text);
    value->text = list;
    value->is_list = true;
}

static bool apply_filter(const struct filter *filter, struct value_in_hand *value)
{
    if (!value->is_set && filter->known->id != FILTER_DEFAULT) return true;
    if (!filter->known->keeps_number) value->is_number = value->is_boolean = value->is_list = false;
    switch (filter->known->id) {
    case FILTER_DEFAULT:
        apply_default(value, filter->argument);
        return true;
    case FILTER_UPPER:
        apply_case(&value->text, 'a', 'z', 'A' - 'a');
        return true;
    case FILTER_LOWER:
        apply_case(&value->text, 'A', 'Z', 'a' - 'A');
        return true;
    case FILTER_URLENCODE:
        apply_urlencode(&value->text);
        return true;
    case FILTER_STRING:
        return true;
    case FILTER_LIST:
        apply_list(value, NULL);
        return true;
    case FILTER_LIST_OF:
        apply_list(value, filter->argument);
        return true;
    case FILTER_MINUS:
    case FILTER_PLUS:
        return apply_time(value, NULL, filter->argument_us);
    case FILTER_FORMAT:
        value->format = NULL;
        value->is_number = is_epoch(filter->argument);
        return apply_time(value, filter->argument, 0);
    }
    return false;
}

/* A value that goes out in the cursor's format is written in it before the first filter that works on its text. */
static bool apply_own_format(struct value_in_hand *value)
{
    const char *format = value->format;
    value->format = NULL;
    return !format || !value->is_set || apply_time(value, format, 0);
}

static bool works_on_text(const struct filter *filter)
{
    return !filter->known->keeps_number;
}

static int render_reference(const struct part *part, const struct template_values *values, struct value_in_hand *value,
                            bool *has_secret, struct err *err)
{
    struct arena arena = ARENA_INIT(4 * (size_t)TEMPLATE_MAX_BYTES);
    load_value(part, values, &arena, value, has_secret);
    arena_release(&arena);
    bool ok = true;
    for (size_t i = 0; i < part->filter_count && ok; i++) {
        if (works_on_text(&part->filters[i])) ok = apply_own_format(value);
        ok = ok && apply_filter(&part->filters[i], value);
    }
    ok = ok && apply_own_format(value);
    if (value->text.failed)
        return err_set(err, ERR_DATA, "{{" STR_FMT "}}: value over %d bytes", STR_ARG(part->text), TEMPLATE_MAX_BYTES);
    if (!ok) {
        /* The value may be a secret: it is not shown. */
        err_set(err, ERR_CONFIG, "{{" STR_FMT "}}: cannot read its value as a time", STR_ARG(part->text));
        return err_hint(err, "format, minus and plus take RFC 3339 timestamps and dates");
    }
    return 0;
}

/* A URL that a job gave stands for the whole path. */
static bool is_job_url(const struct part *part, bool is_alone, struct str text)
{
    return is_alone && part->name == NAME_JOB && (str_starts(text, STR("https://")) || str_starts(text, STR("http://")));
}

int template_render(const struct template *compiled, const struct template_values *values, enum template_escape escape,
                    struct buf *out, bool *has_secret, struct err *err)
{
    bool is_alone = compiled->count == 1;
    for (size_t i = 0; i < compiled->count; i++) {
        const struct part *part = &compiled->parts[i];
        if (!part->is_reference) {
            buf_append_str(out, part->text);
            continue;
        }
        struct value_in_hand value = {.text = BUF_INIT(TEMPLATE_MAX_BYTES)};
        int rc = render_reference(part, values, &value, has_secret, err);
        if (rc == 0 && !value.is_set) {
            rc = is_alone ? RENDERED_NOTHING
                          : err_set(err, ERR_CONFIG, "{{" STR_FMT "}}: there is no value", STR_ARG(part->text));
            if (rc < 0) err_hint(err, "give one, or write {{" STR_FMT " | default:\"...\"}}", STR_ARG(part->text));
        } else if (rc == 0) {
            if (escape == ESCAPE_SEGMENT && !is_job_url(part, is_alone, buf_str(&value.text)))
                url_encode(buf_str(&value.text), out);
            else
                buf_append_str(out, buf_str(&value.text));
            rc = !is_alone          ? RENDERED_TEXT
                 : value.is_number  ? RENDERED_NUMBER
                 : value.is_boolean ? RENDERED_BOOLEAN
                 : value.is_list    ? RENDERED_LIST
                                    : RENDERED_TEXT;
        }
        buf_release(&value.text);
        if (rc < 0 || is_alone) return rc;
    }
    return RENDERED_TEXT;
}

int template_text(const struct template *compiled, const struct template_values *values, struct arena *arena, const char **text,
                  bool *has_secret, struct err *err)
{
    struct buf out = BUF_INIT(2 * (size_t)TEMPLATE_MAX_BYTES);
    int rc = template_render(compiled, values, ESCAPE_NONE, &out, has_secret, err);
    if (rc == RENDERED_NOTHING) {
        rc = err_set(err, ERR_CONFIG, "{{" STR_FMT "}}: there is no value", STR_ARG(compiled->parts[0].text));
    } else if (rc >= 0 && out.failed) {
        rc = err_set(err, ERR_CONFIG, "text over %zu bytes", out.max);
    } else if (rc >= 0) {
        *text = arena_text(arena, buf_str(&out));
        rc = 0;
    }
    buf_release(&out);
    return rc;
}

int template_write_cursor(const struct template_values *values, struct str canonical, struct buf *out, struct err *err)
{
    struct value_in_hand value = {.text = BUF_INIT(TEMPLATE_MAX_BYTES)};
    set_cursor(&value, values, canonical);
    bool ok = apply_own_format(&value);
    if (ok) buf_append_str(out, buf_str(&value.text));
    buf_release(&value.text);
    if (ok) return 0;
    return err_set(err, ERR_CONFIG, "cannot write the cursor '" STR_FMT "' as %s", STR_ARG(canonical), values->cursor_format);
}
