/* fuzz: what every fuzz target includes. A target stands for one parser of outside bytes and is one function:
 *
 *     void fuzz(struct str input) { ... CHECK(property); }
 *
 * It may be given any bytes, copied to an exactly fitting block, and states with CHECK what must hold whatever they are. It
 * leaves nothing behind: no memory, no descriptor, no state that the next input could see.
 *
 * The same function runs twice: under clang's libFuzzer (./dev fuzz), and under fuzz_main.c with any compiler, which replays
 * the kept inputs of corpus/TARGET and some thousand seeded mutations of them (ctest fuzz.TARGET, part of ./dev test). */
#ifndef SLUICE_TESTS_FUZZ_H
#define SLUICE_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/str.h"

void fuzz(struct str input);

/* A copy with `padding` bytes behind it that would be taken for JSON if they were looked at; to be freed. */
char *fuzz_padded(struct str bytes, size_t padding);
/* A terminated copy in exactly as many bytes as it needs; to be freed. Ends at the first NUL. */
char *fuzz_text(struct str bytes);
/* Cuts the first line off `input`. */
struct str fuzz_line(struct str *input);
bool fuzz_contains(struct str text, struct str part);
/* Is all of it UTF-8, without a NUL when `no_nul`? By a table of its own, not by base/utf8. */
bool fuzz_is_utf8(struct str text, bool no_nul);

#endif
