/* link: the Link header (RFC 8288): finds the target of one relation.
 *
 *     Link: <https://api.example.com/items?page=2>; rel="next", <...?page=9>; rel="last" */
#ifndef SLUICE_REST_LINK_H
#define SLUICE_REST_LINK_H

#include <stdbool.h>

#include "base/str.h"

/* The target (a view into `header`, relative ones as they are) of the first link whose rel parameter holds `relation`, compared
 * without case. False when there is none. Broken parts are skipped up to the next comma. */
bool link_find(struct str header, struct str relation, struct str *target);

#endif
