/* reader_answer: sends until the answer is what the stream says it is: whole, unpacked, a document. What the client retries is
 * its own affair; here only an answer that arrived whole but is no document is asked for again, since HTTP cannot see that. */
#include "rest/reader_parts.h"

#include "base/number.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/spool.h"
#include "rest/format/parsed.h"

static const uint64_t MAX_STREAM_BYTES = UINT64_C(1) << 36; /* 64 GiB: more is no answer, it is a mistake */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int reader_survey(const struct block *body, const char *const *paths, struct json_value *found, size_t count, struct err *err)
{
    const char *problem = NULL;
    size_t offset = 0, blank = 0;
    while (blank < body->size && is_space(body->data[blank])) blank++;
    if (blank == body->size) {
        err_set(err, ERR_TRANSIENT, "an empty answer where JSON is due");
        return err_hint(err, "look at what the source sends there; a stream without records answers with an empty list");
    }
    if (body->data[blank] == '<') {
        err_set(err, ERR_TRANSIENT, "HTML or XML where JSON is due");
        return err_hint(err, "look at what the source sends there: an error page or a login form comes without records");
    }
    if (jsonscan_survey(body->data, body->size, paths, found, count, &problem, &offset)) return 0;
    if (problem && strcmp(problem, JSONSCAN_TOO_DEEP) == 0) {
        err_set(err, ERR_DATA, "cannot take JSON that is nested over %d levels deep, at byte %zu", JSONSCAN_MAX_DEPTH, offset);
        return err_hint(err, "leave the nested field out at the source");
    }
    return err_set(err, ERR_TRANSIENT, "the answer is cut or no JSON: %s at byte %zu of %zu", problem ? problem : "broken",
                   offset, body->size);
}

bool reader_has_no_content(const struct reader *reader, const struct http_response *response)
{
    return response->status == 204 || reader->judge.found.action == ACTION_IGNORE;
}

struct parts *reader_parts_of(const struct reader *reader, const struct http_response *response)
{
    const struct parsing parsing = {reader->options.source.functions, reader->stream, reader->options.source.now_us};
    return parts_new(&reader->stream->format, response->body->budget, response->body, reader->spool, &parsing);
}

/* Nothing but the connection's end says that rows are whole, unless their number was told. */
static int check_count(struct reader *reader, const struct http_response *response, struct err *err)
{
    const struct format *format = &reader->stream->format;
    struct str told = format->count_header ? http_header(response, format->count_header) : STR("");
    int64_t wanted = -1;
    if (told.size && !number_to_int64(told, &wanted))
        return err_set(err, ERR_TRANSIENT, "the header %s is no number: '" STR_FMT "'", format->count_header, STR_ARG(told));
    if (wanted < 0 && format_is_rows(format) && response->ends_with_connection) {
        err_set(err, ERR_TRANSIENT, "nothing tells whether the answer is whole: it has neither a length nor a count");
        return err_hint(err, "if the source sends the number of records, name its header: count_header");
    }
    if (wanted < 0 && !response->ends_with_connection) return 0;
    struct parts *parts = reader_parts_of(reader, response);
    bool is_last = false;
    int rc = 0;
    while (rc == 0 && !is_last) {
        struct block *document = NULL;
        rc = parts_next(parts, &document, &is_last, err);
        block_release(document);
    }
    uint64_t records = parts_records(parts);
    parts_free(parts);
    if (rc != 0 || wanted < 0 || records == (uint64_t)wanted) return rc;
    return err_set(err, ERR_TRANSIENT, "the answer has %llu records, but %s says %lld", (unsigned long long)records,
                   format->count_header, (long long)wanted);
}

static int turn_xml(struct reader *reader, struct http_response *response, struct err *err)
{
    struct block *json = NULL;
    int rc = format_xml(&reader->stream->format, response->body, response->body->budget, &json, err);
    if (rc != 0) return rc;
    block_release(response->body);
    response->body = json;
    return 0;
}

/* Is the answer what it should be, and whole? Makes JSON of it where that is done at once. */
static int verify(struct reader *reader, struct http_response *response, const char *const *paths, struct json_value *found,
                  size_t count, struct err *err)
{
    const struct format *format = &reader->stream->format;
    if (reader->asks_job) return reader_survey(response->body, NULL, NULL, 0, err);
    if (format_comes_in_parts(format)) return check_count(reader, response, err);
    int rc = format->kind == FORMAT_XML ? turn_xml(reader, response, err) : 0;
    return rc == 0 ? reader_survey(response->body, paths, found, count, err) : rc;
}

/* A function that parses takes whatever the source sends; only paging fields make it JSON. */
static bool needs_json(const struct reader *reader, size_t path_count)
{
    return reader->asks_job || !reader->stream->records_function || path_count > 0;
}

int reader_open_spool(const struct stream_description *stream, const char *state_folder, struct arena *arena,
                      struct spool **spool, struct err *err)
{
    char *folder = NULL;
    if (!stream || !stream->format.stream || *spool) return 0;
    int rc = fs_state_folder(state_folder, arena, &folder, err);
    return rc == 0 ? spool_new(folder, MAX_STREAM_BYTES, spool, err) : rc;
}

int reader_fetch(struct reader *reader, struct http_request *request, struct http_response *response, const char *const *paths,
                 struct json_value *found, size_t path_count, struct err *err)
{
    const struct reader_options *options = &reader->options;
    int spooled =
        reader->asks_job ? 0 : reader_open_spool(reader->stream, options->state_folder, &reader->arena, &reader->spool, err);
    if (spooled != 0) return spooled;
    struct retry retry = RETRY_INIT(&options->retry, clock_now_ms(options->clock));
    for (;;) {
        request->spool = reader->asks_job ? NULL : reader->spool;
        int rc = client_send(options->session, request, &reader->arena, response, err);
        if (rc != 0 || reader_has_no_content(reader, response) || !needs_json(reader, path_count)) return rc;
        struct err problem = ERR_INIT;
        rc = verify(reader, response, paths, found, path_count, &problem);
        if (rc == 0) return 0;
        struct retry_verdict verdict =
            retry_next(&retry, rc, limit_facts_wait_ms(&response->limits), retry_random(), clock_now_ms(options->clock));
        bool may_repeat = request->idempotent || strcmp(request->method, "GET") == 0;
        if (!verdict.again || !may_repeat) {
            err_copy(err, &problem);
            if (verdict.reason != RETRY_NOT_RETRYABLE)
                err_context(err, "%s", may_repeat ? retry_reason_text(verdict.reason) : "cannot send it twice");
            rc = client_name_request(options->client, request->method, response->url, err);
            http_response_release(response);
            return rc;
        }
        http_response_release(response);
        if (!clock_sleep_ms(options->clock, verdict.wait_ms, options->cancel))
            return err_set(err, ERR_CANCELLED, "stopped while waiting to ask again");
    }
}
