/* How it works: each rule is one function over the tree of one case of the description's choices; a finding that several cases
 * share is kept once. */
#include "rest/lint.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "data/option.h"
#include "net/url.h"
#include "rest/describe.h"
#include "rest/select.h"
#include "rest/vocabulary.h"

enum { VARIANTS_MAX = DESCRIPTION_MAX_CASES };

/* --- findings ------------------------------------------------------------------------------------------------------------ */

void findings_add(struct findings *findings, enum finding_level level, const char *rule, const char *place, const char *message,
                  const char *hint)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        if (strcmp(finding->rule, rule) == 0 && strcmp(finding->place, place) == 0 && strcmp(finding->message, message) == 0)
            return;
    }
    if (findings->count == findings->capacity) {
        size_t capacity = findings->capacity ? 2 * findings->capacity : 16;
        struct finding *list = arena_array(findings->arena, struct finding, capacity);
        if (findings->count) memcpy(list, findings->list, findings->count * sizeof *list);
        findings->list = list;
        findings->capacity = capacity;
    }
    findings->by_level[level]++;
    findings->list[findings->count++] = (struct finding){
        .level = level,
        .rule = rule,
        .place = arena_strdup(findings->arena, place),
        .message = arena_strdup(findings->arena, message),
        .hint = arena_strdup(findings->arena, hint),
    };
}

const char *finding_level_name(enum finding_level level)
{
    static const char *const NAMES[FINDING_LEVELS] = {"error", "warning", "note"};
    return NAMES[level];
}

/* One case of a description under the lens. */
struct lens {
    struct findings *findings;
    const struct node *root;
    const struct node *stream; /* NULL outside of one */
    const char *path;          /* "streams.orders"; "" at the root */
};

static const char *place(const struct lens *lens, const char *key)
{
    return lens->path[0] ? arena_printf(lens->findings->arena, "%s.%s", lens->path, key) : key;
}

static bool is_set(const struct node *map, const char *key)
{
    return option_is_set(map, key);
}

/* --- secrets ------------------------------------------------------------------------------------------------------------- */

static bool sounds_secret(const char *name)
{
    static const char *const WORDS[] = {"secret",  "token",  "password",    "passwd",    "passphrase",
                                        "api_key", "apikey", "private_key", "credential"};
    for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++)
        if (strcasestr(name, WORDS[i])) return true;
    return false;
}

static void look_at_config(const struct lens *lens)
{
    const struct node *config = node_get(lens->root, "config");
    for (size_t i = 0; config && i < config->count; i++) {
        const struct node *entry = &config->children[i];
        const char *type = option_text(&VOCABULARY_CONFIG_ENTRY, entry, "type");
        bool is_text = strcmp(type, "string") == 0 || strcmp(type, "list") == 0;
        if (is_text && !option_boolean(&VOCABULARY_CONFIG_ENTRY, entry, "secret") && sounds_secret(entry->key.data))
            findings_add(lens->findings, FINDING_ERROR, "unmarked-secret",
                         arena_printf(lens->findings->arena, "config.%s", entry->key.data),
                         "sounds like a secret and is not marked as one: it may be printed and logged", "secret = true");
    }
}

/* Does the text name this entry, and not one whose name only begins so? */
static bool names_entry(struct str text, struct str entry)
{
    for (size_t at = 0; at + entry.size <= text.size; at++) {
        const char *end = text.data + at + entry.size;
        if (memcmp(text.data + at, entry.data, entry.size) != 0) continue;
        if (at + entry.size == text.size || !(isalnum((unsigned char)*end) || *end == '_')) return true;
    }
    return false;
}

/* What opens doors must come from entries that are marked, whatever they are called. */
static void look_at_sources(const struct lens *lens, const struct option *option, struct str text)
{
    const struct node *config = node_get(lens->root, "config");
    if (strcmp(option->name, "key") != 0 && strcmp(option->name, "pool") != 0 && !sounds_secret(option->name)) return;
    for (size_t i = 0; config && i < config->count; i++) {
        const struct node *entry = &config->children[i];
        const char *name = arena_printf(lens->findings->arena, "config.%s", entry->key.data);
        if (sounds_secret(entry->key.data) || option_boolean(&VOCABULARY_CONFIG_ENTRY, entry, "secret")) continue;
        if (names_entry(text, str_from(name)))
            findings_add(lens->findings, FINDING_ERROR, "unmarked-secret", name,
                         "is used as a secret and is not marked as one: it may be printed and logged", "secret = true");
    }
}

