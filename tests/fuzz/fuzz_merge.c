/* merge: what is put together is JSON again, with as many records; putting the same together again and again changes nothing
 * in the end: each time may look one level deeper into what was taken as it stood. Neither does a value that is there already.
 * Input: the path of the records in the first line, the further answer in the second, the page behind them. */
#include "fuzz.h"

#include "base/records_path.h"
#include "rest/merge.h"

static const char *const KEY[] = {"id"};

static struct block *block_of(struct str text)
{
    struct block *block = block_new(NULL, text.size + 1);
    if (text.size) memcpy(block->data, text.data, text.size);
    block->size = text.size;
    block_seal(block);
    return block;
}

static int count(void *context, struct jsonscan *scan, struct err *err)
{
    struct json_value value;
    (void)err;
    if (!jsonscan_value(scan, &value)) return ERR_TRANSIENT;
    ++*(size_t *)context;
    return 0;
}

/* The number of records of what must be JSON. */
static size_t records_of(const struct block *block, const char *path)
{
    struct jsonscan scan;
    struct err err = ERR_INIT;
    size_t records = 0;
    jsonscan_init(&scan, block->data, block->size);
    CHECK(records_walk(&scan, path, count, &records, &err) == 0 && jsonscan_finish(&scan));
    return records;
}

static bool is_same(const struct block *a, const struct block *b)
{
    return str_equal((struct str){a->data, a->size}, (struct str){b->data, b->size});
}

static void check_class(int rc, const struct err *err)
{
    CHECK((rc == ERR_TRANSIENT || rc == ERR_DATA) && err->message[0]);
}

void fuzz(struct str input)
{
    char *path = fuzz_text(fuzz_line(&input));
    struct str answer = fuzz_line(&input);
    struct block *other = block_of(answer), *page = block_of(input), *merged = NULL, *again = NULL;
    const struct merge_spec spec = {path, KEY, 1};
    const struct merge_into into = {.field = "more\"", .many = true};
    struct merge_index index = MERGE_INDEX(NULL);
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    const struct str *keys;
    size_t missing = 0, still_missing = 0, keyed = 0, keyed_again = 0;
    int rc = merge_index_add(&index, other, &spec, "$", STR(""), &err);
    if (rc != 0) check_class(rc, &err);
    rc = merge_members(page, &spec, &index, &missing, &merged, &err);
    if (rc == 0) {
        CHECK(records_of(merged, path) == records_of(page, path));
        CHECK(missing <= records_of(page, path));
        bool is_settled = false;
        for (int pass = 0; !is_settled && pass <= MERGE_MAX_DEPTH; pass++) {
            CHECK(merge_members(merged, &spec, &index, &still_missing, &again, &err) == 0 && missing == still_missing);
            is_settled = is_same(merged, again);
            block_release(merged);
            merged = again;
        }
        CHECK(is_settled);
        block_release(merged);
    } else {
        check_class(rc, &err);
    }
    merged = again = NULL;
    rc = merge_keys(page, &spec, NULL, &arena, &keys, &keyed, &err);
    if (rc == 0) {
        CHECK(merge_values(page, &spec, &into, &index, &merged, &err) == 0);
        CHECK(records_of(merged, path) == records_of(page, path));
        CHECK(merge_keys(merged, &spec, NULL, &arena, &keys, &keyed_again, &err) == 0 && keyed == keyed_again);
        CHECK(merge_values(merged, &spec, &into, &index, &again, &err) == 0 && is_same(merged, again));
        block_release(again);
        block_release(merged);
    } else {
        check_class(rc, &err);
    }
    merge_index_release(&index);
    arena_release(&arena);
    block_release(page);
    block_release(other);
    free(path);
}
