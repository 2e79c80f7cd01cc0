/* folder: one load of one stream while it is written: parts, manifest.json and schema.json in a folder whose name begins with a
 * dot.
 *
 *     struct csv_folder *folder;
 *     if ((rc = csv_folder_begin(&spec, &folder, err)) != 0) return rc;
 *     csv_folder_write(folder, columns, lines, rows, true, err) ...
 *     rc = csv_folder_finish(folder, err);                      // everything is on the disk; still hidden
 *     ... the commit ...
 *     csv_folder_free(folder, true);                            // false: it is removed
 *     rc = csv_folder_publish(stream_folder, load_id, err);     // loses its dot
 *
 * The manifest of an append_dedup load of an exploded stream names in `replace` the columns by which its rows are replaced as a
 * set: of all that staging and table have with the same values there, only the rows with the newest cursor (of these, the
 * newest load's) are left. A row with `_sluice_deleted` whose other key columns are empty says that none is.
 *
 * `replace_range` lists ranges of the column `cursor` that the load holds all of: what is in them (from `from`, below `to`) and
 * came with an earlier load is gone.
 *
 * A part closes when it reaches the size limit, when the columns change, and at the end. */
#ifndef SLUICE_WRITER_CSV_FOLDER_H
#define SLUICE_WRITER_CSV_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "writer/csv/columns.h"
#include "writer/csv/encode.h"
#include "writer/csv/part.h"
#include "writer/writer.h"

struct csv_format {
    enum compression compression;
    enum csv_null null_token;
    uint64_t part_bytes; /* compressed, at which a part closes */
};

struct csv_folder_spec {
    const char *stream_folder; /* its path; made when missing */
    uint64_t load_id;
    const struct csv_format *format;
    const char *pipeline, *stream, *connector;
    const char *table;  /* the name the rows shall have in the warehouse */
    const char *cursor; /* NULL when there is none */
    bool keeps_first;
    enum write_mode mode;
    const char *const *set; /* columns that name a set, see the manifest's `replace` above */
    size_t set_count;
    const struct load_slice *slices; /* of the load: those that replace what is in their range are in the manifest */
    size_t slice_count;
};

struct csv_folder;

int csv_folder_begin(const struct csv_folder_spec *spec, struct csv_folder **out, struct err *err) MUST_USE;
/* Lines encoded by `columns`; `at_line` when they begin at the beginning of one, so that a new part may begin here. With no
 * rows at all a part of its header alone comes into being. */
int csv_folder_write(struct csv_folder *folder, const struct csv_columns *columns, struct str lines, uint64_t rows,
                     bool at_line, struct err *err) MUST_USE;
/* Takes over a finished part that was written elsewhere: it gets a name here, a further link. */
int csv_folder_adopt(struct csv_folder *folder, const struct csv_part *part, struct err *err) MUST_USE;
int csv_folder_finish(struct csv_folder *folder, struct err *err) MUST_USE;
uint64_t csv_folder_rows(const struct csv_folder *folder);
/* Removes the folder unless it was finished and `keep` is set. NULL is fine. */
void csv_folder_free(struct csv_folder *folder, bool keep);

/* Takes the dot away. Fine when that was done already, or when the consumer has taken the load since. */
int csv_folder_publish(const char *stream_folder, uint64_t load_id, struct err *err) MUST_USE;

#endif