/* A secret key whose text names nothing: the credential itself stands in the file. */
static void look_for_literals(const struct lens *lens, const struct option_table *table, const struct node *map,
                              const char *path)
{
    struct arena *arena = lens->findings->arena;
    for (size_t i = 0; i < table->count; i++) {
        const struct option *option = &table->options[i];
        const struct node *value = node_get(map, option->name);
        const char *place = arena_printf(arena, "%s.%s", path, option->name);
        if (option->child && node_is(value, NODE_MAP)) look_for_literals(lens, option->child, value, place);
        if (!(option->flags & OPTION_SECRET) || !node_is(value, NODE_STRING) || value->text.size == 0) continue;
        if (option_is_template(value))
            look_at_sources(lens, option, value->text);
        else
            findings_add(lens->findings, FINDING_ERROR, "literal-credential", place,
                         "a credential stands in the connector itself",
                         "name a config entry marked secret: \"{{config.api_key}}\"");
    }
}

static void look_at_credentials(const struct lens *lens)
{
    const struct node *auth = node_get(node_get(lens->root, "http"), "auth");
    if (!node_is(auth, NODE_MAP)) return;
    const struct vocabulary_kind *kind = vocabulary_kind_of(&VOCABULARY_AUTH, auth);
    if (kind) look_for_literals(lens, kind->table, auth, "http.auth");
}

/* --- configuration that nothing uses ------------------------------------------------------------------------------------- */

static bool mentions(const struct node *node, const char *name)
{
    if (node_is_scalar(node) && memmem(node->text.data, node->text.size, name, strlen(name))) return true;
    const struct node *select = node_get(node, "$select");
    if (select && strcmp(node_cstr(select, ""), name + strlen("config.")) == 0) return true;
    for (size_t i = 0; i < node->count; i++)
        if (mentions(&node->children[i], name)) return true;
    return false;
}

static bool has_function(const struct node *node)
{
    if (option_function(node)) return true;
    for (size_t i = 0; i < node->count; i++)
        if (has_function(&node->children[i])) return true;
    return false;
}

/* `root`: with its choices, which use entries, too. A function may use any. */
static void look_for_unused(const struct node *root, struct findings *findings)
{
    const struct node *config = node_get(root, "config");
    if (has_function(root) || node_get(root, "profile")) return; /* so may a plugin */
    for (size_t i = 0; config && i < config->count; i++) {
        const char *name = arena_printf(findings->arena, "config.%s", config->children[i].key.data);
        bool is_used = false;
        for (size_t k = 0; k < root->count && !is_used; k++)
            is_used = &root->children[k] != config && mentions(&root->children[k], name);
        if (!is_used)
            findings_add(findings, FINDING_WARNING, "unused-config", name, "nothing uses it",
                         "take it out, or place {{config...}}");
    }
}

/* --- hosts --------------------------------------------------------------------------------------------------------------- */

static bool is_declared_host(const struct lens *lens, const char *host)
{
    const struct node *http = node_get(lens->root, "http"), *hosts = node_get(http, "hosts"), *base = node_get(http, "base");
    struct arena *arena = lens->findings->arena;
    struct err ignored = ERR_INIT;
    struct url url;
    if (option_is_template(base)) return true; /* who knows what it will be */
    if (url_parse(node_text(base), arena, &url, &ignored) == 0 && strcasecmp(url.host, host) == 0) return true;
    size_t count = !hosts ? 0 : hosts->kind == NODE_LIST ? hosts->count : 1;
    for (size_t i = 0; i < count; i++) {
        struct str pattern = node_text(hosts->kind == NODE_LIST ? &hosts->children[i] : hosts);
        struct str name = pattern;
        if (memmem(pattern.data, pattern.size, "{{", 2)) return true;
        str_next(&pattern, ':', &name);
        if (str_starts(name, STR("*.")) ? str_ends(str_from(host), (struct str){name.data + 1, name.size - 1})
                                        : str_equal_nocase(name, str_from(host)))
            return true;
    }
    return false;
}

