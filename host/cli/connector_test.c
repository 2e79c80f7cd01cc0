/* connector_test: finds connectors and their cases, runs them one after the other (each takes milliseconds), says what
 * differs. A connector NAME has its cases in its folder's cases, as NAME.yaml files, a lone NAME.lua or NAME.so beside it in
 * NAME.cases/.
 */
#include "cli/connector_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/case.h"
#include "cli/print.h"
#include "connector/connector.h"
#include "os/fs.h"
#include "os/log.h"

enum { CASES_MAX = 10000, CONNECTOR_BUG = 7, BAD_CASE = 2 };

struct testing {
    const struct arguments *arguments;
    struct arena arena;
    struct log *log;
    const char *asked;     /* the connector as the user named it; NULL: all there are */
    const char *only_case; /* NULL: all */
    const char *record;    /* the pipeline to record it from; NULL: none */
    bool as_json, updates;
    size_t passed, failed, broken, updated;
};

static const char *cases_folder(const struct connector *connector, struct arena *arena)
{
    if (connector->is_folder) return fs_join(arena, connector->path, "cases");
    size_t size = strlen(connector->path), ending = strlen(connector->is_native ? ".so" : ".lua");
    return arena_printf(arena, "%.*s.cases", (int)(size - ending), connector->path);
}

static void print_json(const char *connector, const char *name, const char *status, const struct case_result *result)
{
    struct buf line = BUF_INIT(64 * 1024 * 1024);
    struct json_writer json = JSON_WRITER(&line);
    json_open(&json, '{');
    json_member(&json, "connector"), json_cstr(&json, connector);
    json_member(&json, "case"), json_cstr(&json, name);
    json_member(&json, "status"), json_cstr(&json, status);
    if (result) json_member(&json, "report"), json_cstr(&json, buf_text(&result->report));
    json_close(&json, '}');
    printf("%s\n", buf_text(&line));
    buf_release(&line);
}

static void print_result(struct testing *testing, const struct connector *connector, const struct case_file *file,
                         const struct case_result *result)
{
    bool ok = result->failures == 0;
    if (testing->as_json) {
        print_json(connector->name, file->name, ok ? "ok" : "failed", result);
        return;
    }
    printf("%-7s %s/%s  (%zu sync%s, %zu request%s)\n", ok ? "ok" : "FAILED", connector->name, file->name, result->sync_count,
           result->sync_count == 1 ? "" : "s", result->requests, result->requests == 1 ? "" : "s");
    if (ok) return;
    fputs(buf_text(&result->report), stdout);
    printf("  rerun: sluice connector test %s %s\n", testing->asked ? testing->asked : connector->name, file->name);
}

static int update_file(struct testing *testing, const struct case_file *file, const struct case_result *result)
{
    struct buf text = BUF_INIT(2 * CASE_MAX_BYTES);
    struct err err = ERR_INIT;
    if (!case_update(file, result, &text)) {
        err_set(&err, ERR_CONFIG, "cannot update '%s': several keys of a sync stand in one line", file->path);
        err_hint(&err, "give each key a line of its own");
        return print_failure(NULL, &err, NULL);
    }
    int rc = str_equal(buf_str(&text), file->text) ? 0 : fs_write_file(file->path, 0644, buf_str(&text), &err);
    buf_release(&text);
    testing->updated += rc == 0;
    return rc == 0 ? 0 : print_failure(NULL, &err, NULL);
}

static void run_case(struct testing *testing, const struct connector *connector, const char *path)
{
    struct arena arena = ARENA_INIT(0);
    struct problems problems = PROBLEMS_INIT(&arena);
    struct case_file file;
    struct case_result result = {0};
    case_read(path, &arena, &file, &problems);
    if (problems.count == 0) case_run(&file, connector->path, testing->log, &arena, &result, &problems);
    if (problems.count) {
        testing->broken++;
        print_problems(&problems, NULL);
        if (testing->as_json) print_json(connector->name, file.name, "broken", NULL);
    } else if (testing->updates && !result.has_other_requests) {
        testing->broken += update_file(testing, &file, &result) != 0;
    } else {
        print_result(testing, connector, &file, &result);
        if (result.failures)
            testing->failed++;
        else
            testing->passed++;
    }
    buf_release(&result.report);
    arena_release(&arena);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct fs_entry *)a)->name, ((const struct fs_entry *)b)->name);
}

