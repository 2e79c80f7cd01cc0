/* Describing and calling through the real worker: what a script gives comes out exactly, what it does wrong is named. */
#include "unit.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "connector/connector.h"
#include "os/cancel.h"
#include "os/fs.h"
#include "os/process.h"
#include "os/secret.h"
#include "os/thread.h"
#include "wire/wire.h"
#include "worker_path.h"

struct fixture {
    struct arena arena;
    struct connector_options options;
    struct connector_file files[4];
    struct connector_sources sources;
    struct functions functions;
    struct err err;
};

static const char *const SECRET_NAMES[] = {"api_key"};

static void set_up(struct fixture *f, const char *source)
{
    *f = (struct fixture){.arena = ARENA_INIT(0)};
    f->options = (struct connector_options){
        .limits = {.load_cpu_ms = 500, .call_cpu_ms = 5000, .wall_ms = 30000, .memory_bytes = 32 << 20},
        .now_us = 1700000000000000LL,
        .worker_path = worker_path(&f->arena),
        .secrets = secrets_new(),
        .secret_names = SECRET_NAMES,
        .secret_count = 1,
    };
    secrets_add(f->options.secrets, "config.api_key", STR("Jefe"));
    secrets_add(f->options.secrets, "config.other", STR("not for this connector"));
    f->files[0] = (struct connector_file){STR("init.lua"), str_from(source)};
    f->sources = (struct connector_sources){.name = "shop", .files = f->files, .count = 1};
    connector_functions_new(&f->sources, &f->options, &f->functions);
}

static void tear_down(struct fixture *f)
{
    connector_functions_free(&f->functions);
    secrets_free(f->options.secrets);
    arena_release(&f->arena);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static const char CONTEXT[] =
    "{\"config\":{\"base_url\":\"http://x\",\"size\":9007199254740993},\"now\":\"2023-11-14T22:13:20Z\","
    "\"secrets\":[\"api_key\"]}";

/* Text followed by the bytes that readers of JSON may look at. */
static struct str padded(struct fixture *f, const char *text)
{
    size_t size = strlen(text);
    char *copy = arena_alloc(&f->arena, size + 64);
    memcpy(copy, text, size);
    return (struct str){copy, size};
}

static int value(struct fixture *f, const char *name, const char *page, struct str *result)
{
    f->err = ERR_INIT;
    return f->functions.value(f->functions.context, name, padded(f, CONTEXT), padded(f, page), &f->arena, result, &f->err);
}

static int records(struct fixture *f, const char *records_name, const char *map_name, const char *path, const char *page,
                   struct str *result)
{
    f->err = ERR_INIT;
    return f->functions.records(f->functions.context, records_name, map_name, path, padded(f, CONTEXT), padded(f, page),
                                &f->arena, result, &f->err);
}

#define assert_result(f, rc, result, expected)                                                                                 \
    do {                                                                                                                       \
        if ((rc) != 0) fail_msg("%s", (f).err.message);                                                                        \
        assert_string_equal((result).data, (expected));                                                                        \
    } while (0)

#define assert_error(f, rc, text) assert_class(f, rc, ERR_CONNECTOR, text)
#define assert_class(f, rc, class, text)                                                                                       \
    do {                                                                                                                       \
        assert_int_equal((rc), (class));                                                                                       \
        if (!strstr((f).err.message, (text))) fail_msg("expected '%s' in: %s", (text), (f).err.message);                       \
    } while (0)

/* --- describing ---------------------------------------------------------------------------------------------------------- */

static void test_a_description_is_sorted_and_the_same_in_every_run(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, "local function twice(r) return r, r end\n"
               "return sluice.connector { name = 'shop', version = '1.10', streams = { orders = { map = twice, fields = {},\n"
               "  primary_key = { 'id', 'at' }, size = 1000, ratio = 0.5, tags = sluice.array(), path = function() return '/' "
               "end } },\n"
               "  http = { auth = sluice.select('mode', { key = { kind = 'bearer' }, none = { kind = 'none' } }) },\n"
               "  params = { ['$filter'] = 'x' }, odd = { sluice.null, true } }");
    struct str first, again;
    assert_result(
        f, connector_describe_sources(&f.sources, &f.options, &f.arena, &first, &f.err), first,
        "{\"http\":{\"auth\":{\"$select\":\"mode\",\"cases\":{\"key\":{\"kind\":\"bearer\"},\"none\":{\"kind\":\"none\"}}}},"
        "\"name\":\"shop\",\"odd\":[null,true],\"params\":{\"$filter\":\"x\"},\"streams\":{\"orders\":{\"fields\":{},"
        "\"map\":{\"$function\":\"streams.orders.map\"},\"path\":{\"$function\":\"streams.orders.path\"},"
        "\"primary_key\":[\"id\",\"at\"],\"ratio\":0.5,\"size\":1000,\"tags\":[]}},\"version\":\"1.10\"}");
    assert_int_equal(connector_describe_sources(&f.sources, &f.options, &f.arena, &again, &f.err), 0);
    assert_true(str_equal(first, again));
    tear_down(&f);
}

