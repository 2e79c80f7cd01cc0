/* The scripts of tests/sandbox through the real worker. Each in `hostile` (while it is loaded) and in `hostile_calls` (in a
 * function that a sync calls) says in its first line how it must end; each in `harmless` asserts for itself. After any of them,
 * no process of ours is left. */
#include "unit.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "connector/connector.h"
#include "os/fs.h"
#include "worker_path.h"

enum { NOW = 1700000000 };

enum phase { LOADING, CALLING };

/* A short time for what must end by it; for everything else one that no machine is too slow for. */
enum { SHORT_CPU_MS = 150, LONG_CPU_MS = 20000 };

static struct connector_limits limits(bool ends_by_deadline)
{
    uint32_t cpu_ms = ends_by_deadline ? SHORT_CPU_MS : LONG_CPU_MS;
    return (struct connector_limits){.load_cpu_ms = cpu_ms, .call_cpu_ms = cpu_ms, .wall_ms = 60000, .memory_bytes = 16 << 20};
}

static const char *folder_of_scripts(struct arena *arena, const char *kind)
{
    return fs_join(arena, fs_folder_of(arena, fs_folder_of(arena, __FILE__)), arena_printf(arena, "sandbox/%s", kind));
}

/* How an error ended the script, by the remedy it names. */
static const char *kind_of(const struct err *err)
{
    if (strstr(err->hint, "CPU time")) return "deadline";
    if (strstr(err->hint, "MiB")) return "memory";
    return strstr(err->hint, "correct the connector's code") ? "script" : "none of the three";
}

static bool is_one_of(struct str kinds, const char *kind)
{
    for (struct str part; str_next(&kinds, '|', &part);)
        if (str_equal(part, str_from(kind))) return true;
    return false;
}

static struct str padded(struct arena *arena, const char *text)
{
    size_t size = strlen(text);
    char *copy = arena_alloc(arena, size + 64); /* readers of JSON may look behind its end */
    memcpy(copy, text, size + 1);
    return (struct str){copy, size};
}

/* Calls the function that the description names, map with a page of records or path, as a sync does; then once more, since what
 * one call leaves behind is the next one's. */
static int call(const struct connector_sources *sources, const struct connector_options *options, struct str description,
                struct arena *arena, struct err *err)
{
    struct functions functions;
    struct str context = padded(arena, "{\"config\":{\"base_url\":\"http://x\"}}"), result;
    struct str page = padded(arena, "[{\"id\":1,\"list\":[1]},{\"id\":2},{\"id\":3},{\"id\":4},{\"id\":5}]");
    bool has_map = strstr(arena_text(arena, description), "orders.map");
    int rc = 0;
    connector_functions_new(sources, options, &functions);
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = has_map ? functions.records(functions.context, "", "streams.orders.map", "*", context, page, arena, &result, err)
                     : functions.value(functions.context, "streams.orders.path", context, STR(""), arena, &result, err);
    connector_functions_free(&functions);
    return rc;
}

static int run(const char *path, enum phase phase, struct arena *arena, struct str *source, struct err *err)
{
    struct connector_options options = {.now_us = NOW * 1000000LL, .worker_path = worker_path(arena)};
    struct buf text = BUF_INIT(CONNECTOR_MAX_FILE_BYTES);
    struct str json, line;
    assert_int_equal(fs_read_file(path, CONNECTOR_MAX_FILE_BYTES, &text, err), 0);
    *source = arena_copy(arena, buf_str(&text));
    struct str rest = *source;
    str_next(&rest, '\n', &line);
    options.limits = limits(strstr(arena_text(arena, line), "deadline"));
    buf_release(&text);
    struct connector_file file = {STR("init.lua"), *source};
    struct connector_sources sources = {.name = "hostile", .files = &file, .count = 1};
    int rc = connector_describe_sources(&sources, &options, arena, &json, err);
    if (phase == LOADING) return rc;
    assert_int_equal(rc, 0); /* what is wrong with it comes later */
    return call(&sources, &options, json, arena, err);
}

/* "-- expect: KINDS MESSAGE" */
static bool ends_as_expected(struct str source, const char *name, int rc, const struct err *err)
{
    struct str line, kinds;
    str_next(&source, '\n', &line);
    assert_true(str_starts(line, STR("-- expect: ")));
    line = (struct str){line.data + 11, line.size - 11};
    str_next(&line, ' ', &kinds);
    char message[256];
    snprintf(message, sizeof message, STR_FMT, STR_ARG(line));
    bool fits = rc == ERR_CONNECTOR && is_one_of(kinds, kind_of(err)) && strstr(err->message, message);
    if (!fits)
        print_error("%s: expected " STR_FMT " '%s', got class %d %s: %s (%s)\n", name, STR_ARG(kinds), message, rc,
                    kind_of(err), err->message, err->hint);
    return fits;
}

static void run_folder(const char *kind, enum phase phase, bool is_hostile)
{
    struct arena arena = ARENA_INIT(0);
    struct fs_entry *entries;
    struct err err = ERR_INIT;
    size_t count, wrong = 0;
    const char *folder = folder_of_scripts(&arena, kind);
    assert_int_equal(fs_list(folder, 1000, &arena, &entries, &count, &err), 0);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        struct str source;
        err = ERR_INIT;
        int rc = run(fs_join(&arena, folder, entries[i].name), phase, &arena, &source, &err);
        if (is_hostile)
            wrong += !ends_as_expected(source, entries[i].name, rc, &err);
        else if (rc != 0)
            print_error("%s: %s\n", entries[i].name, err.message), wrong++;
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left, not even a zombie */
    }
    arena_release(&arena);
    assert_int_equal(wrong, 0);
}

static void test_hostile_scripts_end_themselves_and_nothing_else(void **state)
{
    (void)state;
    run_folder("hostile", LOADING, true);
}

static void test_hostile_functions_end_themselves_and_nothing_else(void **state)
{
    (void)state;
    run_folder("hostile_calls", CALLING, true);
}

static void test_what_must_hold_inside_holds(void **state)
{
    (void)state;
    run_folder("harmless", LOADING, false);
}

/* Bytecode is not text, so it is not in the folder: a precompiled chunk, as string.dump makes them. */
static void test_bytecode_is_refused(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    struct connector_options options = {.limits = limits(false), .worker_path = worker_path(&arena)};
    struct connector_file file = {STR("init.lua"), STR("\x1bLuaT\0\x19\x93\r\n\x1a\n\x04\x08\x08")};
    struct connector_sources sources = {.name = "bytecode", .files = &file, .count = 1};
    struct err err = ERR_INIT;
    struct str json;
    assert_int_equal(connector_describe_sources(&sources, &options, &arena, &json, &err), ERR_CONNECTOR);
    assert_non_null(strstr(err.message, "attempt to load a binary chunk"));
    arena_release(&arena);
}

UNIT_TESTS(cmocka_unit_test(test_hostile_scripts_end_themselves_and_nothing_else),
           cmocka_unit_test(test_hostile_functions_end_themselves_and_nothing_else),
           cmocka_unit_test(test_what_must_hold_inside_holds), cmocka_unit_test(test_bytecode_is_refused))
