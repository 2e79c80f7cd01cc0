#include "postgres/state.h"

#include <stdlib.h>

const char *state_text(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

uint64_t state_number(const cJSON *object, const char *key)
{
    const char *text = state_text(object, key);
    return text ? strtoull(text, NULL, 10) : 0;
}