static void test_a_mistake_is_named_with_file_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *source, *message;
        int class;
    } MISTAKES[] = {
        {"local x = \nreturn sluice.connector { name = }", "connector 'shop': init.lua:2: unexpected symbol", ERR_CONFIG},
        {"\n\nlocal t = nil\nreturn t.field", "init.lua:4: attempt to index a nil value (local 't')", ERR_CONNECTOR},
        {"\nsluice.conector {}", "init.lua:2: attempt to call a nil value (field 'conector')", ERR_CONNECTOR},
        {"require 'missing'", "init.lua:1: no module 'missing'", ERR_CONNECTOR},
        {"error { code = 1 }", "table", ERR_CONNECTOR},
    };
    for (size_t i = 0; i < ARRAY_SIZE(MISTAKES); i++) {
        struct fixture f;
        struct str json;
        set_up(&f, MISTAKES[i].source);
        assert_class(f, connector_describe_sources(&f.sources, &f.options, &f.arena, &json, &f.err), MISTAKES[i].class,
                     MISTAKES[i].message);
        tear_down(&f);
    }
}

static void test_require_finds_the_connectors_own_files_once(void **state)
{
    (void)state;
    struct fixture f;
    struct str json;
    set_up(&f, "local a, b = require 'lib.parse', require 'other'\nassert(a == require 'lib.parse')\n"
               "return sluice.connector { name = a.name .. b }");
    f.files[1] = (struct connector_file){STR("lib/parse.lua"), STR("count = (count or 0) + 1 return { name = 'n' .. count }")};
    f.files[2] = (struct connector_file){STR("other/init.lua"), STR("return 'x'")};
    f.sources.count = 3;
    assert_result(f, connector_describe_sources(&f.sources, &f.options, &f.arena, &json, &f.err), json, "{\"name\":\"n1x\"}");
    f.files[2].bytes = STR("return require 'other'");
    assert_error(f, connector_describe_sources(&f.sources, &f.options, &f.arena, &json, &f.err), "requires itself");
    f.files[2].bytes = STR("\n\nsyntax error");
    assert_class(f, connector_describe_sources(&f.sources, &f.options, &f.arena, &json, &f.err), ERR_CONFIG,
                 "other/init.lua:3:");
    tear_down(&f);
}

static void test_the_starter_for_new_connectors_describes(void **state)
{
    (void)state;
    struct fixture f;
    struct str json;
    const struct connector *starter;
    set_up(&f, "");
    const char *tests = fs_folder_of(&f.arena, fs_folder_of(&f.arena, __FILE__));
    struct connector_path path = {.base = fs_join(&f.arena, tests, "../sdk/template")};
    if (connector_find(&path, "./lua", &f.arena, &starter, &f.err) != 0) fail_msg("%s", f.err.message);
    if (connector_describe(starter, &f.options, &f.arena, &json, &f.err) != 0) fail_msg("%s", f.err.message);
    assert_non_null(strstr(json.data, "\"name\":\"myapi\""));
    tear_down(&f);
}

/* --- values -------------------------------------------------------------------------------------------------------------- */

