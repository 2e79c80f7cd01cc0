/* reader_native: the pages of a stream that a plugin reads. The plugin keeps its place by its checkpoints: the newest of a page
 * is where a later run goes on, be it in the middle of a slice (position) or at the next sync (token).
 *
 * What may heal is tried again by opening the slice anew, as long as all that was handed on lies before a checkpoint: then
 * nothing comes twice.
 *
 * Bytes are a whole body of the stream's format and come in parts like those of an answer; what the page's checkpoint covers
 * ends with its last part. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "net/url.h"
#include "os/clock.h"
#include "os/log.h"
#include "rest/access_parts.h"
#include "rest/native.h"
#include "rest/reader_parts.h"

/* The checkpoint of an earlier run, in the reader's arena: of an interrupted slice, else of the last sync. NULL: none. */
static const char *known_before(struct reader *reader)
{
    const struct reader_options *options = &reader->options;
    if (options->position) return options->position;
    return options->source.token.size ? arena_text(&reader->arena, options->source.token) : NULL;
}

static int open_slice(struct reader *reader, struct err *err)
{
    const struct reader_options *options = &reader->options;
    const struct request_source *source = &options->source;
    const struct functions *functions = source->functions;
    const char *from = source->slice && source->slice->from ? source->slice->from : "",
               *to = source->slice && source->slice->to ? source->slice->to : "";
    struct buf tables = BUF_INIT(NATIVE_MAX_LINES);
    if (!options->native.tables.size) native_tables_of(reader->stream, &tables);
    struct native_slice slice = {
        .stream = reader->stream->name,
        .state = reader->checkpoint ? reader->checkpoint : known_before(reader),
        .from = reader->stream->has_cursor && from[0] ? from : NULL,
        .to = reader->stream->has_cursor && to[0] ? to : NULL,
        .values = source->partition.size ? arena_text(&reader->arena, source->partition) : NULL,
        .tables = options->native.tables.size ? options->native.tables : buf_str(&tables),
        .now_us = source->now_us,
        .incremental = options->native.incremental,
        .continuous = options->native.continuous,
        .sample = options->native.sample,
    };
    int rc = functions->open(functions->context, &slice, err);
    buf_release(&tables);
    return rc;
}

/* What a page that is through says of the place behind it. */
static void end_native(struct reader *reader, struct native_page *native, struct page *page)
{
    page->last = !native->has_more;
    page->number = reader->pages++;
    reader->is_uncovered = !native->checkpoint && (reader->is_uncovered || page->has_records);
    if (!native->checkpoint) return;
    free(reader->checkpoint);
    reader->checkpoint = mem_strdup(native->checkpoint);
    if (reader->stream->cursor.kind == CURSOR_TOKEN && reader->stream->has_cursor)
        page->token = reader_without_secret(reader, mem_strdup(native->checkpoint));
    if (!page->last) page->position = reader_without_secret(reader, mem_strdup(native->checkpoint));
}

static int next_part(struct reader *reader, struct page *page, struct err *err)
{
    bool is_last = false;
    int rc = parts_next(reader->parts, &page->body, &is_last, err);
    if (rc < 0) return rc;
    page->has_records = parts_records(reader->parts) > 0;
    page->continues = !is_last;
    if (!is_last) return 1;
    end_native(reader, reader->native, page);
    parts_free(reader->parts);
    native_page_release(reader->native);
    free(reader->native);
    reader->parts = NULL;
    reader->native = NULL;
    return 1;
}

static struct block *body_of(const struct native_page *native, struct budget *budget)
{
    struct block *body = block_new(budget, native->texts.size);
    if (native->texts.size) memcpy(body->data, native->texts.data, native->texts.size);
    body->size = native->texts.size;
    block_seal(body);
    return body;
}

static int take_bytes(struct reader *reader, struct native_page *native, struct page *page, struct err *err)
{
    struct block *body = body_of(native, reader->options.native.budget);
    reader->native = native;
    reader->parts = parts_new(&reader->stream->format, reader->options.native.budget, body, NULL, NULL);
    block_release(body);
    return next_part(reader, page, err);
}

