/* buf: a growable byte buffer that names its maximum at birth.
 *
 * Appending never fails in the caller's face: the first append past the maximum marks the buffer failed, later ones do
 * nothing, and the caller checks once at the end. The bytes are always followed by a NUL that does not count.
 *
 *     struct buf sql = BUF_INIT(64 * 1024);
 *     buf_printf(&sql, "SELECT %s FROM ", column);
 *     buf_append_str(&sql, table);
 *     if (sql.failed) return err_set(err, ERR_DATA, "statement over %zu bytes", sql.max);
 *     ... sql.data ...
 *     buf_release(&sql); */
#ifndef SLUICE_BASE_BUF_H
#define SLUICE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"

struct buf {
    char *data; /* NULL until the first append; use buf_text for a string that is never NULL */
    size_t size;
    size_t capacity;
    size_t max;  /* bytes of content, without the NUL */
    bool failed; /* an append passed the maximum */
};

#define BUF_INIT(max_bytes) ((struct buf){.max = (max_bytes)})

void buf_append(struct buf *buf, const void *data, size_t size); /* `data` does not point into the buffer itself */
void buf_append_str(struct buf *buf, struct str s);
void buf_append_text(struct buf *buf, const char *text);
void buf_append_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends `text` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void buf_append_json_string(struct buf *buf, struct str text);

/* Room for `size` more bytes, to be written at the returned place and claimed with buf_advance; NULL past the maximum, and only
 * then (0 bytes are always there). */
char *buf_reserve(struct buf *buf, size_t size);
void buf_advance(struct buf *buf, size_t size);

struct str buf_str(const struct buf *buf);   /* a view, valid until the next append */
const char *buf_text(const struct buf *buf); /* terminated, never NULL */
char *buf_steal(struct buf *buf);            /* the terminated bytes, to be freed; the buffer is empty again */
void buf_clear(struct buf *buf);             /* forgets the content and the failure, keeps the memory */
void buf_release(struct buf *buf);           /* frees the memory; the buffer may be used again */

#endif