static const char VALUES[] =
    "return sluice.connector { s = {\n"
    "  path = function(ctx) return '/size/' .. ctx.config.size .. ctx.now end,\n"
    "  params = function(ctx) return { z = 1, a = ctx.config.size, ['$top'] = 5, list = { 1.5, false } } end,\n"
    "  header = function(ctx) return 'Bearer ' .. ctx.config.api_key .. '!' end,\n"
    "  shown = function(ctx) return tostring(ctx.config.api_key) .. ('%s'):format(ctx.config.api_key) end,\n"
    "  compared = function(ctx) return ctx.config.api_key == ctx.config.api_key .. '' end,\n"
    "  measured = function(ctx) return #ctx.config.api_key end,\n"
    "  indexed = function(ctx) return ctx.config.api_key:sub(1, 1) end,\n"
    "  signed = function(ctx) return sluice.crypto.hmac('sha256', ctx.config.api_key, 'what do ya want ' .. 'for nothing?') "
    "end,\n"
    "  leaked = function(ctx) return sluice.crypto.base64(ctx.config.api_key) end,\n"
    "  nothing = function() end,\n"
    "  looping = function() while true do end end,\n"
    "  failing = function() local t = nil\n return t.x end,\n"
    "  pages = { next = function(ctx, page) local j = page:json() return j.next and { cursor = j.next, seen = #page.body } end "
    "},\n"
    "  errors = function(response, ctx) return { status = response.status, has = ctx.config.size } end,\n"
    "} }";

static void test_values_come_out_exactly(void **state)
{
    (void)state;
    struct fixture f;
    struct str result;
    set_up(&f, VALUES);
    assert_result(f, value(&f, "s.path", "", &result), result, "\"/size/90071992547409932023-11-14T22:13:20Z\"");
    assert_result(f, value(&f, "s.params", "", &result), result,
                  "{\"$$top\":5,\"a\":9007199254740993,\"list\":[1.5,false],\"z\":1}");
    assert_result(f, value(&f, "s.nothing", "", &result), result, "null");
    assert_result(f, value(&f, "s.pages.next", "{\"next\": 12345678901234567890}", &result), result,
                  "{\"cursor\":12345678901234567890,\"seen\":30}");
    assert_result(f, value(&f, "s.pages.next", "{\"next\": null}", &result), result, "null");
    assert_result(f, value(&f, "s.errors", "{}", &result), result, "{\"has\":9007199254740993}");
    tear_down(&f);
}

static void test_a_script_error_leaves_the_worker_running(void **state)
{
    (void)state;
    struct fixture f;
    struct str result;
    set_up(&f, VALUES);
    assert_error(f, value(&f, "s.failing", "", &result),
                 "connector 'shop': s.failing: init.lua:14: attempt to index a nil value");
    assert_error(f, value(&f, "s.pages.next", "<html>", &result), "s.pages.next: init.lua:15: the page is not JSON");
    assert_error(f, value(&f, "s.unknown", "", &result), "there is no function 's.unknown'");
    assert_result(f, value(&f, "s.nothing", "", &result), result, "null");
    tear_down(&f);
}

static void test_a_passed_limit_ends_the_worker(void **state)
{
    (void)state;
    struct fixture f;
    struct str result;
    set_up(&f, VALUES);
    f.options.limits.call_cpu_ms = 100;
    assert_error(f, value(&f, "s.looping", "", &result), "time limit");
    assert_non_null(strstr(f.err.message, "s.looping: init.lua:12"));
    assert_error(f, value(&f, "s.nothing", "", &result), "its worker has ended");
    tear_down(&f);
}

static void test_a_secret_can_be_used_but_not_read(void **state)
{
    (void)state;
    struct fixture f;
    struct str result;
    set_up(&f, VALUES);
    assert_result(f, value(&f, "s.header", "", &result), result, "{\"$parts\":[\"Bearer \",{\"$secret\":\"api_key\"},\"!\"]}");
    assert_result(f, value(&f, "s.shown", "", &result), result, "\"******\"");
    assert_error(f, value(&f, "s.compared", "", &result), "not read, measured or compared");
    assert_error(f, value(&f, "s.measured", "", &result), "not read, measured or compared");
    assert_error(f, value(&f, "s.indexed", "", &result), "not read, measured or compared");
    assert_error(f, value(&f, "s.leaked", "", &result), "base64 of a secret would show it");
    /* RFC 4231, test case 2 */
    assert_result(f, value(&f, "s.signed", "", &result), result,
                  "\"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843\"");
    f.options.secret_count = 0; /* as if the handle named a secret of somebody else */
    assert_error(f, value(&f, "s.signed", "", &result), "no such secret");
    tear_down(&f);
}

/* --- two threads --------------------------------------------------------------------------------------------------------- */

enum { CALLS = 200 };

/* One of the two threads of a slice, with memory of its own. */
struct caller {
    struct fixture *f;
    pthread_barrier_t *together;
    bool wants_records;
    int right; /* calls whose result was the caller's own */
    struct err err;
};

