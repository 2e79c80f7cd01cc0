/* How it works: one loop per page: build, send, verify, look at the paging fields, move the pager. The body is surveyed once,
 * from end to end but without looking at values. An answer that comes in parts (rest/format/parts.h) is handed on one by one,
 * and its last part is what moves the pager. */
#include "rest/reader_parts.h"

#include <stdlib.h>

#include "os/cancel.h"
#include "os/log.h"
#include "os/secret.h"
#include "os/spool.h"
#include "rest/native.h"

struct reader *reader_new(const struct reader_options *options)
{
    struct reader *reader = mem_zero(1, sizeof *reader);
    reader->options = *options;
    reader->stream = options->source.stream;
    reader->options.source.request = &reader->stream->request;
    reader->pager = pager_new(&reader->stream->pages);
    reader->chunks = chunks_of(reader->stream->chunks, reader->stream->asked, &reader->kept);
    if (reader->chunks.count) reader->options.source.fields = reader->chunks.groups[0];
    reader->judge = (struct error_judge){
        .lists = {&reader->stream->errors, &options->source.description->errors},
        .source = &reader->options.source,
        .arena = &reader->arena,
    };
    return reader;
}

void reader_free(struct reader *reader)
{
    if (!reader) return;
    ahead_free(reader->ahead);
    for (size_t i = 0; i < reader->lane_count; i++) {
        session_free(reader->lanes[i]->options.session);
        reader_free(reader->lanes[i]);
    }
    parts_free(reader->parts);
    if (reader->native) native_page_release(reader->native);
    free(reader->native);
    free(reader->checkpoint);
    http_response_release(&reader->response);
    spool_free(reader->spool);
    pager_free(reader->pager);
    bool is_needed = reader->options.job_made && reader->end == READER_FAILED && !reader->has_all; /* by a later run */
    if (reader->job && !is_needed) reader_end_job(reader);
    free(reader->job);
    arena_release(&reader->job_arena);
    arena_release(&reader->kept);
    arena_release(&reader->arena);
    free(reader);
}

void page_release(struct page *page)
{
    if (page->rows) native_page_release(page->rows);
    free(page->rows);
    block_release(page->body);
    free(page->position);
    free(page->token);
    free(page->added);
    free(page->context);
    *page = (struct page){0};
}

enum reader_end reader_end(const struct reader *reader)
{
    return reader->end;
}

struct str reader_rejected(const struct reader *reader)
{
    return reader->judge.body;
}

/* --- a page -------------------------------------------------------------------------------------------------------------- */

/* A position is stored in the clear: one that holds a secret is not given out, and the slice would start again. */
char *reader_without_secret(const struct reader *reader, char *text)
{
    if (!text) return NULL;
    struct buf redacted = BUF_INIT(8 * strlen(text) + 64);
    secrets_redact(reader->options.secrets, str_from(text), &redacted);
    bool is_clean = str_equal(buf_str(&redacted), str_from(text));
    buf_release(&redacted);
    if (is_clean) return text;
    free(text);
    return NULL;
}

static char *safe_position(const struct reader *reader)
{
    return reader_without_secret(reader, pager_position(reader->pager));
}

/* The sync token that an answer has, and whether there are records in front of it. */
static void find_token(struct reader *reader, const struct block *body, const struct json_value *found, struct page *page)
{
    bool is_text = found->raw.data && (found->kind == JSON_STRING || found->kind == JSON_NUMBER);
    page->has_records = reader_has_records(reader, body);
    if (!is_text) return;
    struct str text = found->kind == JSON_STRING ? jsonscan_text(found, &reader->arena, NULL) : found->raw;
    if (text.size && text.size <= PAGER_TOKEN_MAX) page->token = reader_without_secret(reader, str_dup(text));
}

static int start(struct reader *reader, struct err *err)
{
    reader->is_started = true;
    pager_first_time(reader->pager, request_first_time(&reader->options.source, &reader->kept));
    int rc = pager_start(reader->pager, str_from(reader->options.position), err);
    if (rc != 0 && reader->options.position) reader->end = READER_STARTS_OVER;
    return rc == 0 && reader->stream->job ? reader_begin_job(reader, err) : rc;
}

