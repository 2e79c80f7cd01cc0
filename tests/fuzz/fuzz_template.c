/* template: a text compiles or is refused with a reason; what it renders is literal, holds a secret only when it says so, and
 * in a path stays one segment. Input: the template in the first line, the record behind it. */
#include "fuzz.h"

#include "base/jsonscan.h"
#include "rest/config.h"
#include "rest/template.h"

static const char TABLE[] = "{\"account\":{},\"api_key\":{\"secret\":true},\"size\":{\"type\":\"integer\"},"
                            "\"on\":{\"type\":\"boolean\"},\"optional\":{}}";
static const char GIVEN[] = "{\"account\":\"a/b c\",\"api_key\":\"k3y!SECRET\",\"size\":9007199254740993,\"on\":true}";
static const struct str SECRET_PART = {"3y!SECRE", 8}, SECRET_LOWER = {"3y!secre", 8}, SECRET_UPPER = {"3Y!SECRE", 8};
static const struct str SECRET_SEGMENT = {"3y%21SECRE", 10};

static const struct config *config_of(struct arena *arena)
{
    struct problems problems = PROBLEMS_INIT(arena);
    struct config_table *table = arena_new(arena, struct config_table);
    const struct config *config = NULL;
    const struct node *node;
    struct err err = ERR_INIT;
    CHECK(node_from_json(str_from(TABLE), arena, &node, &err) == 0);
    config_table_read(node, arena, table, &problems);
    CHECK(node_from_json(str_from(GIVEN), arena, &node, &err) == 0);
    config_resolve(table, node, "config", NULL, arena, &config, &problems);
    CHECK(problems.count == 0);
    return config;
}

static bool is_one_segment(struct str text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!memchr("-._~%0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", text.data[i], 67)) return false;
    return true;
}

static void render(const struct template *compiled, const struct template_values *values, struct str text,
                   enum template_escape escape, bool refuses_secrets, struct str outside)
{
    struct buf out = BUF_INIT(TEMPLATE_MAX_BYTES);
    struct err err = ERR_INIT;
    bool has_secret = false;
    struct str literal;
    int rc = template_render(compiled, values, escape, &out, &has_secret, &err);
    CHECK(rc >= RENDERED_TEXT ? rc <= RENDERED_NOTHING : rc == ERR_CONFIG && err.message[0]);
    if (template_is_literal(compiled, &literal)) CHECK(rc == RENDERED_TEXT && str_equal(buf_str(&out), literal) && !has_secret);
    if (!fuzz_contains(text, STR("{{"))) CHECK(rc == RENDERED_TEXT && str_equal(buf_str(&out), text));
    if (refuses_secrets) CHECK(!has_secret);
    bool shows_secret = fuzz_contains(buf_str(&out), SECRET_PART) || fuzz_contains(buf_str(&out), SECRET_SEGMENT);
    if (shows_secret && !fuzz_contains(outside, STR("SECRE"))) CHECK(has_secret);
    if (rc < 0)
        CHECK(!strstr(err.message, SECRET_PART.data) && !strstr(err.message, SECRET_LOWER.data) &&
              !strstr(err.message, SECRET_UPPER.data));
    bool is_lone = str_starts(text, STR("{{")) && str_ends(text, STR("}}")) &&
                   memmem(text.data, text.size, "}}", 2) == text.data + text.size - 2;
    if (is_lone && escape == ESCAPE_SEGMENT && rc >= 0 && !template_is_literal(compiled, &literal))
        CHECK(is_one_segment(buf_str(&out)));
    buf_release(&out);
}

void fuzz(struct str input)
{
    struct arena arena = ARENA_INIT(64 << 20);
    struct str outside = input, text = fuzz_line(&input);
    const struct config *config = config_of(&arena);
    char *record = fuzz_padded(input, JSONSCAN_PADDING);
    const struct template_values values = {
        .config = config,
        .cursor_from = STR("2024-01-15T10:00:00Z"),
        .cursor_until = STR("2024-01-16T00:00:00.5Z"),
        .slice_id = STR("all"),
        .page_number = STR("7"),
        .page_size = STR("100"),
        .record = {record, input.size},
        .now_us = 1709210096000000,
    };
    for (int refuses = 0; refuses < 2; refuses++) {
        struct problems problems = PROBLEMS_INIT(&arena);
        struct template_scope scope = {.config = config->table, .roots = 127, .refuse_secrets = refuses};
        const struct template *compiled = template_compile(text, NULL, "here", &scope, &arena, &problems);
        CHECK((compiled == NULL) == (problems.count > 0));
        if (!compiled) continue;
        render(compiled, &values, text, ESCAPE_NONE, refuses, outside);
        render(compiled, &values, text, ESCAPE_SEGMENT, refuses, outside);
    }
    free(record);
    arena_release(&arena);
}