static void call_many(void *context)
{
    struct caller *caller = context;
    struct functions *functions = &caller->f->functions;
    struct str context_json = STR("{\"config\":{}}"), out;
    pthread_barrier_wait(caller->together); /* the first call starts the worker: there, too, only one may win */
    for (int i = 0; i < CALLS && caller->err.class == 0; i++) {
        struct arena arena = ARENA_INIT(0);
        char *page = arena_alloc(&arena, 256);
        size_t size = (size_t)snprintf(page, 128, caller->wants_records ? "[{\"n\":%d}]" : "%d", i);
        const char *expected =
            caller->wants_records ? arena_printf(&arena, "{\"n\":%d}\n", i) : arena_printf(&arena, "\"<%d>\"", i);
        int rc = caller->wants_records ? functions->records(functions->context, NULL, "s.same", "$", context_json,
                                                            (struct str){page, size}, &arena, &out, &caller->err)
                                       : functions->value(functions->context, "s.pages.next", context_json,
                                                          (struct str){page, size}, &arena, &out, &caller->err);
        if (rc == 0 && strcmp(out.data, expected) == 0) caller->right++;
        arena_release(&arena);
    }
}

static void test_two_threads_may_call_at_once(void **state)
{
    (void)state;
    struct fixture f;
    struct thread threads[2] = {{0}};
    pthread_barrier_t together;
    set_up(&f, "return sluice.connector { name = 'x', s = { same = function(r) return r end,\n"
               "  pages = { next = function(ctx, page) return '<' .. page.body .. '>' end } } }");
    pthread_barrier_init(&together, NULL, ARRAY_SIZE(threads));
    struct caller callers[] = {{.f = &f, .together = &together}, {.f = &f, .together = &together, .wants_records = true}};
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(thread_start(&threads[i], "caller", call_many, &callers[i], 0, &f.err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) thread_join(&threads[i]);
    pthread_barrier_destroy(&together);
    for (size_t i = 0; i < ARRAY_SIZE(callers); i++) {
        assert_string_equal(callers[i].err.message, "");
        assert_int_equal(callers[i].right, CALLS);
    }
    tear_down(&f);
}

/* --- records ------------------------------------------------------------------------------------------------------------- */

static const char RECORDS[] =
    "local kept\n"
    "return sluice.connector { s = {\n"
    "  same = function(record) return record end,\n"
    "  none = function() end,\n"
    "  twice = function(record) return record, { id = record.id, copy = true } end,\n"
    "  list = function(record) return { { n = 1 }, { n = 2 } } end,\n"
    "  empty = function(record) return {} end,\n"
    "  nested = function(record) return { city = record.address.city, rest = record.address, first = record.tags[1] } end,\n"
    "  secret = function(record, ctx) record.key = ctx.config.api_key return record end,\n"
    "  wrong = function(record) return 'text' end,\n"
    "  broken = function(record) return { n = record.n.x.y } end,\n"
    "  cycle = function(record) record.self = { record } return record end,\n"
    "  array = function(record) return { id = record[1], name = record[2] } end,\n"
    "  parse = function(page, ctx) local out = {} for id, n in page.body:gmatch('(%w+)=(%d+)') do\n"
    "    out[#out + 1] = { id = id, n = math.tointeger(n) } end return out end,\n"
    "  items = function(page) return page:json().items end,\n"
    "  keep = function(page) kept = kept or page return { { body = kept.body } } end,\n"
    "  huge = function(page) local out = {} for i = 1, 100 do out[i] = { t = ('x'):rep(200000) } end return out end,\n"
    "  exploding = function(record) local t = { ('x'):rep(100) } for _ = 1, 60 do t = { t, t } end return { t = t } end,\n"
    "} }";

static void test_records_go_through_map_without_changing(void **state)
{
    (void)state;
    struct fixture f;
    struct str out;
    set_up(&f, RECORDS);
    assert_result(
        f,
        records(&f, NULL, "s.same", "orders",
                "{\"orders\":[{\"id\":9007199254740993,\"big\":12345678901234567890,\"price\":19.99,\"long\":0."
                "12345678901234567890123,"
                "\"t\":\"a\\u00e9\\\"\\n\",\"none\":null,\"nest\":{\"z\":1.50,\n\"a\":[null, 1e400]},\"flag\":true,\"e\":[]}]}",
                &out),
        out,
        "{\"big\":12345678901234567890,\"e\":[],\"flag\":true,\"id\":9007199254740993,\"long\":0.12345678901234567890123,"
        "\"nest\":{\"z\":1.50, \"a\":[null, 1e400]},\"price\":19.99,\"t\":\"a\xc3\xa9\\\"\\n\"}\n");
    assert_result(f, records(&f, NULL, "s.none", "$", "[{\"id\":1},{\"id\":2}]", &out), out, "");
    assert_result(f, records(&f, NULL, "s.twice", "$", "[{\"id\":1}]", &out), out, "{\"id\":1}\n{\"copy\":true,\"id\":1}\n");
    assert_result(f, records(&f, NULL, "s.list", "$", "{\"id\":1}", &out), out, "{\"n\":1}\n{\"n\":2}\n");
    assert_result(f, records(&f, NULL, "s.empty", "$", "[{\"id\":1}]", &out), out, "");
    assert_result(f, records(&f, NULL, "s.array", "rows", "{\"rows\":[[1,\"x\"],[2,\"y\"]]}", &out), out,
                  "{\"id\":1,\"name\":\"x\"}\n{\"id\":2,\"name\":\"y\"}\n");
    assert_result(
        f, records(&f, NULL, "s.nested", "$", "[{\"address\":{\"city\":\"Oslo\",\"n\":1},\"tags\":[\"a\",\"b\"]}]", &out), out,
        "{\"city\":\"Oslo\",\"first\":\"a\",\"rest\":{\"city\":\"Oslo\",\"n\":1}}\n");
    tear_down(&f);
}

static void test_records_are_found_at_their_path(void **state)
{
    (void)state;
    static const struct {
        const char *path, *page, *expected;
    } CASES[] = {
        {"data.items", "{\"data\":{\"x\":1,\"items\":[{\"a\":1}]},\"y\":[2]}", "{\"a\":1}\n"},
        {"data.*.items", "{\"data\":[{\"items\":[{\"a\":1}]},{\"items\":[{\"a\":2}]}]}", "{\"a\":1}\n{\"a\":2}\n"},
        {"*", "{\"x\":{\"a\":1},\"y\":{\"a\":2}}", "{\"a\":1}\n{\"a\":2}\n"},
        {"items.1", "{\"items\":[{\"a\":1},{\"a\":2}]}", "{\"a\":2}\n"},
        {"$.items", "{\"items\":[]}", ""},
        {"", "{\"a\":1}", "{\"a\":1}\n"},
        {"items", "{\"items\":null}", ""},
        {"items", "{\"other\":[]}", ""},
        {"a.b", "{\"a.b\":[{\"a\":1}]}", "{\"a\":1}\n"},
    };
    struct fixture f;
    struct str out;
    set_up(&f, RECORDS);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
        assert_result(f, records(&f, NULL, "s.same", CASES[i].path, CASES[i].page, &out), out, CASES[i].expected);
    assert_error(f, records(&f, NULL, "s.same", "a.b", "{\"a\":{\"b\":5}}", &out),
                 "cannot take records from 'a.b': there is a number at 'a.b'");
    assert_result(f, records(&f, NULL, "s.same", "\xc3\xa9", "{\"\\u00e9\":{\"a\":1}}", &out), out, "{\"a\":1}\n");
    assert_error(f, records(&f, NULL, "s.same", "a", "{\"a\":[{]}", &out), "the page is not JSON");
    assert_error(f, records(&f, NULL, "s.same", "a", "{\"a\":[]} x", &out), "the page is not JSON");
    tear_down(&f);
}

static void test_a_records_function_parses_any_body(void **state)
{
    (void)state;
    struct fixture f;
    struct str out;
    set_up(&f, RECORDS);
    assert_result(f, records(&f, "s.parse", NULL, "", "a=1;b=22", &out), out,
                  "{\"id\":\"a\",\"n\":1}\n{\"id\":\"b\",\"n\":22}\n");
    assert_result(f, records(&f, "s.parse", "s.twice", "", "a=1", &out), out,
                  "{\"id\":\"a\",\"n\":1}\n{\"copy\":true,\"id\":\"a\"}\n");
    assert_result(f, records(&f, "s.items", NULL, "", "{\"items\":[{\"b\":1, \"a\":2}]}", &out), out, "{\"b\":1, \"a\":2}\n");
    assert_result(f, records(&f, "s.keep", NULL, "", "first", &out), out, "{\"body\":\"first\"}\n");
    assert_error(f, records(&f, "s.keep", NULL, "", "second", &out), "this page belongs to an earlier call");
    tear_down(&f);
}

static void test_what_is_no_record_is_named(void **state)
{
    (void)state;
    struct fixture f;
    struct str out;
    set_up(&f, RECORDS);
    assert_error(f, records(&f, NULL, "s.wrong", "$", "[{}]", &out),
                 "s.wrong: record 1 of the page: map must return records, not a string");
    assert_error(f, records(&f, NULL, "s.broken", "$", "[{\"n\":{\"x\":{}}},{\"n\":{}}]", &out),
                 "record 2 of the page: init.lua:11:");
    assert_error(f, records(&f, NULL, "s.cycle", "$", "[{}]", &out), "a record at self.0: a table that holds itself");
    assert_error(f, records(&f, NULL, "s.secret", "$", "[{}]", &out), "a record at key: a secret");
    assert_error(f, records(&f, "s.huge", NULL, "", "", &out), "more than 16 MiB");
    assert_error(f, records(&f, NULL, "s.exploding", "$", "[{}]", &out), "too large");
    tear_down(&f);
}

/* --- ends ---------------------------------------------------------------------------------------------------------------- */

static void test_an_aborted_sync_ends_the_call(void **state)
{
    (void)state;
    struct fixture f;
    struct str result;
    set_up(&f, VALUES);
    assert_int_equal(value(&f, "s.nothing", "", &result), 0);
    struct cancel *cancel = cancel_new(NULL);
    f.options.cancel = cancel;
    cancel_fire(cancel, CANCEL_ABORT);
    assert_int_equal(value(&f, "s.nothing", "", &result), ERR_CANCELLED);
    tear_down(&f);
    cancel_free(cancel);
}

/* A program that is no worker: it ends at once, says nothing, says something else, or is not there. */
static void test_a_worker_that_is_none_is_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *script, *message;
    } IMPOSTORS[] = {
        {"#!/bin/sh\nexit 9\n", "its worker ended with exit code 9"},
        {"#!/bin/sh\nkill -SEGV $$\n", "its worker ended with signal 11"},
        {"#!/bin/sh\nexec /bin/sleep 600\n", "no answer from its worker within 300 ms"},
        {"#!/bin/sh\nprintf 'HTTP/1.1 400 no' >&3\nexec /bin/sleep 600\n", "its worker broke the protocol"},
        {"#!/bin/sh\nprintf '\\011\\0\\0\\0\\005\\001\\0\\0\\0\\0\\0\\0\\0' >&3\nexec /bin/sleep 600\n",
         "a 'result' frame out of turn"},
    };
    struct fixture f;
    struct str json;
    char *folder;
    set_up(&f, VALUES);
    assert_int_equal(fs_make_temp_folder(&f.arena, &folder, &f.err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(IMPOSTORS); i++) {
        f.options.worker_path = arena_printf(&f.arena, "%s/impostor%zu", folder, i);
        assert_int_equal(fs_write_file(f.options.worker_path, 0700, str_from(IMPOSTORS[i].script), &f.err), 0);
        f.options.limits.wall_ms = strstr(IMPOSTORS[i].message, "300 ms") ? 300 : 30000;
        assert_error(f, connector_describe_sources(&f.sources, &f.options, &f.arena, &json, &f.err), IMPOSTORS[i].message);
    }
    f.options.worker_path = "/nowhere/sluice-worker";
    assert_int_equal(connector_describe_sources(&f.sources, &f.options, &f.arena, &json, &f.err), ERR_CONFIG);
    const char *name = arena_text(&f.arena, fs_base_name(folder));
    assert_int_equal(fs_remove_tree(fs_folder_of(&f.arena, folder), name, &f.err), 0);
    tear_down(&f);
}

