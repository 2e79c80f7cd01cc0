/* explode: records to rows of several streams. Each test gives JSON and looks at the rows as text: the operation, then the
 * values. */
#include "unit.h"

#include <stdlib.h>

#include "base/buf.h"
#include "data/block.h"
#include "rest/decode.h"
#include "rest/reshape.h"

enum { ORDER_ID, CHANGED, LINE, SKU, QUANTITY }; /* columns of an item */

struct rig {
    struct budget *budget;
    struct decode_spec spec;
    struct explode_spec items;
    struct decode_bounds bounds;
    struct decoder *decoder;
    struct decoded out;
    struct buf rows;
};

static const struct explode_copy COPIES[] = {{"id", ORDER_ID}, {"changed", CHANGED}};
static const char *const GIVEN[] = {"order_id", "changed", "line"};

static void rig_init(struct rig *rig)
{
    *rig = (struct rig){.budget = budget_new(1 << 28), .rows = BUF_INIT(1 << 24)};
    struct schema *orders = schema_new("orders"), *items = schema_new("items");
    schema_add(orders, STR("id"), TYPE_STRING, true);
    schema_add(orders, STR("changed"), TYPE_INTEGER, true);
    schema_set_key(orders, 0);
    schema_add(items, STR("order_id"), TYPE_STRING, true);
    schema_add(items, STR("changed"), TYPE_INTEGER, true);
    schema_add(items, STR("line"), TYPE_INTEGER, true);
    schema_add(items, STR("sku"), TYPE_STRING, true);
    schema_add(items, STR("quantity"), TYPE_INTEGER, true);
    schema_set_key(items, ORDER_ID);
    schema_set_key(items, LINE);
    rig->items = (struct explode_spec){
        .decode = {.stream = "items",
                   .stream_index = 1,
                   .schema = items,
                   .records_path = "items",
                   .given = GIVEN,
                   .given_count = ARRAY_SIZE(GIVEN),
                   .budget = rig->budget},
        .copies = COPIES,
        .copy_count = ARRAY_SIZE(COPIES),
        .position = LINE,
        .tells_empty = true,
    };
    rig->spec = (struct decode_spec){.stream = "orders",
                                     .stream_index = 0,
                                     .schema = orders,
                                     .records_path = "$",
                                     .cursor_field = "changed",
                                     .cursor_type = TYPE_INTEGER,
                                     .budget = rig->budget,
                                     .exploded = &rig->items,
                                     .exploded_count = 1};
}

static void rig_release(struct rig *rig)
{
    decoded_release(&rig->out);
    decoder_free(rig->decoder);
    assert_int_equal(budget_used(rig->budget), 0);
    schema_free(rig->spec.schema);
    schema_free(rig->items.decode.schema);
    budget_free(rig->budget);
    buf_release(&rig->rows);
}

static void decode_as(struct rig *rig, const char *json, bool lines)
{
    struct err err = ERR_INIT;
    if (!rig->decoder) rig->decoder = decoder_new(&rig->spec, 0, &rig->bounds);
    decoded_release(&rig->out);
    size_t size = strlen(json);
    struct block *body = block_new(rig->budget, size);
    memcpy(body->data, json, size);
    body->size = size;
    block_seal(body);
    struct str ndjson = lines ? str_from(json) : (struct str){0};
    if (decoder_page(rig->decoder, lines ? NULL : body, ndjson, &rig->out, &err) != 0) fail_msg("%s", err.message);
    block_release(body);
}

/* The rows of a stream: "first a|1|0|x|2;" nulls as '-'. */
static const char *rows_of(struct rig *rig, uint32_t stream)
{
    static const char *const OPERATIONS[] = {"", "delete ", "first ", "empty "};
    buf_clear(&rig->rows);
    for (size_t b = 0; b < rig->out.batch_count; b++) {
        const struct batch *batch = rig->out.batches[b];
        if (batch->stream != stream) continue;
        for (size_t r = 0; r < batch->rows; r++) {
            buf_append_text(&rig->rows, OPERATIONS[batch->operations[r]]);
            for (uint32_t c = 0; c < batch->columns; c++) {
                const struct value *value = &batch_row(batch, r)[c];
                if (c) buf_append_char(&rig->rows, '|');
                if (value->kind == VALUE_NULL)
                    buf_append_char(&rig->rows, '-');
                else
                    value_to_text(value, schema_column(batch->schema, c)->type, &rig->rows);
            }
            buf_append_char(&rig->rows, ';');
        }
    }
    return buf_text(&rig->rows);
}