static int run_connector(struct testing *testing, const struct connector *connector)
{
    struct err err = ERR_INIT;
    struct fs_entry *entries;
    size_t count, before = testing->passed + testing->failed + testing->broken + testing->updated;
    const char *folder = cases_folder(connector, &testing->arena);
    if (testing->record) {
        const char *path = arena_printf(&testing->arena, "%s/%s.yaml", folder, testing->only_case);
        int code = case_record(testing->arguments, connector->path, path);
        if (code) return code;
    }
    if (fs_kind(folder) == FS_MISSING)
        count = 0;
    else if (fs_list(folder, CASES_MAX, &testing->arena, &entries, &count, &err) != 0)
        return print_failure(NULL, &err, NULL);
    if (count) qsort(entries, count, sizeof *entries, by_name);
    for (size_t i = 0; i < count; i++) {
        struct str name = str_from(entries[i].name);
        if (!str_ends(name, STR(".yaml"))) continue;
        name.size -= strlen(".yaml");
        if (testing->only_case && !str_equal(name, str_from(testing->only_case))) continue;
        run_case(testing, connector, fs_join(&testing->arena, folder, entries[i].name));
    }
    if (!testing->asked || before < testing->passed + testing->failed + testing->broken + testing->updated) return 0;
    err_set(&err, ERR_CONFIG, "'%s' has no case%s%s%s in %s", connector->name, testing->only_case ? " '" : "s",
            testing->only_case ? testing->only_case : "", testing->only_case ? "'" : "", folder);
    err_hint(&err, "the SDK's README shows what a case looks like");
    return print_failure(NULL, &err, NULL);
}

int connector_test(const struct arguments *arguments)
{
    struct testing testing = {.arguments = arguments,
                              .as_json = argument_is_set(arguments, "--json"),
                              .updates = argument_is_set(arguments, "--update")};
    struct connector_path path = {0};
    struct err err = ERR_INIT;
    int code = 0;
    testing.asked = arguments->word_count > 1 ? arguments->words[1] : NULL;
    testing.only_case = arguments->word_count > 2 ? arguments->words[2] : NULL;
    testing.record = argument_value(arguments, "--record", NULL);
    if (testing.record && (!testing.only_case || !fs_is_plain_name(str_from(testing.only_case)))) {
        fprintf(stderr, "sluice connector test: --record is for one case: NAME CASE --record PIPELINE\n");
        return 2;
    }
    testing.updates = testing.updates || testing.record;
    testing.log = log_new(2, LOG_TEXT, argument_is_set(arguments, "--verbose") ? LOG_DEBUG : LOG_ERROR, NULL);
    if (testing.asked) {
        const struct connector *connector;
        int rc = connector_find(&path, testing.asked, &testing.arena, &connector, &err);
        code = rc ? print_failure(NULL, &err, NULL) : run_connector(&testing, connector);
    } else {
        const struct connector *found;
        size_t count;
        connector_list(&path, &testing.arena, &found, &count);
        for (size_t i = 0; i < count && code == 0; i++) code = run_connector(&testing, &found[i]);
    }
    size_t all = testing.passed + testing.failed;
    if (code == 0 && testing.updates && !testing.as_json && (!testing.failed || !testing.record))
        printf("%zu case%s updated\n", testing.updated, testing.updated == 1 ? "" : "s");
    else if (code == 0 && !testing.as_json)
        printf("%zu case%s: %zu ok, %zu failed%s\n", all, all == 1 ? "" : "s", testing.passed, testing.failed,
               testing.broken ? ", and some cannot be read" : "");
    log_free(testing.log);
    arena_release(&testing.arena);
    return code ? code : testing.broken ? BAD_CASE : testing.failed ? CONNECTOR_BUG : 0;
}
