/* reader_widen: what a page needs beside its own request. The first group of fields is the page: it decides which records there
 * are and how it goes on. The others are asked for at the same place and put into its records by key. A record that another
 * group lacks changed or went meanwhile, or the pages have shifted: nobody can say which, so the page is read again from its
 * first group; what only another group has comes with another page or a later sync, and is left.
 *
 * What is asked of other endpoints is read by a reader of its own, whose stream is the declaration. */
#include "rest/reader_parts.h"

#include "rest/merge.h"

struct widening {
    struct reader *reader;
    struct http_response *response; /* of the first group; its body is replaced as it grows */
    struct merge_spec spec;
};

static void replace_body(struct widening *hand, struct block *body)
{
    block_release(hand->response->body);
    hand->response->body = body;
}

/* --- groups of fields ---------------------------------------------------------------------------------------------------- */

static int differing(struct reader *reader, size_t missing, size_t group, struct err *err)
{
    reader->groups_differ = true;
    err_set(err, ERR_TRANSIENT, "%s: %zu records of the page are not in the answer for its other fields (%zu of %zu requests)",
            reader->stream->request.where, missing, group + 1, reader->chunks.count);
    return err_hint(err, "the records change faster than they are read: let pages go by a key, or ask for fewer a page");
}

/* The records of the group, without the answer that they came in. */
static int fetch_group(struct widening *hand, size_t group, struct merge_index *index, struct err *err)
{
    struct reader *reader = hand->reader;
    struct http_request request;
    struct http_response response = {0};
    reader->options.source.fields = reader->chunks.groups[group];
    int rc = reader_request(reader, &request, err);
    reader->options.source.fields = reader->chunks.groups[0];
    request.can_shrink = pager_can_shrink(reader->pager);
    if (rc == 0) rc = reader_fetch(reader, &request, &response, NULL, NULL, 0, err);
    if (rc != 0) return rc;
    if (!reader_has_no_content(reader, &response)) rc = merge_index_add(index, response.body, &hand->spec, "$", STR(""), err);
    http_response_release(&response);
    return rc;
}

static int ask_group(struct widening *hand, size_t group, struct err *err)
{
    struct merge_index index = MERGE_INDEX(hand->response->body->budget);
    struct block *merged = NULL;
    size_t missing = 0;
    int rc = fetch_group(hand, group, &index, err);
    if (rc == 0) rc = merge_members(hand->response->body, &hand->spec, &index, &missing, &merged, err);
    if (rc == 0 && missing) rc = differing(hand->reader, missing, group, err);
    if (rc == 0)
        replace_body(hand, merged);
    else
        block_release(merged);
    merge_index_release(&index);
    return rc;
}

static int ask_groups(struct widening *hand, struct err *err)
{
    const struct chunks_description *chunks = hand->reader->stream->chunks;
    if (hand->reader->chunks.count <= 1) return 0;
    hand->spec.key = chunks->key;
    hand->spec.key_count = chunks->key_count;
    int rc = 0;
    for (size_t group = 1; rc == 0 && group < hand->reader->chunks.count; group++) rc = ask_group(hand, group, err);
    return rc;
}

/* --- other endpoints ----------------------------------------------------------------------------------------------------- */

/* What the failure of such a request means for the slice. */
static int judge(struct reader *reader, struct reader *inner, int rc)
{
    switch (reader_end(inner)) {
    case READER_SKIPS_SLICE:
        return 0;
    case READER_SKIPS_STREAM:
        reader->judge.found.action = ACTION_SKIP_STREAM;
        return rc;
    default:
        return rc;
    }
}

/* The values of one batch, all pages of the answer. */
static int ask_batch(struct widening *hand, const struct enrich_description *enrich, const struct str *ids, size_t count,
                     struct merge_index *index, struct err *err)
{
    struct reader *reader = hand->reader;
    struct buf joined = BUF_INIT(REQUEST_MAX_BODY);
    for (size_t i = 0; i < count; i++) {
        if (i) buf_append_char(&joined, ',');
        buf_append_str(&joined, ids[i]);
    }
    struct reader_options options = {
        .source = reader->options.source,
        .client = reader->options.client,
        .session = reader->options.session,
        .retry = reader->options.retry,
        .clock = reader->options.clock,
        .cancel = reader->options.cancel,
        .log = reader->options.log,
        .state_folder = reader->options.state_folder,
        .secrets = reader->options.secrets,
    };
    const struct merge_spec spec = {enrich->stream->records_path, &enrich->key, enrich->key ? 1 : 0};
    struct page page;
    int rc = 0, failed = 0;
    options.source.stream = enrich->stream;
    options.source.batch_ids = buf_str(&joined);
    options.source.token = (struct str){0};
    if (joined.failed) {
        buf_release(&joined);
        err_set(err, ERR_DATA, "%s: %zu values are over %d bytes in a request", enrich->stream->request.where, count,
                REQUEST_MAX_BODY);
        return err_hint(err, "ask with fewer at once: `batch`");
    }
    struct reader *inner = reader_new(&options);
    while (failed == 0 && (rc = reader_next(inner, &page, err)) > 0) {
        failed = merge_index_add(index, page.body, &spec, enrich->value, count == 1 ? ids[0] : STR(""), err);
        page_release(&page);
    }
    if (failed)
        rc = err_context(err, "%s", enrich->stream->request.where);
    else if (rc < 0)
        rc = judge(reader, inner, rc);
    reader_free(inner);
    buf_release(&joined);
    return rc;
}

static int ask_about(struct widening *hand, const struct enrich_description *enrich, struct err *err)
{
    const struct merge_into into = {enrich->into, enrich->many, enrich->stream->kept};
    const struct str *ids = NULL;
    size_t count = 0;
    struct block *merged = NULL;
    struct merge_index index = MERGE_INDEX(hand->response->body->budget);
    hand->spec.key = &enrich->by;
    hand->spec.key_count = 1;
    int rc = merge_keys(hand->response->body, &hand->spec, into.keeps, &hand->reader->arena, &ids, &count, err);
    for (size_t first = 0; rc == 0 && first < count; first += enrich->batch) {
        size_t size = count - first < enrich->batch ? count - first : enrich->batch;
        rc = ask_batch(hand, enrich, &ids[first], size, &index, err);
    }
    if (rc == 0 && count) rc = merge_values(hand->response->body, &hand->spec, &into, &index, &merged, err);
    if (rc == 0 && count) replace_body(hand, merged);
    merge_index_release(&index);
    return rc;
}

/* --- all of it ----------------------------------------------------------------------------------------------------------- */

int reader_widen(struct reader *reader, struct http_response *response, const char *const *paths, struct json_value *found,
                 size_t path_count, struct err *err)
{
    struct widening hand = {.reader = reader, .response = response, .spec = {.records_path = reader->stream->records_path}};
    if (reader_has_no_content(reader, response) || !reader_has_records(reader, response->body)) return 0;
    struct error_finding of_page = reader->judge.found;
    int rc = ask_groups(&hand, err);
    reader->asks_beside = reader->stream->enrich_count > 0;
    for (size_t i = 0; rc == 0 && i < reader->stream->enrich_count; i++) rc = ask_about(&hand, &reader->stream->enrich[i], err);
    if (rc == 0) rc = reader_survey(response->body, paths, found, path_count, err);
    if (rc == 0) {
        reader->judge.found = of_page;
        reader->asks_beside = false;
    } else {
        http_response_release(response);
    }
    return rc;
}
