/* Formats: bodies become JSON documents, in parts, whatever the borders of the windows they are read through. */
#include "unit.h"

#include <stdlib.h>

#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "os/spool.h"
#include "rest/format/parts.h"

static const struct format CSV = {.kind = FORMAT_CSV, .delimiter = ',', .quote = '"', .records_path = "$"};
static const struct format NDJSON = {.kind = FORMAT_NDJSON, .records_path = "$"};

static struct block *block_of(const char *text, size_t size)
{
    struct block *block = block_new(NULL, size + 1);
    memcpy(block->data, text, size);
    block->size = size;
    block_seal(block);
    return block;
}

struct outcome {
    struct buf text; /* the documents, one per line */
    size_t documents;
    uint64_t records;
    int rc;
    struct err err;
};

static void run(const struct format *format, struct block *body, const struct spool *spool, struct outcome *outcome)
{
    *outcome = (struct outcome){.text = BUF_INIT(SIZE_MAX / 2)};
    struct parts *parts = parts_new(format, NULL, body, spool, NULL);
    bool is_last = false;
    while (outcome->rc == 0 && !is_last) {
        struct block *document = NULL;
        outcome->rc = parts_next(parts, &document, &is_last, &outcome->err);
        if (outcome->rc != 0) break;
        if (outcome->documents++) buf_append_char(&outcome->text, '\n');
        buf_append(&outcome->text, document->data, document->size);
        block_release(document);
    }
    outcome->records = parts_records(parts);
    parts_free(parts);
}

static void check_sized(const struct format *format, const char *body, size_t size, const char *expected)
{
    struct outcome outcome;
    struct block *block = block_of(body, size);
    run(format, block, NULL, &outcome);
    if (outcome.rc != 0) fail_msg("%s", outcome.err.message);
    assert_string_equal(buf_text(&outcome.text), expected);
    buf_release(&outcome.text);
    block_release(block);
}

static void check(const struct format *format, const char *body, const char *expected)
{
    check_sized(format, body, strlen(body), expected);
}

static void check_fails(const struct format *format, const char *body, int class, const char *message)
{
    struct outcome outcome;
    struct block *block = block_of(body, strlen(body));
    run(format, block, NULL, &outcome);
    assert_int_equal(outcome.rc, class);
    if (!strstr(outcome.err.message, message)) fail_msg("expected '%s' in '%s'", message, outcome.err.message);
    buf_release(&outcome.text);
    block_release(block);
}

static void csv_rows_become_objects(void **state)
{
    (void)state;
    check(&CSV, "Id,Name\n1,Ann\n2,Bob\n", "[{\"Id\":\"1\",\"Name\":\"Ann\"},{\"Id\":\"2\",\"Name\":\"Bob\"}]");
    check(&CSV, "Id,Name\r\n1,Ann\r\n2,Bob", "[{\"Id\":\"1\",\"Name\":\"Ann\"},{\"Id\":\"2\",\"Name\":\"Bob\"}]");
    check(&CSV, "\xef\xbb\xbf\"Id\",\"Name\"\n\"1\",\"\"\n2,\n", "[{\"Id\":\"1\",\"Name\":null},{\"Id\":\"2\",\"Name\":null}]");
    check(&CSV, "Id\n1\r", "[{\"Id\":\"1\"}]");
    check(&CSV, "", "[]");
    check(&CSV, "Id,Name\n", "[]");
    check(&CSV, "Id,Name\n\n1,Ann\n\n", "[{\"Id\":\"1\",\"Name\":\"Ann\"}]");
    check(&CSV, "Id\n\n1\n", "[{\"Id\":null},{\"Id\":\"1\"}]");
}

static void csv_quotes_hold_everything(void **state)
{
    (void)state;
    check(&CSV, "a,b\n\"x\"\"y\",\"1\n2\r\n3,4\"\n", "[{\"a\":\"x\\\"y\",\"b\":\"1\\n2\\r\\n3,4\"}]");
    check(&CSV, "\"a\"\"\",b\n\"\"\"\",\"\\\t\x01\"\n", "[{\"a\\\"\":\"\\\"\",\"b\":\"\\\\\\t\\u0001\"}]");
    check(&CSV, "a,b\nx\"y,'\n", "[{\"a\":\"x\\\"y\",\"b\":\"'\"}]");
    struct format tabs = CSV;
    tabs.delimiter = '\t', tabs.quote = '\'', tabs.null_text = "NULL";
    check(&tabs, "a\tb\n'1,\t'\tNULL\n", "[{\"a\":\"1,\\t\",\"b\":null}]");
}

