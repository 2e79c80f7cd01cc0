/* records_path: walks to the records of a document by a dotted path.
 *
 * "$" or "" is the root. A step is a key (which may hold dots itself), an index of an array, or '*' for every element or value.
 * What the path leads to: an array gives its elements, an object is one record, null and what is absent give none. Anything
 * else holds no records, and is an error that names the place. An empty array may stand where a step wants an object (that is
 * how some languages write an empty one). Of a repeated key every value is walked: nothing is lost.
 *
 * The scanner moves over the whole document once; `take` is called with the scanner before a record and must consume it. The
 * walk holds nothing while `take` runs, so it may leave by longjmp. Used by the host's decoder and by the worker alike, so that
 * a stream finds the same records with a map function and without. */
#ifndef SLUICE_BASE_RECORDS_PATH_H
#define SLUICE_BASE_RECORDS_PATH_H

#include "base/err.h"
#include "base/jsonscan.h"

enum { RECORDS_PATH_MAX_STEPS = 64 };

/* 0, or a class with `err` set; ERR_DATA for a path that leads to what holds no records. A scanner's error is returned as
 * ERR_TRANSIENT without a message: the caller has scan->error. */
typedef int records_take(void *context, struct jsonscan *scan, struct err *err);

int records_walk(struct jsonscan *scan, const char *path, records_take *take, void *context, struct err *err) MUST_USE;

#endif
