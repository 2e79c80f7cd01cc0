/* The CSV writer: its dialect, its layout, what waits and what shows, and what stands around it. Everything runs on real files;
 * only the clock is not the system's. */
#include "csv_world.h"

#include "base/json.h"
#include "os/compress.h"
#include "os/crypto.h"
#include "os/inflate.h"
#include "writer/csv/encode.h"

/* --- the dialect ------------------------------------------------------------------------------------------------------ */

#define TEXT(text)                                                                                                             \
    {                                                                                                                          \
        .kind = VALUE_STRING, .size = sizeof(text) - 1, .data = text                                                           \
    }
#define DATA(kind_, text)                                                                                                      \
    {                                                                                                                          \
        .kind = (kind_), .size = sizeof(text) - 1, .data = text                                                                \
    }

static void expect_line(struct value value, enum type type, enum csv_null null_token, const char *expected)
{
    struct csv_buffer line = {0};
    struct csv_notes notes = {0};
    uint8_t types[] = {(uint8_t)type};
    csv_encode_row(&line, &value, 1, 1, types, null_token, STR("|"), &notes);
    csv_append(&line, (struct str){"", 1});
    if (strncmp(line.data, expected, strlen(expected)) != 0 || strcmp(line.data + strlen(expected), "|") != 0)
        fail_msg("got %s expected %s|", line.data, expected);
    csv_buffer_release(&line);
}