static void csv_columns_and_nul(void **state)
{
    static const char *const NAMES[] = {"id", "na\"me"};
    struct format named = CSV;
    (void)state;
    named.columns = NAMES, named.column_count = 2, named.strip_nul = true;
    check_sized(&named, "1,A\0nn\0\n", 8, "[{\"id\":\"1\",\"na\\\"me\":\"Ann\"}]");
}

static void csv_odd_rows_say_so(void **state)
{
    (void)state;
    check(&CSV, "a,b\n1\n1,2,3\n\"1\"x,2\n3,\"4\n4\"\n5\n6,7\n",
          "[\"line 2: 1 cells for 2 columns: 1\",\"line 3: 3 cells for 2 columns: 1,2,3\","
          "\"line 4: text behind a closing quote: \\\"1\\\"x,2\",{\"a\":\"3\",\"b\":\"4\\n4\"},"
          "\"line 7: 1 cells for 2 columns: 5\",{\"a\":\"6\",\"b\":\"7\"}]");
    check_fails(&CSV, "a,b\n1,2\n3,\"4\n5,6\n", ERR_TRANSIENT, "line 3: the body ends inside of a quoted cell");
    check_fails(&CSV, "a,b,a\n", ERR_DATA, "columns 1 and 3 are both named 'a'");
}

static void ndjson_lines_become_a_list(void **state)
{
    (void)state;
    check(&NDJSON, "{\"a\":1}\n\n {\"b\":\"x\\n\"} \r\n[2]\n\"t\"", "[{\"a\":1},{\"b\":\"x\\n\"},[2],\"t\"]");
    check(&NDJSON, "", "[]");
    check_fails(&NDJSON, "{\"a\":1}\n{\"a\":", ERR_TRANSIENT, "line 2, column 6: unexpected end");
    check_fails(&NDJSON, "{\"a\":1}\n{} {}\n", ERR_TRANSIENT, "line 2, column 4");
    /* What one line breaks, the next cannot mend. */
    check_fails(&NDJSON, "{\"a\":[1\n2]}\n", ERR_TRANSIENT, "line 1");
}

/* A body of many records, and what they must come to together. */
static void make_body(const struct format *format, size_t records, struct buf *body)
{
    if (format->kind == FORMAT_CSV) buf_append_text(body, "id,text\n");
    if (format->kind == FORMAT_JSON)
        buf_append_text(body, "{\"meta\":{\"items\":[0],\"k\":\"]\"}, \"data\" : {\"x\":[{}],\"items\" : [ ");
    for (size_t i = 0; i < records; i++) {
        size_t filler = i % 97 * 3;
        if (format->kind == FORMAT_CSV) {
            buf_printf(body, "%zu,\"a \"\"b\"\" %*s\r\n\"\n", i, (int)filler, "");
        } else {
            if (format->kind == FORMAT_JSON && i) buf_append_text(body, i % 5 ? "," : " ,\n ");
            buf_printf(body, "{\"id\":%zu,\"text\":\"]}\\\"\\\\%*s\",\"in\":[{\"items\":[]}]}", i, (int)filler, "");
            if (format->kind == FORMAT_NDJSON) buf_append_char(body, '\n');
        }
    }
    if (format->kind == FORMAT_JSON) buf_append_text(body, " ] , \"more\":true},\"next\":\"abc\"}");
}

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) count++;
    return count;
}

