/* How it works: a template is a list of parts, literal or reference; a reference is an index into NAMES (or a config entry, or
 * a path into the parent or record) and up to FILTERS_MAX filters, each with its argument parsed when it was compiled.
 *
 * Rendering puts a reference's value into a scratch buffer, lets the filters rewrite it there, and appends it to the output,
 * which is never looked at again: that is why nothing a source sends can be expanded a second time. */
#include "rest/template.h"

#include "base/check.h"
#include "base/jsonscan.h"
#include "base/number.h"
#include "base/time.h"
#include "net/url.h"

enum name_id {
    NAME_CONFIG,
    NAME_LITERAL,
    NAME_PARENT,
    NAME_RECORD,
    NAME_CURSOR_FROM,
    NAME_CURSOR_UNTIL,
    NAME_CURSOR_VALUE,
    NAME_SLICE_ID,
    NAME_SLICE_FROM,
    NAME_SLICE_TO,
    NAME_PAGE_NUMBER,
    NAME_PAGE_OFFSET,
    NAME_PAGE_TOKEN,
    NAME_PAGE_SIZE,
    NAME_NOW,
};

struct known_name {
    const char *name;
    enum template_root root;
    enum name_id id;
};

static const struct known_name NAMES[] = {
    {"cursor.from", TEMPLATE_CURSOR, NAME_CURSOR_FROM},
    {"cursor.until", TEMPLATE_CURSOR, NAME_CURSOR_UNTIL},
    {"cursor.value", TEMPLATE_CURSOR, NAME_CURSOR_VALUE},
    {"slice.id", TEMPLATE_SLICE, NAME_SLICE_ID},
    {"slice.from", TEMPLATE_SLICE, NAME_SLICE_FROM},
    {"slice.to", TEMPLATE_SLICE, NAME_SLICE_TO},
    {"page.number", TEMPLATE_PAGE, NAME_PAGE_NUMBER},
    {"page.offset", TEMPLATE_PAGE, NAME_PAGE_OFFSET},
    {"page.token", TEMPLATE_PAGE, NAME_PAGE_TOKEN},
    {"page.size", TEMPLATE_PAGE, NAME_PAGE_SIZE},
    {"now", TEMPLATE_NOW, NAME_NOW},
};

/* Roots whose names are chosen by others. */
static const struct known_name PREFIXES[] = {
    {"config.", TEMPLATE_CONFIG, NAME_CONFIG},
    {"parent.", TEMPLATE_PARENT, NAME_PARENT},
    {"record.", TEMPLATE_RECORD, NAME_RECORD},
};

enum filter_id {
    FILTER_FORMAT,
    FILTER_MINUS,
    FILTER_PLUS,
    FILTER_DEFAULT,
    FILTER_UPPER,
    FILTER_LOWER,
    FILTER_URLENCODE,
    FILTER_STRING
};

struct known_filter {
    const char *name;
    enum filter_id id;
    bool takes_argument;
    bool keeps_number; /* the result of a number is still one */
};

static const struct known_filter FILTERS[] = {
    {"format", FILTER_FORMAT, true, true},
    {"minus", FILTER_MINUS, true, true},
    {"plus", FILTER_PLUS, true, true},
    {"default", FILTER_DEFAULT, true, true},
    {"upper", FILTER_UPPER, false, false},
    {"lower", FILTER_LOWER, false, false},
    {"urlencode", FILTER_URLENCODE, false, false},
    {"string", FILTER_STRING, false, false},
};

enum { FILTERS_MAX = 8 };

struct filter {
    const struct known_filter *known;
    const char *argument;
    int64_t argument_us; /* MINUS, PLUS */
};

struct part {
    bool is_reference;
    struct str text; /* literal; or what stands between the braces, for messages */
    enum name_id name;
    struct str below; /* CONFIG: the entry's name; PARENT, RECORD: the path; LITERAL: the text */
    struct filter filters[FILTERS_MAX];
    size_t filter_count;
};

struct template
{
    const struct part *parts;
    size_t count;
};

/* --- compiling ----------------------------------------------------------------------------------------------------------- */

