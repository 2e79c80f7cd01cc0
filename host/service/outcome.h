/* outcome: what a run came to, from the JSON lines that it told: rows, the error that counts, and whether it is worth another
 * try. Bounded: texts are cut, lines that say nothing of it are passed over. */
#ifndef SLUICE_SERVICE_OUTCOME_H
#define SLUICE_SERVICE_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "os/process.h"

struct outcome {
    uint64_t records, written, rejected; /* of all streams */
    bool heals;                          /* some stream failed in a way that goes by itself (base/err.h) */
    int64_t resume_at_ms;                /* the source said when it takes requests again; 0: it did not */
    char stream[256];                    /* of the newest progress */
    char error_class[32];                /* of the first failure; "": none */
    char error[1200], hint[600];         /* the stream's name is in front of the error */
};

/* What a line is: to keep (a stream or a sync that began or ended, a warning, an error), how far a stream is (then `stream` of
 * the outcome is its name), or neither. */
enum line_kind { LINE_DROPPED, LINE_KEPT, LINE_PROGRESS };
enum line_kind outcome_take(struct outcome *outcome, struct str line);

/* A line that says how a stream ended. */
struct outcome_stream {
    char stream[256];
    bool went_well;
    char changes[800]; /* of its schema, for people; "": none */
};
bool outcome_stream(struct str line, struct outcome_stream *out); /* false: it says something else */

/* Completes it by how the process ended, which may have been too sudden to tell anything. */
void outcome_close(struct outcome *outcome, const struct process_end *end);

struct retry_rule {
    int tries;        /* of one job, the first included */
    int64_t first_ms; /* the first wait; each further one is twice as long */
    int64_t longest_ms;
};
/* How long to wait before the next try, after `attempt` tries; 0: it is not tried again. Waits differ by up to a fifth, by
 * `seed`, so that what failed together does not come back together. */
int64_t outcome_retry_ms(const struct outcome *outcome, const struct retry_rule *rule, int attempt, uint64_t seed,
                         int64_t now_ms);

#endif
