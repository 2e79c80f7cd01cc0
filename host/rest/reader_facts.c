/* reader_facts: what the pager is told of an answer. Records are counted, in a second and deeper pass, only for the kinds of
 * pages that need their number. */
#include "rest/reader_parts.h"

#include "base/records_path.h"
#include "os/log.h"
#include "rest/link.h"

static int count_record(void *context, struct jsonscan *scan, struct err *err)
{
    struct counting *counting = context;
    struct json_value value;
    (void)err;
    if (!jsonscan_value(scan, &value)) return ERR_TRANSIENT;
    counting->records++;
    counting->last = value.raw;
    return 0;
}

int reader_count(const struct reader *reader, const struct block *body, struct counting *counting, struct err *err)
{
    struct jsonscan scan;
    jsonscan_init(&scan, body->data, body->size);
    int rc = records_walk(&scan, reader->stream->records_path, count_record, counting, err);
    if (rc == 0 || !scan.error) return rc == 0 ? 0 : err_context(err, "%s", reader->stream->request.where);
    return err_set(err, ERR_TRANSIENT, "%s: the answer is no JSON: %s at byte %zu", reader->stream->request.where, scan.error,
                   jsonscan_offset(&scan));
}

/* For the pager, which asks only when two bodies are the same. */
struct body_in_hand {
    const struct reader *reader;
    const struct block *body;
};

static bool body_has_records(void *context)
{
    const struct body_in_hand *hand = context;
    struct err ignored = ERR_INIT;
    struct counting counting = {0};
    if (hand->reader->parts) return parts_records(hand->reader->parts) > 0;
    if (hand->reader->stream->records_function) return hand->body->size > 0;
    return reader_count(hand->reader, hand->body, &counting, &ignored) == 0 && counting.records > 0;
}

static struct str find_header(const struct reader *reader, const struct http_response *response)
{
    const char *name = reader->stream->pages.header;
    for (size_t i = 0; name && i < response->header_count; i++)
        if (str_equal_nocase(response->headers[i].name, str_from(name))) return str_trim(response->headers[i].value);
    return (struct str){0};
}

/* The value the pager wants of the last record; null when it has none. */
static struct json_value find_last(const struct reader *reader, struct str record)
{
    const char *path = pager_last_path(&reader->stream->pages), *problem;
    struct json_value found = {.kind = JSON_NULL};
    size_t offset;
    bool is_object = record.size > 0 && record.data[0] == '{';
    if (path && is_object && !jsonscan_survey(record.data, record.size, &path, &found, 1, &problem, &offset))
        found = (struct json_value){.kind = JSON_NULL};
    return found;
}

static struct str find_link(const struct reader *reader, const struct http_response *response)
{
    struct str target = {0};
    const char *relation = pages_moving(&reader->stream->pages)->relation;
    for (size_t i = 0; relation && i < response->header_count; i++)
        if (str_equal_nocase(response->headers[i].name, STR("link")) &&
            link_find(response->headers[i].value, str_from(relation), &target))
            return target;
    return target;
}

static int call_next(struct reader *reader, const struct block *body, struct str *result, struct err *err)
{
    const struct request_source *source = &reader->options.source;
    const char *name = pages_moving(&reader->stream->pages)->next_function;
    if (!name) return 0;
    CHECK(source->functions);
    struct str context = request_context(source, pager_place(reader->pager), &reader->arena);
    return source->functions->value(source->functions->context, name, context, (struct str){body->data, body->size},
                                    &reader->arena, result, err);
}

bool reader_has_records(const struct reader *reader, const struct block *body)
{
    struct body_in_hand hand = {reader, body};
    return body_has_records(&hand);
}

int reader_move_on(struct reader *reader, const struct http_response *response, const struct json_value *found, struct err *err)
{
    struct body_in_hand hand = {reader, response->body};
    struct page_facts facts = {
        .found = found,
        .body_hash = reader->part_hash ^ hash_bytes((struct str){response->body->data, response->body->size}),
        .has_records = body_has_records,
        .context = &hand,
        .url = str_from(response->url),
        .link = find_link(reader, response),
        .header = find_header(reader, response),
    };
    int rc = 0;
    if (pager_counts_records(&reader->stream->pages) && !reader->stream->records_function) {
        struct counting counting = {0};
        rc = reader_count(reader, response->body, &counting, err);
        facts.records_known = true;
        facts.records = counting.records + reader->part_records;
        facts.last = find_last(reader, counting.last);
    }
    if (rc == 0) rc = call_next(reader, response->body, &facts.next_json, err);
    if (rc != 0) return rc;
    rc = pager_next(reader->pager, &facts, err);
    if (rc < 0 && pager_capped(reader->pager) && window_has_step(&reader->stream->cursor.window))
        reader->end = READER_SPLITS_WINDOW;
    if (pager_warning(reader->pager) && reader->options.log)
        log_warn(reader->options.log, "%s: %s", reader->stream->request.where, pager_warning(reader->pager));
    return rc < 0 ? err_context(err, "%s", reader->stream->request.where) : rc;
}