struct compiler {
    const struct node *place;
    const char *path;
    struct template_scope *scope;
    struct arena *arena;
    struct problems *problems;
};

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

static void skip_space(struct str *rest)
{
    while (rest->size && (rest->data[0] == ' ' || rest->data[0] == '\t' || rest->data[0] == '\n' || rest->data[0] == '\r')) {
        rest->data++;
        rest->size--;
    }
}

static struct str take_word(struct str *rest)
{
    struct str word = {rest->data, 0};
    while (word.size < rest->size && is_name_char(rest->data[word.size])) word.size++;
    rest->data += word.size;
    rest->size -= word.size;
    return word;
}

/* "text" or 'text'; there are no escapes, the other quote serves. */
static bool take_quoted(struct str *rest, struct str *text)
{
    if (rest->size < 2 || (rest->data[0] != '"' && rest->data[0] != '\'')) return false;
    const char *end = memchr(rest->data + 1, rest->data[0], rest->size - 1);
    if (!end) return false;
    *text = (struct str){rest->data + 1, (size_t)(end - rest->data) - 1};
    rest->size -= text->size + 2;
    rest->data = end + 1;
    return true;
}

static const char *why_absent(enum template_root root)
{
    switch (root) {
    case TEMPLATE_CURSOR:
        return "only requests of a stream with a cursor have one";
    case TEMPLATE_SLICE:
        return "only requests of a stream have one";
    case TEMPLATE_PAGE:
        return "only requests of a stream with pages have one";
    case TEMPLATE_PARENT:
        return "only a stream that is read per parent record has one";
    case TEMPLATE_RECORD:
        return "only what is rendered per record has one";
    default:
        return "it is not known in this place";
    }
}

static void unknown_name(const struct compiler *compiler, struct str name)
{
    const struct config_table *table = compiler->scope->config;
    size_t config_count = table && (compiler->scope->roots & TEMPLATE_CONFIG) ? table->count : 0;
    const char **candidates = arena_array(compiler->arena, const char *, ARRAY_SIZE(NAMES) + config_count);
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++)
        if (compiler->scope->roots & NAMES[i].root) candidates[count++] = NAMES[i].name;
    for (size_t i = 0; i < config_count; i++)
        candidates[count++] = arena_printf(compiler->arena, "config.%s", table->entries[i].name);
    problems_add(compiler->problems, compiler->place, "%s: unknown name '" STR_FMT "' in {{...}}", compiler->path,
                 STR_ARG(name));
    const char *nearest = count ? str_nearest(name, candidates, count, sizeof candidates[0]) : NULL;
    if (nearest) problems_hint(compiler->problems, "did you mean '%s'?", nearest);
}

static bool compile_config_name(const struct compiler *compiler, struct str name, struct part *part)
{
    const struct config_table *table = compiler->scope->config;
    const struct config_entry *entry = table ? config_table_find(table, part->below) : NULL;
    if (!entry) {
        unknown_name(compiler, name);
        return false;
    }
    if (entry->secret && compiler->scope->refuse_secrets) {
        problems_add(compiler->problems, compiler->place, "%s: the secret '%s' cannot stand here", compiler->path, entry->name);
        problems_hint(compiler->problems,
                      "what stands here is printed or stored; secrets belong into auth, headers, params and body");
        return false;
    }
    return true;
}

static void note_use(struct template_scope *scope, enum name_id name)
{
    if (name == NAME_CURSOR_FROM || name == NAME_SLICE_FROM) scope->uses_cursor_from = true;
    if (name == NAME_CURSOR_UNTIL || name == NAME_SLICE_TO) scope->uses_cursor_until = true;
    if (name == NAME_PAGE_NUMBER || name == NAME_PAGE_OFFSET || name == NAME_PAGE_TOKEN) scope->uses_page_place = true;
}