static void test_every_value_has_its_spelling(void **state)
{
    (void)state;
    static const struct {
        struct value value;
        enum type type;
        const char *expected;
    } cases[] = {
        {TEXT("plain"), TYPE_STRING, "\"plain\""},
        {TEXT(""), TYPE_STRING, "\"\""},
        {TEXT("\""), TYPE_STRING, "\"\"\"\""},
        {TEXT("say \"hi\", she said\nand left"), TYPE_STRING, "\"say \"\"hi\"\", she said\nand left\""},
        {TEXT("\r\n\t\\N"), TYPE_STRING, "\"\r\n\t\\N\""},
        {TEXT("Zo\xc3\xab \xf0\x9f\x93\xa6 \xe6\x9d\xb1"), TYPE_STRING, "\"Zo\xc3\xab \xf0\x9f\x93\xa6 \xe6\x9d\xb1\""},
        {{.kind = VALUE_NULL}, TYPE_STRING, ""},
        {{.kind = VALUE_INTEGER, .i = INT64_MIN}, TYPE_INTEGER, "\"-9223372036854775808\""},
        {{.kind = VALUE_INTEGER, .i = 9007199254740993}, TYPE_INTEGER, "\"9007199254740993\""},
        {{.kind = VALUE_BOOLEAN, .i = 1}, TYPE_BOOLEAN, "\"true\""},
        {{.kind = VALUE_BOOLEAN, .i = 0}, TYPE_BOOLEAN, "\"false\""},
        {{.kind = VALUE_FLOAT, .f = 19.5}, TYPE_FLOAT, "\"19.5\""},
        {DATA(VALUE_DECIMAL, "90071992547409.93"), TYPE_DECIMAL, "\"90071992547409.93\""},
        {DATA(VALUE_DECIMAL, "-0.10"), TYPE_DECIMAL, "\"-0.10\""},
        {DATA(VALUE_DECIMAL, "-12.50e3"), TYPE_DECIMAL, "\"-12500\""},
        {DATA(VALUE_DECIMAL, "1E-3"), TYPE_DECIMAL, "\"0.001\""},
        {DATA(VALUE_DECIMAL, "0.5e+1"), TYPE_DECIMAL, "\"5\""},
        {DATA(VALUE_DECIMAL, "1.25e1"), TYPE_DECIMAL, "\"12.5\""},
        {DATA(VALUE_DECIMAL, "12e0"), TYPE_DECIMAL, "\"12\""},
        {DATA(VALUE_DECIMAL, "0e5"), TYPE_DECIMAL, "\"0\""},
        {DATA(VALUE_DECIMAL, "1e999999"), TYPE_DECIMAL, "\"1e999999\""},
        {{.kind = VALUE_DATE, .i = 19737}, TYPE_DATE, "\"2024-01-15\""},
        {{.kind = VALUE_TIMESTAMP, .i = 1705312800123456}, TYPE_TIMESTAMP, "\"2024-01-15 10:00:00.123456+00:00\""},
        {{.kind = VALUE_TIMESTAMP, .i = 1705312800000000}, TYPE_TIMESTAMP_NTZ, "\"2024-01-15 10:00:00.000000\""},
        {{.kind = VALUE_TIMESTAMP, .i = -1}, TYPE_TIMESTAMP, "\"1969-12-31 23:59:59.999999+00:00\""},
        {DATA(VALUE_BINARY, "\x00\xff\x10"), TYPE_BINARY, "\"00ff10\""},
        {DATA(VALUE_JSON, "{\"a\": [1, 2 ],\n\t\"b\":\"x \\\" y\"}"), TYPE_JSON,
         "\"{\"\"a\"\":[1,2],\"\"b\"\":\"\"x \\\"\" y\"\"}\""},
        {DATA(VALUE_JSON, "\"\\\\\""), TYPE_JSON, "\"\"\"\\\\\"\"\""},
        {DATA(VALUE_JSON, "[]"), TYPE_JSON, "\"[]\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_line(cases[i].value, cases[i].type, CSV_NULL_EMPTY, cases[i].expected);
}

static void test_null_and_empty_differ_in_both_variants(void **state)
{
    (void)state;
    expect_line((struct value){.kind = VALUE_NULL}, TYPE_STRING, CSV_NULL_BACKSLASH_N, "\\N");
    expect_line((struct value)TEXT(""), TYPE_STRING, CSV_NULL_BACKSLASH_N, "\"\"");
    expect_line((struct value)TEXT("\\N"), TYPE_STRING, CSV_NULL_BACKSLASH_N, "\"\xef\xbf\xbdN\"");
    expect_line((struct value)TEXT("\\N "), TYPE_STRING, CSV_NULL_BACKSLASH_N, "\"\\N \"");
}

static void test_short_rows_are_filled_and_large_values_grow_the_buffer(void **state)
{
    (void)state;
    static char large[300000];
    memset(large, '"', sizeof(large));
    struct csv_buffer line = {0};
    struct csv_notes notes = {0};
    const uint8_t types[] = {TYPE_STRING, TYPE_STRING, TYPE_STRING};
    const struct value value = {.kind = VALUE_STRING, .size = sizeof(large), .data = large};
    csv_encode_row(&line, &value, 1, 3, types, CSV_NULL_EMPTY, STR("\n"), &notes);
    assert_int_equal(line.size, 2 * sizeof(large) + 2 + 2 + 1);
    assert_memory_equal(line.data + line.size - 4, "\",,\n", 4);
    assert_false(notes.saw_missing);
    const struct value missing = {.kind = VALUE_MISSING};
    csv_encode_row(&line, &missing, 1, 1, types, CSV_NULL_EMPTY, STR("\n"), &notes);
    assert_true(notes.saw_missing);
    csv_buffer_release(&line);
}

/* --- layout ----------------------------------------------------------------------------------------------------------- */

static void test_a_load_has_parts_a_manifest_and_a_schema(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "");
    flow_open(&flow, &world, WRITE_APPEND_DEDUP);
    COMMIT(&flow, .ids = "a,b", .outcome = SLICE_PUBLISH, .cursor = "2024-01-15T00:00:00Z");
    assert_int_equal(flow.counts.written, 2);

    /* Commit 1 is the fence, so the first load is 2. */
    const char *part = content_of(&world, "shop/orders/0000000002/part-00001.csv");
    assert_string_equal(part, "\"id\",\"note\",\"_sluice_synced_at\",\"_sluice_deleted\",\"_sluice_load_id\"\n"
                              "\"a\",,\"2024-01-01 00:00:00.000000+00:00\",\"false\",\"2\"\n"
                              "\"b\",,\"2024-01-01 00:00:00.000000+00:00\",\"false\",\"2\"\n");
    char hex[SHA256_HEX_SIZE];
    crypto_sha256_hex(str_from(part), hex);
    struct cJSON *json;
    assert_int_equal(
        json_parse(str_trim(str_from(content_of(&world, "shop/orders/0000000002/manifest.json"))), 1 << 20, &json, &world.err),
        0);
    assert_string_equal(json_string(json_get(json, "load_id")), "0000000002");
    assert_string_equal(json_string(json_get(json, "mode")), "append_dedup");
    assert_string_equal(json_string(json_path(json, "primary_key.0")), "id");
    assert_string_equal(json_string(json_get(json, "cursor")), "updated_at");
    assert_string_equal(json_string(json_path(json, "parts.0.file")), "part-00001.csv");
    assert_string_equal(json_string(json_path(json, "parts.0.sha256")), hex);
    double rows = 0;
    assert_true(json_number(json_path(json, "parts.0.rows"), &rows) && rows == 2);
    char *schema_id = arena_strdup(&world.arena, json_string(json_path(json, "parts.0.schema")));
    json_free(json);
    assert_int_equal(
        json_parse(str_trim(str_from(content_of(&world, "shop/orders/0000000002/schema.json"))), 1 << 20, &json, &world.err),
        0);
    assert_string_equal(json_string(json_path(json, "schemas.0.id")), schema_id);
    assert_string_equal(json_string(json_path(json, "schemas.0.columns.1.name")), "note");
    assert_string_equal(json_string(json_path(json, "schemas.0.columns.1.type")), "string");
    assert_string_equal(json_string(json_path(json, "schemas.0.columns.4.name")), "_sluice_load_id");
    json_free(json);
    assert_string_equal(cursor_of(&flow, "s0"), "2024-01-15T00:00:00Z");
    flow_close(&flow);
    world_close(&world);
}

static int collect(void *context, const void *data, size_t size, struct err *err)
{
    (void)err;
    buf_append(context, data, size);
    return 0;
}

static void test_gzip_parts_are_one_member_and_close_at_their_size(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "compression: gzip\npart_size: 1\n");
    flow_open(&flow, &world, WRITE_APPEND);
    struct buf ids = BUF_INIT(1 << 22);
    for (int i = 0; i < 60000; i++) {
        unsigned char hash[SHA256_SIZE];
        crypto_sha256((struct str){(const char *)&i, sizeof(i)}, hash);
        buf_printf(&ids, "%s%02x%02x%02x%02x%d", i ? "," : "", hash[0], hash[1], hash[2], hash[3], i);
    }
    COMMIT(&flow, .ids = buf_text(&ids), .outcome = SLICE_PUBLISH);
    assert_true(is_there(&world, "shop/orders/0000000002/part-00002.csv.gz"));

    size_t lines = 0;
    for (unsigned n = 1;; n++) {
        const char *name = arena_printf(&world.arena, "shop/orders/0000000002/part-%05u.csv.gz", n);
        if (!is_there(&world, name)) break;
        struct buf packed = BUF_INIT(64 << 20), text = BUF_INIT(64 << 20);
        const struct inflate_limits limits = {.output_bytes = 64 << 20};
        assert_int_equal(fs_read_file(path_of(&world, name), 64 << 20, &packed, &world.err), 0);
        struct inflate *inflate = inflate_new(INFLATE_GZIP, &limits, collect, &text);
        assert_int_equal(inflate_feed(inflate, packed.data, packed.size, &world.err), 0);
        assert_int_equal(inflate_finish(inflate, &world.err), 0);
        inflate_free(inflate);
        assert_memory_equal(text.data, "\"id\",\"note\",", 12);
        assert_int_equal(text.data[text.size - 1], '\n');
        for (size_t i = 0; i < text.size; i++) lines += text.data[i] == '\n';
        lines--;
        buf_release(&packed);
        buf_release(&text);
    }
    assert_int_equal(lines, 60000);
    buf_release(&ids);
    flow_close(&flow);
    world_close(&world);
}

