/* deleted: does a record, or an event about one, say that the record is gone?
 *
 *     struct json_value found;                                             // of the rule's path; raw.data NULL: not there
 *     if (deleted_fits(rule, &found)) ...
 *
 * Pure. A rule is read-only. */
#ifndef SLUICE_REST_DELETED_H
#define SLUICE_REST_DELETED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/jsonscan.h"

struct deleted_rule {
    const char *path; /* a field, or a dotted path */
    /* The value, as text, is one of these, or ends with this. With neither it only has to say yes: anything but null, false, 0
     * and nothing, be they text or not. */
    const char *const *equals;
    size_t equals_count;
    const char *ends_with; /* NULL: any end */
};

bool deleted_fits(const struct deleted_rule *rule, const struct json_value *value);

#endif
