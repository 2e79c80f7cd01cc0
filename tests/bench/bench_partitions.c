/* A million partitions: what their state takes. The same calls that a sync makes, without the requests: parents come in pages
 * of a thousand, each is looked up by key, opened, finished and committed with its state; then a second sync with a cursor
 * each, and one that goes on in the middle. Real PostgreSQL, started here.
 *
 *     bench_partitions [PARTITIONS] */
#include <stdio.h>
#include <sys/resource.h>

#include "sync/assembly.h"
#include "writer_fixture.h"

enum { PAGE = 1000 };
static const char *const CURSOR = "2026-01-01T00:00:00Z";

static long memory_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void page_of(struct assembly *assembly, struct writer *writer, long first, long count, const char *mark,
                    bool keeps_cursor, long *skipped)
{
    struct arena arena = ARENA_INIT(0);
    struct state known = STATE_INIT(&arena);
    struct err err = ERR_INIT;
    const char **ids = arena_array(&arena, const char *, (size_t)count);
    for (long i = 0; i < count; i++) ids[i] = arena_printf(&arena, "%ld", 100000000 + (first + i) * 7919 % 900000007);
    if (PG->find_state(writer, "issues", ids, (size_t)count, &known, &err) != 0) fail_msg("find: %s", err.message);
    for (long i = 0; i < count; i++) {
        const char *value = state_get(&known, "issues", ids[i], STATE_PARTITION);
        struct partition_state state = {0};
        if (value) assert_int_equal(partition_state_parse(value, &arena, &state, &err), 0);
        if (value && strcmp(state.plan, mark) == 0) {
            (*skipped)++;
            continue;
        }
        struct assembly_slice slice = {.id = ids[i], .floor = state.cursor, .max_cursor = keeps_cursor ? CURSOR : NULL};
        uint32_t index = assembly_open(assembly, &slice);
        assembly_finish(assembly, index);
    }
    arena_release(&arena);
}

static void sync_of(struct target *target, const char *mark, bool keeps_cursor, long partitions)
{
    struct err err = ERR_INIT;
    struct schema *schema = orders_schema();
    struct table_spec table = {.stream = "issues", .name = "issues", .mode = WRITE_APPEND_DEDUP, .schema = schema};
    struct flow_spec spec = {
        .pipeline = target->pipeline, .flow = "issues", .connector = "bench", .tables = &table, .table_count = 1};
    struct writer *writer;
    struct arena arena = ARENA_INIT(0);
    struct state state = STATE_INIT(&arena);
    const char *const streams[] = {"issues"};
    const struct assembly_options options = {.stream = "issues",
                                             .streams = streams,
                                             .stream_count = 1,
                                             .loaded_count = 1,
                                             .keep_cursor = keeps_cursor,
                                             .cursor_type = TYPE_TIMESTAMP,
                                             .partition_mark = mark};
    long before = memory_kib(), skipped = 0;
    int64_t began = clock_now_ms(clock_system());
    if (PG->flow_open(target->destination, &spec, &writer, &err) != 0) fail_msg("open: %s", err.message);
    assert_int_equal(PG->load_state(writer, &state, &err), 0);
    struct assembly *assembly = assembly_new(&options);
    struct load load;
    for (long first = 0; first < partitions; first += PAGE) {
        page_of(assembly, writer, first, PAGE, mark, keeps_cursor, &skipped);
        if (assembly_take(assembly, TAKE_COVERED, &load)) {
            if (PG->commit(writer, &load, &err) != 0) fail_msg("commit: %s", err.message);
            assembly_committed(assembly);
        }
    }
    char *size =
        strdup(rows_of("SELECT pg_total_relation_size('_sluice.partitions') / 1000000, count(*) FROM _sluice.partitions"));
    assembly_opened_all(assembly);
    if (assembly_take(assembly, TAKE_ALL, &load)) {
        if (PG->commit(writer, &load, &err) != 0) fail_msg("commit: %s", err.message);
        assembly_committed(assembly);
    }
    printf("plan %s%s: %.1f s, %ld skipped; MB on disk | entries: %s, at the end %s; memory %ld KiB, %ld before\n", mark,
           keeps_cursor ? ", a cursor each" : "", (double)(clock_now_ms(clock_system()) - began) / 1000, skipped, size,
           rows_of("SELECT pg_total_relation_size('_sluice.partitions') / 1000000, count(*) FROM _sluice.partitions"),
           memory_kib(), before);
    fflush(stdout);
    free(size);
    assembly_free(assembly);
    PG->flow_close(writer);
    schema_free(schema);
    arena_release(&arena);
}

int main(int count, char **arguments)
{
    long partitions = count > 1 ? strtol(arguments[1], NULL, 10) : 1000000;
    struct target target;
    if (fixture_setup(NULL) != 0) return 1;
    target_open(&target, "bench");
    target_acquire(&target);
    sync_of(&target, "1767225600123456", false, partitions);
    sql("VACUUM _sluice.partitions");
    sync_of(&target, "1767312000123456", true, partitions);
    sync_of(&target, "1767398400123456", true, partitions);
    target_close(&target);
    fixture_teardown(NULL);
    return 0;
}
