/* pgoutput: the messages of logical replication's output plugin, protocol version 1, and the frames that carry them. Pure.
 *
 * PostgreSQL's manual, "Logical Replication Message Formats" and "Streaming Replication Protocol". Numbers are big endian,
 * texts end with NUL. What is read points into the message; nothing is copied. Whatever the bytes are, nothing behind them is
 * looked at. */
#ifndef SLUICE_POSTGRES_PGOUTPUT_H
#define SLUICE_POSTGRES_PGOUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PGOUTPUT_COLUMNS_MAX = 1664 }; /* MaxTupleAttributeNumber */

/* --- frames -------------------------------------------------------------------------------------------------------------- */

struct wal_frame {
    char kind;        /* w: a message of pgoutput; k: the server is alive */
    uint64_t end;     /* w: of the WAL on the server; k: up to here everything was sent */
    bool wants_reply; /* k */
    char *data;       /* w */
    size_t size;
};
bool wal_frame_read(char *data, size_t size, struct wal_frame *frame);

/* How far was read and how far it is safe; asks for an answer at once. Times are microseconds since 1970. */
enum { STATUS_SIZE = 34 };
void wal_status_write(char out[STATUS_SIZE], uint64_t received, uint64_t flushed, int64_t now_us, bool asks);

/* --- messages ------------------------------------------------------------------------------------------------------------ */

struct pgoutput_value {
    char kind; /* n: null, u: not sent since it did not change, t: text, b: binary */
    char *data;
    uint32_t size;
};

struct pgoutput_tuple {
    uint16_t count; /* 0: there is none */
    struct pgoutput_value *values;
};

struct pgoutput_column {
    bool is_key;
    const char *name;
    uint32_t type; /* oid */
};

struct pgoutput_message {
    char tag; /* B begin, C commit, O origin, R relation, Y type, I insert, U update, D delete, T truncate, M message */
    uint32_t relation;         /* R I U D: its oid */
    uint32_t xid;              /* B */
    uint64_t lsn;              /* B: of the commit; C: of the commit's end */
    int64_t time_us;           /* B C: of the commit, since 1970 */
    const char *schema, *name; /* R */
    char identity;             /* R: d n f i */
    uint16_t column_count;     /* R */
    struct pgoutput_column *columns;
    bool has_whole_old; /* U D: `old` is the whole row, not only its key */
    struct pgoutput_tuple old, fresh;
    uint32_t truncated_count; /* T */
    const char *truncated;    /* T: oids, see pgoutput_truncated */
};

/* Room for one message at a time. */
struct pgoutput {
    struct pgoutput_value old[PGOUTPUT_COLUMNS_MAX], fresh[PGOUTPUT_COLUMNS_MAX];
    struct pgoutput_column columns[PGOUTPUT_COLUMNS_MAX];
};

/* false: it is none, or it is cut, or more than one. */
bool pgoutput_read(struct pgoutput *room, char *data, size_t size, struct pgoutput_message *message);
uint32_t pgoutput_truncated(const struct pgoutput_message *message, uint32_t index);

#endif
