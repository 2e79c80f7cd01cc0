/* How it works: a pair is one text, name and value encoded with a tab between, which sorts before all that either can hold: so
 * a name goes before those that begin with it. */
#include "net/canonical.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "net/url.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void canonical_encode(struct str text, bool plus_is_space, struct buf *out)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        int high = c == '%' && i + 2 < text.size ? hex_digit(text.data[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text.data[i + 2]) : -1;
        if (low >= 0) {
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        url_encode((struct str){&c, 1}, out);
    }
}

static void add_pair(struct canonical *canonical, struct buf *pair)
{
    if (canonical->count == canonical->room) {
        size_t room = canonical->room ? 2 * canonical->room : 16;
        const char **pairs = arena_array(canonical->arena, const char *, room);
        if (canonical->count) memcpy(pairs, canonical->pairs, canonical->count * sizeof *pairs);
        canonical->pairs = pairs;
        canonical->room = room;
    }
    CHECK(!pair->failed);
    canonical->pairs[canonical->count++] = arena_text(canonical->arena, buf_str(pair));
    buf_release(pair);
}

void canonical_add(struct canonical *canonical, struct str name, struct str value)
{
    struct buf pair = BUF_INIT(3 * (name.size + value.size) + 2);
    url_encode(name, &pair);
    buf_append_char(&pair, '\t');
    url_encode(value, &pair);
    add_pair(canonical, &pair);
}

void canonical_add_query(struct canonical *canonical, struct str query)
{
    struct str rest = query, part;
    while (str_next(&rest, '&', &part)) {
        if (part.size == 0) continue;
        const char *equals = memchr(part.data, '=', part.size);
        size_t size = equals ? (size_t)(equals - part.data) : part.size, skip = size + (equals != NULL);
        struct buf pair = BUF_INIT(3 * part.size + 2);
        canonical_encode((struct str){part.data, size}, true, &pair);
        buf_append_char(&pair, '\t');
        canonical_encode((struct str){part.data + skip, part.size - skip}, true, &pair);
        add_pair(canonical, &pair);
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void canonical_write(struct canonical *canonical, struct buf *out)
{
    if (canonical->count) qsort(canonical->pairs, canonical->count, sizeof *canonical->pairs, compare);
    for (size_t i = 0; i < canonical->count; i++) {
        const char *pair = canonical->pairs[i], *tab = strchr(pair, '\t');
        if (i > 0) buf_append_char(out, '&');
        buf_append(out, pair, (size_t)(tab - pair));
        buf_append_char(out, '=');
        buf_append_text(out, tab + 1);
    }
}
