/* api_relay: what is asked of a source, a destination or a connector: other commands of this program answer it (relay.h). */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "service/relay.h"
#include "service/web/route.h"

enum {
    ANSWER_MAX = 32 * 1024 * 1024,
    NAME_MAX_BYTES = 200,
    REJECTS_DEFAULT = 20,
    REJECTS_MAX = 100, /* of 64 KiB, which JSON may make sixfold */
    CHANGES_DEFAULT = 100,
    CHANGES_MAX = 10000,
};

struct words {
    const char *list[RELAY_WORDS_MAX];
    size_t count;
};

static void add(struct words *words, const char *word)
{
    CHECK(words->count < RELAY_WORDS_MAX);
    words->list[words->count++] = word;
}

static void add_option(struct words *words, const char *option, const char *value)
{
    if (!value) return;
    add(words, option);
    add(words, value);
}

/* A name of the path is never taken for an option. */
static bool is_name(const char *text)
{
    return text[0] != '-' && strlen(text) <= NAME_MAX_BYTES;
}

/* Asks, and answers with what was printed: JSON, unless `type` says what else. */
static int relay(struct api_call *call, const struct words *words, const char *type, struct err *err)
{
    call->request->answer.body.max = ANSWER_MAX;
    int rc = relay_ask(words->list, words->count, call->settings->clock, &call->request->answer.body, err);
    if (rc == 0) call->request->answer.type = type;
    return rc;
}

/* `sluice COMMAND --file .. --log-format json`; a name the roster knows. False when it was answered 404. */
static bool of_pipeline(struct api_call *call, const char *command, const char *verb, struct words *words)
{
    roster_hold(call->settings->roster);
    bool is_known = roster_find(call->settings->roster, call->names[0]) != NULL;
    roster_let_go(call->settings->roster);
    if (!is_known || !is_name(call->names[0])) {
        api_missing(call, "pipeline", call->names[0]);
        return false;
    }
    add(words, command);
    if (verb) add(words, verb);
    add_option(words, "--file", call->settings->file);
    add(words, "--log-format");
    add(words, "json");
    return true;
}

int answer_streams(struct api_call *call, struct err *err)
{
    struct words words = {.count = 0};
    if (!of_pipeline(call, "discover", NULL, &words)) return 0;
    add_option(&words, "--state-dir", call->settings->state_folder);
    add(&words, "--json");
    add(&words, call->names[0]);
    return relay(call, &words, NULL, err);
}

int answer_plan(struct api_call *call, struct err *err)
{
    struct words words = {.count = 0};
    if (!of_pipeline(call, "plan", NULL, &words)) return 0;
    add_option(&words, "--state-dir", call->settings->state_folder);
    add(&words, "--json");
    add(&words, call->names[0]);
    return relay(call, &words, NULL, err);
}

/* `sluice rejects` and `sluice schema`: the newest, of one stream or of all. */
static int relay_past(struct api_call *call, const char *command, int64_t fallback, int64_t most, struct err *err)
{
    struct words words = {.count = 0};
    char text[NUMBER_TEXT_MAX];
    int64_t limit;
    int rc = api_number(call, "limit", fallback, 1, most, &limit, err);
    if (rc || !of_pipeline(call, command, NULL, &words)) return rc;
    snprintf(text, sizeof text, "%lld", (long long)limit);
    add_option(&words, "--limit", text);
    add_option(&words, "--stream", web_parameter(call->request, "stream"));
    add(&words, "--json");
    add(&words, call->names[0]);
    return relay(call, &words, NULL, err);
}

int answer_rejects(struct api_call *call, struct err *err)
{
    return relay_past(call, "rejects", REJECTS_DEFAULT, REJECTS_MAX, err);
}

int answer_schema_changes(struct api_call *call, struct err *err)
{
    return relay_past(call, "schema", CHANGES_DEFAULT, CHANGES_MAX, err);
}

int answer_check(struct api_call *call, struct err *err)
{
    struct words words = {.count = 0};
    struct buf printed = BUF_INIT(ANSWER_MAX);
    if (!of_pipeline(call, "check", NULL, &words)) return 0;
    add_option(&words, "--state-dir", call->settings->state_folder);
    add(&words, call->names[0]);
    int rc = relay_ask(words.list, words.count, call->settings->clock, &printed, err);
    buf_release(&printed);
    return rc ? rc : answer_health(call, err);
}

