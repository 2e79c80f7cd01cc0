/* pgoutput: a capture of a real server is read message by message, and what is cut, too long or no message at all is refused.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "postgres/pgoutput.h"

/* pg_logical_slot_peek_binary_changes of PostgreSQL 15 with proto_version 1 and messages: tables shop.item (id, name, price,
 * at, doc stored EXTERNAL) and shop.tag (item, label of an enum). Two rows in, and a tag; an update that leaves doc alone;
 * another key; the tag's end; REPLICA IDENTITY FULL; an update; a delete; a new column; a message; a TRUNCATE; a row with an
 * origin. */
static const char *const CAPTURE[] = {
    "42000000001e31bc48000303eb2c2e19170000ee1f",
    "52000041c973686f70006974656d006400050169640000000017ffffffff006e616d650000000019ffffffff00707269636500000006a4"
    "000a000600617400000004a0ffffffff00646f630000000019ffffffff",
    "49000041c94e000574000000013174000000036375707400000004392e39307400000019323032342d30322d32392031323a33303a3030"
    "2e32352b3030740000000464646464",
    "49000041c94e00057400000001326e6e6e6e",
    "59000041d17075626c69630073697a6500",
    "52000041d573686f700074616700640002016974656d0000000017ffffffff016c6162656c00000041d1ffffffff",
    "49000041d54e0002740000000131740000000173",
    "4300000000001e31bc48000000001e31bc78000303eb2c2e1917",
    "42000000001e31bd20000303eb2c2e1aaf0000ee20",
    "55000041c94e000574000000013174000000036d75677400000004392e39307400000019323032342d30322d32392031323a33303a3030"
    "2e32352b303075",
    "4300000000001e31bd20000000001e31bd50000303eb2c2e1aaf",
    "42000000001e31bde0000303eb2c2e1b2e0000ee21",
    "55000041c94b00057400000001326e6e6e6e4e00057400000001336e6e6e6e",
    "4300000000001e31bde0000000001e31be10000303eb2c2e1b2e",
    "42000000001e31be58000303eb2c2e1b980000ee22",
    "44000041d54b0002740000000131740000000173",
    "4300000000001e31be58000000001e31be88000303eb2c2e1b98",
    "42000000001e31c0b0000303eb2c2e1ca30000ee24",
    "52000041c973686f70006974656d006600050169640000000017ffffffff016e616d650000000019ffffffff01707269636500000006a4"
    "000a000601617400000004a0ffffffff01646f630000000019ffffffff",
    "55000041c94f00057400000001336e6e6e6e4e00057400000001336e7400000004382e30306e6e",
    "4300000000001e31c0b0000000001e31c0e0000303eb2c2e1ca3",
    "42000000001e31c128000303eb2c2e1d110000ee25",
    "44000041c94f00057400000001336e7400000004382e30306e6e",
    "4300000000001e31c128000000001e31c158000303eb2c2e1d11",
    "42000000001e31c590000303eb2c2e1e430000ee27",
    "52000041c973686f70006974656d006600060169640000000017ffffffff016e616d650000000019ffffffff01707269636500000006a4"
    "000a000601617400000004a0ffffffff01646f630000000019ffffffff0177656967687400000002bdffffffff",
    "49000041c94e00067400000001347400000003706f747400000004312e30306e6e7400000003312e35",
    "4300000000001e31c590000000001e31c5c0000303eb2c2e1e43",
    "42000000001e31c600000303eb2c2e1eae0000ee28",
    "4d01000000001e31c600686900000000057468657265",
    "4300000000001e31c600000000001e31c630000303eb2c2e1eae",
    "42000000001e31d750000303eb2c2e239c0000ee29",
    "52000041c973686f70006974656d006600060169640000000017ffffffff016e616d650000000019ffffffff01707269636500000006a4"
    "000a000601617400000004a0ffffffff01646f630000000019ffffffff0177656967687400000002bdffffffff",
    "59000041d17075626c69630073697a6500",
    "52000041d573686f700074616700640002016974656d0000000017ffffffff016c6162656c00000041d1ffffffff",
    "540000000200000041c9000041d5",
    "4300000000001e31d750000000001e31d958000303eb2c2e239c",
    "42000000001e31dc98000303eb2c2e25d70000ee2b",
    "4f00000000000000006f00",
    "59000041d17075626c69630073697a6500",
    "52000041d573686f700074616700640002016974656d0000000017ffffffff016c6162656c00000041d1ffffffff",
    "49000041d54e000274000000013974000000016d",
    "4300000000001e31dc98000000001e31dce0000303eb2c2e25d7",
};
enum { COUNT = sizeof CAPTURE / sizeof *CAPTURE };

struct bytes {
    char *data;
    size_t size;
};

