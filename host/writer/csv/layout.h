/* layout: where everything lies below a CSV destination's path.
 *
 *     <path>/<pipeline>/<stream>/<load id>/part-00001.csv.gz, manifest.json, schema.json     published; the consumer's to
 * delete <path>/<pipeline>/<stream>/.<load id>/                                                 being written
 *     <path>/<pipeline>/.stage-<flow>/<commit>.rows                                          durable, not published
 *     <path>/<pipeline>/.stage-<flow>/<run>-<n>.part                                         a part on its way into a load
 *     <path>/.sluice/<pipeline>/lease, lease.lock
 *     <path>/.sluice/<pipeline>/<flow>/commits/<n>                                           the truth
 *     <path>/.sluice/<pipeline>/<flow>/rejects/<n>.ndjson                                    what could not be taken
 *
 * Names of pipelines and streams become folder names: [A-Za-z0-9_.-] stays; anything else, a leading dot, and what is over 100
 * bytes is replaced and told apart by 8 hex digits of the name's digest. */
#ifndef SLUICE_WRITER_CSV_LAYOUT_H
#define SLUICE_WRITER_CSV_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum { CSV_LIST_MAX = 1000000 /* entries of one folder */ };

#define CSV_ROWS_SUFFIX ".rows"
#define CSV_PART_SUFFIX ".part"

const char *csv_folder_name(const char *name, struct arena *arena);

/* "0000000042": sorts as it counts. */
enum { CSV_NUMBER_SIZE = 24 };
const char *csv_number_text(uint64_t number, char out[CSV_NUMBER_SIZE]);
/* The number behind such a name of at least 10 digits; false for every other name. */
bool csv_number_read(const char *text, uint64_t *number);

struct csv_paths {
    const char *root;    /* <path> */
    const char *data;    /* <path>/<pipeline> */
    const char *stage;   /* .stage-<flow>, in `data` */
    const char *ledger;  /* <path>/.sluice/<pipeline>/<flow> */
    const char *commits; /* <ledger>/commits */
    const char *rejects; /* <ledger>/rejects */
};

void csv_paths_of(const char *root, const char *pipeline, const char *flow, struct arena *arena, struct csv_paths *paths);
const char *csv_pipeline_ledger(const char *root, const char *pipeline, struct arena *arena); /* <path>/.sluice/<pipeline> */
const char *csv_stream_folder(const struct csv_paths *paths, const char *stream, struct arena *arena);

/* A failure that fs reports about a destination's path: CONFIG and DATA become DESTINATION, with a hint. Returns the class. */
int csv_fs_error(struct err *err);

#endif
