/* assembly_parts: what an assembly is made of, shared by assembly.c (which rows a load takes) and assembly_state.c (what it
 * says of them in the state). Nobody else includes this. */
#ifndef SLUICE_SYNC_ASSEMBLY_PARTS_H
#define SLUICE_SYNC_ASSEMBLY_PARTS_H

#include <stdlib.h>

#include "rest/window.h"
#include "sync/assembly.h"

struct queue {
    struct batch **batches;
    size_t count, capacity;
    size_t page;                          /* where the newest page begins */
    size_t covered_batches, covered_rows; /* whole batches before the newest checkpoint, and rows of the next one */
};

struct slice_rows {
    const char *id;
    const char *replace_from, *replace_to;
    struct queue *queues;  /* per loaded stream */
    bool finished;         /* its last page is in the queue or was taken */
    bool closed;           /* a load with its end was taken */
    bool restart;          /* the next load drops what is held of it */
    bool no_checkpoints;   /* order is broken, or not known for what came before */
    bool unordered;        /* order was broken after a checkpoint was stored, which tells nothing any more */
    bool unordered_is_new; /* the next load says so */
    char *covered;         /* cursor of the newest checkpoint in the queue; NULL: none since the last load */
    char *stored;          /* cursor of the newest checkpoint that a load stored */
    char *position;        /* of the pager, after the last page queued; NULL: not resumable */
    bool position_is_new;
    bool at_page;           /* a position is stored: the next run would go on there */
    char *max;              /* newest cursor seen */
    struct boundary newest; /* keys of the records that have it */
    bool newest_is_known;   /* of all of them */
    char *token;            /* the source's, behind the newest page that had one */
    char *stored_token;     /* the newest that a load stored */
    bool token_is_new;      /* the next load takes all rows up to it, and stores it */
    bool is_behind_token;   /* records came after it */
    /* Of a partition: */
    bool is_free, has_position;
    const char *const *members; /* the caller's */
    size_t member_count;
    char *floor, *cap;
    struct boundary known;
    bool boundary_is_known;
};

struct assembly {
    struct assembly_options options;
    struct arena arena;      /* lives as long as the assembly */
    struct slice_rows *rows; /* per slice */
    size_t row_capacity;
    uint64_t next_sequence; /* arrival number of the next row */
    size_t bytes;
    bool order_broken;
    bool taken_complete;

    struct arena reject_arena; /* rejects waiting */
    struct reject *rejects;
    size_t reject_count;
    uint64_t *reject_totals;     /* by stream, as what follows */
    struct load_counts *pending; /* of what waits, without rows */
    struct load_counts *counts;  /* of the load in hand */
    struct load_counts *totals;

    struct arena load_arena; /* of the load in hand, and of notes for the next */
    struct state delta;
    bool has_notes;
    struct batch **taken;
    size_t taken_count, taken_capacity;
    struct load_slice *slices; /* room for the plan's, and those given up */
    size_t slice_count, slice_capacity;

    bool expects_more, forgets;
    uint32_t *free_slots; /* by assembly_open */
    size_t free_count, free_capacity;
    struct state_sweep sweep;
    const char *keep; /* what the values of this plan's partitions begin with */
};

static inline void replace_text(char **text, struct str with)
{
    free(*text);
    *text = with.size ? str_dup(with) : NULL;
}

/* Add to the load in hand: where a slice stands, */
void assembly_note_position(struct assembly *assembly, struct slice_rows *rows, bool done, const char *cursor,
                            const char *page);
void assembly_note_token(struct assembly *assembly, struct slice_rows *rows);     /* the source's token, which is new, */
void assembly_note_partition(struct assembly *assembly, struct slice_rows *rows); /* how far a partition is, */
void assembly_note_end(struct assembly *assembly);                                /* and what remains when the plan is done. */

#endif
