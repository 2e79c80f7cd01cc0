/* utf8: what is valid is left alone, what is repaired is valid, wherever texts go: JSON strings read and written, messages. */
#include "fuzz.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/jsonscan.h"
#include "base/utf8.h"

static void check_prefix(struct str text)
{
    size_t prefix = utf8_valid_prefix(text);
    CHECK(prefix <= text.size && fuzz_is_utf8((struct str){text.data, prefix}, false));
    CHECK((prefix == text.size) == fuzz_is_utf8(text, false));
    struct str rest = {text.data + prefix, text.size - prefix};
    CHECK(rest.size == 0 || utf8_length(rest) == 0);
    for (size_t at = 0; at < prefix;) {
        size_t size = utf8_length((struct str){text.data + at, text.size - at});
        CHECK(size >= 1 && size <= 4);
        at += size;
    }
}

/* Reads `json`, a JSON string; its text lives in `arena`. */
static struct str text_of(struct str json, struct arena *arena, uint64_t *repaired)
{
    char *padded = arena_alloc(arena, json.size + JSONSCAN_PADDING);
    struct jsonscan scan;
    struct json_value value;
    memcpy(padded, json.data, json.size);
    jsonscan_init(&scan, padded, json.size);
    CHECK(jsonscan_value(&scan, &value) && jsonscan_finish(&scan) && value.kind == JSON_STRING);
    return jsonscan_text(&value, arena, repaired);
}

static void check_written(struct str text)
{
    struct arena arena = ARENA_INIT(0);
    struct buf json = BUF_INIT(16 << 20);
    uint64_t repaired = 0;
    buf_append_json_string(&json, text);
    CHECK(fuzz_is_utf8(buf_str(&json), true));
    struct str again = text_of(buf_str(&json), &arena, &repaired);
    CHECK(fuzz_is_utf8(again, true));
    if (fuzz_is_utf8(text, true)) CHECK(repaired == 0 && str_equal(again, text));
    buf_release(&json);
    arena_release(&arena);
}

/* The bytes as they are between quotes, but for what JSON wants escaped. */
static void check_read(struct str text)
{
    struct arena arena = ARENA_INIT(0);
    struct buf json = BUF_INIT(16 << 20);
    uint64_t repaired = 0;
    buf_append_char(&json, '"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\' || (c < ' ' && c))
            buf_printf(&json, "\\u%04x", c);
        else
            buf_append_char(&json, (char)c);
    }
    buf_append_char(&json, '"');
    struct str again = text_of(buf_str(&json), &arena, &repaired);
    CHECK(fuzz_is_utf8(again, true));
    CHECK((repaired == 0) == fuzz_is_utf8(text, true));
    if (repaired == 0) CHECK(str_equal(again, text));
    buf_release(&json);
    arena_release(&arena);
}

static void check_message(struct str text)
{
    struct err err = ERR_INIT;
    char *terminated = fuzz_text(text);
    CHECK(err_set(&err, ERR_DATA, "%s", terminated) == ERR_DATA);
    size_t size = strlen(err.message);
    CHECK(size < sizeof err.message);
    for (size_t i = 0; i < size; i++) CHECK((unsigned char)err.message[i] >= ' ' && err.message[i] != 127);
    CHECK(fuzz_is_utf8(str_from(err.message), true));
    free(terminated);
}

void fuzz(struct str input)
{
    check_prefix(input);
    check_written(input);
    check_read(input);
    check_message(input);
}
