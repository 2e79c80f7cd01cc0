/* web: a whole request to the service's API, but for its framing, which is libmicrohttpd's. Whatever is asked, the answer is
 * whole (JSON is JSON, text is UTF-8, no header breaks its line) and none of ours is a bug; and what got more than a refusal
 * came by a name of ours, from this site, with a token whose scope allows it, as rules written down here once more say. What
 * other commands are asked (relay.h) is never taken for an option of theirs.
 *
 * Input: "METHOD TARGET", headers, an empty line, the body; lines end with "\n". */
#include "fuzz.h"

#include <semaphore.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/jsonscan.h"
#include "os/clock.h"
#include "os/log.h"
#include "service/hooks.h"
#include "service/relay.h"
#include "service/tally.h"
#include "service/web/route.h"

static const char ADDRESS[] = "127.0.0.1:7077";
static const struct {
    const char *token;
    enum scope scope;
} TOKENS[] = {{"reader", SCOPE_READ}, {"runner", SCOPE_RUN}, {"keeper", SCOPE_ADMIN}};
static const char PROJECT[] =
    "destinations: { files: { type: csv, path: /nonexistent } }\n"
    "pipelines:\n"
    "  p: { connector: shop, destination: files, schedule: 15m }\n"
    "  'q r/s': { connector: shop, destination: files }\n"
    "service:\n"
    "  hosts: [sluice.example, 'other.example:8443']\n"
    "  tokens:\n"
    "    reader: { sha256: 3d0941964aa3ebdcb00ccef58b1bb399f9f898465e9886d5aec7f31090a0fb30 }\n"
    "    runner: { sha256: 527aa9f431539da8e151d5434d1d5e611d973f601d8e970790882624554146b0, scope: run }\n"
    "    keeper: { sha256: 00aa8942525b763cbe72e4a0fbfbb027b909dd8299e9c6c85c28d3d42d2cc28b, scope: admin }\n";

static struct world {
    struct roster *roster;
    struct store *store;
    struct tally *tally;
    struct hooks *hooks;
    struct log *log;
    struct api *api;
    bool has_changed;
    sem_t answered;
    struct str headers; /* of the request that is asked */
} world;

/* --- what stands for libmicrohttpd and for other processes (the linker's --wrap) -------------------------------------------
 */

/* The value of the first header of that name in `text`, trimmed; NULL data: there is none. */
static struct str find_header(struct str text, struct str name)
{
    struct str line, key;
    while (str_next(&text, '\n', &line)) {
        if (!memchr(line.data, ':', line.size)) continue;
        str_next(&line, ':', &key);
        if (str_equal_nocase(key, name)) return str_trim(line);
    }
    return (struct str){0};
}

const char *__wrap_web_header(const struct web_request *request, const char *name);
const char *__wrap_web_header(const struct web_request *request, const char *name)
{
    struct str value = find_header(world.headers, str_from(name));
    return value.data ? arena_text((struct arena *)(uintptr_t)&request->arena, value) : NULL;
}

void __wrap_web_answer(struct web_request *request);
void __wrap_web_answer(struct web_request *request)
{
    (void)request;
    sem_post(&world.answered);
}

/* A command's words: options of its own, each known here, and words that no command takes for one. */
int __wrap_relay_ask(const char *const *words, size_t count, struct clock *clock, struct buf *out, struct err *err);
int __wrap_relay_ask(const char *const *words, size_t count, struct clock *clock, struct buf *out, struct err *err)
{
    static const char *const FLAGS[] = {"--json", "--config-schema"}, *const OPTIONS[] = {"--file", "--log-format", "--stream",
                                                                                          "--to"};
    bool is_free = false;
    (void)clock;
    CHECK(count > 0 && count <= RELAY_WORDS_MAX);
    for (size_t i = 0; i < count; i++) {
        bool is_known = is_free || words[i][0] != '-';
        for (size_t k = 0; k < ARRAY_SIZE(FLAGS); k++) is_known = is_known || strcmp(words[i], FLAGS[k]) == 0;
        for (size_t k = 0; !is_free && k < ARRAY_SIZE(OPTIONS); k++)
            if (strcmp(words[i], OPTIONS[k]) == 0) is_known = true, i++;
        if (i < count && strcmp(words[i], "--") == 0) is_known = is_free = true;
        CHECK(is_known && i < count);
    }
    buf_append_text(out, "{}");
    return strcmp(words[0], "plan") == 0 ? err_set(err, ERR_AUTH, "the source says no") : 0;
}

/* --- the service that is asked ------------------------------------------------------------------------------------------- */

static void note_change(void *context)
{
    (void)context;
    world.has_changed = true;
}

