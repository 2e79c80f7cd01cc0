/* How it works: a template is a list of parts, literal or reference; a reference is an index into NAMES (or a config entry, or
 * a path into the parent or record) and up to FILTERS_MAX filters, each with its argument parsed here. */
#include "rest/template.h"

#include "base/check.h"
#include "base/time.h"
#include "rest/template_parts.h"

struct known_name {
    const char *name;
    enum template_root root;
    enum name_id id;
};

static const struct known_name NAMES[] = {
    {"cursor.from", TEMPLATE_CURSOR, NAME_CURSOR_FROM},   {"cursor.until", TEMPLATE_CURSOR, NAME_CURSOR_UNTIL},
    {"cursor.value", TEMPLATE_CURSOR, NAME_CURSOR_VALUE}, {"cursor.token", TEMPLATE_CURSOR, NAME_CURSOR_TOKEN},
    {"slice.id", TEMPLATE_SLICE, NAME_SLICE_ID},          {"slice.from", TEMPLATE_SLICE, NAME_SLICE_FROM},
    {"slice.to", TEMPLATE_SLICE, NAME_SLICE_TO},          {"page.number", TEMPLATE_PAGE, NAME_PAGE_NUMBER},
    {"page.offset", TEMPLATE_PAGE, NAME_PAGE_OFFSET},     {"page.token", TEMPLATE_PAGE, NAME_PAGE_TOKEN},
    {"page.size", TEMPLATE_PAGE, NAME_PAGE_SIZE},         {"page.key", TEMPLATE_PAGE, NAME_PAGE_KEY},
    {"stream.name", TEMPLATE_STREAM, NAME_STREAM_NAME},   {"stream.fields", TEMPLATE_FIELDS, NAME_STREAM_FIELDS},
    {"batch.ids", TEMPLATE_BATCH, NAME_BATCH_IDS},        {"now", TEMPLATE_NOW, NAME_NOW},
};

/* Roots whose names are chosen by others. */
static const struct known_name PREFIXES[] = {
    {"config.", TEMPLATE_CONFIG, NAME_CONFIG}, {"auth.", TEMPLATE_AUTH, NAME_AUTH}, {"parent.", TEMPLATE_PARENT, NAME_PARENT},
    {"record.", TEMPLATE_RECORD, NAME_RECORD}, {"job.", TEMPLATE_JOB, NAME_JOB},    {"slice.", TEMPLATE_SLICE, NAME_PARTITION},
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
    {"list", FILTER_LIST, false, false},
    {"list_of", FILTER_LIST_OF, true, false},
};

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
    case TEMPLATE_STREAM:
    case TEMPLATE_FIELDS:
        return "only requests of a stream have one";
    case TEMPLATE_PARENT:
        return "only a stream that is read per parent record has one";
    case TEMPLATE_AUTH:
        return "only requests have one, where http.auth has a 'capture'";
    case TEMPLATE_RECORD:
        return "only what is rendered per record has one";
    case TEMPLATE_BATCH:
        return "only requests of a stream's `enrich` have one";
    case TEMPLATE_JOB:
        return "only a stream with a job has one, and what comes after job.create";
    default:
        return "it is not known in this place";
    }
}

static void unknown_name(const struct compiler *compiler, struct str name)
{
    const struct template_scope *scope = compiler->scope;
    const struct config_table *table = scope->config;
    size_t config_count = table && (scope->roots & TEMPLATE_CONFIG) ? table->count : 0;
    const struct node *captured = scope->roots & TEMPLATE_AUTH ? scope->captured : NULL;
    size_t captured_count = captured ? captured->count : 0;
    size_t job_count = scope->roots & TEMPLATE_JOB ? scope->job_name_count : 0;
    size_t max_count = ARRAY_SIZE(NAMES) + config_count + captured_count + job_count + scope->partition_count, count = 0;
    const char **candidates = arena_array(compiler->arena, const char *, max_count);
    for (size_t i = 0; i < scope->partition_count; i++)
        candidates[count++] = arena_printf(compiler->arena, "slice.%s", scope->partitions[i]);
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++)
        if (scope->roots & NAMES[i].root) candidates[count++] = NAMES[i].name;
    for (size_t i = 0; i < config_count; i++)
        candidates[count++] = arena_printf(compiler->arena, "config.%s", table->entries[i].name);
    for (size_t i = 0; i < captured_count; i++)
        candidates[count++] = arena_printf(compiler->arena, "auth." STR_FMT, STR_ARG(captured->children[i].key));
    for (size_t i = 0; i < job_count; i++) candidates[count++] = arena_printf(compiler->arena, "job.%s", scope->job_names[i]);
    problems_add(compiler->problems, compiler->place, "%s: unknown name '" STR_FMT "' in {{...}}", compiler->path,
                 STR_ARG(name));
    const char *nearest = count ? str_nearest(name, candidates, count, sizeof candidates[0]) : NULL;
    if (nearest) problems_hint(compiler->problems, "did you mean '%s'?", nearest);
}