static void bodies_come_in_parts(void **state)
{
    enum { RECORDS = 30000 };
    const struct format formats[] = {CSV, NDJSON, {.kind = FORMAT_JSON, .stream = true, .records_path = "data.items"}};
    char folder[] = "/tmp/sluice-format-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(folder));
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        struct buf body = BUF_INIT(SIZE_MAX / 2);
        struct spool *spool;
        struct err err = ERR_INIT;
        make_body(&formats[f], RECORDS, &body);
        struct block *block = block_of(body.data, body.size);
        assert_int_equal(spool_new(folder, body.size, &spool, &err), 0);
        assert_int_equal(spool_append(spool, "xx", 2, &err), 0);
        spool_clear(spool);
        assert_int_equal(spool_append(spool, body.data, body.size, &err), 0);
        assert_int_equal(spool_append(spool, "x", 1, &err), ERR_DATA);
        struct outcome whole, spooled;
        run(&formats[f], block, NULL, &whole);
        run(&formats[f], NULL, spool, &spooled);
        assert_int_equal(whole.rc, 0);
        assert_int_equal(whole.records, RECORDS);
        assert_true(whole.documents > 3);
        assert_string_equal(buf_text(&whole.text), buf_text(&spooled.text));
        for (size_t i = 0; i < RECORDS; i += 977) {
            char part[64];
            snprintf(part, sizeof part, formats[f].kind == FORMAT_CSV ? "{\"id\":\"%zu\"," : "{\"id\":%zu,", i);
            assert_int_equal(occurrences(whole.text.data, part), 1);
        }
        if (formats[f].kind == FORMAT_JSON) {
            assert_int_equal(occurrences(whole.text.data, "\n{\"data\":{\"items\":["), whole.documents - 2);
            assert_non_null(strstr(strrchr(whole.text.data, '\n') - 64, "\"next\":\"abc\"}"));
            assert_int_equal(occurrences(whole.text.data, "\"meta\""), 1);
        }
        buf_release(&whole.text);
        buf_release(&spooled.text);
        buf_release(&body);
        spool_free(spool);
        block_release(block);
    }
    assert_int_equal(rmdir(folder), 0); /* a spool leaves nothing */
}

static void json_streams_keep_their_shape(void **state)
{
    const struct format root = {.kind = FORMAT_JSON, .stream = true, .records_path = "$"};
    const struct format deep = {.kind = FORMAT_JSON, .stream = true, .records_path = "a.b"};
    (void)state;
    check(&root, " [ {\"x\":1} , 2,\"t\" , [3 ] ] ", " [{\"x\":1},2,\"t\",[3 ]] ");
    check(&root, "{\"x\":[1]}", "{\"x\":[1]}");
    check(&root, "[]", "[]");
    check(&deep, "{\"b\":[9],\"a\":{\"c\":{\"b\":[8]},\"b\":[1,2]},\"n\":3}",
          "{\"b\":[9],\"a\":{\"c\":{\"b\":[8]},\"b\":[1,2]},\"n\":3}");
    check(&deep, "{\"a\":{\"b\":null}}", "{\"a\":{\"b\":null}}");
    check(&deep, "{\"a\":[{\"b\":[1]}]}", "{\"a\":[{\"b\":[1]}]}");
    check_fails(&deep, "{\"a\":{\"b\":[1,2", ERR_TRANSIENT, "ends among the records");
    check_fails(&deep, "{\"a\":{\"b\":[1,,2]}}", ERR_TRANSIENT, "unexpected character between records");
    check_fails(&deep, "{\"a\":{\"b\":[{\"x\":1}{\"x\":2}]}}", ERR_TRANSIENT, "unexpected character between records");
    check_fails(&deep, "{\"a\":{\"b\":[1]},\"a\":{\"b\":[2]}}", ERR_DATA, "twice");
}

static void too_large_a_record_is_named(void **state)
{
    struct outcome outcome;
    struct buf body = BUF_INIT(SIZE_MAX / 2);
    (void)state;
    buf_append_text(&body, "a\n1\n\"");
    while (body.size < FORMAT_MAX_RECORD_BYTES + 100) buf_append_text(&body, "0123456789abcdefghijklmnopqrstuvwxyz");
    buf_append_text(&body, "\"\n2\n");
    struct block *block = block_of(body.data, body.size);
    run(&CSV, block, NULL, &outcome);
    assert_int_equal(outcome.rc, ERR_DATA);
    assert_non_null(strstr(outcome.err.message, "a record of over 16 MiB, the one behind 1 others"));
    buf_release(&outcome.text);
    buf_release(&body);
    block_release(block);
}