static void test_deleted_rows_say_so(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "");
    flow_open(&flow, &world, WRITE_APPEND_DEDUP);
    struct batch *batch = make_batch(&flow, 0, "a,b");
    batch->operations[1] = ROW_DELETE;
    const struct load_slice slice = {.id = "s0", .outcome = SLICE_PUBLISH};
    const struct load load = {.batches = &batch, .batch_count = 1, .slices = &slice, .slice_count = 1, .counts = &flow.counts};
    assert_int_equal(WRITER_CSV.commit(flow.writer, &load, &world.err), 0);
    batch_free(batch);
    assert_non_null(strstr(content_of(&world, "shop/orders/0000000002/part-00001.csv"), "\"true\",\"2\"\n"));
    assert_int_equal(flow.counts.deleted, 1);
    flow_close(&flow);
    world_close(&world);
}

static void test_an_emptied_table_is_a_row_without_a_key(void **state)
{
    static const enum write_mode MODES[] = {WRITE_APPEND_DEDUP, WRITE_APPEND};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(MODES); i++) {
        struct world world;
        struct flow flow;
        world_open(&world, "");
        flow_open(&flow, &world, MODES[i]);
        struct batch *batch = make_batch(&flow, 0, "a,b");
        batch->operations[1] = ROW_TRUNCATE;
        batch->marks = 1;
        memset(&batch->values[batch->columns], 0, batch->columns * sizeof *batch->values);
        for (uint32_t c = 0; c < batch->columns; c++) batch->values[batch->columns + c].kind = VALUE_NULL;
        const struct load_slice slice = {.id = "s0", .outcome = SLICE_PUBLISH};
        const struct load load = {
            .batches = &batch, .batch_count = 1, .slices = &slice, .slice_count = 1, .counts = &flow.counts};
        assert_int_equal(WRITER_CSV.commit(flow.writer, &load, &world.err), 0);
        batch_free(batch);
        const char *part = content_of(&world, "shop/orders/0000000002/part-00001.csv");
        assert_int_equal(strstr(part, "\n,,") != NULL, MODES[i] == WRITE_APPEND_DEDUP);
        assert_int_equal(flow.counts.written, 1);
        assert_int_equal(flow.counts.deleted, 0);
        flow_close(&flow);
        world_close(&world);
    }
}