static void check_items(struct rig *rig, const char *json, const char *rows)
{
    decode_as(rig, json, false);
    assert_string_equal(rows_of(rig, 1), rows);
    const struct decoded_exploded *items = &rig->out.exploded[0];
    assert_int_equal(items->counts.emitted, items->rows + items->counts.rejected);
}

static void test_elements_become_rows_with_values_of_their_record(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    check_items(&rig,
                "[{\"id\":\"a\",\"items\":[{\"sku\":\"x\",\"quantity\":2},{\"quantity\":\"3\"}],\"changed\":5},"
                "{\"id\":\"b\",\"changed\":6,\"items\":[]},{\"changed\":7,\"id\":\"c\",\"items\":[{\"sku\":\"z\"}]},"
                "{\"id\":\"d\",\"changed\":8},{\"id\":\"e\",\"changed\":9,\"items\":null}]",
                "first a|5|0|x|2;a|5|1|-|3;empty b|6|-|-|-;first c|7|0|z|-;empty d|8|-|-|-;empty e|9|-|-|-;");
    assert_string_equal(rows_of(&rig, 0), "a|5;b|6;c|7;d|8;e|9;");
    assert_int_equal(rig.out.rows, 5);
    assert_int_equal(rig.out.exploded[0].rows, 3);
    assert_int_equal(rig.out.counts.emitted, 5);
    rig.items.tells_empty = false;
    check_items(&rig, "[{\"id\":\"b\",\"changed\":10,\"items\":[]}]", "");
    rig_release(&rig);
}

static void test_lines_of_functions_are_exploded_too(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    decode_as(&rig, "{\"id\":\"a\",\"changed\":1,\"items\":[{\"sku\":\"x\"}]}\n{\"id\":\"b\",\"changed\":2}\n", true);
    assert_string_equal(rows_of(&rig, 1), "first a|1|0|x|-;empty b|2|-|-|-;");
    rig_release(&rig);
}

static void test_paths_lead_into_the_record(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.items.decode.records_path = "deep.lists.*";
    check_items(
        &rig,
        "[{\"id\":\"a\",\"changed\":1,\"deep\":{\"lists\":{\"x\":[{\"sku\":\"1\"},{\"sku\":\"2\"}],\"y\":{\"sku\":\"3\"}}}},"
        "{\"id\":\"b\",\"changed\":2,\"deep\":{}},"
        "{\"id\":\"c\",\"changed\":3,\"deep\":{\"lists\":null},\"deep.lists.*\":[{\"sku\":\"whole name\"}]}]",
        "first a|1|0|1|-;a|1|1|2|-;a|1|2|3|-;empty b|2|-|-|-;first c|3|0|whole name|-;");
    rig_release(&rig);
}

static void test_a_record_that_is_not_taken_has_no_elements(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.bounds = (struct decode_bounds){.drop_up_to = STR("5"), .rule = BOUNDS_OPEN_CLOSED, .to = STR("8")};
    check_items(&rig,
                "[{\"id\":\"old\",\"changed\":5,\"items\":[{}]},{\"changed\":6,\"items\":[{}]},"
                "{\"id\":\"late\",\"changed\":9,\"items\":[{}]},7,{\"id\":\"a\",\"changed\":8,\"items\":[{}]}]",
                "first a|8|0|-|-;");
    assert_int_equal(rig.out.counts.rejected, 2);
    assert_int_equal(rig.out.counts.deduplicated, 1);
    assert_int_equal(rig.out.counts.discarded, 1);
    assert_int_equal(rig.out.exploded[0].counts.emitted, 1);
    rig_release(&rig);
}