static bool is_partition(const struct template_scope *scope, struct str name)
{
    for (size_t i = 0; i < scope->partition_count; i++)
        if (str_equal(name, str_from(scope->partitions[i]))) return true;
    return false;
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

static bool compile_auth_name(const struct compiler *compiler, struct str name, const struct part *part)
{
    if (node_get(compiler->scope->captured, part->below.data)) return true;
    unknown_name(compiler, name);
    return false;
}

static bool compile_job_name(const struct compiler *compiler, struct str name, const struct part *part)
{
    for (size_t i = 0; i < compiler->scope->job_name_count; i++)
        if (str_equal(part->below, str_from(compiler->scope->job_names[i]))) return true;
    unknown_name(compiler, name);
    return false;
}

static void note_use(struct template_scope *scope, enum name_id name)
{
    if (name == NAME_CURSOR_FROM || name == NAME_SLICE_FROM) scope->uses_cursor_from = true;
    if (name == NAME_CURSOR_UNTIL || name == NAME_SLICE_TO) scope->uses_cursor_until = true;
    if (name == NAME_CURSOR_TOKEN) scope->uses_cursor_token = true;
    if (name == NAME_PAGE_NUMBER || name == NAME_PAGE_OFFSET || name == NAME_PAGE_TOKEN) scope->uses_page_place = true;
    if (name == NAME_PAGE_KEY) scope->uses_page_key = true;
    if (name == NAME_PAGE_SIZE) scope->uses_page_size = true;
    if (name == NAME_AUTH) scope->uses_auth = true;
    if (name == NAME_BATCH_IDS) scope->uses_batch = true;
}

static bool compile_name(const struct compiler *compiler, struct str name, struct part *part)
{
    const struct known_name *known = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(NAMES) && !known; i++)
        if (str_equal(name, str_from(NAMES[i].name))) known = &NAMES[i];
    for (size_t i = 0; i < ARRAY_SIZE(PREFIXES) && !known; i++) {
        struct str prefix = str_from(PREFIXES[i].name);
        if (!str_starts(name, prefix) || name.size == prefix.size) continue;
        struct str below = {name.data + prefix.size, name.size - prefix.size};
        if (PREFIXES[i].id == NAME_PARTITION && !is_partition(compiler->scope, below)) continue;
        known = &PREFIXES[i];
        part->below = (struct str){arena_text(compiler->arena, below), below.size};
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
    if (known->id == NAME_PARENT && compiler->scope->parents_are_many && !str_equal(part->below, STR("ids"))) {
        problems_add(compiler->problems, compiler->place, "%s: '" STR_FMT "' is one parent's, and a request is for several",
                     compiler->path, STR_ARG(name));
        problems_hint(compiler->problems, "{{parent.ids}} names them all; leave `batch` out to have one each");
        return false;
    }
    part->name = known->id;
    note_use(compiler->scope, known->id);
    if (known->id == NAME_AUTH) return compile_auth_name(compiler, name, part);
    if (known->id == NAME_JOB) return compile_job_name(compiler, name, part);
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

bool template_asks_fields(const struct template *compiled)
{
    for (size_t i = 0; compiled && i < compiled->count; i++)
        if (compiled->parts[i].is_reference && compiled->parts[i].name == NAME_STREAM_FIELDS) return true;
    return false;
}
