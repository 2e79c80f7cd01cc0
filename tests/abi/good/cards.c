/* cards: a parser that emits NDJSON, for records whose fields are not known before: blocks of `key=value` lines with an empty
 * line behind each. What a full page leaves is emitted in the next one, wherever it was cut. */
#include <sluice/plugin.h>
#include <string.h>

enum { BUFFER = 8192 };

/* One body at a time, one thread: a parser may keep it in a static. */
static struct {
    char bytes[BUFFER];
    size_t size;
    int in_record;
} cards;

static int begin(struct sluice_session *session, const struct sluice_slice *slice, void **instance)
{
    (void)session, (void)slice, (void)instance;
    memset(&cards, 0, sizeof cards);
    return 0;
}

static int put(struct sluice_session *session, const char *text, size_t size)
{
    return sluice_emit_bytes(session, text, size);
}

/* A text as JSON; this format has neither quotes nor control characters in it. */
static int put_string(struct sluice_session *session, const char *text, size_t size)
{
    int rc = put(session, "\"", 1);
    if (rc >= 0) rc = put(session, text, size);
    return rc < 0 ? rc : put(session, "\"", 1);
}

static int take_line(struct sluice_session *session, const char *line, size_t size)
{
    const char *equals = memchr(line, '=', size);
    if (size == 0) {
        int had_one = cards.in_record;
        cards.in_record = 0;
        return had_one ? put(session, "}\n", 2) : 0;
    }
    if (!equals) return sluice_fail(session, SLUICE_ERROR_DATA, "a line without '='", NULL);
    int rc = put(session, cards.in_record ? "," : "{", 1);
    cards.in_record = 1;
    if (rc >= 0) rc = put_string(session, line, (size_t)(equals - line));
    if (rc >= 0) rc = put(session, ":", 1);
    return rc < 0 ? rc : put_string(session, equals + 1, (size_t)(line + size - equals - 1));
}

static int page(struct sluice_session *session, void *instance)
{
    (void)instance;
    for (int is_full = 0; !is_full;) {
        size_t size, at = 0;
        int rc = sluice_input(session, cards.bytes + cards.size, sizeof cards.bytes - cards.size, &size);
        if (rc < 0) return rc;
        if (size == 0 && (cards.size || cards.in_record))
            return sluice_fail(session, SLUICE_ERROR_TRANSIENT, "the last card has no end", NULL);
        if (size == 0) return 0;
        cards.size += size;
        for (char *end; (end = memchr(cards.bytes + at, '\n', cards.size - at)) != NULL;) {
            rc = take_line(session, cards.bytes + at, (size_t)(end - cards.bytes) - at);
            if (rc < 0) return rc;
            is_full |= rc;
            at = (size_t)(end - cards.bytes) + 1;
        }
        cards.size -= at;
        memmove(cards.bytes, cards.bytes + at, cards.size);
        if (cards.size == sizeof cards.bytes) return sluice_fail(session, SLUICE_ERROR_DATA, "a line of over 8 KiB", NULL);
    }
    return 1;
}

static const struct sluice_plugin PLUGIN = {
    SLUICE_PLUGIN_HEADER,
    .profile = SLUICE_PARSE,
    .name = "cards",
    .version = "1.0.0",
    .description = "{\"parser\": true}",
    .open = begin,
    .page = page,
};
SLUICE_PLUGIN(PLUGIN);