static void test_folder_names_are_plain_and_do_not_collide(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT(0);
    assert_string_equal(csv_folder_name("orders_v2.1-a", &arena), "orders_v2.1-a");
    static const char *const hostile[] = {"..", ".", "", "../../etc", ".stage-orders", "a/b", "a b", "\xc3\xa9", "a\nb"};
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        const char *name = csv_folder_name(hostile[i], &arena);
        assert_true(fs_is_plain_name(str_from(name)));
        assert_int_not_equal(name[0], '.');
        for (size_t k = 0; k < i; k++) assert_string_not_equal(name, csv_folder_name(hostile[k], &arena));
    }
    arena_release(&arena);
}

static void test_a_schema_that_grew_comes_back_and_a_part_keeps_its_own(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .ids = "a", .outcome = SLICE_HOLD);
    schema_add(flow.schema, STR("_sluice_deleted"), TYPE_DECIMAL, false);
    COMMIT(&flow, .ids = "b", .outcome = SLICE_PUBLISH);
    /* Two sets of columns: two parts; the source's own column steps aside. */
    assert_non_null(strstr(content_of(&world, "shop/orders/0000000003/part-00001.csv"), "\"note\",\"_sluice_synced_at\""));
    assert_non_null(strstr(content_of(&world, "shop/orders/0000000003/part-00002.csv"), "\"note\",\"_sluice_deleted_2\","));
    flow_close(&flow);

    flow_open(&flow, &world, WRITE_APPEND);
    const struct column *column = schema_find(flow.schema, STR("_sluice_deleted"));
    assert_non_null(column);
    assert_int_equal(column->type, TYPE_DECIMAL);
    assert_false(column->declared);
    flow_close(&flow);
    world_close(&world);
}

/* --- what waits and what shows ---------------------------------------------------------------------------------------- */

