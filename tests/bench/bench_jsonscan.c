/* bench_jsonscan: how fast the record path reads. Orders as an API sends them, in one page, over and over.
 *
 *     bench_jsonscan [RECORDS] [ROUNDS]
 *
 * Prints the best round of each: the scanner reading every field to a value, the survey, and pages decoded to batches. */
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/jsonscan.h"
#include "rest/decode.h"

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct block *make_page(size_t records)
{
    static const char *const STATUS[] = {"paid", "shipped", "refunded", "new"};
    struct buf text = BUF_INIT(records * 512 + 1024);
    buf_append_text(&text, "{\"orders\":[");
    for (size_t i = 0; i < records; i++) {
        buf_printf(&text,
                   "%s{\"id\":\"ord_%08zu\",\"customer_id\":\"cus_%06zu\",\"total_amount\":%zu.%02zu,\"status\":\"%s\","
                   "\"created_at\":\"2024-01-%02zuT10:%02zu:00Z\",\"updated_at\":\"2024-02-01T%02zu:%02zu:%02zuZ\","
                   "\"items\":[{\"sku\":\"SKU-%04zu\",\"qty\":%zu}],\"shipping\":{\"city\":\"Oslo\",\"zip\":\"%04zu\"},"
                   "\"note\":\"leave it at the door, ring %zu times\"}",
                   i ? "," : "", i, i % 1000000, i % 900, i % 100, STATUS[i % 4], i % 28 + 1, i % 60, i / 3600 % 24,
                   i / 60 % 60, i % 60, i % 10000, i % 9 + 1, i % 10000, i % 5);
    }
    buf_append_text(&text, "],\"has_more\":true,\"next\":\"abc\"}");
    struct block *block = block_new(NULL, text.size);
    memcpy(block->data, text.data, text.size);
    block->size = text.size;
    block_seal(block);
    buf_release(&text);
    return block;
}

static size_t scan_page(const struct block *page)
{
    struct jsonscan scan;
    struct json_value key, value;
    size_t values = 0;
    jsonscan_init(&scan, page->data, page->size);
    jsonscan_enter_object(&scan);
    while (jsonscan_next_key(&scan, &key)) {
        if (jsonscan_peek(&scan) != JSON_ARRAY) {
            jsonscan_value(&scan, &value);
            continue;
        }
        jsonscan_enter_array(&scan);
        while (jsonscan_next_element(&scan)) {
            jsonscan_enter_object(&scan);
            while (jsonscan_next_key(&scan, &key) && jsonscan_value(&scan, &value)) values++;
        }
    }
    CHECK(jsonscan_finish(&scan));
    return values;
}

static void survey_page(const struct block *page)
{
    static const char *const PATHS[] = {"has_more", "next"};
    struct json_value found[2];
    const char *error;
    size_t offset;
    CHECK(jsonscan_survey(page->data, page->size, PATHS, found, 2, &error, &offset));
    CHECK(found[0].kind == JSON_TRUE && found[1].kind == JSON_STRING);
}

static struct schema *orders_schema(void)
{
    static const struct {
        const char *name;
        enum type type;
    } FIELDS[] = {{"id", TYPE_STRING},     {"customer_id", TYPE_STRING},   {"total_amount", TYPE_DECIMAL},
                  {"status", TYPE_STRING}, {"created_at", TYPE_TIMESTAMP}, {"updated_at", TYPE_TIMESTAMP}};
    struct schema *schema = schema_new("orders");
    for (size_t i = 0; i < ARRAY_SIZE(FIELDS); i++) schema_add(schema, str_from(FIELDS[i].name), FIELDS[i].type, true);
    schema_set_key(schema, 0);
    return schema;
}

static size_t decode_page(struct block *page, struct budget *budget)
{
    struct schema *schema = orders_schema();
    struct decode_spec spec = {.stream = "orders",
                               .schema = schema,
                               .records_path = "orders",
                               .infer = true,
                               .cursor_field = "updated_at",
                               .cursor_type = TYPE_TIMESTAMP,
                               .budget = budget};
    struct decoder *decoder = decoder_new(&spec, 0, NULL);
    struct decoded out;
    struct err err = ERR_INIT;
    if (decoder_page(decoder, page, (struct str){NULL, 0}, &out, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    size_t rows = out.rows;
    decoded_release(&out);
    decoder_free(decoder);
    schema_free(schema);
    return rows;
}

int main(int argc, char **argv)
{
    size_t records = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000, rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 10;
    struct block *page = make_page(records);
    struct budget *budget = budget_new(SIZE_MAX / 2);
    double best_scan = 1e9, best_survey = 1e9, best_decode = 1e9;
    size_t values = 0, rows = 0;
    for (size_t round = 0; round < rounds; round++) {
        double start = seconds_now();
        values = scan_page(page);
        double scanned = seconds_now();
        survey_page(page);
        double surveyed = seconds_now();
        rows = decode_page(page, budget);
        double decoded = seconds_now();
        if (scanned - start < best_scan) best_scan = scanned - start;
        if (surveyed - scanned < best_survey) best_survey = surveyed - scanned;
        if (decoded - surveyed < best_decode) best_decode = decoded - surveyed;
    }
    double mb = (double)page->size / 1e6;
    printf("%zu records of %.0f bytes\n", records, (double)page->size / (double)records);
    printf("scan    %8.0f MB/s  %6.2f M values/s\n", mb / best_scan, (double)values / best_scan / 1e6);
    printf("survey  %8.0f MB/s\n", mb / best_survey);
    printf("decode  %8.0f MB/s  %6.2f M records/s\n", mb / best_decode, (double)rows / best_decode / 1e6);
    block_release(page);
    budget_free(budget);
    return 0;
}
