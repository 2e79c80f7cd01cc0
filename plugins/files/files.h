/* files: what a plugin for files is made of.
 *
 *     listing   which files there are, in the order they are read             listing.c
 *     source    the bytes of one, unpacked                                     source.c
 *     records   where its records begin and end, and their lines               records.c
 *     state     which files were read, and how far                             state.c
 *     plugin    configuration, and pages of all that                           plugin.c
 *
 * Everything here is one thread's, and reports through the session. */
#ifndef FILES_FILES_H
#define FILES_FILES_H

#include <sluice/plugin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FILES_MAX = 100000,          /* that a pattern may find */
    FILES_MAX_RECORD = 12 << 20, /* bytes of one record */
    FILES_HEAD_BYTES = 4096,     /* that tell whether a file is still the one that was read */
    FILES_PAGE_BYTES = 1024 * 1024,
};

/* A file as it is listed. */
struct file_entry {
    char *path; /* below the folder of the pattern, as it is told in `_file` */
    int64_t mtime_ns;
    int64_t size; /* as it lies on the disk */
};

struct file_list {
    struct file_entry *entries;
    size_t count;
};

enum file_order { ORDER_NAME, ORDER_MTIME };

/* Finds the files of an absolute path: a file, a folder (all below it), or a pattern (`*`, `?`, `[..]`; `**` crosses folders).
 * `base` (to be freed) is the folder that entries are below. Hidden names are passed over. */
int files_list(struct sluice_session *session, const char *pattern, enum file_order order, char **base, struct file_list *list);
void files_list_free(struct file_list *list);
int files_compare(const struct file_entry *a, const struct file_entry *b, enum file_order order);

/* --- source -------------------------------------------------------------------------------------------------------------- */

struct source; /* an open file: plain, gzip (also several members) or zstd, by its first bytes */

int source_open(struct sluice_session *session, const char *path, struct source **out);
void source_close(struct source *source);
/* Unpacked bytes: how many, 0 at the end, or an error. */
long source_read(struct sluice_session *session, struct source *source, char *data, size_t size);
/* Passes over unpacked bytes; fewer when the file ends before. How many, or an error. */
int64_t source_skip(struct sluice_session *session, struct source *source, int64_t count);
/* Of the file as it lies on the disk. */
int source_hash(struct sluice_session *session, const char *path, uint64_t *hash);

/* --- records ------------------------------------------------------------------------------------------------------------- */

enum file_format { FORMAT_CSV, FORMAT_NDJSON, FORMAT_JSON };

/* Cuts a file's text into records as it comes. */
struct records {
    enum file_format format;
    char quote;     /* CSV */
    bool is_quoted; /* CSV: inside of quotes */
    /* JSON: */
    int depth;
    bool in_string, is_escaped, in_array, is_done;
};

/* The end of the record that `text` begins with (behind its line end), 0 when it is not there yet; for JSON *start and *stop
 * are the element's own bytes. `from` bytes of it were looked at before. -1: it is no such file. */
long records_cut(struct records *records, const char *text, size_t size, size_t from, size_t *start, size_t *stop);
/* The delimiter that a CSV file's first lines use, of , ; tab and |. */
char records_delimiter(const char *text, size_t size);

/* --- state --------------------------------------------------------------------------------------------------------------- */

/* How far one file was read. */
struct file_place {
    char *path;
    int64_t offset; /* unpacked bytes that are done; -1: all of it */
    int64_t line;   /* lines that are done; of a JSON array: elements */
    int64_t size;   /* as it lay on the disk, and when it was written, when it was read to its end */
    int64_t mtime_ns;
    uint64_t head; /* of its first bytes, up to FILES_HEAD_BYTES, or up to the offset */
    int64_t head_size;
};

struct file_state {
    struct file_place *places; /* sorted by path */
    size_t count, room;
    bool has_mark; /* files up to this one, in their order, are done */
    struct file_entry mark;
};

/* Reads a checkpoint (NULL: none). */
int state_read(struct sluice_session *session, const char *text, struct file_state *state);
void state_free(struct file_state *state);
struct file_place *state_find(struct file_state *state, const char *path);                                /* NULL: none */
struct file_place *state_add(struct sluice_session *session, struct file_state *state, const char *path); /* NULL: no memory */
void state_remove(struct file_state *state, struct file_place *place);
/* Removes the places of files that are not in `list` (in the order of names), where one is whose name ends as theirs, behind
 * the last `-`: who sees that one would see them. */
void state_forget(struct file_state *state, const struct file_list *list);
int state_mark(struct sluice_session *session, struct file_state *state, const struct file_entry *entry);
/* Hands it to sluice_checkpoint. */
int state_checkpoint(struct sluice_session *session, const struct file_state *state);

uint64_t state_hash(uint64_t hash, const char *data, size_t size); /* FNV-1a; begin with 0 */

/* --- reading ------------------------------------------------------------------------------------------------------------- */

struct files_settings {
    const char *path;
    const char *stream;
    enum file_format format;
    bool has_header;
    char delimiter; /* 0: not known yet */
    bool sniffs;    /* it is that of the first file; one that has another is refused */
    enum file_order order;
    bool by_content, growing, rereads, forgets;
};

struct file_reader; /* one file, from where it was left to its end */

/* *out NULL: there is nothing to read of it. `place` says where to begin, and is kept up to date. */
int reader_open(struct sluice_session *session, const struct files_settings *settings, const char *base,
                const struct file_entry *entry, struct file_place *place, struct file_reader **out);
/* A page of records, as a body of the stream's format. 1: there is more of the file; 0: not now; or an error. */
int reader_page(struct sluice_session *session, struct file_reader *reader);
void reader_close(struct file_reader *reader); /* NULL is fine */
/* The delimiter that a file's first line uses. */
int reader_sniff(struct sluice_session *session, const char *path, char *delimiter);

#endif