/* In a block that fits exactly, so that a sanitizer sees a read behind it. */
static struct bytes bytes_of(const char *hex)
{
    struct bytes bytes = {malloc(strlen(hex) / 2 + 1), strlen(hex) / 2};
    assert_non_null(bytes.data);
    for (size_t i = 0; i < bytes.size; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
        bytes.data[i] = (char)strtol(digits, NULL, 16);
    }
    char *exact = realloc(bytes.data, bytes.size ? bytes.size : 1);
    bytes.data = exact ? exact : bytes.data;
    return bytes;
}

static struct pgoutput room;

static struct pgoutput_message read_nth(char tag, size_t nth, struct bytes *bytes)
{
    for (size_t i = 0; i < COUNT; i++) {
        struct pgoutput_message message;
        *bytes = bytes_of(CAPTURE[i]);
        assert_true(pgoutput_read(&room, bytes->data, bytes->size, &message));
        if (message.tag == tag && nth-- == 0) return message;
        free(bytes->data);
    }
    fail_msg("the capture has fewer messages '%c'", tag);
    return (struct pgoutput_message){0};
}

static void assert_text(const struct pgoutput_value *value, const char *text)
{
    assert_int_equal(value->kind, 't');
    assert_int_equal(value->size, strlen(text));
    assert_memory_equal(value->data, text, value->size);
}

static void test_every_message_of_a_capture_is_read(void **state)
{
    (void)state;
    char tags[COUNT + 1] = "";
    for (size_t i = 0; i < COUNT; i++) {
        struct bytes bytes = bytes_of(CAPTURE[i]);
        struct pgoutput_message message;
        assert_true(pgoutput_read(&room, bytes.data, bytes.size, &message));
        tags[i] = message.tag;
        free(bytes.data);
    }
    assert_string_equal(tags, "BRIIYRICBUCBUCBDCBRUCBDCBRICBMCBRYRTCBOYRIC");
}

static void test_begin_and_commit(void **state)
{
    (void)state;
    struct bytes bytes;
    struct pgoutput_message begin = read_nth('B', 0, &bytes);
    assert_int_equal(begin.xid, 0xee1f);
    assert_int_equal(begin.lsn, 0x1e31bc48);
    int64_t begun_us = begin.time_us;
    free(bytes.data);
    struct pgoutput_message commit = read_nth('C', 0, &bytes);
    assert_int_equal(commit.lsn, 0x1e31bc78); /* its end, not where it begins */
    assert_int_equal(commit.time_us, begun_us);
    assert_int_equal(commit.time_us / 1000000 / 86400, 20780); /* days since 1970: 2026-11-23 */
    free(bytes.data);
}

static void test_a_relation_names_its_columns_and_key(void **state)
{
    (void)state;
    struct bytes bytes;
    struct pgoutput_message message = read_nth('R', 0, &bytes);
    assert_string_equal(message.schema, "shop");
    assert_string_equal(message.name, "item");
    assert_int_equal(message.identity, 'd');
    assert_int_equal(message.column_count, 5);
    assert_true(message.columns[0].is_key);
    assert_false(message.columns[1].is_key);
    assert_string_equal(message.columns[4].name, "doc");
    assert_int_equal(message.columns[3].type, 1184);
    free(bytes.data);
    message = read_nth('R', 3, &bytes);
    assert_int_equal(message.identity, 'f');
    assert_int_equal(message.column_count, 6);
    assert_string_equal(message.columns[5].name, "weight");
    free(bytes.data);
}

static void test_rows_have_values_nulls_and_what_was_not_sent(void **state)
{
    (void)state;
    struct bytes bytes;
    struct pgoutput_message message = read_nth('I', 0, &bytes);
    assert_int_equal(message.old.count, 0);
    assert_int_equal(message.fresh.count, 5);
    assert_text(&message.fresh.values[1], "cup");
    assert_text(&message.fresh.values[3], "2024-02-29 12:30:00.25+00");
    free(bytes.data);
    message = read_nth('I', 1, &bytes);
    assert_int_equal(message.fresh.values[1].kind, 'n');
    free(bytes.data);
    message = read_nth('U', 0, &bytes);
    assert_int_equal(message.fresh.values[4].kind, 'u');
    free(bytes.data);
}

static void test_old_rows_are_keys_or_whole(void **state)
{
    (void)state;
    struct bytes bytes;
    struct pgoutput_message message = read_nth('U', 1, &bytes);
    assert_false(message.has_whole_old);
    assert_text(&message.old.values[0], "2");
    assert_text(&message.fresh.values[0], "3");
    free(bytes.data);
    message = read_nth('U', 2, &bytes);
    assert_true(message.has_whole_old);
    free(bytes.data);
    message = read_nth('D', 0, &bytes);
    assert_false(message.has_whole_old);
    assert_text(&message.old.values[1], "s");
    assert_int_equal(message.fresh.count, 0);
    free(bytes.data);
    message = read_nth('D', 1, &bytes);
    assert_true(message.has_whole_old);
    free(bytes.data);
}

