/* explode: see explode.h. The root's reader has kept the field with the elements; its text is walked a second time here, which
 * costs a fraction of reading the values. A row's texts lie in its batch, so what is copied is read anew when a record's rows
 * go on in another batch. */
#include "rest/explode.h"

#include <stdlib.h>

#include "base/records_path.h"
#include "rest/reject.h"
#include "rest/reshape.h"

struct given {
    struct coerce_rule rule;
    uint32_t column;
    struct field *field; /* of the elements' fields, by the same name: it is not read from there */
    struct value value;
    struct json_value json; /* what it was read from, when it was not of its type */
    bool is_misfit;
};

static bool was_seen(const struct exploder *exploder, const struct record_watch *watch)
{
    return watch->seen_in == exploder->record_number;
}

/* Reads what is copied from the record into the arena of the batch. */
static void read_copies(struct exploder *exploder, struct batch *batch)
{
    for (size_t i = 0; i < exploder->spec->copy_count; i++) {
        struct given *given = &exploder->given[i];
        const struct record_watch *watch = &exploder->watches[1 + i];
        struct json_value inner = watch->value;
        bool found = was_seen(exploder, watch);
        given->value = (struct value){.kind = VALUE_NULL, .i = 0};
        given->is_misfit = false;
        if (found && watch->rest[0]) {
            bool is_container = inner.kind == JSON_OBJECT || inner.kind == JSON_ARRAY;
            found = is_container && jsonscan_find(watch->value.raw.data, watch->value.raw.size, watch->rest, &inner);
        }
        if (!found) continue;
        given->json = inner;
        given->is_misfit =
            !coerce_value(&given->rule, &inner, batch->arena, &exploder->lane.reader.counts->repaired, &given->value);
    }
}

/* lane->fill */
static void fill(void *context, struct batch *batch, uint64_t batch_number)
{
    struct exploder *exploder = context;
    struct value *row = batch->values + (batch->rows - 1) * batch->columns;
    bool is_row = batch->operations[batch->rows - 1] != ROW_EMPTY;
    if (exploder->given_batch != batch_number) read_copies(exploder, batch);
    exploder->given_batch = batch_number;
    for (size_t i = 0; i < exploder->spec->copy_count; i++) {
        const struct given *given = &exploder->given[i];
        row[given->column] = given->value;
        if (given->is_misfit && given->field && is_row) record_misfit(&exploder->lane.reader, given->field, &given->json);
    }
    if (exploder->spec->position != DECODE_NONE && is_row)
        row[exploder->spec->position] = (struct value){.kind = VALUE_INTEGER, .i = exploder->place};
}

void exploder_init(struct exploder *exploder, const struct explode_spec *spec, size_t first_watch, uint32_t slice)
{
    *exploder = (struct exploder){.spec = spec, .first_watch = first_watch, .scratch = ARENA_INIT(0)};
    lane_init(&exploder->lane, &spec->decode, slice, NULL);
    exploder->lane.fill = fill;
    exploder->lane.context = exploder;
    exploder->given = mem_zero(spec->copy_count + 1, sizeof *exploder->given);
    for (size_t i = 0; i < spec->copy_count; i++) {
        const struct column *column = schema_column(spec->decode.schema, spec->copies[i].column);
        exploder->given[i] = (struct given){
            .rule = coerce_rule_for(column, spec->decode.timestamp_format),
            .column = spec->copies[i].column,
            .field = fields_get(&exploder->lane.reader.fields, str_from(column->name)),
        };
    }
}

void exploder_release(struct exploder *exploder)
{
    lane_release(&exploder->lane);
    arena_release(&exploder->scratch);
    free(exploder->given);
}

/* Looks at the element that comes next: is it filtered out? Then it is passed over. */
static bool pass_filtered(struct exploder *exploder, struct jsonscan *scan)
{
    struct jsonscan ahead = *scan;
    struct json_value element;
    if (jsonscan_peek(scan) != JSON_OBJECT || !jsonscan_value(&ahead, &element)) return false;
    arena_clear(&exploder->scratch);
    if (reshape_keeps(exploder->spec->kept, &element, &exploder->scratch)) return false;
    *scan = ahead;
    return true;
}

/* records_take: one element. */
static int take_element(void *context, struct jsonscan *scan, struct err *err)
{
    struct exploder *exploder = context;
    struct lane *lane = &exploder->lane;
    int taken;
    if (exploder->spec->kept && pass_filtered(exploder, scan)) {
        exploder->place++;
        return 0;
    }
    lane->reader.counts->emitted++;
    if (UNLIKELY(jsonscan_peek(scan) != JSON_OBJECT))
        taken = lane_take_other(lane, scan);
    else
        taken = lane_take(lane, scan, exploder->has_row ? ROW_UPSERT : ROW_FIRST, err);
    exploder->has_row = exploder->has_row || taken > 0;
    exploder->place++;
    return taken < 0 ? taken : 0;
}

/* The list is none: what it should have held is not known. */
static void reject_list(struct exploder *exploder, const struct json_value *value, const char *detail)
{
    struct decoded *out = exploder->lane.page->out;
    exploder->lane.reader.counts->emitted++;
    exploder->lane.reader.counts->rejected++;
    if (!reject_has_room(out)) return;
    struct str text = reject_record(out, &exploder->lane.reader.fields, value);
    reject_add(out, &exploder->spec->decode, str_from(exploder->spec->decode.records_path), "not_a_list",
               arena_strdup(&out->arena, detail), text, true);
}

/* Walks the elements, of which a record that is gone has none; *is_known says whether the list was one. */
static int take_elements(struct exploder *exploder, bool is_gone, bool *is_known, struct err *err)
{
    const struct record_watch *list = &exploder->watches[0];
    struct err failure = ERR_INIT;
    struct jsonscan scan;
    *is_known = true;
    if (is_gone || !was_seen(exploder, list) || list->value.kind == JSON_NULL) return 0;
    if (list->value.kind != JSON_ARRAY && list->value.kind != JSON_OBJECT) {
        err_set(&failure, ERR_DATA, "expected a list, got %s", json_kind_name(list->value.kind));
    } else {
        jsonscan_init(&scan, list->value.raw.data, list->value.raw.size);
        int rc = records_walk(&scan, list->rest, take_element, exploder, &failure);
        if (rc == 0) return 0;
        if (rc != ERR_DATA || exploder->lane.page->value_bytes > DECODE_MAX_PAGE_VALUES)
            return failure.class ? err_copy(err, &failure)
                                 : err_set(err, rc, "could not read the elements: %s", scan.error ? scan.error : "broken JSON");
    }
    *is_known = false;
    reject_list(exploder, &list->value, failure.message);
    return 0;
}

int exploder_record(struct exploder *exploder, const struct record_reader *root, struct err *err)
{
    bool is_known;
    exploder->watches = root->watches + exploder->first_watch;
    exploder->record_number = root->number;
    exploder->given_batch = 0;
    exploder->place = 0;
    exploder->has_row = false;
    int rc = take_elements(exploder, root->is_deleted, &is_known, err);
    if (rc || exploder->has_row || !is_known || !exploder->spec->tells_empty) return rc;
    return lane_add_row(&exploder->lane, ROW_EMPTY, err);
}
