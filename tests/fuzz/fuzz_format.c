/* format: whatever the body, its documents are whole JSON, there is an end, no more records are counted than the documents
 * hold, and the same comes out again. Input: the format's first letter and a CSV delimiter in the first line (`c;`), the body
 * behind it. */
#include "fuzz.h"

#include "base/buf.h"
#include "base/jsonscan.h"
#include "rest/format/parts.h"

enum { DOCUMENTS_MAX = 64 };

static struct format format_of(struct str line)
{
    char letter = line.size ? line.data[0] : 'c';
    struct format format = {.kind = letter == 'n'   ? FORMAT_NDJSON
                                    : letter == 'j' ? FORMAT_JSON
                                    : letter == 'x' ? FORMAT_XML
                                                    : FORMAT_CSV,
                            .stream = letter == 'j',
                            .records_path = "data",
                            .delimiter = line.size > 1 ? line.data[1] : ',',
                            .quote = '"'};
    if (format.delimiter == '"' || format.delimiter <= 0 || format.delimiter == '\r') format.delimiter = ',';
    return format;
}

static struct block *block_of(struct str text)
{
    struct block *block = block_new(NULL, text.size + 1);
    if (text.size) memcpy(block->data, text.data, text.size);
    block->size = text.size;
    block_seal(block);
    return block;
}

static void check_json(const struct block *document)
{
    struct jsonscan scan;
    struct json_value value;
    jsonscan_init(&scan, document->data, document->size);
    CHECK(jsonscan_value(&scan, &value) && jsonscan_finish(&scan));
}

/* Appends every document; the class it ended with. */
static int read_parts(const struct format *format, struct block *body, struct buf *out)
{
    struct parts *parts = parts_new(format, NULL, body, NULL, NULL);
    struct err err = ERR_INIT;
    bool is_last = false;
    int rc = 0;
    for (int i = 0; rc == 0 && !is_last; i++) {
        struct block *document = NULL;
        CHECK(i < DOCUMENTS_MAX);
        rc = parts_next(parts, &document, &is_last, &err);
        CHECK(rc == err.class && (rc != 0) == !document);
        if (rc != 0) break;
        if (format->kind != FORMAT_JSON) check_json(document); /* JSON's own values are checked when they are decoded */
        buf_append(out, document->data, document->size);
        block_release(document);
    }
    parts_free(parts);
    return rc;
}

static int read_xml(const struct format *format, const struct block *body, struct buf *out)
{
    struct block *document = NULL;
    struct err err = ERR_INIT;
    int rc = format_xml(format, body, NULL, &document, &err);
    CHECK(rc == err.class && (rc != 0) == !document);
    if (rc != 0) return rc;
    check_json(document);
    buf_append(out, document->data, document->size);
    block_release(document);
    return 0;
}

void fuzz(struct str input)
{
    struct format format = format_of(fuzz_line(&input));
    struct block *body = block_of(input);
    struct buf once = BUF_INIT(SIZE_MAX), again = BUF_INIT(SIZE_MAX);
    int rc = format.kind == FORMAT_XML ? read_xml(&format, body, &once) : read_parts(&format, body, &once);
    int same = format.kind == FORMAT_XML ? read_xml(&format, body, &again) : read_parts(&format, body, &again);
    CHECK(rc == same && str_equal(buf_str(&once), buf_str(&again)));
    block_release(body);
    buf_release(&once);
    buf_release(&again);
}