static void test_a_truncate_names_all_its_tables(void **state)
{
    (void)state;
    struct bytes bytes;
    struct pgoutput_message message = read_nth('T', 0, &bytes);
    assert_int_equal(message.truncated_count, 2);
    assert_int_equal(pgoutput_truncated(&message, 0), 0x41c9);
    assert_int_equal(pgoutput_truncated(&message, 1), 0x41d5);
    free(bytes.data);
}

static void test_messages_that_are_cut_or_too_long_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        struct bytes whole = bytes_of(CAPTURE[i]);
        struct pgoutput_message message;
        bool is_skipped = strchr("OYM", whole.data[0]) != NULL;
        for (size_t size = 0; size < whole.size && !is_skipped; size++) {
            char *cut = malloc(size + !size);
            assert_non_null(cut);
            memcpy(cut, whole.data, size);
            assert_false(pgoutput_read(&room, cut, size, &message));
            free(cut);
        }
        char *longer = realloc(whole.data, whole.size + 1);
        assert_non_null(longer);
        longer[whole.size] = 0;
        assert_int_equal(pgoutput_read(&room, longer, whole.size + 1, &message), is_skipped);
        free(longer);
    }
}

static void test_counts_that_lie_are_refused(void **state)
{
    (void)state;
    static const char *const LIES[] = {
        "",
        "5a",
        "49000041c94effff",
        "49000041c94e000174ffffffff31",
        "49000041c94e000178",
        "54ffffffff00000041c9",
        "52000041c973686f70006974656d0064ffff0169640000000017ffffffff",
        "52000041c9aaaaaa",
        "44000041c94e0001740000000131",
        "49000041c94b0001740000000131",
    };
    for (size_t i = 0; i < sizeof LIES / sizeof *LIES; i++) {
        struct bytes bytes = bytes_of(LIES[i]);
        struct pgoutput_message message;
        assert_false(pgoutput_read(&room, bytes.data, bytes.size, &message));
        free(bytes.data);
    }
}

static void test_frames(void **state)
{
    (void)state;
    struct wal_frame frame;
    struct bytes bytes = bytes_of("77"
                                  "0000000000000010"
                                  "0000000000000020"
                                  "0000000000000000"
                                  "4142");
    assert_true(wal_frame_read(bytes.data, bytes.size, &frame));
    assert_int_equal(frame.kind, 'w');
    assert_int_equal(frame.end, 0x20);
    assert_int_equal(frame.size, 2);
    assert_memory_equal(frame.data, "AB", 2);
    assert_false(wal_frame_read(bytes.data, 24, &frame));
    free(bytes.data);
    bytes = bytes_of("6b"
                     "0000000100000020"
                     "0000000000000000"
                     "01");
    assert_true(wal_frame_read(bytes.data, bytes.size, &frame));
    assert_true(frame.wants_reply);
    assert_true(frame.end == 0x100000020);
    assert_false(wal_frame_read(bytes.data, bytes.size - 1, &frame));
    assert_false(wal_frame_read(bytes.data, 0, &frame));
    free(bytes.data);
}

static void test_status_says_what_is_safe(void **state)
{
    (void)state;
    char status[STATUS_SIZE];
    wal_status_write(status, 0x1122334455667788, 0x10, 946684800000001, true); /* a microsecond into 2000 */
    static const unsigned char EXPECTED[STATUS_SIZE] = {'r',  0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0, 0, 0,
                                                        0,    0,    0,    0,    0x10, 0,    0,    0,    0,    0, 0, 0,
                                                        0x10, 0,    0,    0,    0,    0,    0,    0,    1,    1};
    assert_memory_equal(status, EXPECTED, STATUS_SIZE);
}

UNIT_TESTS(cmocka_unit_test(test_every_message_of_a_capture_is_read), cmocka_unit_test(test_begin_and_commit),
           cmocka_unit_test(test_a_relation_names_its_columns_and_key),
           cmocka_unit_test(test_rows_have_values_nulls_and_what_was_not_sent),
           cmocka_unit_test(test_old_rows_are_keys_or_whole), cmocka_unit_test(test_a_truncate_names_all_its_tables),
           cmocka_unit_test(test_messages_that_are_cut_or_too_long_are_refused),
           cmocka_unit_test(test_counts_that_lie_are_refused), cmocka_unit_test(test_frames),
           cmocka_unit_test(test_status_says_what_is_safe))
