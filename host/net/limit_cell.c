/* How it works: each kind keeps its state in words that change by compare-and-swap, one per decision.
 *
 * The time is read after the word that is swapped: a process may be stopped at any point, and an old time beside new counts
 * would make them look like damage. So whoever gets his swap through did so on a time not older than what it replaced.
 *
 * The bucket is the generic cell rate algorithm (ITU-T I.371): `due_ns` is when the bucket would be full again; a request moves
 * it on by one interval per unit and may go while it lies no more than the burst ahead.
 *
 * The window is a ring of slots, each with a time and how many went then: (time of the last one, count, lap, closed). All
 * grants go into the newest slot, `head`; a grant is one swap of that slot's word, against the value it had before the others
 * were added up. So between adding up and granting nobody else was granted anything: he would have changed that word. A slot
 * that is full, or whose time is over, is closed (which changes its word, too) before the head moves on. A slot covers up to
 * 1/200 of the allowance and gaps of 1/200 of the time, which is what the limit's use loses by it; when the ring is short of
 * slots the newest takes more.
 *
 * An owner of a request in flight is its process (pid and start time in one word) with the time and its pid namespace beside.
 */
#include "net/limit_cell.h"

#include "os/process.h"

static const int64_t NS_PER_MS = 1000000, TIME_MAX_MS = ((int64_t)1 << 40) - 1, WAIT_MAX_MS = (int64_t)366 * 24 * 3600 * 1000;
enum { SWAPS_MAX = 1000, RETRY_MS = 1, PARTS = 200, FLIGHT_SLOTS = LIMIT_CELL_SLOTS / 2, FLIGHT_POLL_MS = 10 };
static const int64_t UNKNOWN_OWNER_MS = 3600 * 1000;

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static bool swap(uint64_t *word, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static int64_t now_of(const struct limit_time *time)
{
    return limit_file_now_ms(time->file, time->clock);
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* --- bucket -------------------------------------------------------------------------------------- */

/* Rounded up: never faster than asked for. */
static int64_t interval_ns(const struct limit_terms *terms)
{
    return (terms->per_ms * NS_PER_MS + terms->requests - 1) / terms->requests;
}

static int64_t span_ns(const struct limit_terms *terms, int64_t units)
{
    const int64_t far_ns = INT64_MAX / 4, each_ns = interval_ns(terms); /* a burst worth centuries is as good as this */
    return units > far_ns / each_ns ? far_ns : units * each_ns;
}

/* How far behind `now` the bucket is from being full; a time that no use can have brought about is damage, and counts as empty.
 */
static int64_t behind_ns(const struct limit_terms *terms, uint64_t due, int64_t now_ns)
{
    int64_t empty_ns = span_ns(terms, terms->burst);
    if (due > (uint64_t)INT64_MAX) return empty_ns;
    int64_t ahead_ns = (int64_t)due - now_ns;
    return ahead_ns <= 0 ? 0 : ahead_ns > 2 * empty_ns + NS_PER_MS ? empty_ns : ahead_ns;
}

int64_t cell_bucket_take(struct limit_cell *cell, const struct limit_terms *terms, int64_t units, const struct limit_time *time,
                         struct cell_hold *hold)
{
    units = min64(units, terms->burst);
    int64_t cost_ns = span_ns(terms, units), room_ns = span_ns(terms, terms->burst) - cost_ns;
    for (int i = 0; i < SWAPS_MAX; i++) {
        uint64_t due = load(&cell->due_ns);
        int64_t now_ms = now_of(time), now_ns = now_ms * NS_PER_MS, ahead_ns = behind_ns(terms, due, now_ns);
        if (ahead_ns > room_ns) return (ahead_ns - room_ns + NS_PER_MS - 1) / NS_PER_MS;
        if (!swap(&cell->due_ns, due, (uint64_t)(now_ns + ahead_ns + cost_ns))) continue;
        *hold = (struct cell_hold){.units = units, .taken_ms = now_ms};
        return 0;
    }
    return RETRY_MS;
}

static void set_behind(struct limit_cell *cell, const struct limit_terms *terms, int64_t more_ns, int64_t least_ns,
                       const struct limit_time *time)
{
    for (int i = 0; i < SWAPS_MAX; i++) {
        uint64_t due = load(&cell->due_ns);
        int64_t now_ns = now_of(time) * NS_PER_MS, ahead_ns = max64(behind_ns(terms, due, now_ns) + more_ns, least_ns);
        ahead_ns = min64(max64(ahead_ns, 0), 2 * span_ns(terms, terms->burst));
        if (swap(&cell->due_ns, due, (uint64_t)(now_ns + ahead_ns))) return;
    }
}

void cell_bucket_correct(struct limit_cell *cell, const struct limit_terms *terms, int64_t units, const struct limit_time *time)
{
    int64_t more_ns = units < 0 ? -span_ns(terms, -units) : span_ns(terms, units);
    set_behind(cell, terms, more_ns, 0, time);
}

void cell_bucket_report(struct limit_cell *cell, const struct limit_terms *terms, int64_t left, const struct limit_time *time)
{
    set_behind(cell, terms, 0, span_ns(terms, terms->burst) - span_ns(terms, min64(max64(left, 0), terms->burst)), time);
}

int64_t cell_bucket_left(const struct limit_cell *cell, const struct limit_terms *terms, int64_t now_ms)
{
    int64_t ahead_ns = behind_ns(terms, load(&cell->due_ns), now_ms * NS_PER_MS);
    return max64(0, (span_ns(terms, terms->burst) - ahead_ns) / interval_ns(terms));
}

/* --- window -------------------------------------------------------------------------------------- */

enum { COUNT_MAX = (1 << 20) - 1, LAPS = 8 };

struct slot {
    int64_t time_ms; /* 40 bits */
    int64_t count;   /* 20 bits */
    unsigned lap;    /* 3 bits: of the head that opened it */
    bool is_closed;
};

static struct slot slot_of(uint64_t word)
{
    return (struct slot){(int64_t)(word >> 24), (int64_t)(word >> 4 & COUNT_MAX), (unsigned)(word >> 1 & (LAPS - 1)), word & 1};
}

static uint64_t word_of(struct slot slot)
{
    return (uint64_t)slot.time_ms << 24 | (uint64_t)slot.count << 4 | (uint64_t)slot.lap << 1 | slot.is_closed;
}

/* Laps begin at 1, so that no slot of a new cell looks opened. */
static unsigned lap_of(uint64_t head)
{
    return (unsigned)((head / LIMIT_CELL_SLOTS + 1) % LAPS);
}

/* A time ahead of ours by more than a glance at the clock is damage. */
static bool is_live(struct slot slot, int64_t per_ms, int64_t now_ms)
{
    return slot.count > 0 && slot.time_ms > now_ms - per_ms && slot.time_ms <= now_ms + 60000;
}

/* Units granted in the last `per_ms`, the newest slot as it was read before the others. With `need` above 0 also when that many
 * of them are over. */
static int64_t add_up(const struct limit_cell *cell, uint64_t head, uint64_t newest, int64_t per_ms, int64_t now_ms,
                      int64_t need, int64_t *until_ms)
{
    int64_t sum = 0;
    for (uint64_t k = 1; k <= LIMIT_CELL_SLOTS; k++) { /* from the oldest */
        size_t i = (size_t)((head + k) % LIMIT_CELL_SLOTS);
        struct slot slot = slot_of(k == LIMIT_CELL_SLOTS ? newest : load(&cell->slots[i]));
        if (!is_live(slot, per_ms, now_ms)) continue;
        sum += slot.count;
        if (need > 0 && sum >= need) {
            *until_ms = min64(slot.time_ms, now_ms) + per_ms;
            return sum;
        }
    }
    return sum;
}

int64_t cell_window_take(struct limit_cell *cell, const struct limit_terms *terms, int64_t units, const struct limit_time *time,
                         struct cell_hold *hold)
{
    int64_t share = (terms->requests + PARTS - 1) / PARTS, gap_ms = terms->per_ms / PARTS;
    for (int tries = 0; tries < SWAPS_MAX; tries++) {
        uint64_t head = load(&cell->head), *word = &cell->slots[head % LIMIT_CELL_SLOTS], old = load(word);
        struct slot slot = slot_of(old);
        bool is_open = slot.lap == lap_of(head);
        int64_t now_ms = now_of(time), until_ms = now_ms;
        if (load(&cell->head) != head) continue; /* who stood still between the two may look at a slot of a later lap */
        if (is_open && slot.is_closed) {
            (void)swap(&cell->head, head, head + 1);
            continue;
        }
        int64_t sum = add_up(cell, head, old, terms->per_ms, now_ms, 0, &until_ms), excess = sum + units - terms->requests;
        if (excess > 0) {
            (void)add_up(cell, head, old, terms->per_ms, now_ms, excess, &until_ms);
            return max64(until_ms - now_ms, RETRY_MS);
        }
        struct slot next = {.time_ms = now_ms, .count = units, .lap = lap_of(head)};
        if (is_open && slot.count > 0) {
            struct slot following = slot_of(load(&cell->slots[(head + 1) % LIMIT_CELL_SLOTS]));
            bool fits = slot.count + units <= share && now_ms - slot.time_ms <= gap_ms;
            bool is_short = is_live(following, terms->per_ms, now_ms);
            if (!fits && (!is_short || slot.count + units > COUNT_MAX)) {
                slot.is_closed = true;
                if (swap(word, old, word_of(slot))) (void)swap(&cell->head, head, head + 1);
                continue;
            }
            next.time_ms = slot.time_ms > now_ms + 60000 ? now_ms : max64(slot.time_ms, now_ms);
            next.count += slot.count;
        }
        if (!swap(word, old, word_of(next))) continue;
        *hold = (struct cell_hold){.units = units, .slot = head, .taken_ms = next.time_ms};
        return 0;
    }
    return RETRY_MS;
}

void cell_window_correct(struct limit_cell *cell, const struct cell_hold *hold, int64_t units)
{
    uint64_t *word = &cell->slots[hold->slot % LIMIT_CELL_SLOTS];
    for (int i = 0; i < SWAPS_MAX; i++) {
        uint64_t old = load(word);
        struct slot slot = slot_of(old);
        if (slot.lap != lap_of(hold->slot)) return; /* so long ago that it does not matter any more */
        slot.count = min64(max64(slot.count + units, 0), COUNT_MAX);
        if (swap(word, old, word_of(slot))) return;
    }
}

int64_t cell_window_left(const struct limit_cell *cell, const struct limit_terms *terms, int64_t now_ms)
{
    int64_t unused;
    uint64_t head = load(&cell->head);
    return max64(0, terms->requests -
                        add_up(cell, head, load(&cell->slots[head % LIMIT_CELL_SLOTS]), terms->per_ms, now_ms, 0, &unused));
}

/* --- requests in flight -------------------------------------------------------------------------- */

enum { PID_BITS = 22, NAMESPACE_BITS = 24 };

static uint64_t owner_word(const struct process_identity *self)
{
    return self->start_ticks << PID_BITS | ((uint64_t)self->pid & ((1 << PID_BITS) - 1));
}

static uint64_t namespace_of(const struct process_identity *self)
{
    return self->pid_namespace & ((1 << NAMESPACE_BITS) - 1);
}

static bool is_gone(uint64_t owner, uint64_t beside, const struct process_identity *self, int64_t now_ms)
{
    int64_t since_ms = (int64_t)(beside >> NAMESPACE_BITS);
    struct process_identity other = *self;
    other.pid = (int64_t)(owner & ((1 << PID_BITS) - 1));
    other.start_ticks = owner >> PID_BITS;
    bool is_ours = beside == 0 || (beside & ((1 << NAMESPACE_BITS) - 1)) == namespace_of(self);
    enum process_life life = is_ours ? process_life(&other) : PROCESS_UNKNOWN;
    if (life != PROCESS_UNKNOWN) return life == PROCESS_DEAD;
    return since_ms > now_ms + 60000 || now_ms - since_ms > UNKNOWN_OWNER_MS;
}

int64_t cell_flight_take(struct limit_cell *cell, const struct limit_terms *terms, int64_t now_ms, struct cell_hold *hold)
{
    struct process_identity self;
    process_identity(&self);
    uint64_t owner = owner_word(&self);
    __atomic_store_n(&cell->in_flight, 1, __ATOMIC_SEQ_CST);
    for (int looks_closely = 0; looks_closely < 2; looks_closely++)
        for (size_t i = 0; i < (size_t)min64(terms->requests, FLIGHT_SLOTS); i++) {
            uint64_t *word = &cell->slots[2 * i], *beside = word + 1, old = load(word);
            if (old != 0 && !(looks_closely && is_gone(old, load(beside), &self, now_ms))) continue;
            if (!swap(word, old, owner)) continue;
            __atomic_store_n(beside, (uint64_t)now_ms << NAMESPACE_BITS | namespace_of(&self), __ATOMIC_SEQ_CST);
            *hold = (struct cell_hold){.units = 1, .slot = i, .owner = owner};
            return 0;
        }
    return FLIGHT_POLL_MS;
}

void cell_flight_give_back(struct limit_cell *cell, const struct cell_hold *hold)
{
    uint64_t *word = &cell->slots[2 * hold->slot];
    if (load(word) != hold->owner) return;
    __atomic_store_n(word + 1, 0, __ATOMIC_SEQ_CST);
    (void)swap(word, hold->owner, 0);
}

int64_t cell_flight_left(const struct limit_cell *cell, const struct limit_terms *terms)
{
    int64_t left = 0;
    for (size_t i = 0; i < (size_t)min64(terms->requests, FLIGHT_SLOTS); i++) left += load(&cell->slots[2 * i]) == 0;
    return left;
}

int64_t cell_flight_reach(const struct limit_cell *cell, int64_t now_ms)
{
    struct process_identity self;
    process_identity(&self);
    for (size_t i = FLIGHT_SLOTS; i > 0; i--) {
        uint64_t owner = load(&cell->slots[2 * (i - 1)]);
        if (owner && !is_gone(owner, load(&cell->slots[2 * (i - 1) + 1]), &self, now_ms)) return (int64_t)i;
    }
    return 0;
}

/* --- calendar days ------------------------------------------------------------------------------- */

enum { USED_BITS = 40 };
static const int64_t USED_MAX = ((int64_t)1 << USED_BITS) - 1;

/* What was used on that day. */
static int64_t used_on(uint64_t word, int64_t *day)
{
    int64_t newest = (int64_t)(word >> USED_BITS);
    if (newest == *day + 1) *day = newest;
    return newest == *day ? (int64_t)(word & (uint64_t)USED_MAX) : 0;
}

bool cell_day_take(struct limit_cell *cell, const struct limit_terms *terms, int64_t units, int64_t day)
{
    for (int i = 0; i < SWAPS_MAX; i++) {
        uint64_t old = load(&cell->day);
        int64_t counted_day = day, used = used_on(old, &counted_day);
        if (used + units > terms->requests) return false;
        if (swap(&cell->day, old, (uint64_t)counted_day << USED_BITS | (uint64_t)(used + units))) return true;
    }
    return false;
}

void cell_day_correct(struct limit_cell *cell, int64_t units, int64_t day)
{
    for (int i = 0; i < SWAPS_MAX; i++) {
        uint64_t old = load(&cell->day);
        int64_t counted_day = day, used = min64(max64(used_on(old, &counted_day) + units, 0), USED_MAX);
        if (swap(&cell->day, old, (uint64_t)counted_day << USED_BITS | (uint64_t)used)) return;
    }
}

int64_t cell_day_left(const struct limit_cell *cell, const struct limit_terms *terms, int64_t day)
{
    return max64(0, terms->requests - used_on(load(&cell->day), &day));
}

/* --- pauses and paces ---------------------------------------------------------------------------- */

void cell_pause(struct limit_cell *cell, int64_t until_ms)
{
    for (int i = 0; i < SWAPS_MAX; i++) {
        uint64_t old = load(&cell->paused_until_ms);
        bool is_damage = old > (uint64_t)(until_ms + WAIT_MAX_MS);
        if ((!is_damage && old >= (uint64_t)until_ms) || swap(&cell->paused_until_ms, old, (uint64_t)until_ms)) return;
    }
}

int64_t cell_paused_ms(const struct limit_cell *cell, int64_t now_ms)
{
    uint64_t until = load(&cell->paused_until_ms);
    return until <= (uint64_t)now_ms || until > (uint64_t)(now_ms + WAIT_MAX_MS) ? 0 : (int64_t)until - now_ms;
}

enum { APART_BITS = 24 };

void cell_pace(struct limit_cell *cell, int64_t apart_ms, int64_t until_ms)
{
    uint64_t apart = (uint64_t)min64(max64(apart_ms, 0), (1 << APART_BITS) - 1);
    __atomic_store_n(&cell->pace, (uint64_t)min64(until_ms, TIME_MAX_MS) << APART_BITS | apart, __ATOMIC_SEQ_CST);
}

int64_t cell_pace_take(struct limit_cell *cell, int64_t now_ms)
{
    uint64_t pace = load(&cell->pace);
    int64_t apart_ms = (int64_t)(pace & ((1 << APART_BITS) - 1));
    if ((int64_t)(pace >> APART_BITS) <= now_ms || apart_ms == 0) return 0;
    for (int i = 0; i < SWAPS_MAX; i++) {
        uint64_t next = load(&cell->pace_next);
        int64_t wait_ms = next > (uint64_t)INT64_MAX ? 0 : (int64_t)next - now_ms;
        if (wait_ms > 0 && wait_ms <= apart_ms) return wait_ms;
        if (swap(&cell->pace_next, next, (uint64_t)(now_ms + apart_ms))) return 0;
    }
    return RETRY_MS;
}
