/* reader: see files.h. Records are copied as they are, each behind the two columns that say where it comes from; of CSV every
 * page begins with the header, so that each is a whole body. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"

enum { TEXT_BYTES = 512 * 1024, PREFIX_BYTES = 3 * 4096 };

struct text {
    char *data;
    size_t size, room;
};

struct file_reader {
    const struct files_settings *settings;
    const char *path; /* as it is told */
    struct file_place *place;
    const struct file_entry *entry;
    struct source *source;
    struct records records;
    struct text in;  /* read and not passed on, from `at` on */
    size_t at, seen; /* seen: bytes behind `at` that were looked at */
    bool is_at_end;
    struct text out;
    struct text header; /* CSV, with the columns in front and a line end */
    struct text quoted; /* the path, as CSV or JSON has it */
    char delimiter;
};

static int no_memory(struct sluice_session *session)
{
    return sluice_fail(session, SLUICE_ERROR_CONNECTOR, "out of memory", NULL);
}

static bool append(struct text *text, const char *data, size_t size)
{
    if (size > text->room - text->size) {
        size_t room = 2 * (text->size + size) + 256;
        char *grown = realloc(text->data, room);
        if (!grown) return false;
        text->data = grown;
        text->room = room;
    }
    if (size) memcpy(text->data + text->size, data, size);
    text->size += size;
    return true;
}

static int fail_file(struct sluice_session *session, const struct file_reader *reader, enum sluice_error error,
                     const char *what, const char *hint)
{
    char message[4400];
    snprintf(message, sizeof message, "file '%s', line %" PRId64 ": %s", reader->path, reader->place->line + 1, what);
    return sluice_fail(session, error, message, hint);
}

/* Reads on behind what there is. */
static int read_more(struct sluice_session *session, struct file_reader *reader)
{
    struct text *in = &reader->in;
    if (reader->at) {
        memmove(in->data, in->data + reader->at, in->size - reader->at);
        in->size -= reader->at;
        reader->at = 0;
    }
    if (in->room - in->size < TEXT_BYTES / 2) {
        char *grown = realloc(in->data, 2 * in->room + TEXT_BYTES);
        if (!grown) return no_memory(session);
        in->data = grown;
        in->room = 2 * in->room + TEXT_BYTES;
    }
    long got = source_read(session, reader->source, in->data + in->size, in->room - in->size);
    if (got < 0) return (int)got;
    reader->is_at_end = got == 0;
    in->size += (size_t)got;
    return 0;
}

/* The next record: 1, with its bytes and how many stand for it; 0: there is no whole one; or an error. */
static int next_record(struct sluice_session *session, struct file_reader *reader, size_t *start, size_t *stop, size_t *whole)
{
    for (;;) {
        size_t left = reader->in.size - reader->at;
        long end = records_cut(&reader->records, reader->in.data + reader->at, left, reader->seen, start, stop);
        if (end < 0)
            return fail_file(session, reader, SLUICE_ERROR_DATA, "it is no JSON array of records",
                             "`format: json` is for files that are one array; lines of JSON are `ndjson`");
        if (end > 0) {
            reader->seen = 0;
            *whole = (size_t)end;
            return 1;
        }
        reader->seen = left;
        if (reader->is_at_end) return 0;
        if (left > FILES_MAX_RECORD)
            return fail_file(session, reader, SLUICE_ERROR_DATA, "it is over 12 MiB",
                             "is `format` right, and a quote not left open?");
        int rc = read_more(session, reader);
        if (rc) return rc;
    }
}

/* --- where a file is gone on with ---------------------------------------------------------------------------------------- */