static void test_held_rows_show_only_when_published_also_in_a_later_run(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    assert_null(WRITER_CSV.note(flow.writer));
    COMMIT(&flow, .ids = "a,b", .outcome = SLICE_HOLD, .cursor = "1");
    COMMIT(&flow, .ids = "x", .outcome = SLICE_HOLD, .slice = 1);
    assert_non_null(WRITER_CSV.note(flow.writer));
    assert_string_equal(published(&world), "");
    flow_close(&flow);

    flow_open(&flow, &world, WRITE_APPEND);
    assert_string_equal(cursor_of(&flow, "s0"), "1");
    COMMIT(&flow, .ids = "c", .outcome = SLICE_PUBLISH, .cursor = "2");
    assert_string_equal(published(&world), "a,b,c");
    COMMIT(&flow, .ids = NULL, .outcome = SLICE_PUBLISH, .slice = 1);
    assert_string_equal(published(&world), "a,b,c,x");
    assert_null(WRITER_CSV.note(flow.writer));
    assert_false(is_there(&world, "shop/.stage-orders/0000000002.rows"));
    flow_close(&flow);
    world_close(&world);
}

static void test_a_restarted_slice_forgets_what_it_held_and_only_that(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .ids = "a,b", .outcome = SLICE_HOLD);
    COMMIT(&flow, .ids = "x,y", .outcome = SLICE_HOLD, .slice = 1);
    COMMIT(&flow, .ids = NULL, .outcome = SLICE_RESTART);
    COMMIT(&flow, .ids = "c", .outcome = SLICE_HOLD);
    COMMIT(&flow, .ids = NULL, .outcome = SLICE_HOLD, .complete = true);
    assert_string_equal(published(&world), "x,y,c");
    flow_close(&flow);
    world_close(&world);
}

static void test_an_abandoned_plan_is_dropped_beside_a_new_slice_of_its_name(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .ids = "old", .outcome = SLICE_HOLD);
    struct batch *batch = make_batch(&flow, 0, "new");
    const struct load_slice slices[] = {{.slice = UINT32_MAX, .id = "s0", .outcome = SLICE_ABANDON},
                                        {.slice = 0, .id = "s0", .outcome = SLICE_PUBLISH}};
    const struct load load = {
        .batches = &batch, .batch_count = 1, .slices = slices, .slice_count = 2, .counts = &flow.counts, .complete = true};
    assert_int_equal(WRITER_CSV.commit(flow.writer, &load, &world.err), 0);
    batch_free(batch);
    assert_string_equal(published(&world), "new");
    flow_close(&flow);
    world_close(&world);
}

static void test_overwrite_publishes_at_the_end_and_guards_against_loss(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "");
    flow_open(&flow, &world, WRITE_OVERWRITE);
    COMMIT(&flow, .ids = "a,b,c,d", .outcome = SLICE_PUBLISH);
    assert_string_equal(published(&world), "");
    COMMIT(&flow, .ids = "e", .outcome = SLICE_PUBLISH, .complete = true);
    assert_string_equal(published(&world), "a,b,c,d,e");
    assert_non_null(strstr(content_of(&world, "shop/orders/0000000003/manifest.json"), "\"mode\":\"overwrite\""));
    flow_close(&flow);

    flow_open(&flow, &world, WRITE_OVERWRITE);
    const struct step shrunk = {.ids = "a,b", .outcome = SLICE_PUBLISH, .complete = true};
    assert_int_equal(flow_commit(&flow, &shrunk), ERR_SCHEMA);
    assert_non_null(strstr(world.err.message, "has 2 rows now, the last overwrite had 5"));
    assert_string_equal(published(&world), "a,b,c,d,e");
    const struct step empty = {.outcome = SLICE_PUBLISH, .complete = true};
    assert_int_equal(flow_commit(&flow, &empty), ERR_SCHEMA);
    COMMIT(&flow, .ids = "a,b,c", .outcome = SLICE_PUBLISH, .complete = true);
    flow_close(&flow);

    flow_open(&flow, &world, WRITE_OVERWRITE);
    flow.writer->streams[0].spec.shrink_limit = 1;
    COMMIT(&flow, .outcome = SLICE_PUBLISH, .complete = true); /* allowed: a load of a header alone */
    assert_string_equal(published(&world), "a,b,c,d,e,a,b,c");
    assert_non_null(strstr(content_of(&world, "shop/orders/0000000007/manifest.json"), "\"rows\":0}"));
    flow_close(&flow);
    world_close(&world);
}