/* The one child of this process, whichever of its threads started it. */
static pid_t only_child(void)
{
    char path[64], line[64];
    long pid = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *task; (task = readdir(tasks)) && pid == 0;) {
        snprintf(path, sizeof path, "/proc/self/task/%.20s/children", task->d_name);
        FILE *children = fopen(path, "r");
        if (children && fgets(line, sizeof line, children)) pid = strtol(line, NULL, 10);
        if (children) fclose(children);
    }
    closedir(tasks);
    return (pid_t)pid;
}

/* It uses no CPU time, so only the clock on the wall can tell. */
static void test_a_worker_that_is_stopped_is_ended(void **state)
{
    (void)state;
    struct fixture f;
    struct str result;
    set_up(&f, VALUES);
    f.options.limits.wall_ms = 3000;
    assert_int_equal(value(&f, "s.nothing", "", &result), 0);
    pid_t worker = only_child();
    assert_true(worker > 0);
    assert_int_equal(kill(worker, SIGSTOP), 0);
    assert_error(f, value(&f, "s.nothing", "", &result), "no answer from its worker within 3000 ms");
    assert_int_equal(kill(worker, 0), -1);
    assert_error(f, value(&f, "s.nothing", "", &result), "its worker has ended");
    tear_down(&f);
}

/* A worker in an endless loop, by hand: when the last descriptor of the host's end closes, it is gone long before its deadline.
 */