static void test_what_is_no_element_is_rejected_and_keeps_its_place(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    check_items(&rig,
                "[{\"id\":\"a\",\"changed\":1,\"items\":[7,{\"sku\":\"x\"},null,{\"sku\":\"y\"}]},"
                "{\"id\":\"b\",\"changed\":2,\"items\":[\"only\"]},{\"id\":\"c\",\"changed\":3,\"items\":\"text\"}]",
                "first a|1|1|x|-;a|1|3|y|-;empty b|2|-|-|-;");
    assert_int_equal(rig.out.exploded[0].counts.rejected, 4);
    assert_int_equal(rig.out.counts.rejected, 0);
    assert_int_equal(rig.out.reject_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(rig.out.rejects[i].stream, "items");
        assert_string_equal(rig.out.rejects[i].reason, i < 3 ? "not_an_object" : "not_a_list");
    }
    rig_release(&rig);
}

static void test_a_copy_beats_a_field_of_its_name_and_follows_the_policies(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.spec.cursor_field = NULL;
    check_items(&rig, "[{\"id\":\"a\",\"changed\":\"soon\",\"items\":[{\"order_id\":\"z\",\"line\":9,\"changed\":4},{}]}]",
                "first a|-|0|-|-;a|-|1|-|-;");
    assert_int_equal(rig.out.exploded[0].counts.nulled, 2);
    decoder_free(rig.decoder);
    rig.decoder = NULL;
    rig.items.decode.on_mismatch = MISMATCH_REJECT;
    check_items(&rig, "[{\"id\":\"a\",\"changed\":\"soon\",\"items\":[{},{}]}]", "empty a|-|-|-|-;");
    assert_int_equal(rig.out.exploded[0].counts.rejected, 2);
    rig_release(&rig);
}

static void test_sets_go_on_in_the_next_batch_with_their_texts(void **state)
{
    (void)state;
    struct rig rig;
    struct buf json = BUF_INIT(1 << 24);
    enum { ELEMENTS = 30000 };
    rig_init(&rig);
    buf_append_text(&json, "[{\"id\":\"a\\u0041\",\"changed\":1,\"items\":[");
    for (int i = 0; i < ELEMENTS; i++) buf_append_text(&json, i ? ",{\"sku\":\"\\u0042\"}" : "{\"sku\":\"\\u0042\"}");
    buf_append_text(&json, "]}]");
    decode_as(&rig, buf_text(&json), false);
    size_t rows = 0, batches = 0, firsts = 0;
    for (size_t b = 0; b < rig.out.batch_count; b++) {
        const struct batch *batch = rig.out.batches[b];
        if (batch->stream != 1) continue;
        batches++;
        for (size_t r = 0; r < batch->rows; r++) {
            const struct value *row = batch_row(batch, r);
            assert_true(str_equal(value_str(&row[ORDER_ID]), STR("aA")));
            assert_true(str_equal(value_str(&row[SKU]), STR("B")));
            assert_int_equal(row[LINE].i, (int64_t)rows++);
            firsts += batch->operations[r] == ROW_FIRST;
        }
    }
    assert_int_equal(rows, ELEMENTS);
    assert_int_equal(firsts, 1);
    assert_true(batches > 1);
    buf_release(&json);
    rig_release(&rig);
}

static void test_checkpoints_cover_the_same_records_in_both(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    check_items(&rig,
                "[{\"id\":\"a\",\"changed\":1,\"items\":[{},{}]},{\"id\":\"b\",\"changed\":2},"
                "{\"changed\":3,\"items\":[{}]},{\"id\":\"d\",\"changed\":3,\"items\":[{}]},"
                "{\"id\":\"e\",\"changed\":4,\"items\":[{},{}]},{\"id\":\"f\",\"changed\":4,\"items\":[{}]}]",
                "first a|1|0|-|-;a|1|1|-|-;empty b|2|-|-|-;first d|3|0|-|-;first e|4|0|-|-;e|4|1|-|-;first f|4|0|-|-;");
    assert_int_equal(rig.out.covered_rows, 3);
    assert_int_equal(rig.out.exploded[0].covered_rows, 4); /* two, the empty one, and that of d */
    check_items(&rig, "[{\"id\":\"g\",\"changed\":4,\"items\":[{}]}]", "first g|4|0|-|-;");
    assert_int_equal(rig.out.covered_rows, 0);
    assert_int_equal(rig.out.exploded[0].covered_rows, 0);
    check_items(&rig, "[{\"id\":\"h\",\"changed\":4,\"items\":[{}]},{\"id\":\"i\",\"changed\":5}]",
                "first h|4|0|-|-;empty i|5|-|-|-;");
    assert_int_equal(rig.out.covered_rows, 1);
    assert_int_equal(rig.out.exploded[0].covered_rows, 1);
    rig_release(&rig);
}

