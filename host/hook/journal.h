/* journal: events that were acknowledged and are not loaded yet: lines in files of one folder, which the plugin `files` reads.
 *
 *     rc = committer_open(clock, log, &committer, err);
 *     rc = journal_open(committer, "webhooks/payments", &settings, &journal, err);
 *     if (!journal_offer(journal, lines, done, context)) ... too much waits already ...
 *     // done(context, true) once it is on the disk; (context, false) when that failed
 *     journal_load_begins(journal); ... a sync that reads the folder ... journal_loaded(journal);
 *
 * One thread commits for all journals: it takes what waits, writes it, and asks the disk once (group commit), while more comes
 * to wait. So what thousands send at once costs as many fsyncs as the disk does in that time.
 *
 * Files are named by the time they were begun and the journal ("0001795442545845-5f3a09c1.ndjson", in milliseconds), each later
 * than all before it whatever the clock says, so that byte order is their order. The journal's own part, drawn when its folder
 * is made (`.name`), keeps the files of several machines apart where one state knows them all. A file is left for a new one at
 * JOURNAL_SEGMENT_BYTES, after a failure, and when the process starts: what a crash left behind the last whole line of the
 * newest was acknowledged to nobody, and is cut off then. Files that were loaded are kept for a while, and removed.
 *
 * journal_offer from any thread; the rest from one. */
#ifndef SLUICE_HOOK_JOURNAL_H
#define SLUICE_HOOK_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct clock;
struct committer;
struct journal;
struct log;

enum { JOURNAL_SEGMENT_BYTES = 64 * 1024 * 1024 };

int committer_open(struct clock *clock, struct log *log, struct committer **out, struct err *err) MUST_USE;
void committer_close(struct committer *committer); /* commits what waits; frees the journals. NULL is fine */

/* Makes the folder when it is missing. CONFIG when it cannot be used. The journal lives as long as the committer. */
int journal_open(struct committer *committer, const char *folder, struct journal **out, struct err *err) MUST_USE;

void committer_settle(struct committer *committer); /* waits until nothing waits any more */

/* False, and `done` is never called, while more than `max_backlog` bytes wait to be loaded. `lines` is copied; `done` is called
 * on the committer's thread. */
bool journal_offer(struct journal *journal, struct str lines, uint64_t max_backlog,
                   void (*done)(void *context, bool is_durable), void *context);

/* A sync that reads all of it begins; it has ended well. One at a time. */
void journal_load_begins(struct journal *journal);
void journal_loaded(struct journal *journal);
uint64_t journal_backlog(struct journal *journal); /* bytes that no sync has loaded, as far as is known */
/* Removes files that were loaded and were left longer than `keep_ms` ago. */
void journal_trim(struct journal *journal, int64_t keep_ms);

#endif