static bool compile_name(const struct compiler *compiler, struct str name, struct part *part)
{
    const struct known_name *known = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(NAMES) && !known; i++)
        if (str_equal(name, str_from(NAMES[i].name))) known = &NAMES[i];
    for (size_t i = 0; i < ARRAY_SIZE(PREFIXES) && !known; i++) {
        struct str prefix = str_from(PREFIXES[i].name);
        if (!str_starts(name, prefix) || name.size == prefix.size) continue;
        known = &PREFIXES[i];
        part->below = (struct str){arena_text(compiler->arena, (struct str){name.data + prefix.size, name.size - prefix.size}),
                                   name.size - prefix.size};
    }
    if (!known) {
        unknown_name(compiler, name);
        return false;
    }
    if (!(compiler->scope->roots & known->root)) {
        problems_add(compiler->problems, compiler->place, "%s: '" STR_FMT "' does not exist here", compiler->path,
                     STR_ARG(name));
        problems_hint(compiler->problems, "%s", why_absent(known->root));
        return false;
    }
    part->name = known->id;
    note_use(compiler->scope, known->id);
    return known->id != NAME_CONFIG || compile_config_name(compiler, name, part);
}

static bool compile_argument(const struct compiler *compiler, struct str argument, struct filter *filter)
{
    int64_t milliseconds;
    filter->argument = arena_text(compiler->arena, argument);
    switch (filter->known->id) {
    case FILTER_FORMAT:
        if (time_format_is_valid(filter->argument)) return true;
        problems_add(compiler->problems, compiler->place, "%s: '%s' is not a time format", compiler->path, filter->argument);
        problems_hint(compiler->problems, "iso8601, epoch, epoch_ms, epoch_us, date, or a pattern like %%Y-%%m-%%d");
        return false;
    case FILTER_MINUS:
    case FILTER_PLUS:
        if (duration_parse(argument, &milliseconds) && milliseconds >= 0 && milliseconds <= INT64_MAX / 1000) {
            filter->argument_us = milliseconds * (filter->known->id == FILTER_MINUS ? -1000 : 1000);
            return true;
        }
        problems_add(compiler->problems, compiler->place, "%s: '%s' is not a duration like 5m", compiler->path,
                     filter->argument);
        return false;
    default:
        return true;
    }
}

static bool compile_filter(const struct compiler *compiler, struct str *rest, struct part *part)
{
    skip_space(rest);
    struct str name = take_word(rest), argument;
    const struct known_filter *known = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(FILTERS) && !known; i++)
        if (str_equal(name, str_from(FILTERS[i].name))) known = &FILTERS[i];
    if (!known) {
        problems_add(compiler->problems, compiler->place, "%s: unknown filter '" STR_FMT "'", compiler->path, STR_ARG(name));
        const char *nearest = str_nearest(name, &FILTERS[0].name, ARRAY_SIZE(FILTERS), sizeof FILTERS[0]);
        if (nearest) problems_hint(compiler->problems, "did you mean '%s'?", nearest);
        return false;
    }
    if (part->filter_count == FILTERS_MAX) {
        problems_add(compiler->problems, compiler->place, "%s: more than %d filters", compiler->path, FILTERS_MAX);
        return false;
    }
    struct filter *filter = &part->filters[part->filter_count++];
    filter->known = known;
    skip_space(rest);
    bool has_colon = rest->size && rest->data[0] == ':';
    if (has_colon) {
        rest->data++;
        rest->size--;
        skip_space(rest);
    }
    bool has_argument = has_colon && take_quoted(rest, &argument);
    if (has_colon != known->takes_argument || has_argument != known->takes_argument) {
        problems_add(compiler->problems, compiler->place, "%s: filter '%s' %s", compiler->path, known->name,
                     known->takes_argument ? "needs an argument in quotes: name:\"...\"" : "takes no argument");
        return false;
    }
    return !has_argument || compile_argument(compiler, argument, filter);
}