static void test_the_worker_ends_with_its_host(void **state)
{
    (void)state;
    struct fixture f;
    struct process *process;
    struct process_end end;
    int pair[2];
    set_up(&f, "");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    const char *argv[] = {f.options.worker_path, NULL};
    struct process_fd fds[] = {{pair[1], 3}};
    struct process_spec spec = {.program = f.options.worker_path, .argv = argv, .fds = fds, .fd_count = 1};
    assert_int_equal(process_start(&spec, &process, &f.err), 0);
    close(pair[1]);
    enum { HOUR_MS = 3600 * 1000 };
    struct wire_load load = {.load_cpu_ms = HOUR_MS, .call_cpu_ms = HOUR_MS, .memory_bytes = 64 << 20, .file_count = 1};
    load.files[0] = (struct wire_file){STR("init.lua"), STR("print('looping') while true do end")};
    struct buf out = BUF_INIT(1000);
    wire_write_load(&out, 1, &load);
    assert_int_equal(write(pair[0], out.data, out.size), (ssize_t)out.size);
    char frame[64];
    assert_true(read(pair[0], frame, sizeof frame) > 9); /* it is in its loop now */
    close(pair[0]);
    assert_true(process_wait(process, 20000, NULL, &end));
    assert_false(end.by_signal);
    process_free(process);
    buf_release(&out);
    tear_down(&f);
}

