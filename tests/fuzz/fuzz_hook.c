/* hook: whatever a sender writes into its headers and its body, nothing is taken that its secret did not sign; what is taken
 * becomes whole lines of JSON, one for each event. Input: scheme's number (and f: the body is a form), signature, timestamp,
 * each in a line; then the body. */
#include "fuzz.h"

#include "base/jsonscan.h"
#include "hook/event.h"

struct sent {
    const char *signature, *timestamp, *other;
    const struct hook_scheme *scheme;
    bool is_form;
};

static const char *header_of(void *context, const char *name)
{
    const struct sent *sent = context;
    if (strcmp(name, "Content-Type") == 0) return sent->is_form ? "application/x-www-form-urlencoded" : NULL;
    if (sent->scheme->header && strcmp(name, sent->scheme->header) == 0) return sent->signature;
    if (sent->scheme->timestamp && strcmp(name, sent->scheme->timestamp) == 0) return sent->timestamp;
    return sent->other;
}

static void check_lines(struct str lines, size_t count)
{
    struct arena arena = ARENA_INIT(0);
    struct str line;
    size_t found = 0;
    CHECK(lines.size == 0 || lines.data[lines.size - 1] == '\n');
    for (; str_next(&lines, '\n', &line); found++) {
        struct jsonscan scan;
        struct json_value value;
        struct str text = jsonscan_padded(&arena, line);
        jsonscan_init(&scan, text.data, text.size);
        CHECK(jsonscan_value(&scan, &value) && value.kind == JSON_OBJECT && jsonscan_finish(&scan));
        CHECK(jsonscan_find(text.data, text.size, "_event_id", &value) && value.kind == JSON_STRING);
        CHECK(jsonscan_find(text.data, text.size, "_received_at", &value) && value.kind == JSON_STRING);
    }
    CHECK(found == count);
    arena_release(&arena);
}

void fuzz(struct str input)
{
    static const char *const SECRET[] = {"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}, *const REQUIRED[] = {"id",
                                                                                                                     "data.id"};
    struct str number = fuzz_line(&input);
    char *signature = fuzz_text(fuzz_line(&input)), *timestamp = fuzz_text(fuzz_line(&input));
    struct arena arena = ARENA_INIT(0);
    struct hook_settings settings = {.stream = "s",
                                     .scheme =
                                         HOOK_SCHEMES[number.size ? (unsigned char)number.data[0] % HOOK_SCHEME_COUNT : 0],
                                     .secrets = SECRET,
                                     .secret_count = 1,
                                     .url = timestamp,
                                     .required = REQUIRED,
                                     .required_count = number.size % 3};
    if (settings.scheme.header && !settings.scheme.header[0]) settings.scheme.header = "X-Signature";
    struct sent sent = {signature, timestamp, timestamp, &settings.scheme, number.size > 1 && number.data[1] == 'f'};
    const struct hook_request request = {
        .method = "POST", .query = "", .body = input, .header = header_of, .context = &sent, .now_ms = 1700000000000};
    bool is_good = hook_refusal(&settings, &request, &arena) == NULL;
    CHECK(!is_good || !settings.scheme.header || strlen(signature) >= 10);
    struct hook_outcome outcome = HOOK_OUTCOME;
    hook_read(&settings, &request, &arena, &outcome);
    if (outcome.kind == HOOK_EVENTS) check_lines(buf_str(&outcome.lines), outcome.count);
    if (outcome.kind == HOOK_BAD) CHECK(outcome.why && outcome.why[0] && outcome.lines.size == 0);
    if (outcome.kind == HOOK_ANSWER) CHECK(outcome.reply && outcome.lines.size == 0);
    buf_release(&outcome.lines);
    arena_release(&arena);
    free(signature);
    free(timestamp);
}
