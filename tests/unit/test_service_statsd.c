/* Datagrams for StatsD: the names and tags people build their dashboards on. */
#include "unit.h"

#include <string.h>

#include "service/statsd.h"

static void expect(bool has_tags, const char *prefix, const char *connector, const char *line, const char *expected)
{
    struct buf out = BUF_INIT(4096);
    statsd_write(has_tags, prefix, connector, str_from(line), &out);
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
}

static void test_a_stream_that_ended(void **state)
{
    (void)state;
    static const char LINE[] =
        "{\"event\":\"stream_ended\",\"stream\":\"orders\",\"target\":\"shop.orders\",\"status\":\"done\",\"emitted\":200,"
        "\"stream_ms\":500}";
    expect(true, "", "shop", LINE,
           "ingestion.records_per_second:400.0000|h|#connector:shop,table:shop.orders,status:done\n"
           "ingestion.duration_minutes:0.0083|h|#connector:shop,table:shop.orders,status:done");
    expect(false, "sluice.", "shop", LINE,
           "sluice.ingestion.records_per_second.shop.shop_orders.done:400.0000|g\nsluice.ingestion.duration_minutes.shop.shop_"
           "orders.done:0.0083|g");
}

static void test_a_stream_that_failed(void **state)
{
    (void)state;
    expect(true, "", "./my connectors/a,b|c#d:e.lua",
           "{\"event\":\"stream_ended\",\"stream\":\"o\\n\\\"\",\"status\":\"failed\",\"emitted\":0,\"stream_ms\":0,\"error\":{"
           "\"class\":\"auth\"}}",
           "ingestion.records_per_second:0.0000|h|#connector:./my_connectors/a_b_c_d_e.lua,table:o__,status:failed\n"
           "ingestion.duration_minutes:0.0000|h|#connector:./my_connectors/a_b_c_d_e.lua,table:o__,status:failed\n"
           "ingestion.errors:1|c|#connector:./my_connectors/a_b_c_d_e.lua,table:o__,status:failed");
}

static void test_other_lines_say_nothing(void **state)
{
    (void)state;
    expect(true, "", "shop", "{\"event\":\"sync_ended\",\"exit_code\":0}", "");
    expect(true, "", "shop", "{\"event\":\"stream_ended\"}", "");
    expect(true, "", "shop", "[]", "");
    expect(true, "", "shop", "no JSON", "");
}

UNIT_TESTS(cmocka_unit_test(test_a_stream_that_ended), cmocka_unit_test(test_a_stream_that_failed),
           cmocka_unit_test(test_other_lines_say_nothing))
