/* ranges: all rows of a table, in ranges of its pages (ctid), so that an interrupted reading goes on at a range's begin.
 *
 * All is read in one REPEATABLE READ transaction, which sees the table as it was at one moment. What goes on in another one
 * sees a later moment, so first comes what has changed in the pages that were read before: rows whose transaction (xmin) is
 * newer than the first moment. A row that moved into a page not yet read comes twice, the newer version last; rows are told by
 * their key. Pages are numbered anew when a table is rewritten (VACUUM FULL, CLUSTER, TRUNCATE): then it is read from its
 * beginning.
 *
 * With `low` and `high` only the rows that transactions low <= xmin < high have written. A version of a row stays where it is,
 * so going on in a later transaction gives each of them exactly once, unless it was replaced by a newer one meanwhile.
 *
 * Ranges of a large table are read by several connections (lanes.h), at the same moment; they are given in their order.
 *
 * Views, foreign and partitioned tables, and servers before 14, which would read all pages for each range, are one range. */
#ifndef SLUICE_POSTGRES_RANGES_H
#define SLUICE_POSTGRES_RANGES_H

#include "postgres/lanes.h"
#include "postgres/reader.h"
#include "postgres/snapshot.h"

struct ranges {
    struct reader reader;
    bool is_split;
    bool reads_changed; /* at the moment: rows that changed in pages read before */
    bool is_all_asked;  /* the last range was asked for */
    bool is_done;
    struct lanes lanes;
    size_t connections;  /* that are wanted; 1: no more */
    int64_t page, asked; /* where the range at hand begins, and where the one does that is asked for next */
    int64_t range_pages, pages;
    uint64_t first_xmin; /* of the first moment: what is older was seen then */
    uint64_t low, high;  /* high 0: no matter who wrote a row */
    char node[24];       /* of the table's file; "": it has none */
    char *snapshot;      /* of the moment at hand, as text */
    char lsn[32];        /* the end of the WAL just behind that moment */
    struct snapshot seen;
};

/* Where an interrupted reading goes on. Zeroed: at the beginning. */
struct ranges_place {
    const char *node;
    int64_t page;
    uint64_t first_xmin, low, high;
};

/* Begins the transaction and says at which moment (snapshot, seen, node). Then ranges_from, unless all is to be read. A large
 * table is read by up to so many `connections`. */
int ranges_init(struct ranges *ranges, struct connection *connection, const struct catalog_table *table,
                const struct sluice_table *wanted, uint32_t index, size_t connections);
/* Goes on there; false: the table has been rewritten, it is read from the beginning. */
bool ranges_from(struct ranges *ranges, const struct ranges_place *place);
/* Before the first rows of each page. */
void ranges_begin_page(struct ranges *ranges);
/* Emits rows. READER_END: the table is read, and the transaction over. READER_FULL: a page is full. READER_RANGE: a range was
 * read; whoever goes on later goes on at `page`, in the file `node`. */
enum { READER_RANGE = 2 };
int ranges_rows(struct ranges *ranges);
void ranges_release(struct ranges *ranges);

#endif