static int changed(struct sluice_session *session, struct file_reader *reader, const char *how)
{
    struct file_place *place = reader->place;
    if (!reader->settings->rereads) {
        char message[4400];
        snprintf(message, sizeof message, "file '%s' %s since it was read up to byte %" PRId64, reader->path, how,
                 place->offset);
        return sluice_fail(session, SLUICE_ERROR_DATA, message,
                           "`on_change: reread` reads such files from the beginning; files that are read should only grow");
    }
    char line[4400];
    snprintf(line, sizeof line, "file '%s' %s: reading it from the beginning", reader->path, how);
    sluice_log(session, SLUICE_LOG_WARN, line);
    place->offset = place->line = 0;
    return 0;
}

/* Is the beginning what it was? */
static int check_head(struct sluice_session *session, struct file_reader *reader)
{
    struct file_place *place = reader->place;
    while (!reader->is_at_end && (int64_t)reader->in.size < place->head_size) {
        int rc = read_more(session, reader);
        if (rc) return rc;
    }
    if ((int64_t)reader->in.size < place->head_size) return changed(session, reader, "has become shorter");
    if (state_hash(0, reader->in.data, (size_t)place->head_size) != place->head)
        return changed(session, reader, "has another beginning");
    return 0;
}

/* What tells the file later: its beginning as far as it was read. */
static void note_head(struct file_reader *reader)
{
    struct file_place *place = reader->place;
    if (place->head_size >= FILES_HEAD_BYTES || reader->at != 0) return;
    size_t size = reader->in.size < FILES_HEAD_BYTES ? reader->in.size : FILES_HEAD_BYTES;
    place->head = state_hash(0, reader->in.data, size);
    place->head_size = (int64_t)size;
}

static bool add_quoted(struct file_reader *reader)
{
    struct text *quoted = &reader->quoted;
    bool is_csv = reader->settings->format == FORMAT_CSV;
    bool fits = append(quoted, "\"", 1);
    for (const char *c = reader->path; *c && fits; c++) {
        if (*c == '"' || (!is_csv && *c == '\\')) fits = append(quoted, is_csv ? "\"" : "\\", 1);
        fits = fits && append(quoted, *c == '\n' || *c == '\r' ? " " : c, 1);
    }
    return fits && append(quoted, "\"", 1);
}

static size_t fields_of(const char *text, size_t size, char delimiter)
{
    size_t count = 1;
    bool is_quoted = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"') is_quoted = !is_quoted;
        count += !is_quoted && text[i] == delimiter;
    }
    return count;
}

/* "_file,_line," and the file's own names, or names for its columns. */
static int make_header(struct sluice_session *session, struct file_reader *reader, const char *first, size_t size)
{
    struct text *header = &reader->header;
    char name[32];
    int length = snprintf(name, sizeof name, "_file%c_line%c", reader->delimiter, reader->delimiter);
    bool fits = append(header, name, (size_t)length);
    if (reader->settings->has_header) {
        static const char MARK[] = "\xef\xbb\xbf";
        if (size >= 3 && memcmp(first, MARK, 3) == 0) first += 3, size -= 3;
        fits = fits && append(header, first, size);
        if (fits && (size == 0 || first[size - 1] != '\n')) fits = append(header, "\n", 1);
    } else {
        size_t count = fields_of(first, size, reader->delimiter);
        for (size_t i = 1; i <= count && fits; i++) {
            length = snprintf(name, sizeof name, "column_%zu%c", i, i < count ? reader->delimiter : '\n');
            fits = append(header, name, (size_t)length);
        }
    }
    return fits ? 0 : no_memory(session);
}

