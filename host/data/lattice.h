/* lattice: the type of a column that has to take values of several types.
 *
 *     enum type type = type_join(TYPE_INTEGER, TYPE_DECIMAL);   // TYPE_DECIMAL
 *
 * The join is commutative, associative and idempotent: what is inferred from records does not depend on their order, nor on how
 * they were grouped into pages. It loses nothing: each value of either type can be stored as one of the joined type. */
#ifndef SLUICE_DATA_LATTICE_H
#define SLUICE_DATA_LATTICE_H

#include "data/value.h"

enum type type_join(enum type a, enum type b);

#endif