/* --- state --------------------------------------------------------------------------------------------------------------- */

int answer_state(struct api_call *call, struct err *err)
{
    struct words words = {.count = 0};
    if (!of_pipeline(call, "state", "show", &words)) return 0;
    add(&words, "--json");
    add(&words, call->names[0]);
    return relay(call, &words, NULL, err);
}

/* Runs `sluice state VERB`, then answers with what is remembered now. */
static int change_state(struct api_call *call, const struct words *words, struct err *err)
{
    struct buf printed = BUF_INIT(ANSWER_MAX);
    int rc = relay_ask(words->list, words->count, call->settings->clock, &printed, err);
    buf_release(&printed);
    return rc ? rc : answer_state(call, err);
}

static int needed_text(const struct cJSON *body, const char *key, const char **out, struct err *err)
{
    *out = json_string(json_get(body, key));
    return *out && **out ? 0 : err_set(err, ERR_CONFIG, "the request's body needs a text '%s'", key);
}

static int read_cursor(struct api_call *call, const char **stream, const char **cursor, struct err *err)
{
    static const char *const KEYS[] = {"stream", "cursor", NULL};
    struct cJSON *body;
    int rc = api_body(call, KEYS, &body, err);
    if (rc == 0) rc = needed_text(body, "stream", stream, err);
    if (rc == 0) rc = needed_text(body, "cursor", cursor, err);
    return rc;
}

int answer_set_state(struct api_call *call, struct err *err)
{
    struct words words = {.count = 0};
    const char *stream, *cursor;
    if (!of_pipeline(call, "state", "set", &words)) return 0;
    int rc = read_cursor(call, &stream, &cursor, err);
    if (rc) return rc;
    add_option(&words, "--stream", stream);
    add(&words, "--");
    add(&words, call->names[0]);
    add(&words, cursor);
    return change_state(call, &words, err);
}

int answer_rewind(struct api_call *call, struct err *err)
{
    struct words words = {.count = 0};
    const char *stream, *cursor;
    if (!of_pipeline(call, "state", "rewind", &words)) return 0;
    int rc = read_cursor(call, &stream, &cursor, err);
    if (rc) return rc;
    add_option(&words, "--stream", stream);
    add_option(&words, "--to", cursor);
    add(&words, call->names[0]);
    return change_state(call, &words, err);
}

int answer_reset(struct api_call *call, struct err *err)
{
    static const char *const KEYS[] = {"stream", NULL};
    struct words words = {.count = 0};
    struct cJSON *body;
    const char *stream;
    if (!of_pipeline(call, "state", "reset", &words)) return 0;
    int rc = api_body(call, KEYS, &body, err);
    if (rc == 0) rc = needed_text(body, "stream", &stream, err);
    if (rc) return rc;
    add_option(&words, "--stream", stream);
    add(&words, call->names[0]);
    return change_state(call, &words, err);
}

/* --- connectors ---------------------------------------------------------------------------------------------------------- */

int answer_connectors(struct api_call *call, struct err *err)
{
    const struct words words = {.list = {"connector", "list", "--json"}, .count = 3};
    return relay(call, &words, NULL, err);
}

/* Only those that are listed: a path is not to be had by this way. */
static bool is_installed(const char *name)
{
    return is_name(name) && strchr(name, '/') == NULL && strchr(name, '.') == NULL;
}

static int relay_connector(struct api_call *call, const struct words *words, const char *type, struct err *err)
{
    int rc = relay(call, words, type, err);
    return rc == ERR_CONFIG ? api_missing(call, "connector", call->names[0]) : rc;
}

int answer_connector(struct api_call *call, struct err *err)
{
    const struct words words = {.list = {"connector", "describe", "--config-schema", call->names[0]}, .count = 4};
    if (!is_installed(call->names[0])) return api_missing(call, "connector", call->names[0]);
    return relay_connector(call, &words, NULL, err);
}

int answer_connector_docs(struct api_call *call, struct err *err)
{
    const struct words words = {.list = {"connector", "docs", call->names[0]}, .count = 3};
    if (!is_installed(call->names[0])) return api_missing(call, "connector", call->names[0]);
    return relay_connector(call, &words, "text/markdown; charset=utf-8", err);
}