static void test_the_walls_are_up(void **state)
{
    (void)state;
    struct fixture f;
    struct str json;
    set_up(&f, "");
    assert_int_equal(connector_walls(f.options.worker_path, &f.arena, &json, &f.err), 0);
    static const char *const PARTS[] = {"{\"descriptors\":\"up", "\"hangup\":\"up", "\"limits\":\"up", "\"dumpable\":\"up",
                                        "\"no_new_privs\":\"up", "\"landlock\":\"", "\"seccomp\":\"up"};
    for (size_t i = 0; i < ARRAY_SIZE(PARTS); i++)
        if (!strstr(json.data, PARTS[i])) fail_msg("no %s in %s", PARTS[i], json.data);
    tear_down(&f);
}

UNIT_TESTS(cmocka_unit_test(test_a_description_is_sorted_and_the_same_in_every_run),
           cmocka_unit_test(test_a_mistake_is_named_with_file_and_line),
           cmocka_unit_test(test_require_finds_the_connectors_own_files_once),
           cmocka_unit_test(test_the_starter_for_new_connectors_describes), cmocka_unit_test(test_values_come_out_exactly),
           cmocka_unit_test(test_a_script_error_leaves_the_worker_running),
           cmocka_unit_test(test_a_passed_limit_ends_the_worker), cmocka_unit_test(test_a_secret_can_be_used_but_not_read),
           cmocka_unit_test(test_two_threads_may_call_at_once), cmocka_unit_test(test_records_go_through_map_without_changing),
           cmocka_unit_test(test_records_are_found_at_their_path), cmocka_unit_test(test_a_records_function_parses_any_body),
           cmocka_unit_test(test_what_is_no_record_is_named), cmocka_unit_test(test_an_aborted_sync_ends_the_call),
           cmocka_unit_test(test_a_worker_that_is_none_is_an_error), cmocka_unit_test(test_a_worker_that_is_stopped_is_ended),
           cmocka_unit_test(test_the_worker_ends_with_its_host), cmocka_unit_test(test_the_walls_are_up))
