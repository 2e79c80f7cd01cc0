/* excerpt: see excerpt.h. Secrets are replaced before anything is cut or changed, as half of one would not be recognised. */
#include "net/excerpt.h"

#include <stdbool.h>

#include "base/utf8.h"
#include "os/secret.h"

void excerpt_append(struct str body, const struct secrets *secrets, struct buf *out)
{
    enum { LOOKED_AT = 4096 };
    struct buf plain = BUF_INIT(2 * LOOKED_AT);
    struct str head = {body.data, body.size < LOOKED_AT ? body.size : LOOKED_AT};
    bool needs_space = false, is_cut = body.size > LOOKED_AT;
    size_t start = out->size;
    secrets_redact(secrets, head, &plain);
    struct str rest = str_trim(buf_str(&plain));
    while (rest.size > 0) {
        size_t length = utf8_length(rest);
        unsigned char c = (unsigned char)rest.data[0];
        bool is_blank = c <= ' ' || c == 0x7f;
        size_t needed = (length ? length : 1) + needs_space;
        if (out->size - start + needed > EXCERPT_MAX_BYTES) {
            is_cut = true;
            break;
        }
        if (!is_blank) {
            if (needs_space) buf_append_char(out, ' ');
            if (length)
                buf_append(out, rest.data, length);
            else
                buf_append_char(out, '?');
        }
        needs_space = is_blank;
        if (length == 0) length = 1;
        rest = (struct str){rest.data + length, rest.size - length};
    }
    if (is_cut) buf_append_text(out, "...");
    buf_release(&plain);
}
