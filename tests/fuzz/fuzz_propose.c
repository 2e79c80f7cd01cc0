/* propose: whatever it is given, it refuses or makes text of a few megabytes that holds no control characters but line ends,
 * and the same text again. Input: a curl command, a HAR session, an OpenAPI document. */
#include "fuzz.h"

#include "rest/propose/propose.h"

static bool write_lua(struct str input, struct buf *lua)
{
    struct arena arena = ARENA_INIT(0);
    struct proposal proposal;
    struct err err = ERR_INIT;
    int rc = propose(input, "fuzz", &arena, &proposal, &err);
    if (rc == 0)
        proposal_to_lua(&proposal, lua);
    else
        CHECK(err.class != 0 && err.message[0]);
    arena_release(&arena);
    return rc == 0;
}

void fuzz(struct str input)
{
    struct buf lua = BUF_INIT(64 * 1024 * 1024), again = BUF_INIT(64 * 1024 * 1024);
    bool is_made = write_lua(input, &lua);
    CHECK(write_lua(input, &again) == is_made);
    CHECK(str_equal(buf_str(&lua), buf_str(&again)) && !lua.failed);
    for (size_t i = 0; i < lua.size; i++) CHECK((unsigned char)lua.data[i] >= ' ' || lua.data[i] == '\n');
    buf_release(&lua);
    buf_release(&again);
}
