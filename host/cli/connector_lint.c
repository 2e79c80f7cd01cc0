/* connector lint: what will be regretted about a connector, and what breaks between two versions of one. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/connector_parts.h"
#include "cli/print.h"
#include "connector/parser.h"
#include "rest/description.h"
#include "rest/lint.h"

enum { OTHER_SEED = 20260101 };

/* The description must not depend on the time or on chance: workers that see others must give the same. */
static int look_for_chance(const struct loaded_connector *loaded, struct arena *arena, struct findings *findings)
{
    const struct connector_options options = {.now_us = INT64_C(1767225600000000), .seed = OTHER_SEED};
    struct str json;
    struct err err = ERR_INIT;
    if (connector_describe(loaded->connector, &options, arena, &json, &err) != 0) return print_failure(NULL, &err, NULL);
    if (!str_equal(json, loaded->json))
        findings_add(findings, FINDING_ERROR, "impure", "init.lua",
                     "the description is another one at another time, or by chance",
                     "leave os.time, os.date and math.random out of it; templates know {{now}}");
    return 0;
}

/* Each parser that a stream names must be there, and be one. */
static void look_for_parsers(const struct loaded_connector *loaded, struct arena *arena, struct findings *findings)
{
    const struct connector_path path = {0};
    const struct connector_options options = {0};
    const char *const *names;
    size_t count = description_parser_names(loaded->root, arena, &names);
    for (size_t i = 0; i < count; i++) {
        const struct parser *parser;
        struct err err = ERR_INIT;
        if (parser_load(&path, loaded->connector, names[i], &options, arena, &parser, &err) == 0) continue;
        findings_add(findings, FINDING_ERROR, "no-parser", "streams", arena_strdup(arena, err.message),
                     arena_strdup(arena, err.hint));
    }
}

static void print_text(const struct findings *findings)
{
    for (int level = 0; level < FINDING_LEVELS; level++)
        for (size_t i = 0; i < findings->count; i++) {
            const struct finding *finding = &findings->list[i];
            if ((int)finding->level != level) continue;
            printf("%s: %s: %s%s%s [%s]\n", finding_level_name(finding->level), finding->place, finding->message,
                   finding->hint[0] ? "; " : "", finding->hint, finding->rule);
        }
    printf("%zu error%s, %zu warning%s, %zu note%s\n", findings->by_level[FINDING_ERROR],
           findings->by_level[FINDING_ERROR] == 1 ? "" : "s", findings->by_level[FINDING_WARNING],
           findings->by_level[FINDING_WARNING] == 1 ? "" : "s", findings->by_level[FINDING_NOTE],
           findings->by_level[FINDING_NOTE] == 1 ? "" : "s");
}

static void print_json(const struct findings *findings)
{
    struct buf out = BUF_INIT(16 * 1024 * 1024);
    struct json_writer json = JSON_WRITER(&out);
    json_open(&json, '[');
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        json_open(&json, '{');
        json_member(&json, "level"), json_cstr(&json, finding_level_name(finding->level));
        json_member(&json, "rule"), json_cstr(&json, finding->rule);
        json_member(&json, "place"), json_cstr(&json, finding->place);
        json_member(&json, "message"), json_cstr(&json, finding->message);
        json_member(&json, "hint"), json_cstr(&json, finding->hint);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    printf("%s\n", buf_text(&out));
    buf_release(&out);
}

int connector_lint(const struct loaded_connector *loaded, const struct loaded_connector *old, bool is_strict, bool as_json,
                   struct arena *arena)
{
    struct findings findings = FINDINGS_INIT(arena);
    int code = look_for_chance(loaded, arena, &findings);
    if (code != 0) return code;
    lint_description(loaded->root, &findings);
    look_for_parsers(loaded, arena, &findings);
    if (old) lint_compare(old->root, loaded->root, &findings);
    (as_json ? print_json : print_text)(&findings);
    return findings.by_level[FINDING_ERROR] || (is_strict && findings.by_level[FINDING_WARNING]) ? 2 : 0;
}
