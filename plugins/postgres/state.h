/* state: checkpoints as JSON objects of texts: what is written by text_json is read back by key. */
#ifndef SLUICE_POSTGRES_STATE_H
#define SLUICE_POSTGRES_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

/* The text at `key` of an object; NULL: there is none. Numbers are texts, too: JSON's have 53 bits in many a reader. */
const char *state_text(const cJSON *object, const char *key);
/* The number that this text is; 0: there is none. */
uint64_t state_number(const cJSON *object, const char *key);

#endif