/* Line ends in what was passed. Of an array, whose elements may share a line, it is the elements that count. */
static int64_t lines_of(const struct file_reader *reader, const char *text, size_t size)
{
    int64_t count = 0;
    if (reader->settings->format == FORMAT_JSON) return 1;
    for (const char *at = text, *end = text + size; at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        count++;
    return count ? count : 1;
}

/* Reads the header, and goes to where the file was left. */
static int find_place(struct sluice_session *session, struct file_reader *reader)
{
    struct file_place *place = reader->place;
    const struct files_settings *settings = reader->settings;
    size_t start, stop, whole = 0;
    int rc = read_more(session, reader);
    if (rc == 0 && place->head_size) rc = check_head(session, reader);
    if (rc) return rc;
    note_head(reader);
    if (settings->format == FORMAT_CSV && reader->in.size) {
        char own = records_delimiter(reader->in.data, reader->in.size);
        reader->delimiter = settings->delimiter;
        if (settings->sniffs && own != reader->delimiter && memchr(reader->in.data, own, reader->in.size))
            return fail_file(session, reader, SLUICE_ERROR_DATA,
                             "its fields are parted by another character than the first file's",
                             "read such files by pipelines of their own, or name the `delimiter`");
        rc = next_record(session, reader, &start, &stop, &whole);
        if (rc < 0) return rc;
        if (rc == 0) stop = whole = reader->in.size;
        rc = make_header(session, reader, reader->in.data, stop);
        if (rc) return rc;
        reader->records.is_quoted = false;
        if (!settings->has_header) whole = 0;
        if (place->offset == 0 && whole) {
            place->offset = (int64_t)whole;
            place->line = lines_of(reader, reader->in.data, whole);
        }
    }
    reader->seen = 0;
    if (settings->format == FORMAT_JSON && place->offset) reader->records.in_array = true;
    if (place->offset <= (int64_t)reader->in.size) {
        reader->at = (size_t)place->offset;
        return 0;
    }
    int64_t beyond = place->offset - (int64_t)reader->in.size, skipped = source_skip(session, reader->source, beyond);
    if (skipped < 0) return (int)skipped;
    reader->in.size = reader->at = 0;
    if (skipped == beyond) return 0;
    return changed(session, reader, "has become shorter");
}

int reader_open(struct sluice_session *session, const struct files_settings *settings, const char *base,
                const struct file_entry *entry, struct file_place *place, struct file_reader **out)
{
    char path[8192];
    struct file_reader *reader = calloc(1, sizeof *reader);
    *out = reader;
    if (!reader) return no_memory(session);
    *reader = (struct file_reader){.settings = settings,
                                   .path = entry->path,
                                   .entry = entry,
                                   .place = place,
                                   .records = {.format = settings->format, .quote = '"'}};
    snprintf(path, sizeof path, "%s/%s", base, entry->path);
    int64_t was_at = place->offset;
    int rc = source_open(session, path, &reader->source);
    if (rc == 0 && !add_quoted(reader)) rc = no_memory(session);
    if (rc == 0) rc = find_place(session, reader);
    if (rc == 0 && was_at > 0 && place->offset == 0) { /* it is to be read anew: from its first byte, which was passed */
        reader_close(reader);
        place->head_size = 0;
        return reader_open(session, settings, base, entry, place, out);
    }
    return rc;
}

void reader_close(struct file_reader *reader)
{
    if (!reader) return;
    source_close(reader->source);
    free(reader->in.data);
    free(reader->out.data);
    free(reader->header.data);
    free(reader->quoted.data);
    free(reader);
}

/* --- pages --------------------------------------------------------------------------------------------------------------- */

static bool is_blank(const char *text, size_t size)
{
    size_t i = 0;
    while (i < size && (text[i] == '\n' || text[i] == '\r' || text[i] == ' ')) i++;
    return i == size;
}

static bool add_csv(struct file_reader *reader, const char *text, size_t size)
{
    char line[48];
    int length = snprintf(line, sizeof line, "%c%" PRId64 "%c", reader->delimiter, reader->place->line + 1, reader->delimiter);
    return append(&reader->out, reader->quoted.data, reader->quoted.size) && append(&reader->out, line, (size_t)length) &&
           append(&reader->out, text, size) && (text[size - 1] == '\n' || append(&reader->out, "\n", 1));
}

/* What is no object is passed on as it is: the host rejects it with its reason. */
static bool add_json(struct file_reader *reader, const char *text, size_t size)
{
    char line[48];
    struct text *out = &reader->out;
    while (size && is_blank(text, 1)) text++, size--;
    while (size && is_blank(text + size - 1, 1)) size--;
    size_t start = out->size;
    bool fits = true;
    if (size && text[0] == '{') {
        size_t inside = 1;
        while (inside < size && is_blank(text + inside, 1)) inside++;
        int length = snprintf(line, sizeof line, ",\"_line\":%" PRId64 "%s", reader->place->line + 1,
                              inside < size && text[inside] == '}' ? "" : ",");
        fits = append(out, "{\"_file\":", 9) && append(out, reader->quoted.data, reader->quoted.size) &&
               append(out, line, (size_t)length) && append(out, text + 1, size - 1);
    } else {
        fits = append(out, text, size);
    }
    for (size_t i = start; fits && i < out->size; i++) /* white space of a JSON file's elements */
        if (out->data[i] == '\n' || out->data[i] == '\r') out->data[i] = ' ';
    return fits && append(out, "\n", 1);
}

/* The last record of a file need not end with a line end; one that may still grow is left for later. */
static int last_record(struct sluice_session *session, struct file_reader *reader, size_t *stop)
{
    const struct records *records = &reader->records;
    size_t left = reader->in.size - reader->at;
    *stop = left;
    if (records->format == FORMAT_JSON) {
        if (records->is_done && is_blank(reader->in.data + reader->at, left)) return 0;
        return fail_file(session, reader, SLUICE_ERROR_DATA, "the array does not end",
                         "is the file still being written? Write elsewhere and rename it into the folder");
    }
    if (left == 0 || reader->settings->growing) return 0;
    if (records->is_quoted)
        return fail_file(session, reader, SLUICE_ERROR_DATA, "a quote is left open",
                         "is the file whole, and are quotes doubled?");
    return 1;
}

static int add_record(struct sluice_session *session, struct file_reader *reader, size_t start, size_t stop, size_t whole)
{
    const char *text = reader->in.data + reader->at + start;
    size_t size = stop - start;
    reader->at += whole;
    reader->place->offset += (int64_t)whole;
    if (size == 0) return 0;
    bool fits = true, is_csv = reader->settings->format == FORMAT_CSV;
    if (!is_blank(text, size)) {
        if (is_csv && reader->out.size == 0) fits = append(&reader->out, reader->header.data, reader->header.size);
        fits = fits && (is_csv ? add_csv(reader, text, size) : add_json(reader, text, size));
    }
    reader->place->line += lines_of(reader, text, size);
    return fits ? 0 : no_memory(session);
}

int reader_page(struct sluice_session *session, struct file_reader *reader)
{
    int rc = 1;
    reader->out.size = 0;
    while (rc > 0 && reader->out.size < FILES_PAGE_BYTES) {
        size_t start = 0, stop, whole;
        rc = next_record(session, reader, &start, &stop, &whole);
        bool is_last = rc == 0;
        if (is_last) {
            rc = last_record(session, reader, &stop);
            start = 0;
            whole = stop;
        }
        int added = rc > 0 ? add_record(session, reader, start, stop, whole) : 0;
        if (added < 0) return added;
        if (is_last && rc > 0) {
            rc = 0;
            break;
        }
    }
    if (rc < 0) return rc;
    if (reader->out.size && sluice_emit_bytes(session, reader->out.data, reader->out.size) < 0) return -1;
    return rc;
}

int reader_sniff(struct sluice_session *session, const char *path, char *delimiter)
{
    char head[FILES_HEAD_BYTES];
    struct source *source;
    int rc = source_open(session, path, &source);
    long got = rc == 0 ? source_read(session, source, head, sizeof head) : rc;
    source_close(source);
    if (got > 0) *delimiter = records_delimiter(head, (size_t)got);
    return got < 0 ? (int)got : 0;
}