int reader_request(struct reader *reader, struct http_request *request, struct err *err)
{
    const struct page_place *place = pager_place(reader->pager);
    struct page_place at_token = *place;
    int rc = 0;
    if (reader->stream->cursor.token_is_url && reader->pages == 0 && place->url.size == 0) {
        at_token.url = reader->options.source.token;
        at_token.own_params = at_token.url.size == 0;
        place = &at_token;
    }
    if (place->url.size > 0) rc = client_allows(reader->options.client, arena_text(&reader->arena, place->url), err);
    if (rc == ERR_CONFIG) rc = err->class = ERR_PERMISSION; /* the source's doing, not the configuration's */
    if (rc != 0) return err_context(err, "%s: next page", reader->stream->request.where);
    rc = request_build(&reader->options.source, place, &reader->arena, request, err);
    reader->judge.place = place;
    errors_judge(&reader->judge, request);
    /* What was put to it must not have changed where it leads. */
    return rc == 0 && place->url.size > 0 ? client_allows(reader->options.client, request->url, err) : rc;
}

/* What a failed request means for the slice. The first one of a run is where a stored position or token is tried. */
enum reader_end reader_end_of(const struct reader *reader, const struct err *err)
{
    bool is_first = reader->pages == 0, resumes = is_first && (reader->options.position || reader->options.job);
    bool tries_token = is_first && !resumes && reader->options.source.token.size;
    switch (reader->judge.found.action) {
    case ACTION_SKIP_SLICE:
        return READER_SKIPS_SLICE;
    case ACTION_SKIP_STREAM:
        return READER_SKIPS_STREAM;
    case ACTION_SPLIT_WINDOW:
        return READER_SPLITS_WINDOW;
    case ACTION_RESET_PAGES:
        return tries_token ? READER_TOKEN_REFUSED : READER_STARTS_OVER;
    case ACTION_REJECT:
        return READER_REJECTS;
    default:
        if (err->is_too_much && window_has_step(&reader->stream->cursor.window)) return READER_SPLITS_WINDOW;
        if (err->class != ERR_SOURCE || reader->asks_beside) return READER_FAILED;
        return resumes ? READER_STARTS_OVER : tries_token ? READER_TOKEN_REFUSED : READER_FAILED;
    }
}

/* --- pages before their turn --------------------------------------------------------------------------------------------- */

/* ahead_run: a lane is a reader whose pager does not move. It tries once: what fails is asked for again in its turn. */
static void run_lane(void *context, struct ahead_page *page)
{
    struct reader *lane = context;
    const char *paths[PAGER_PATHS_MAX];
    size_t path_count = pager_paths(&lane->stream->pages, paths);
    struct http_request request;
    struct err failure = ERR_INIT;
    arena_clear(&lane->arena);
    pager_go(lane->pager, &page->place);
    page->rc = reader_request(lane, &request, &failure);
    request.can_shrink = true;
    if (page->rc == 0) page->rc = reader_fetch(lane, &request, &page->response, paths, page->found, path_count, &failure);
    if (page->rc == 0 && lane->judge.found.action != ACTION_NONE) {
        http_response_release(&page->response); /* a rule fits: for the reader to see */
        page->rc = ERR_SOURCE;
    }
}

static void start_lanes(struct reader *reader)
{
    size_t count = (size_t)reader->stream->pages.parallel;
    for (size_t i = 0; i < count; i++) {
        struct reader_options options = reader->options;
        options.position = NULL;
        options.session = session_new(options.client);
        reader->lanes[i] = reader_new(&options);
    }
    reader->lane_count = count;
    reader->ahead = ahead_new(count, (void *const *)reader->lanes, run_lane);
}

/* The page in hand, if it was asked for before its turn and came; those behind it are asked for. */
static bool take_ahead(struct reader *reader, struct http_response *response, struct json_value *found)
{
    struct page_place places[AHEAD_MAX];
    int64_t count = 0, parallel = reader->stream->pages.parallel;
    if (parallel <= 1 || reader->pages == 0) return false;
    while (count < parallel && pager_ahead(reader->pager, count, &places[count])) count++;
    if (count <= 1 && !reader->ahead) return false;
    if (!reader->ahead && reader->lane_count == 0) start_lanes(reader);
    if (!reader->ahead) return false;
    ahead_want(reader->ahead, places, (size_t)count);
    struct ahead_page *page = ahead_take(reader->ahead, pager_place(reader->pager));
    if (!page || page->rc != 0) return false;
    *response = page->response;
    page->response = (struct http_response){0};
    memcpy(found, page->found, sizeof page->found);
    reader->judge.found = (struct error_finding){.wait_ms = -1, .hint = ""};
    return true;
}

/* The page in hand is asked for again, in half its size where that can be; false: that would change nothing. A page whose
 * groups do not agree gets one more chance as it is. */