static void look_at_host(const struct lens *lens)
{
    struct err ignored = ERR_INIT;
    struct url url;
    struct str path = node_text(node_get(lens->stream, "path"));
    if (!str_starts(path, STR("http://")) && !str_starts(path, STR("https://"))) return;
    const char *text = arena_text(lens->findings->arena, path);
    char *template = strstr(text, "{{");
    if (template) *template = '\0';
    if (url_parse(str_from(text), lens->findings->arena, &url, &ignored) != 0 || is_declared_host(lens, url.host)) return;
    findings_add(lens->findings, FINDING_ERROR, "undeclared-host", place(lens, "path"),
                 arena_printf(lens->findings->arena,
                              "the host '%s' is neither that of http.base nor in http.hosts: requests to it are refused",
                              url.host),
                 "add it to http.hosts");
}

/* --- keys, cursors, pages ------------------------------------------------------------------------------------------------ */

static void look_at_key(const struct lens *lens)
{
    if (is_set(lens->stream, "primary_key")) return;
    findings_add(lens->findings, FINDING_WARNING, "no-primary-key", lens->path,
                 "without a primary key records can only be appended or replaced as a whole", "primary_key = \"id\"");
}

static const char *changing_field(const struct node *fields)
{
    static const char *const WORDS[] = {"updated", "modified", "changed", "last_edited", "systemmodstamp"};
    for (size_t i = 0; fields && fields->kind == NODE_MAP && i < fields->count; i++)
        for (size_t w = 0; w < ARRAY_SIZE(WORDS); w++)
            if (strcasestr(fields->children[i].key.data, WORDS[w])) return fields->children[i].key.data;
    return NULL;
}

static void look_at_cursor(const struct lens *lens)
{
    const char *field = changing_field(node_get(lens->stream, "fields"));
    if (is_set(lens->stream, "cursor") || is_set(lens->stream, "sync_modes") || !field) return;
    findings_add(lens->findings, FINDING_WARNING, "no-cursor", lens->path,
                 arena_printf(lens->findings->arena, "'%s' says when a record changed, and each sync reads all of them", field),
                 "cursor = { field = .., param = .. }, if the source can filter by it; else sync_modes = \"full_refresh\"");
}

static void look_at_pages(const struct lens *lens)
{
    const struct node *pages = node_get(lens->stream, "pages");
    struct str kind = node_text(node_get(pages, "kind"));
    bool is_counted = str_equal(kind, STR("page")) || str_equal(kind, STR("offset"));
    if (!node_is(pages, NODE_MAP)) {
        if (is_set(lens->stream, "records") && !option_function(node_get(lens->stream, "records")))
            findings_add(lens->findings, FINDING_NOTE, "no-pages", lens->path,
                         "one request is all: is this listing never longer than a page?",
                         "pages = { kind = \"none\" } says that it is not");
        return;
    }
    if (!is_counted || is_set(pages, "more") || is_set(pages, "last") || is_set(pages, "total") ||
        is_set(pages, "total_pages") || is_set(pages, "stop"))
        return;
    findings_add(lens->findings, FINDING_WARNING, "unbounded-pages", place(lens, "pages"),
                 "only an empty page ends it: one request more each time, and a source that repeats its last page never ends",
                 "name more, last or total, or say stop = \"short\"");
}

static void look_at_fields(const struct lens *lens)
{
    const struct node *fields = node_get(lens->stream, "fields");
    if (fields && fields->count > 0) return;
    findings_add(lens->findings, FINDING_NOTE, "no-fields", lens->path,
                 "columns and their types follow from the first values that come",
                 "declare fields, at least those whose type matters");
}

static bool names_fields(const struct node *node)
{
    struct str text = node_text(node);
    bool names = text.size && memmem(text.data, text.size, STR("stream.fields").data, STR("stream.fields").size);
    for (size_t i = 0; node && i < node->count && !names; i++) names = names_fields(&node->children[i]);
    return names;
}