static void test_a_root_that_is_not_loaded_gives_no_rows(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    rig.spec.stream_index = DECODE_NONE;
    check_items(&rig,
                "[{\"id\":\"a\\n\",\"changed\":1,\"items\":[{}]},{\"changed\":1,\"items\":[{}]},{\"id\":\"b\",\"changed\":2}]",
                "first a\n|1|0|-|-;empty b|2|-|-|-;");
    assert_int_equal(rig.out.batch_count, 1);
    assert_int_equal(rig.out.rows, 2);
    assert_int_equal(rig.out.counts.rejected, 1);
    assert_int_equal(rig.out.covered_rows, 1);
    rig_release(&rig);
}

static void test_only_elements_that_the_filter_holds_are_rows(void **state)
{
    (void)state;
    static const struct str KINDS[] = {{"Comment", 7}};
    static const struct reshape_filter FILTER = {.path = "kind", .test = FILTER_IN, .values = KINDS, .value_count = 1};
    static const struct reshape KEPT = {.filters = &FILTER, .filter_count = 1};
    struct rig rig;
    rig_init(&rig);
    rig.items.kept = &KEPT;
    rig.items.decode.infer = false;
    check_items(&rig,
                "[{\"id\":\"a\",\"items\":[{\"sku\":\"w\",\"kind\":\"Change\"},{\"sku\":\"x\",\"kind\":\"Comm\\u0065nt\"},{"
                "\"kind\":null},"
                "{\"kind\":\"Comment\",\"quantity\":2}],\"changed\":5},"
                "{\"id\":\"b\",\"changed\":6,\"items\":[{\"kind\":\"Change\"}]}]",
                "first a|5|1|x|-;a|5|3|-|2;empty b|6|-|-|-;");
    check_items(&rig, "[{\"id\":\"c\",\"changed\":7,\"items\":[3,{\"kind\":\"Comment\",\"sku\":\"y\"}]}]", "first c|7|1|y|-;");
    assert_int_equal(rig.out.exploded[0].counts.rejected, 1);
    rig_release(&rig);
}

static void test_a_page_that_breaks_leaves_nothing(void **state)
{
    (void)state;
    struct rig rig;
    struct err err = ERR_INIT;
    rig_init(&rig);
    const char *json = "[{\"id\":\"a\",\"changed\":1,\"items\":[{}]},{\"id\":\"b\",\"items\":[{]}]";
    struct block *body = block_new(rig.budget, strlen(json));
    memcpy(body->data, json, strlen(json));
    body->size = strlen(json);
    block_seal(body);
    rig.decoder = decoder_new(&rig.spec, 0, NULL);
    assert_int_equal(decoder_page(rig.decoder, body, (struct str){0}, &rig.out, &err), ERR_TRANSIENT);
    block_release(body);
    assert_int_equal(rig.out.batch_count, 0);
    check_items(&rig, "[{\"id\":\"a\",\"changed\":1,\"items\":[{}]}]", "first a|1|0|-|-;");
    rig_release(&rig);
}

UNIT_TESTS(cmocka_unit_test(test_elements_become_rows_with_values_of_their_record),
           cmocka_unit_test(test_lines_of_functions_are_exploded_too), cmocka_unit_test(test_paths_lead_into_the_record),
           cmocka_unit_test(test_a_record_that_is_not_taken_has_no_elements),
           cmocka_unit_test(test_what_is_no_element_is_rejected_and_keeps_its_place),
           cmocka_unit_test(test_a_copy_beats_a_field_of_its_name_and_follows_the_policies),
           cmocka_unit_test(test_sets_go_on_in_the_next_batch_with_their_texts),
           cmocka_unit_test(test_checkpoints_cover_the_same_records_in_both),
           cmocka_unit_test(test_a_root_that_is_not_loaded_gives_no_rows),
           cmocka_unit_test(test_only_elements_that_the_filter_holds_are_rows),
           cmocka_unit_test(test_a_page_that_breaks_leaves_nothing))