/* Those of http.errors that need no function: the worker that would be asked is the one that waits. */
static struct error_rules plain_rules(const struct error_rules *rules, struct arena *arena)
{
    struct error_rule *list = arena_array(arena, struct error_rule, rules->count + 1);
    struct error_rules plain = {.list = list};
    for (size_t i = 0; i < rules->count; i++)
        if (!rules->list[i].function) list[plain.count++] = rules->list[i];
    return plain;
}

int native_send(struct session *session, const struct request_source *source, struct http_request *request, struct arena *arena,
                struct http_response *response, struct err *err)
{
    struct url base;
    const struct error_rules rules = plain_rules(&source->description->errors, arena);
    struct error_judge judge = {.lists = {&rules}, .source = source, .arena = arena};
    if (!source->description->has_http) {
        err_set(err, ERR_CONNECTOR, "the plugin sends a request, and its description has no `http`");
        return err_hint(err, "declare http: { base: .. }, which says what may be reached, and with which credentials");
    }
    bool is_absolute = strstr(request->url, "://") != NULL;
    int rc = is_absolute ? 0 : access_base(source->description, source->config, source->now_us, arena, &base, err);
    if (rc) return rc;
    if (!is_absolute) {
        struct str root = str_from(base.text);
        while (root.size && root.data[root.size - 1] == '/') root.size--;
        request->url = arena_printf(arena, STR_FMT "%s%s", STR_ARG(root), request->url[0] == '/' ? "" : "/", request->url);
    }
    errors_judge(&judge, request);
    return client_send(session, request, arena, response, err);
}

/* native_http.send: the plugin's requests are the stream's. */
static int send_request(void *context, struct http_request *request, struct arena *arena, struct http_response *response,
                        struct err *err)
{
    struct reader *reader = context;
    int rc = native_send(reader->options.session, &reader->options.source, request, arena, response, err);
    reader->request_failed = rc != 0;
    return rc;
}

static int try_page(struct reader *reader, struct native_page *native, struct err *err)
{
    const struct native_order *order = &reader->options.native;
    const struct functions *functions = reader->options.source.functions;
    const struct native_http http = {send_request, reader};
    reader->request_failed = false;
    int rc = reader->is_started ? 0 : open_slice(reader, err);
    reader->is_started = rc == 0;
    char *stored = rc == 0 && order->committed ? order->committed(order->context) : NULL;
    const char *committed = stored ? stored : known_before(reader);
    if (rc == 0) rc = functions->page(functions->context, &http, committed, order->budget, native, err);
    if (rc) reader->is_started = false;
    free(stored);
    return rc;
}

/* Tries until there is a page, or the policy gives up; a request that failed has had its tries. */
static int get_page(struct reader *reader, struct native_page *native, struct err *err)
{
    const struct reader_options *options = &reader->options;
    struct retry retry = RETRY_INIT(&options->retry, clock_now_ms(options->clock));
    for (;;) {
        struct err failure = ERR_INIT;
        int rc = try_page(reader, native, &failure);
        if (rc == 0) return 0;
        if (reader->request_failed) return err_copy(err, &failure);
        struct retry_verdict next = retry_next(&retry, rc, -1, retry_random(), clock_now_ms(options->clock));
        if (!next.again || reader->is_uncovered || options->native.sample) {
            if (err_class_info(rc)->retryable && !options->native.sample && !reader->is_uncovered)
                err_context(&failure, "%s", retry_reason_text(next.reason));
            return err_copy(err, &failure);
        }
        if (options->log)
            log_warn(options->log, "stream %s: trying again in %lld ms: %s", reader->stream->name, (long long)next.wait_ms,
                     failure.message);
        if (!clock_sleep_ms(options->clock, next.wait_ms, options->cancel)) return err_copy(err, &failure);
    }
}

int reader_native_page(struct reader *reader, struct page *page, struct err *err)
{
    *page = (struct page){0};
    if (reader->parts) return next_part(reader, page, err);
    arena_clear(&reader->arena);
    struct native_page *native = mem_zero(1, sizeof *native);
    int rc = get_page(reader, native, err);
    if (rc < 0) {
        free(native);
        return rc;
    }
    if (native->is_bytes) return take_bytes(reader, native, page, err);
    page->rows = native;
    page->body = block_hold(native->block);
    page->has_records = native->operations.size > 0;
    end_native(reader, native, page);
    return 1;
}