/* ---- XML ------------------------------------------------------------------------------------------------------------------
 */

static const struct format XML = {.kind = FORMAT_XML};

static int xml(const struct format *format, const char *body, char *out, size_t size, struct err *err)
{
    struct block *block = block_of(body, strlen(body)), *json = NULL;
    int rc = format_xml(format, block, NULL, &json, err);
    if (rc == 0) snprintf(out, size, "%.*s", (int)json->size, json->data);
    block_release(json);
    block_release(block);
    return rc;
}

static void check_xml(const struct format *format, const char *body, const char *expected)
{
    char text[4096];
    struct err err = ERR_INIT;
    if (xml(format, body, text, sizeof text, &err) != 0) fail_msg("%s", err.message);
    assert_string_equal(text, expected);
}

static void check_xml_fails(const char *body, int class, const char *message)
{
    char text[4096];
    struct err err = ERR_INIT;
    assert_int_equal(xml(&XML, body, text, sizeof text, &err), class);
    if (!strstr(err.message, message)) fail_msg("expected '%s' in '%s'", message, err.message);
}

static void xml_becomes_objects(void **state)
{
    static const char *const LISTS[] = {"o"};
    const struct format lists = {.kind = FORMAT_XML, .lists = LISTS, .list_count = 1};
    (void)state;
    check_xml(&XML, "<?xml version='1.0'?>\n<r>\n <o id=\"1\">a&amp;\"b</o>\n <p/>\n <o> c </o>\n</r>\n",
              "{\"r\":{\"o\":[{\"@id\":\"1\",\"#text\":\"a&\\\"b\"},\" c \"],\"p\":null}}");
    check_xml(&XML, "<r><o><i>1</i></o></r>", "{\"r\":{\"o\":{\"i\":\"1\"}}}");
    check_xml(&lists, "<r><o><i>1</i></o></r>", "{\"r\":{\"o\":[{\"i\":\"1\"}]}}");
    check_xml(&XML,
              "<s:E xmlns:s='urn:s' xmlns='urn:d' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' s:v='1'>"
              "<s:B xsi:nil='true'/><n xsi:nil='false'>x</n><![CDATA[<&>]]></s:E>",
              "{\"E\":{\"@v\":\"1\",\"B\":null,\"n\":\"x\",\"#text\":\"<&>\"}}");
    check_xml(&XML, "<?xml version='1.0' encoding='ISO-8859-1'?><r>\xe9</r>", "{\"r\":\"\xc3\xa9\"}");
}

static void xml_refuses_what_multiplies(void **state)
{
    struct buf deep = BUF_INIT(1 << 20);
    (void)state;
    check_xml_fails("<!DOCTYPE r [<!ENTITY a 'x'><!ENTITY b '&a;&a;'>]><r>&b;</r>", ERR_DATA, "document type");
    check_xml_fails("<!DOCTYPE r [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><r>&a;</r>", ERR_DATA, "document type");
    check_xml_fails("<!DOCTYPE r SYSTEM 'http://127.0.0.1/x.dtd'><r/>", ERR_DATA, "document type");
    check_xml_fails("<r><a>1</a>", ERR_TRANSIENT, "cut or no XML");
    check_xml_fails("<r><a>1</b></r>", ERR_TRANSIENT, "line 1, column");
    check_xml_fails("", ERR_TRANSIENT, "cut or no XML");
    check_xml_fails("{\"a\":1}", ERR_TRANSIENT, "cut or no XML");
    for (int i = 0; i < 2000; i++) buf_append_text(&deep, "<a>");
    check_xml_fails(buf_text(&deep), ERR_DATA, "over 256 levels");
    buf_release(&deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_rows_become_objects),       cmocka_unit_test(csv_quotes_hold_everything),
        cmocka_unit_test(csv_columns_and_nul),           cmocka_unit_test(csv_odd_rows_say_so),
        cmocka_unit_test(ndjson_lines_become_a_list),    cmocka_unit_test(bodies_come_in_parts),
        cmocka_unit_test(json_streams_keep_their_shape), cmocka_unit_test(too_large_a_record_is_named),
        cmocka_unit_test(xml_becomes_objects),           cmocka_unit_test(xml_refuses_what_multiplies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