static void test_a_mode_that_changes_over_held_rows_is_refused(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "");
    flow_open(&flow, &world, WRITE_OVERWRITE);
    COMMIT(&flow, .ids = "a", .outcome = SLICE_HOLD);
    flow_close(&flow);
    assert_int_equal(flow_try(&flow, &world, destination_acquired(&world), WRITE_APPEND), ERR_SCHEMA);
    assert_non_null(strstr(world.err.message, "wait for overwrite"));
    assert_non_null(strstr(world.err.hint, "state reset"));
    flow_close(&flow);
    world_close(&world);
}

static void test_rejects_and_failures_are_kept(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    world_open(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    const struct reject reject = {.stream = "orders",
                                  .reason = "missing_primary_key",
                                  .detail = "no id",
                                  .record = STR("{\"note\":\"say \\\"hi\\\"\"}"),
                                  .row_was_dropped = true};
    struct load load = {.rejects = &reject, .reject_count = 1, .counts = &flow.counts};
    assert_int_equal(WRITER_CSV.commit(flow.writer, &load, &world.err), 0);
    assert_string_equal(content_of(&world, ".sluice/shop/orders/rejects/0000000002.ndjson"),
                        "{\"at\":\"2024-01-01T00:00:00Z\",\"stream\":\"orders\",\"field\":null,"
                        "\"reason\":\"missing_primary_key\",\"detail\":\"no "
                        "id\",\"row_was_dropped\":true,\"record\":\"{\\\"note\\\":\\\"say \\\\\\\"hi\\\\\\\"\\\"}\"}\n");
    assert_int_equal((WRITER_CSV.fail)(flow.writer, &load, "too many rejects", &world.err), 0);
    assert_non_null(strstr(content_of(&world, ".sluice/shop/orders/commits/0000000003"), "too many rejects"));
    assert_true(is_there(&world, ".sluice/shop/orders/rejects/0000000003.ndjson"));
    COMMIT(&flow, .ids = "a", .outcome = SLICE_PUBLISH);
    assert_string_equal(published(&world), "a");
    flow_close(&flow);
    world_close(&world);
}

/* --- around ----------------------------------------------------------------------------------------------------------- */

static void test_state_commands_read_change_and_reset(void **state)
{
    (void)state;
    struct world world;
    struct flow flow;
    struct flow_state *flows;
    size_t count;
    world_open(&world, "");
    flow_open(&flow, &world, WRITE_APPEND);
    COMMIT(&flow, .ids = "a", .outcome = SLICE_PUBLISH, .cursor = "1");
    COMMIT(&flow, .ids = "b", .outcome = SLICE_HOLD);
    flow_close(&flow);
    struct destination *destination = destination_acquired(&world);
    assert_int_equal(WRITER_CSV.state_read(destination, &world.arena, &flows, &count, &world.err), 0);
    assert_int_equal(count, 1);
    assert_string_equal(flows[0].flow, "orders");
    assert_string_equal(state_get(&flows[0].state, "orders", "s0", "cursor"), "1");

    const struct state_entry change = {.stream = "orders", .slice = "s0", .kind = "cursor", .value = "0"};
    assert_int_equal(WRITER_CSV.state_write(destination, "orders", &change, &world.err), 0);
    const struct state_entry removal = {.stream = "orders", .slice = "", .kind = "schema", .value = NULL};
    assert_int_equal(WRITER_CSV.state_write(destination, "orders", &removal, &world.err), 0);
    assert_int_equal(WRITER_CSV.state_read(destination, &world.arena, &flows, &count, &world.err), 0);
    assert_string_equal(state_get(&flows[0].state, "orders", "s0", "cursor"), "0");
    assert_null(state_get(&flows[0].state, "orders", "", "schema"));

    const struct state_entry reset = {.kind = NULL};
    assert_int_equal(WRITER_CSV.state_write(destination, "orders", &reset, &world.err), 0);
    assert_int_equal(WRITER_CSV.state_read(destination, &world.arena, &flows, &count, &world.err), 0);
    assert_int_equal(count, 0);
    assert_int_equal(flow_try(&flow, &world, destination, WRITE_APPEND), 0);
    COMMIT(&flow, .ids = "c", .outcome = SLICE_PUBLISH, .complete = true);
    assert_string_equal(published(&world), "a,c"); /* what was held went with the reset; numbers go on */
    flow_close(&flow);
    world_close(&world);
}

static size_t findings_bad;

static void count_findings(void *context, const struct writer_finding *finding)
{
    size_t *all = context;
    ++*all;
    findings_bad += !finding->ok;
}

static void test_check_leaves_nothing_behind(void **state)
{
    (void)state;
    struct world world;
    size_t findings = 0;
    world_open(&world, "");
    char *root = world.root;
    world.root = arena_printf(&world.arena, "%s/deep/er", root);
    struct destination *destination = destination_open(&world);
    findings_bad = 0;
    assert_int_equal(WRITER_CSV.check(destination, count_findings, &findings, &world.err), 0);
    assert_int_equal(findings, 2);
    assert_int_equal(findings_bad, 0);
    WRITER_CSV.close(destination);
    world.root = root;
    assert_false(is_there(&world, "deep"));

    write_text(&world, "file", "x");
    world.root = arena_printf(&world.arena, "%s/file/below", root);
    destination = destination_open(&world);
    assert_int_not_equal(WRITER_CSV.check(destination, count_findings, &findings, &world.err), 0);
    assert_int_equal(findings_bad, 1);
    assert_non_null(strstr(world.err.message, "/file"));
    WRITER_CSV.close(destination);
    world.root = root;
    world_close(&world);
}

static void test_a_full_disk_is_the_destinations_fault_and_names_the_path(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, "");
    struct err err = ERR_INIT;
    const struct csv_format format = {.compression = COMPRESSION_NONE, .part_bytes = 1 << 20};
    const char *folder = path_of(&world, "shop/orders");
    const struct csv_folder_spec spec = {.stream_folder = folder,
                                         .load_id = 7,
                                         .format = &format,
                                         .pipeline = "shop",
                                         .stream = "orders",
                                         .connector = "",
                                         .mode = WRITE_APPEND};
    struct csv_folder *load;
    assert_int_equal(csv_folder_begin(&spec, &load, &err), 0);
    /* The part's name is taken by /dev/full, which answers every write with ENOSPC. */
    assert_int_equal(symlink("/dev/full", path_of(&world, "shop/orders/.0000000007/part-00001.csv")), 0);
    struct schema *schema = schema_new("orders");
    schema_add(schema, STR("id"), TYPE_STRING, true);
    const struct csv_columns *columns = csv_columns_of(schema, "orders", 1, &world.arena);
    assert_int_equal(csv_folder_write(load, columns, STR("\"a\"\n"), 1, true, &err), ERR_DESTINATION);
    assert_non_null(strstr(err.message, "part-00001.csv"));
    csv_folder_free(load, true);
    assert_false(is_there(&world, "shop/orders/.0000000007"));
    schema_free(schema);
    world_close(&world);
}

