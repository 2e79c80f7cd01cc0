/* NDJSON: one JSON value a line. Each line is checked by itself, so that what is broken in one cannot be mended by the next. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/jsonscan.h"
#include "rest/format/format.h"

struct ndjson {
    struct format_out *out;
    uint64_t lines;
};

static void *open_ndjson(const struct format *format, struct format_out *out)
{
    struct ndjson *state = mem_zero(1, sizeof *state);
    (void)format;
    state->out = out;
    return state;
}

/* A line that holds nothing but white space is none. */
static int take_line(struct ndjson *state, struct str line, struct err *err)
{
    struct jsonscan scan;
    struct json_value value;
    state->lines++;
    line = str_trim(line);
    if (line.size == 0) return 0;
    jsonscan_init(&scan, line.data, line.size);
    if (!jsonscan_value(&scan, &value) || !jsonscan_finish(&scan)) {
        int class = scan.error && strcmp(scan.error, JSONSCAN_TOO_DEEP) == 0 ? ERR_DATA : ERR_TRANSIENT;
        return err_set(err, class, "line %llu, column %zu: %s", (unsigned long long)state->lines, jsonscan_offset(&scan) + 1,
                       scan.error ? scan.error : "something stands behind the value");
    }
    format_out_begin(state->out);
    if (value.kind == JSON_STRING) format_out_char(state->out, '"');
    format_out_text(state->out, value.raw);
    if (value.kind == JSON_STRING) format_out_char(state->out, '"');
    format_out_record(state->out);
    return 0;
}

static int take_ndjson(void *context, struct str text, bool is_end, size_t *taken, struct err *err)
{
    struct ndjson *state = context;
    const char *at = text.data, *end = text.data + text.size;
    int rc = 0;
    while (rc == 0 && at < end && !state->out->too_large) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline && !is_end) break;
        const char *line_end = newline ? newline : end;
        rc = take_line(state, (struct str){at, (size_t)(line_end - at)}, err);
        at = newline ? newline + 1 : end;
    }
    *taken = (size_t)(at - text.data);
    return rc;
}

const struct format_type FORMAT_TYPE_NDJSON = {open_ndjson, take_ndjson, free};