/* A new store, with one job that told something, and an API that asks it. */
static void open_store(void)
{
    static const char KEY[] = "q r/s k1";
    const struct sql_settings memory = {.url = ":memory:"};
    struct err err = ERR_INIT;
    int64_t job;
    bool is_new;
    const struct job_request request = {.pipeline = "q r/s", .trigger = "request", .idempotency_key = KEY};
    CHECK(store_open(&memory, &world.store, &err) == 0);
    CHECK(store_request(world.store, &request, &job, &is_new, &err) == 0 && job == 1);
    for (int i = 0; i < 3; i++) CHECK(store_event(world.store, job, STR("{\"event\":\"sync_started\"}"), &err) == 0);
    CHECK(store_progress(world.store, job, "orders", STR("{\"rows\":1}"), &err) == 0);
    CHECK(hooks_open(world.roster, world.store, clock_system(), world.log, &world.hooks, &err) == 0);
    const struct api_settings settings = {.file = "sluice.yaml",
                                          .node = "here",
                                          .roster = world.roster,
                                          .store = world.store,
                                          .tally = world.tally,
                                          .hooks = world.hooks,
                                          .clock = clock_system(),
                                          .log = world.log,
                                          .changed = note_change};
    CHECK(api_open(&settings, &world.api, &err) == 0);
    api_bind(world.api, ADDRESS);
    world.has_changed = false;
}

static void close_store(void)
{
    api_stop(world.api);
    api_free(world.api);
    hooks_close(world.hooks);
    store_close(world.store);
}

static void open_world(void)
{
    static char file[64];
    struct problems problems;
    int fd = memfd_create("sluice.yaml", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, PROJECT, sizeof PROJECT - 1) == sizeof PROJECT - 1);
    snprintf(file, sizeof file, "/proc/self/fd/%d", fd);
    sem_init(&world.answered, 0, 0);
    world.roster = roster_new(file);
    if (!roster_read(world.roster, true, &problems)) check_failed(__FILE__, __LINE__, problems.list[0].message);
    close(fd);
    world.tally = tally_new();
    world.log = log_new(STDERR_FILENO, LOG_TEXT, LOG_ERROR, NULL);
    open_store();
}

/* --- the rules, once more ------------------------------------------------------------------------------------------------ */

static bool is_by_our_name(struct str host)
{
    static const char *const NAMES[] = {"localhost", "127.0.0.1", "[::1]", "sluice.example"};
    if (str_equal_nocase(host, STR("other.example:8443"))) return true;
    size_t digits = 0;
    while (digits < host.size && host.data[host.size - 1 - digits] >= '0' && host.data[host.size - 1 - digits] <= '9') digits++;
    if (digits < host.size && host.data[host.size - 1 - digits] == ':') host.size -= digits + 1;
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++)
        if (str_equal_nocase(host, str_from(NAMES[i]))) return true;
    return false;
}

static bool is_from_here(struct str headers)
{
    struct str origin = find_header(headers, STR("Origin")), host = find_header(headers, STR("Host")), rest;
    struct str type = find_header(headers, STR("Content-Type")), site = find_header(headers, STR("Sec-Fetch-Site"));
    if (site.data && !str_equal(site, STR("same-origin")) && !str_equal(site, STR("none"))) return false;
    if (!type.data || type.size < 16 || !str_equal_nocase((struct str){type.data, 16}, STR("application/json"))) return false;
    if (!origin.data) return true;
    rest = origin;
    return str_ends(origin, host) ||
           (rest.size >= host.size && str_equal_nocase((struct str){rest.data + rest.size - host.size, host.size}, host));
}

static enum scope scope_of(struct str headers)
{
    struct str given = find_header(headers, STR("Authorization"));
    enum scope scope = SCOPE_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(TOKENS); i++) {
        struct str token = str_from(TOKENS[i].token);
        if (given.size > 7 && str_equal_nocase((struct str){given.data, 7}, STR("Bearer ")) && str_ends(given, token) &&
            str_equal(str_trim((struct str){given.data + 7, given.size - 7}), token))
            scope = TOKENS[i].scope;
    }
    return scope;
}

/* The pattern with its names is the path; no name is empty or holds a slash, but where one was escaped, which is refused. */
static void check_route(const struct route *route, const char *path, const char *const *names)
{
    struct str rest = str_from(route->path), segment;
    struct buf made = BUF_INIT(1 << 20);
    size_t used = 0;
    while (str_next(&rest, '/', &segment)) {
        if (made.size || segment.size) buf_append_char(&made, '/');
        if (segment.size && segment.data[0] == '{') {
            const char *name = names[used++];
            CHECK(name[0] && !strchr(name, '/') && fuzz_is_utf8(str_from(name), true));
            buf_append_text(&made, name);
        } else {
            buf_append_str(&made, segment);
        }
    }
    CHECK(strcmp(buf_text(&made), path) == 0 || strcmp(path, "/") == 0);
    buf_release(&made);
}

