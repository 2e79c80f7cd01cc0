/* unpack: fed at once or byte by byte, the same comes out, within the limits. Input: 'z' (ZIP) or 'g' (gzip) in the first line,
 * the bytes behind it. */
#include "fuzz.h"

#include "base/buf.h"
#include "os/unpack.h"

enum { OUT_MAX = 1024 * 1024 };

static int take(void *context, const void *data, size_t size, struct err *err)
{
    (void)err;
    buf_append(context, data, size);
    return 0;
}

static int unpack(enum unpack_format format, struct str input, size_t step, struct buf *out)
{
    const struct inflate_limits limits = {.output_bytes = OUT_MAX, .ratio = 200};
    struct unpack *in = unpack_new(format, &limits, take, out);
    struct err err = ERR_INIT;
    int rc = 0;
    for (size_t at = 0; at < input.size && rc == 0; at += step)
        rc = unpack_feed(in, input.data + at, input.size - at < step ? input.size - at : step, &err);
    if (rc == 0) rc = unpack_finish(in, &err);
    CHECK(rc == err.class);
    unpack_free(in);
    return rc;
}

void fuzz(struct str input)
{
    struct str kind = fuzz_line(&input);
    enum unpack_format format = kind.size && kind.data[0] == 'g' ? UNPACK_GZIP : UNPACK_ZIP;
    struct buf whole = BUF_INIT(SIZE_MAX), bytes = BUF_INIT(SIZE_MAX);
    int rc = unpack(format, input, input.size + 1, &whole);
    CHECK(unpack(format, input, 1, &bytes) == rc);
    CHECK(rc != 0 || str_equal(buf_str(&whole), buf_str(&bytes)));
    CHECK(whole.size <= OUT_MAX);
    buf_release(&whole);
    buf_release(&bytes);
}
