/* limit_file: the memory in which rate limits are kept, shared by all syncs of a machine: one small file, mapped by each of
 * them.
 *
 *     rc = limit_file_open(&options, &file, err);             // or file = limit_file_private();
 *     cell = limit_file_cell(file, key, per_ms, now_ms);      // this limit's counters, wherever they were counted before
 *     ...                                                     // limit_cell.h counts in it
 *     limit_file_close(file);
 *
 * The file is "limits" in the state directory, mode 0600, of a fixed size: a header and LIMIT_FILE_CELLS cells. A cell belongs
 * to one limit of one pool and is found by the hash of both. It is given to another when nobody used it for longer than it
 * remembers, so the file never grows. Counters survive the end of every process, and a reboot.
 *
 * Time in a cell is *pool time*: milliseconds since the file was made. It goes by the clock since boot, which all processes
 * read alike and which neither jumps nor stops while the machine sleeps; only what a reboot took is read from the wall clock.
 * Pool time never goes back. Finding a cell takes a file lock for a moment; counting in one takes none. */
#ifndef SLUICE_NET_LIMIT_FILE_H
#define SLUICE_NET_LIMIT_FILE_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct clock;

enum { LIMIT_CELL_SLOTS = 240, LIMIT_FILE_CELLS = 512 };

/* Every word is atomic. All zero: nothing was counted yet. Anything may stand in it: whoever reads it goes by limit_cell.c. */
struct limit_cell {
    uint64_t key[2];
    uint64_t used_ms;    /* pool time of the last use */
    uint64_t horizon_ms; /* how long its content matters after that */
    uint64_t due_ns;     /* bucket: when it is full again */
    uint64_t head;       /* window: number of the newest slot */
    uint64_t day;        /* calendar day and what was used of its allowance */
    uint64_t paused_until_ms;
    uint64_t pace;      /* until when, and how far apart */
    uint64_t pace_next; /* not before that */
    uint64_t in_flight; /* 1: the slots are owners of requests in flight */
    uint64_t share;     /* of a machine among several, see below: until when, and how much */
    uint64_t spent;     /* likewise: what of the whole this machine has used beyond its part */
    uint64_t spare[3];
    uint64_t slots[LIMIT_CELL_SLOTS];
};

struct limit_key {
    uint64_t words[2]; /* never both 0 */
};
struct limit_key limit_key_of(struct str text);

struct limit_file_options {
    const char *folder; /* exists, and is ours alone */
    struct clock *clock;
    const char *boot_id; /* NULL: the kernel's; for tests */
};

struct limit_file;

/* CONFIG when what is there is not ours, open to others, or no limiter file: it is left as it is. A file that a crash cut
 * short, or of another version, is replaced when nobody uses it. TRANSIENT for what else keeps it from being used (no place,
 * read-only, used by another version). */
int limit_file_open(const struct limit_file_options *options, struct limit_file **out, struct err *err) MUST_USE;
struct limit_file *limit_file_private(void); /* the same in memory, for one process; its time is the clock's */
void limit_file_close(struct limit_file *file);

int64_t limit_file_now_ms(const struct limit_file *file, struct clock *clock); /* pool time */

/* Where pool time is read from, for those who must read it at the right moment. */
struct limit_time {
    const struct limit_file *file;
    struct clock *clock;
};

/* Finds or makes the cell of `key`. NULL when all are in use. Of many processes that ask at once all get the same one. */
struct limit_cell *limit_file_cell(struct limit_file *file, struct limit_key key, int64_t horizon_ms, int64_t now_ms);
/* Several machines. A service that shares its store with others says what part of each limit is this machine's
 * (service/pools.h), in millionths; a sync keeps to it without knowing of them. Where nobody says so, all of it is. */
enum { LIMIT_SHARE_ALL = 1000000 };
/* Says that we do, until then (pool time), and for as long as this process lives, should it stand still: a limit that nothing
 * was said of yet has to wait. 0: nobody any more. */
void limit_file_govern(struct limit_file *file, int64_t until_ms);
/* The machine's part of the cell now; 0: none, wait. */
int64_t limit_file_share(const struct limit_file *file, const struct limit_cell *cell, int64_t now_ms);

/* A limit that was used lately. */
struct limit_use {
    struct limit_key key;
    struct limit_cell *cell;
    int64_t share; /* of the cell */
    int64_t spent; /* of the whole, in millionths, and for how long it counts yet; 0: no more than the part */
    int64_t spent_ms;
};
/* Looks at the cell again. */
void limit_file_look(const struct limit_file *file, int64_t now_ms, struct limit_use *use);
/* Those that were used since `since_ms`, `max` at most. */
size_t limit_file_used(struct limit_file *file, int64_t since_ms, int64_t now_ms, struct limit_use *uses, size_t max);
/* Notes what this machine has used of the whole, beyond its part, which counts for `span_ms`; 0: no more than that. Nothing is
 * noted while nobody says what parts there are. */
void limit_file_spend(const struct limit_file *file, struct limit_cell *cell, int64_t spent, int64_t span_ms, int64_t now_ms);
/* Sets the part of a cell, for as long as it is this key's. */
void limit_file_set_share(struct limit_use *use, int64_t share, int64_t until_ms);

/* Is it (still) this key's? A process that did not use its cell for long may have lost it. */
bool limit_cell_is(const struct limit_cell *cell, struct limit_key key);

#endif
