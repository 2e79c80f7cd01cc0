/* bench_map: records per second through a connector's map function, in a real worker, pages of 1,000 records of 297 bytes.
 *
 *     bench_map PATH_TO_SLUICE_WORKER [pages]
 *
 * Prints one line per function: from a native-like pass-through to one that builds a new record. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "connector/connector.h"

enum { RECORDS = 1000, PADDING = 64 };

static const char SOURCE[] =
    "return sluice.connector { s = {\n"
    "  same = function(r) return r end,\n"
    "  small = function(r) r.total = nil r.paid = r.status == 'paid' return r end,\n"
    "  new = function(r) return { id = r.id, customer = r.customer_id, amount = r.total_amount, at = r.updated_at } end,\n"
    "  nested = function(r) r.city = r.shipping.city return r end,\n"
    "} }";

static void write_page(struct buf *page)
{
    buf_append_text(page, "{\"orders\":[");
    for (int i = 0; i < RECORDS; i++)
        buf_printf(
            page,
            "%s{\"id\":\"ord_%08d\",\"customer_id\":\"cus_%08d\",\"status\":\"%s\",\"total_amount\":%d.%02d,\"items\":%d,"
            "\"created_at\":\"2024-01-15T10:%02d:00Z\",\"updated_at\":\"2024-01-16T10:%02d:00Z\","
            "\"shipping\":{\"city\":\"Oslo\",\"street\":\"Karl Johans gate %d\",\"postal_code\":\"0154\"},"
            "\"note\":\"please leave it at the door behind the green fence\"}",
            i ? "," : "", i, i * 7, i % 2 ? "paid" : "open", i, i % 100, i % 5, i % 60, i % 60, i % 40);
    buf_append_text(page, "]}");
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static const char *const NAMES[] = {"s.same", "s.small", "s.new", "s.nested"};
    if (argc < 2) return fprintf(stderr, "usage: bench_map PATH_TO_SLUICE_WORKER [pages]\n"), 2;
    long pages = argc > 2 ? strtol(argv[2], NULL, 10) : 200;
    struct connector_options options = {.worker_path = argv[1]};
    struct connector_file file = {STR("init.lua"), str_from(SOURCE)};
    struct connector_sources sources = {.name = "bench", .files = &file, .count = 1};
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    struct functions functions;
    struct buf page = BUF_INIT(16 << 20);
    int rc = 0;
    write_page(&page);
    if (!buf_reserve(&page, PADDING)) return 1;
    printf("%d records of %zu bytes a page, %ld pages\n", RECORDS, page.size / RECORDS, pages);
    connector_functions_new(&sources, &options, &functions);
    for (size_t i = 0; i < ARRAY_SIZE(NAMES) && rc == 0; i++) {
        struct str out = {0};
        double start = seconds();
        for (long at = 0; at < pages && rc == 0; at++) {
            rc = functions.records(functions.context, NULL, NAMES[i], "orders", STR("{\"config\":{}}"), buf_str(&page), &arena,
                                   &out, &err);
            arena_clear(&arena);
        }
        double taken = seconds() - start;
        if (rc == 0)
            printf("%-10s %9.0f records/s   %5.2f us each\n", NAMES[i], (double)pages * RECORDS / taken,
                   taken * 1e6 / (double)pages / RECORDS);
        else
            fprintf(stderr, "%s\n", err.message);
    }
    connector_functions_free(&functions);
    buf_release(&page);
    arena_release(&arena);
    return rc == 0 ? 0 : 1;
}
