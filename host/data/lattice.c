/* How it works: each type names the next wider one, up to json, which takes everything. That is a tree, and the join of two
 * types is the first that lies on both their ways to its root; of any tree this is commutative and associative, so the table
 * can be changed without proving it again.
 *
 * Numbers meet in decimal, which is exact: an integer of 64 bits does not fit a float. A date and an instant meet in string: as
 * an instant, a date would need a time of day that nobody sent. */
#include "data/lattice.h"

#include "base/check.h"

static const enum type WIDER[TYPE_COUNT] = {
    [TYPE_INTEGER] = TYPE_DECIMAL,      [TYPE_FLOAT] = TYPE_DECIMAL,
    [TYPE_DECIMAL] = TYPE_STRING,       [TYPE_BOOLEAN] = TYPE_STRING,
    [TYPE_DATE] = TYPE_STRING,          [TYPE_TIMESTAMP] = TYPE_STRING,
    [TYPE_TIMESTAMP_NTZ] = TYPE_STRING, [TYPE_BINARY] = TYPE_STRING,
    [TYPE_STRING] = TYPE_JSON,          [TYPE_JSON] = TYPE_JSON,
};

static bool is_on_the_way(enum type type, enum type from)
{
    while (from != type && from != TYPE_JSON) from = WIDER[from];
    return from == type;
}

enum type type_join(enum type a, enum type b)
{
    CHECK(a < TYPE_COUNT && b < TYPE_COUNT);
    while (!is_on_the_way(a, b)) a = WIDER[a];
    return a;
}