UNIT_TESTS(cmocka_unit_test(test_every_value_has_its_spelling), cmocka_unit_test(test_null_and_empty_differ_in_both_variants),
           cmocka_unit_test(test_short_rows_are_filled_and_large_values_grow_the_buffer),
           cmocka_unit_test(test_a_load_has_parts_a_manifest_and_a_schema),
           cmocka_unit_test(test_gzip_parts_are_one_member_and_close_at_their_size), cmocka_unit_test(test_deleted_rows_say_so),
           cmocka_unit_test(test_an_emptied_table_is_a_row_without_a_key),
           cmocka_unit_test(test_folder_names_are_plain_and_do_not_collide),
           cmocka_unit_test(test_a_schema_that_grew_comes_back_and_a_part_keeps_its_own),
           cmocka_unit_test(test_held_rows_show_only_when_published_also_in_a_later_run),
           cmocka_unit_test(test_a_restarted_slice_forgets_what_it_held_and_only_that),
           cmocka_unit_test(test_an_abandoned_plan_is_dropped_beside_a_new_slice_of_its_name),
           cmocka_unit_test(test_overwrite_publishes_at_the_end_and_guards_against_loss),
           cmocka_unit_test(test_a_mode_that_changes_over_held_rows_is_refused),
           cmocka_unit_test(test_rejects_and_failures_are_kept), cmocka_unit_test(test_state_commands_read_change_and_reset),
           cmocka_unit_test(test_check_leaves_nothing_behind),
           cmocka_unit_test(test_a_full_disk_is_the_destinations_fault_and_names_the_path))