static void check_allowed(struct web_request *request, struct str headers)
{
    const char *names[ROUTE_NAMES_MAX] = {NULL};
    bool is_known;
    const struct route *route = route_find(request->method, request->path, &request->arena, names, &is_known);
    CHECK(route);
    check_route(route, request->path, names);
    if (route->scope == SCOPE_SIGNED) return;
    CHECK(is_by_our_name(find_header(headers, STR("Host"))));
    CHECK(strcmp(route->method, "GET") == 0 || is_from_here(headers));
    CHECK(scope_of(headers) >= route->scope);
}

/* --- the answer ---------------------------------------------------------------------------------------------------------- */

static void check_json(struct str body)
{
    struct arena arena = ARENA_INIT(0);
    struct jsonscan scan;
    struct json_value value;
    struct str text = jsonscan_padded(&arena, body);
    jsonscan_init(&scan, text.data, text.size);
    CHECK(jsonscan_value(&scan, &value) && (value.kind == JSON_OBJECT || value.kind == JSON_ARRAY) && jsonscan_finish(&scan));
    arena_release(&arena);
}

/* Every line is one of a message of ours (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
static void check_messages(struct str text)
{
    struct str line;
    CHECK(text.size == 0 || str_ends(text, STR("\n\n")));
    while (str_next(&text, '\n', &line)) {
        CHECK(line.size == 0 || str_starts(line, STR("id: ")) || str_starts(line, STR("event: ")) ||
              str_starts(line, STR("data: {")));
        if (str_starts(line, STR("data: "))) check_json((struct str){line.data + 6, line.size - 6});
    }
}

static void check_answer(struct web_request *request)
{
    const struct web_answer *answer = &request->answer;
    CHECK(answer->status >= 200 && answer->status < 600 && answer->status != 500);
    CHECK(!answer->body.failed && fuzz_is_utf8(buf_str(&answer->body), true));
    if (!answer->type || strstr(answer->type, "json")) check_json(buf_str(&answer->body));
    for (size_t i = 0; i < answer->header_count; i++)
        for (const char *at = answer->headers[i].value; *at; at++) CHECK((unsigned char)*at >= ' ' && *at != 127);
    if (!answer->flow.more) return;
    struct buf told = BUF_INIT(1 << 20);
    answer->flow.more(answer->flow.context, &told);
    CHECK(!told.failed && fuzz_is_utf8(buf_str(&told), true));
    check_messages(buf_str(&told));
    answer->flow.close(answer->flow.context);
    buf_release(&told);
}

static void ask(struct web_request *request, struct str body)
{
    if (!web_read_path(request)) return;
    CHECK(request->path[0] == '/' && !strstr(request->path, "/../"));
    bool is_admitted = api_admit(world.api, request);
    if (is_admitted) {
        if (body.size > request->body_max) return; /* 413 */
        request->body = BUF_INIT(request->body_max);
        buf_append_str(&request->body, body);
        api_handle(world.api, request);
        while (sem_wait(&world.answered) != 0) continue;
    }
    check_answer(request);
    if (is_admitted) check_allowed(request, world.headers);
    CHECK(is_admitted || (request->answer.status >= 400 && !world.has_changed));
}

/* Cuts the headers off `input`, up to the empty line. */
static struct str cut_headers(struct str *input)
{
    const char *end = input->size ? memmem(input->data, input->size, "\n\n", 2) : NULL;
    struct str headers = *input;
    if (end) headers.size = (size_t)(end - input->data);
    *input = end ? (struct str){end + 2, input->size - headers.size - 2} : (struct str){0};
    return headers;
}

void fuzz(struct str input)
{
    struct str line = fuzz_line(&input), method = {0};
    struct web_request request = {.arena = ARENA_INIT(64 << 20), .peer = "127.0.0.1", .answer.body = BUF_INIT(64 << 20)};
    if (!world.api) open_world();
    str_next(&line, ' ', &method);
    char *method_text = fuzz_text(method), *target = fuzz_text(line);
    char *headers = fuzz_text(cut_headers(&input)); /* up to a NUL, which no header holds */
    world.headers = str_from(headers);
    request.method = method_text;
    request.target = target;
    const char *query = strchr(target, '?');
    request.query = query ? query + 1 : "";
    ask(&request, input);
    if (world.has_changed) {
        close_store();
        open_store();
    }
    buf_release(&request.body);
    buf_release(&request.answer.body);
    arena_release(&request.arena);
    free(method_text);
    free(target);
    free(headers);
}