/* How many fields there are, the customer decides; how long a URL may be, the server. */
static void look_at_length(const struct lens *lens)
{
    bool is_in_url = names_fields(node_get(lens->stream, "params")) || names_fields(node_get(lens->stream, "path"));
    if (!is_set(lens->stream, "fields_from") || is_set(lens->stream, "chunks") || !is_in_url) return;
    findings_add(lens->findings, FINDING_WARNING, "long-url", lens->path,
                 "all fields that the source lists go into one URL: with many of them it is refused (414)",
                 "chunks = { max_chars = .. }, or ask for them in a body");
}

/* --- error rules --------------------------------------------------------------------------------------------------------- */

static bool covers(const struct error_rule *rule, const struct error_statuses *statuses)
{
    for (size_t i = 0; i < rule->status_count; i++)
        if (rule->statuses[i].from <= statuses->from && rule->statuses[i].to >= statuses->to) return true;
    return rule->status_count == 0;
}

/* Does `first` fit whatever `second` fits? */
static bool shadows(const struct error_rule *first, const struct error_rule *second)
{
    if (first->test != TEST_NONE || first->function) return false;
    if (second->status_count == 0) return first->status_count == 0;
    for (size_t i = 0; i < second->status_count; i++)
        if (!covers(first, &second->statuses[i])) return false;
    return true;
}

static void look_at_rules(const struct lens *lens, const struct node *map)
{
    struct arena arena = ARENA_INIT(0);
    struct problems problems = PROBLEMS_INIT(&arena);
    struct config_table none = {0};
    struct error_rules rules;
    const char *path = place(lens, "errors");
    describe_errors(&(struct describing){&none, &arena, &problems, NULL, NULL, NULL}, node_get(map, "errors"), path, &rules);
    for (size_t second = 1; second < rules.count; second++)
        for (size_t first = 0; first < second; first++) {
            if (!shadows(&rules.list[first], &rules.list[second])) continue;
            findings_add(lens->findings, FINDING_WARNING, "unreachable-rule",
                         arena_printf(lens->findings->arena, "%s.%zu", path, second),
                         arena_printf(lens->findings->arena, "rule %zu before it fits every answer that this one fits", first),
                         "put the narrower rule first");
            break;
        }
    arena_release(&arena);
}

/* --- the whole ----------------------------------------------------------------------------------------------------------- */

static void look_at_stream(const struct lens *root, const char *path, const struct node *stream)
{
    struct lens lens = *root;
    lens.stream = stream;
    lens.path = path;
    look_at_host(&lens);
    look_at_key(&lens);
    look_at_cursor(&lens);
    look_at_pages(&lens);
    look_at_fields(&lens);
    look_at_length(&lens);
    look_at_rules(&lens, stream);
}

void lint_description(const struct node *root, struct findings *findings)
{
    size_t variants = select_variants(root);
    for (size_t v = 0; v < variants && v < VARIANTS_MAX; v++) {
        struct lens lens = {findings, select_variant(root, v, findings->arena), NULL, ""};
        const struct node *streams = node_get(lens.root, "streams");
        look_at_config(&lens);
        look_at_credentials(&lens);
        struct lens http = lens;
        http.path = "http";
        look_at_rules(&http, node_get(lens.root, "http"));
        if (!is_set(lens.root, "check") && !node_get(lens.root, "profile"))
            findings_add(findings, FINDING_NOTE, "no-check", "check",
                         "`sluice check` reads a first page of the first stream instead",
                         "check = { path = \"/me\" }: a request that needs the credentials and little else");
        for (size_t i = 0; streams && i < streams->count; i++)
            look_at_stream(&lens, arena_printf(findings->arena, "streams.%s", streams->children[i].key.data),
                           &streams->children[i]);
        const struct node *listed = node_path(lens.root, "dynamic.stream");
        if (listed && !option_function(listed)) look_at_stream(&lens, "dynamic.stream", listed);
    }
    look_for_unused(root, findings);
}
