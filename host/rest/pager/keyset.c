/* keyset: sources that give only so many records to one query, however it is paged ("10,000 results").
 *
 * capped_keyset reads up to the cap by the pages inside it, then asks anew for what comes behind the last record's key: a lap.
 * A lap that was full is always followed by another, even when the source says that it has no more: at the cap it may not know.
 * With `inclusive` the filter lets the key's own value through again; those records are dropped where they are the same
 * (rest/repeats). A lap that was full and did not get beyond the key it began at would go on for ever, and is an error.
 *
 * Other kinds with a cap cannot go on by themselves: they say so (pager_capped), for windows to be split. */
#include "rest/pager/parts.h"

#include "base/number.h"

/* Offsets and tokens do not depend on the size: the last page before the cap asks for what is left. Numbered pages do. */
bool pager_is_full(const struct pager *pager)
{
    int64_t cap = pager->declared->cap, size = pager->pages->size ? pager->pages->size : 1;
    bool is_numbered = pager->pages->kind == PAGES_PAGE;
    return cap > 0 && (pager->seen >= cap || (is_numbered && pager->seen + size > cap));
}

static int hint_capped(struct err *err)
{
    return err_hint(err, "read it in smaller windows: give the cursor a smaller `step`; or use pages of kind capped_keyset");
}

int pager_check_cap(struct pager *pager, const struct page_says *says, int moved, struct err *err)
{
    int64_t cap = pager->declared->cap;
    bool goes_past = pager_is_full(pager) && (moved == 1 || pager->seen >= cap);
    if (cap == 0 || moved < 0 || (!goes_past && says->total <= cap)) return moved;
    pager->is_capped = true;
    err_set(err, ERR_DATA, "the source gives at most %lld records to one query (pages.cap), and there are more",
            (long long)cap);
    return hint_capped(err);
}

/* Notes the key of the newest record. Keys that are numbers must go one way: else the source does not sort by them. */
static int note_key(struct pager *pager, const struct page_facts *facts, struct err *err)
{
    struct buf key = BUF_INIT(PAGER_TOKEN_MAX);
    int rc = pager_take_value(&key, &facts->last, "key", pager->declared->key, err);
    if (rc == 0) {
        err_set(err, ERR_DATA, "the last record of a page has no '%s', which the next query begins behind",
                pager->declared->key);
        rc = err_hint(err, "the connector's `pages.key` must be a field that every record has");
    }
    struct str before = buf_str(&pager->last_key), now = buf_str(&key);
    if (rc > 0 && number_is_json(before) && number_is_json(now)) {
        int direction = number_compare(now, before);
        if (direction && pager->direction && direction != pager->direction) {
            err_set(err, ERR_DATA, "the records are not sorted by '%s': '" STR_FMT "' came behind '" STR_FMT "'",
                    pager->declared->key, STR_ARG(now), STR_ARG(before));
            rc = err_hint(err, "ask the source to sort by the connector's `pages.key`: records would be lost at the cap");
        }
        if (direction) pager->direction = direction;
    }
    if (rc > 0) rc = pager_take_text(&pager->last_key, now, err);
    buf_release(&key);
    return rc < 0 ? rc : 0;
}

static int no_way_on(struct pager *pager, struct err *err)
{
    const struct pages *pages = pager->declared;
    struct str key = buf_str(&pager->key);
    if (!pages->inclusive) return pager_loop(err, "last key", key);
    err_set(err, ERR_DATA, "%lld records or more share the %s '" STR_FMT "': no query can give them all", (long long)pages->cap,
            pages->key, STR_ARG(key));
    return err_hint(err, "let `pages.key` be a field whose values are unique, like the id, and sort and filter by it");
}

static int begin_lap(struct pager *pager, struct err *err)
{
    bool has_moved = !str_equal(buf_str(&pager->key), buf_str(&pager->last_key));
    if (!has_moved) return no_way_on(pager, err);
    int rc = pager_take_text(&pager->key, buf_str(&pager->last_key), err);
    if (rc < 0) return rc;
    pager->seen = 0;
    pager->trail = (struct trail){0};
    pager->echo = (struct echo){0}; /* a source that does not look at the key gives the same one in the end */
    uint64_t lap = pager->place.lap + 1;
    pager->place = (struct page_place){
        .index = pager->place.index, .size = pager->place.size, .own_params = true, .lap = lap, .key = buf_str(&pager->key)};
    rc = pager_kind_of(pager->pages)->resume(pager, NULL, err);
    return rc < 0 ? rc : 1;
}

int pager_keyset_move(struct pager *pager, const struct page_facts *facts, int moved, struct err *err)
{
    int rc = facts->records > 0 ? note_key(pager, facts, err) : 0;
    if (rc < 0 || moved < 0) return rc < 0 ? rc : moved;
    bool is_full = pager->seen >= pager->declared->cap || (moved == 1 && pager_is_full(pager));
    return is_full ? begin_lap(pager, err) : moved;
}

int pager_keyset_resume(struct pager *pager, const struct cJSON *position, struct err *err)
{
    const char *key = position ? json_string(json_get(position, "key")) : pager->declared->key_start;
    if (position && (!key || !pager_read_number(position, "lap_records", &pager->seen)))
        return err_set(err, ERR_DATA, "no key in it");
    if (!key || !key[0]) return 0;
    int rc = pager_take_text(&pager->key, str_from(key), err);
    if (rc < 0) return rc;
    pager->place.key = buf_str(&pager->key);
    return 0;
}
