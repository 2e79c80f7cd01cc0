/* The output of a format, see format.h. A block that doubles; what is begun and not ended can be taken back. */
#include "rest/format/format.h"

#include <string.h>

#include "base/check.h"

bool format_comes_in_parts(const struct format *format)
{
    return format->stream || format_is_rows(format);
}

bool format_is_rows(const struct format *format)
{
    return format->kind == FORMAT_NDJSON || format->kind == FORMAT_CSV || format->kind == FORMAT_PLUGIN;
}

const char *format_media_type(const struct format *format)
{
    static const char *const NAMES[] = {[FORMAT_JSON] = "application/json",
                                        [FORMAT_NDJSON] = "application/x-ndjson",
                                        [FORMAT_CSV] = "text/csv",
                                        [FORMAT_XML] = "application/xml",
                                        [FORMAT_PLUGIN] = "*/*"};
    return NAMES[format->kind];
}

void format_out_init(struct format_out *out, struct budget *budget, const char *open, const char *close)
{
    *out = (struct format_out){.budget = budget, .open = open, .close = close, .open_bytes = strlen(open)};
    out->block = block_new(budget, FORMAT_PART_BYTES / 4);
    format_out_text(out, str_from(open));
}

void format_out_release(struct format_out *out)
{
    block_release(out->block);
    out->block = NULL;
}

/* Room for `more` bytes; false past the cap. */
static bool make_room(struct format_out *out, size_t more)
{
    struct block *block = out->block;
    size_t start = out->record_end ? out->record_end : out->open_bytes;
    if (LIKELY(block->size + more <= block->capacity)) return !out->too_large;
    if (out->too_large || block->size + more - start > FORMAT_MAX_RECORD_BYTES) {
        out->too_large = true;
        return false;
    }
    size_t wanted = block->capacity * 2;
    while (wanted < block->size + more) wanted *= 2;
    block_grow(block, wanted);
    return true;
}

void format_out_text(struct format_out *out, struct str text)
{
    if (text.size == 0 || !make_room(out, text.size)) return;
    memcpy(out->block->data + out->block->size, text.data, text.size);
    out->block->size += text.size;
}

void format_out_char(struct format_out *out, char c)
{
    if (make_room(out, 1)) out->block->data[out->block->size++] = c;
}

/* Bytes that are not UTF-8, and NUL, stay: the reader of JSON repairs and counts them. */
static bool is_plain(char c)
{
    return ((unsigned char)c >= ' ' && c != '"' && c != '\\') || c == '\0';
}

void format_out_string_part(struct format_out *out, struct str text)
{
    static const char HEX[] = "0123456789abcdef";
    const char *at = text.data, *end = text.data + text.size;
    while (at < end) {
        const char *run = at;
        while (at < end && is_plain(*at)) at++;
        format_out_text(out, (struct str){run, (size_t)(at - run)});
        if (at == end) return;
        unsigned char c = (unsigned char)*at++;
        char escaped[6] = {'\\', (char)c};
        size_t size = 2;
        if (c == '\n' || c == '\r' || c == '\t') {
            escaped[1] = c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
        } else if (c < ' ') {
            memcpy(escaped, "\\u00", 4);
            escaped[4] = HEX[c >> 4], escaped[5] = HEX[c & 15];
            size = 6;
        }
        format_out_text(out, (struct str){escaped, size});
    }
}

void format_out_begin(struct format_out *out)
{
    if (out->record_end) format_out_char(out, ',');
}

void format_out_record(struct format_out *out)
{
    if (out->too_large) return;
    out->previous_end = out->record_end;
    out->record_end = out->block->size;
    out->records++;
}

void format_out_back(struct format_out *out)
{
    out->block->size = out->record_end ? out->record_end : out->open_bytes;
}