/* What stands between the braces. */
static bool compile_reference(const struct compiler *compiler, struct str inside, struct part *part)
{
    struct str rest = inside;
    *part = (struct part){.is_reference = true, .text = arena_copy(compiler->arena, str_trim(inside))};
    skip_space(&rest);
    if (take_quoted(&rest, &part->below)) {
        part->name = NAME_LITERAL;
        part->below = arena_copy(compiler->arena, part->below);
    } else {
        struct str name = take_word(&rest);
        if (name.size == 0) {
            problems_add(compiler->problems, compiler->place, "%s: {{...}} holds no name", compiler->path);
            return false;
        }
        if (!compile_name(compiler, name, part)) return false;
    }
    for (;;) {
        skip_space(&rest);
        if (rest.size == 0) return true;
        if (rest.data[0] != '|') {
            problems_add(compiler->problems, compiler->place, "%s: expected '|' or '}}' at '" STR_FMT "'", compiler->path,
                         STR_ARG(rest));
            return false;
        }
        rest.data++;
        rest.size--;
        if (!compile_filter(compiler, &rest, part)) return false;
    }
}

/* The place of "}}" that ends a reference: quotes hide those inside them. NULL when there is none. */
static const char *find_end(struct str text)
{
    char quote = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (quote) {
            if (c == quote) quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '}' && i + 1 < text.size && text.data[i + 1] == '}') {
            return text.data + i;
        }
    }
    return NULL;
}

static size_t count_parts(struct str text)
{
    size_t braces = 0;
    for (size_t i = 0; i + 1 < text.size; i++) braces += text.data[i] == '{' && text.data[i + 1] == '{';
    return 2 * braces + 1;
}

const struct template *template_compile(struct str text, const struct node *place, const char *path,
                                        struct template_scope *scope, struct arena *arena, struct problems *problems)
{
    struct compiler compiler = {place, path, scope, arena, problems};
    if (text.size > TEMPLATE_MAX_BYTES || count_parts(text) > TEMPLATE_MAX_PARTS) {
        problems_add(problems, place, "%s: a template of more than %d bytes or %d references", path, TEMPLATE_MAX_BYTES,
                     TEMPLATE_MAX_PARTS / 2);
        return NULL;
    }
    struct part *parts = arena_array(arena, struct part, count_parts(text));
    struct template *compiled = arena_new(arena, struct template);
    struct str rest = arena_copy(arena, text);
    bool ok = true;
    compiled->parts = parts;
    while (rest.size) {
        const char *open = memmem(rest.data, rest.size, "{{", 2);
        size_t literal = open ? (size_t)(open - rest.data) : rest.size;
        if (literal) parts[compiled->count++] = (struct part){.text = {rest.data, literal}};
        if (!open) break;
        struct str inside = {open + 2, rest.size - literal - 2};
        const char *close = find_end(inside);
        if (!close) {
            problems_add(problems, place, "%s: '{{' without '}}'", path);
            problems_hint(problems, "a literal '{{' is written {{\"{{\"}}");
            return NULL;
        }
        rest = (struct str){close + 2, (size_t)(inside.data + inside.size - close) - 2};
        inside.size = (size_t)(close - inside.data);
        ok = compile_reference(&compiler, inside, &parts[compiled->count]) && ok;
        compiled->count++;
    }
    return ok ? compiled : NULL;
}

bool template_is_literal(const struct template *compiled, struct str *text)
{
    if (compiled->count > 1 || (compiled->count == 1 && compiled->parts[0].is_reference)) return false;
    *text = compiled->count ? compiled->parts[0].text : STR("");
    return true;
}

/* --- rendering ----------------------------------------------------------------------------------------------------------- */

/* A reference's value on its way through the filters. */
struct value_in_hand {
    struct buf text;
    bool is_set;
    bool is_number, is_boolean;
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
    case NAME_PARENT:
        set_from_json(value, values->parent, part->below, arena);
        break;
    case NAME_RECORD:
        set_from_json(value, values->record, part->below, arena);
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

static bool apply_filter(const struct filter *filter, struct value_in_hand *value)
{
    if (!value->is_set && filter->known->id != FILTER_DEFAULT) return true;
    if (!filter->known->keeps_number) value->is_number = value->is_boolean = false;
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
            if (escape == ESCAPE_SEGMENT)
                url_encode(buf_str(&value.text), out);
            else
                buf_append_str(out, buf_str(&value.text));
            rc = !is_alone          ? RENDERED_TEXT
                 : value.is_number  ? RENDERED_NUMBER
                 : value.is_boolean ? RENDERED_BOOLEAN
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
