/* records: the walk to a document's records by a path gives as many as a walk over cJSON's tree does, each of them once and in
 * order. Input: the path in the first line, the document behind it. */
#include "fuzz.h"

#include <cjson/cJSON.h>

#include "base/records_path.h"

enum { NOT_RECORDS = -1, TOO_DEEP = -2 };

/* Behind the step `name` at the front of `rest`, else NULL. */
static const char *behind(const char *rest, const char *name)
{
    size_t size = strlen(name);
    if (strncmp(rest, name, size) != 0 || (rest[size] && rest[size] != '.')) return NULL;
    return rest + size + (rest[size] == '.');
}

static int slow_count(const cJSON *value, const char *rest, int step)
{
    int total = 0, index = 0;
    if (cJSON_IsNull(value)) return 0;
    if (step > RECORDS_PATH_MAX_STEPS) return TOO_DEEP;
    if (!rest[0]) return cJSON_IsArray(value) ? cJSON_GetArraySize(value) : cJSON_IsObject(value) ? 1 : NOT_RECORDS;
    if (!cJSON_IsObject(value) && !cJSON_IsArray(value)) return NOT_RECORDS;
    const cJSON *child;
    cJSON_ArrayForEach(child, value)
    {
        char digits[24];
        snprintf(digits, sizeof digits, "%d", index++);
        const char *next = behind(rest, "*");
        if (!next && cJSON_IsObject(value)) next = behind(rest, child->string);
        if (!next && cJSON_IsArray(value) && (rest[0] < '0' || rest[0] > '9')) return NOT_RECORDS;
        if (!next && cJSON_IsArray(value)) next = behind(rest, digits);
        if (!next) continue;
        int found = slow_count(child, next, step + 1);
        if (found < 0) return found;
        total += found;
    }
    return total;
}

struct counting {
    int count;
    const char *at; /* where the last record ended */
};

static int take(void *context, struct jsonscan *scan, struct err *err)
{
    struct counting *counting = context;
    struct json_value value;
    (void)err;
    if (!jsonscan_value(scan, &value)) return ERR_TRANSIENT;
    CHECK(!counting->at || value.raw.data > counting->at);
    counting->at = value.raw.data;
    counting->count++;
    return 0;
}

void fuzz(struct str input)
{
    char *path = fuzz_text(fuzz_line(&input)), *text = fuzz_padded(input, JSONSCAN_PADDING);
    struct jsonscan scan;
    struct json_value whole;
    struct counting counting = {0};
    struct err err = ERR_INIT;
    jsonscan_init(&scan, text, input.size);
    bool good = jsonscan_value(&scan, &whole) && jsonscan_finish(&scan);
    jsonscan_init(&scan, text, input.size);
    int rc = records_walk(&scan, path, take, &counting, &err);
    CHECK(rc == 0 || (rc == ERR_TRANSIENT && scan.error) || (rc == ERR_DATA && err.message[0]));
    if (good) CHECK(rc != ERR_TRANSIENT);
    if (rc == 0) CHECK(jsonscan_finish(&scan) == good);
    if (good && !(whole.flags & JSON_DIRTY)) {
        const char *end, *rest = path;
        cJSON *other = cJSON_ParseWithLengthOpts(text, input.size, &end, false);
        if (rest[0] == '$' && (!rest[1] || rest[1] == '.')) rest += rest[1] ? 2 : 1;
        int expected = other ? slow_count(other, rest, 0) : 0;
        if (other) CHECK(expected < 0 ? rc == ERR_DATA : rc == 0 && counting.count == expected);
        cJSON_Delete(other);
    }
    free(text);
    free(path);
}
