/* coerce: one JSON value as a column's type, or the finding that it does not fit.
 *
 * Two ways to read: by a type somebody declared, leniently (a string that holds a number is a number), and by a type that was
 * inferred from an earlier value, strictly (a number does not become text), so that nothing changes its kind silently.
 *
 *     struct coerce_rule rule = coerce_rule_for(column, NULL);          // once a column
 *     if (!coerce_value(&rule, &json, arena, &repaired, &value)) ...    // does not fit: value is NULL
 *
 * A null gives VALUE_NULL, and so does "" for every type but string and json. Pure: values point into the JSON text or
 * `arena`. */
#ifndef SLUICE_REST_COERCE_H
#define SLUICE_REST_COERCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/jsonscan.h"
#include "data/schema.h"
#include "data/value.h"

struct coerce_rule {
    enum type type;
    bool strict;        /* only the JSON kind the type was inferred from */
    int zone_seconds;   /* east of UTC, of TIMESTAMP values that carry no zone */
    const char *format; /* spelling of DATE and TIMESTAMP values, base/time.h; NULL: ISO 8601 only */
};

/* `format` is for a column that has none of its own; both must outlive the rule. A zone that cannot be read is UTC (the
 * description's check refuses it before). */
struct coerce_rule coerce_rule_for(const struct column *column, const char *format);

/* Reads `json` into *value. False when it does not fit; *value is NULL then. Adds to *repaired. */
bool coerce_value(const struct coerce_rule *rule, const struct json_value *json, struct arena *arena, uint64_t *repaired,
                  struct value *value);

/* The type an undeclared field gets from its first non-null value. */
enum type coerce_infer(const struct json_value *json);

#endif