static bool asks_again(struct reader *reader, const struct err *failure, int *differed)
{
    bool can_shrink = pager_can_shrink(reader->pager);
    bool is_too_much = failure->is_too_much || reader->judge.found.action == ACTION_SHRINK_PAGE;
    if (cancel_stopping(reader->options.cancel)) return false;
    if (reader->groups_differ && ++*differed >= READER_DIFFERING_MAX) return false;
    if (!reader->groups_differ && !(is_too_much && can_shrink)) return false;
    bool shrinks = can_shrink && (!reader->groups_differ || *differed > 1);
    if (shrinks) pager_shrink(reader->pager);
    if (reader->options.log && shrinks)
        log_info(reader->options.log, "%s: asking for %lld records a page: %s", reader->stream->request.where,
                 (long long)pager_place(reader->pager)->size, failure->message);
    else if (reader->options.log)
        log_info(reader->options.log, "%s: asking for the page again: %s", reader->stream->request.where, failure->message);
    return true;
}

/* Requests the page in hand, and what else it needs; in half its size, and half of that, when the source says or shows that it
 * is too much at once, or that it changes faster than it is read. The last try, for one record, goes by the ordinary rules. */
static int fetch_page(struct reader *reader, struct http_response *response, const char *const *paths, struct json_value *found,
                      size_t path_count, struct err *err)
{
    int differed = 0;
    if (take_ahead(reader, response, found)) return 0;
    for (;;) {
        struct http_request request;
        struct err failure = ERR_INIT;
        int rc = reader_request(reader, &request, err);
        if (rc != 0) return rc;
        request.can_shrink = pager_can_shrink(reader->pager);
        reader->groups_differ = reader->asks_beside = false;
        rc = reader_fetch(reader, &request, response, paths, found, path_count, &failure);
        if (rc == 0 && reader_widens(reader)) rc = reader_widen(reader, response, paths, found, path_count, &failure);
        if (rc == 0) return 0;
        if (!asks_again(reader, &failure, &differed)) return err_copy(err, &failure);
    }
}

/* --- a page's parts ------------------------------------------------------------------------------------------------------ */

/* What is to be found in a page: what paging asks for, and last the sync token. */
static size_t wanted_paths(const struct reader *reader, const char *paths[WANTED_PATHS_MAX])
{
    size_t count = pager_paths(&reader->stream->pages, paths);
    if (reader->stream->cursor.token_path) paths[count++] = reader->stream->cursor.token_path;
    return count;
}

/* What goes with the page to whom decodes it. */
static int fill_page(struct reader *reader, struct page *page, struct err *err)
{
    const struct stream_description *stream = reader->stream;
    const struct page_place *place = pager_place(reader->pager);
    struct str added = {0};
    page->number = reader->pages;
    page->lap = place->lap;
    if (stream->records_function || stream->map_function)
        page->context = mem_strdup(arena_text(&reader->arena, request_context(&reader->options.source, place, &reader->arena)));
    if (!stream->reshape || !stream->reshape->add) return 0;
    int rc = request_members(&reader->options.source, place, stream->reshape->add, &reader->arena, &added, err);
    if (rc == 0) page->added = str_dup(added);
    return rc;
}

/* The answer's end: moves the pager. */
static int end_page(struct reader *reader, const struct http_response *response, const struct json_value *found,
                    struct page *page, struct err *err)
{
    const char *paths[WANTED_PATHS_MAX];
    struct page read = {0};
    int rc = fill_page(reader, &read, err);
    if (rc == 0) rc = reader_move_on(reader, response, found, err);
    if (rc < 0) {
        page_release(&read);
        return rc;
    }
    read.body = block_hold(response->body);
    read.last = rc == 0;
    read.position = read.last ? NULL : safe_position(reader);
    if (reader->stream->cursor.token_path) find_token(reader, response->body, &found[wanted_paths(reader, paths) - 1], &read);
    *page = read;
    reader->pages++;
    return 1;
}

static void end_parts(struct reader *reader)
{
    parts_free(reader->parts);
    http_response_release(&reader->response);
    reader->parts = NULL;
    reader->part_records = 0;
    reader->part_hash = 0;
}

/* The last part has what paging asks for, and stands for the answer from here on. */
static int read_last_part(struct reader *reader, struct block *document, struct page *page, struct err *err)
{
    const char *paths[WANTED_PATHS_MAX];
    struct json_value found[WANTED_PATHS_MAX] = {{0}};
    size_t path_count = wanted_paths(reader, paths);
    block_release(reader->response.body);
    reader->response.body = document;
    int rc = reader_survey(document, paths, found, path_count, err);
    return rc == 0 ? end_page(reader, &reader->response, found, page, err) : rc;
}

