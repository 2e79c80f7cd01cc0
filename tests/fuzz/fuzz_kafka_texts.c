/* plugins/kafka: what it takes for JSON the host takes for JSON, and the other way around but for what the host repairs; and
 * its other readers of texts take whatever comes. */
#include "fuzz.h"

#include "base/jsonscan.h"
#include "kafka/json.h"
#include "kafka/names.h"
#include "kafka/offsets.h"
#include "kafka/schema.h"
#include "kafka/settings.h"
#include "kafka/text.h"

static bool host_takes(struct str text)
{
    char *padded = fuzz_padded(text, JSONSCAN_PADDING);
    struct jsonscan scan;
    struct json_value value;
    jsonscan_init(&scan, padded, text.size);
    bool takes = jsonscan_value(&scan, &value) && jsonscan_finish(&scan);
    free(padded);
    return takes;
}

static size_t count_open(struct str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++) count += text.data[i] == '[' || text.data[i] == '{';
    return count;
}

static void check_json(struct str text)
{
    bool ours = json_flaw(text.data, text.size) == NULL, is_clean = fuzz_is_utf8(text, true);
    bool has_mark = text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0;
    CHECK(utf8_is_valid(text.data, text.size) == fuzz_is_utf8(text, false));
    CHECK(!ours || (is_clean && host_takes(text)));
    if (is_clean && !has_mark && count_open(text) <= JSON_MAX_DEPTH) CHECK(ours == host_takes(text));
}

/* The members of what has no flaw have none, and their names and texts are text without their escapes. */
static void check_members(struct str text)
{
    struct json_member member;
    char *out = malloc(text.size + 1);
    if (json_flaw(text.data, text.size) == NULL)
        for (size_t at = 0; json_next(text.data, text.size, &at, &member);) {
            CHECK(at <= text.size && json_flaw(member.value, member.value_size) == NULL);
            size_t size = json_unescape(member.name, member.name_size, out);
            CHECK(size <= member.name_size && utf8_is_valid(out, size));
            if (*member.value != '"') continue;
            size = json_unescape(member.value + 1, member.value_size - 2, out);
            CHECK(size <= member.value_size - 2 && utf8_is_valid(out, size));
        }
    free(out);
}

/* A schema that is taken gives columns that are named and have a type. */
static void check_schema(const char *text)
{
    struct schema schema;
    const char *flaw = schema_read(&schema, text);
    CHECK(!flaw || schema.count == 0);
    for (size_t i = 0; i < schema.count; i++) CHECK(*schema.columns[i].name && *schema.columns[i].type);
    schema_release(&schema);
}

/* Whatever bytes, they come back as a JSON string. */
static void check_written(struct str text)
{
    struct text json = {0};
    text_json(&json, text.data, text.size);
    CHECK(json_flaw(json.data, json.size) == NULL);
    text_clear(&json);
    text_base64(&json, text.data, text.size);
    CHECK(json.size == (text.size + 2) / 3 * 4);
    text_release(&json);
}

/* A state that is taken is written as one that says the same. */
static void check_state(const char *state)
{
    struct offsets offsets, again;
    struct text first = {0}, second = {0};
    offsets_init(&offsets, "orders");
    offsets_init(&again, "orders");
    if (!offsets_read(&offsets, state)) {
        offsets_write(&offsets, &first);
        CHECK(offsets_read(&again, first.data) == NULL);
        offsets_write(&again, &second);
        CHECK(strcmp(first.data, second.data) == 0);
    }
    text_release(&first);
    text_release(&second);
    offsets_release(&offsets);
    offsets_release(&again);
}

void fuzz(struct str input)
{
    struct names names;
    int64_t milliseconds;
    check_json(input);
    check_members(input);
    check_written(input);
    char *text = fuzz_text(input);
    check_state(text);
    check_schema(text);
    if (settings_time(text, &milliseconds)) CHECK(milliseconds >= -24 * 3600 * INT64_C(1000));
    if (!strchr(text, '^') && !names_init(&names, text)) { /* regular expressions are the C library's */
        names_match(&names, "orders.eu");
        for (size_t at = 0; names_plain(&names, &at);) {
        }
        names_release(&names);
    } else if (!strchr(text, '^')) {
        names_release(&names);
    }
    free(text);
}