static int pass_part(struct reader *reader, struct block *document, struct page *page, struct err *err)
{
    struct counting counting = {0};
    int rc = 0;
    if (pager_counts_records(&reader->stream->pages)) rc = reader_count(reader, document, &counting, err);
    if (rc != 0) {
        block_release(document);
        return rc;
    }
    reader->part_records += counting.records;
    reader->part_hash =
        (reader->part_hash << 1 | reader->part_hash >> 63) ^ hash_bytes((struct str){document->data, document->size});
    *page = (struct page){.body = document, .continues = true};
    rc = fill_page(reader, page, err);
    if (rc != 0) page_release(page);
    return rc == 0 ? 1 : rc;
}

static int read_part(struct reader *reader, struct page *page, struct err *err)
{
    struct block *document = NULL;
    bool is_last = false;
    int rc = parts_next(reader->parts, &document, &is_last, err);
    if (rc == 0) rc = is_last ? read_last_part(reader, document, page, err) : pass_part(reader, document, page, err);
    if (rc < 0) {
        err_context(err, "page %llu", (unsigned long long)reader->pages + 1);
        (void)client_name_request(reader->options.client, reader->stream->request.method, reader->response.url, err);
    }
    if (rc < 0 || is_last) end_parts(reader);
    return rc;
}

static int read_page(struct reader *reader, struct page *page, struct err *err)
{
    const char *paths[WANTED_PATHS_MAX];
    struct json_value found[WANTED_PATHS_MAX] = {{0}};
    size_t path_count = wanted_paths(reader, paths);
    struct http_response response = {0};
    int rc = fetch_page(reader, &response, paths, found, path_count, err);
    if (rc != 0) reader->end = reader_end_of(reader, err);
    if (rc != 0) return rc;
    if (reader_has_no_content(reader, &response)) {
        http_response_release(&response);
        return 0;
    }
    if (format_comes_in_parts(&reader->stream->format)) {
        reader->parts = reader_parts_of(reader, &response);
        reader->response = response;
        return read_part(reader, page, err);
    }
    rc = end_page(reader, &response, found, page, err);
    http_response_release(&response);
    return rc;
}

static int next_page(struct reader *reader, struct page *page, struct err *err)
{
    if (reader->stream->native) return reader_native_page(reader, page, err);
    if (reader->parts) return read_part(reader, page, err);
    arena_clear(&reader->arena);
    int rc = reader->is_started ? 0 : start(reader, err);
    return rc != 0 || reader->is_over ? rc : read_page(reader, page, err);
}

int reader_next(struct reader *reader, struct page *page, struct err *err)
{
    if (reader->is_over) return 0;
    int rc = next_page(reader, page, err);
    reader->has_all = rc == 0 || (rc > 0 && page->last);
    reader->is_over = rc < 0 || reader->has_all;
    return rc;
}

/* --- check --------------------------------------------------------------------------------------------------------------- */

int reader_check(struct session *session, const struct request_source *source, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct request_source check = *source;
    struct page_place first = {.own_params = true};
    struct http_request request;
    struct http_response response;
    struct window_plan plan;
    int rc = 0;
    check.stream = NULL;
    check.slice = NULL;
    check.request = source->description->check;
    if (!check.request) {
        check.stream = description_checked(source->description);
        check.request = &check.stream->request;
        rc = request_plan(&check, &arena, &plan, err);
        if (rc == 0 && plan.slice_count == 0) window_plan_whole(&arena, &plan);
        if (rc == 0) check.slice = &plan.slices[plan.slice_count - 1];
    }
    struct pager *pager = check.stream ? pager_new(&check.stream->pages) : NULL;
    if (rc == 0 && pager) pager_first_time(pager, request_first_time(&check, &arena));
    if (rc == 0 && pager) rc = pager_start(pager, STR(""), err);
    struct error_judge judge = {
        .lists = {check.stream ? &check.stream->errors : NULL, &source->description->errors},
        .source = &check,
        .place = pager ? pager_place(pager) : &first,
        .arena = &arena,
    };
    if (rc == 0) rc = request_build(&check, judge.place, &arena, &request, err);
    if (rc == 0) errors_judge(&judge, &request);
    struct spool *spool = NULL;
    if (rc == 0) rc = reader_open_spool(check.stream, NULL, &arena, &spool, err);
    request.spool = spool;
    if (rc == 0) rc = client_send(session, &request, &arena, &response, err);
    if (rc == 0) http_response_release(&response);
    spool_free(spool);
    pager_free(pager);
    arena_release(&arena);
    return rc;
}
