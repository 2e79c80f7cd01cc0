/* How it works: each kind is a row of a table: how it starts (or resumes) and how it moves. What they share is here: reading
 * flags and counts out of the page, remembering where one has been, and the guards.
 *
 * Where one has been is a ring of the last 1,000 hashes, which finds every cycle up to that length at once, and one anchor that
 * moves to the place in hand whenever the number of places has doubled: a longer cycle, of whatever length, passes it again
 * (Brent's algorithm). Page and offset kinds cannot repeat a place; what repeats there is the body, when a source ignores
 * the parameter. A hash stands for its text: SipHash, 64 bits, a key per process. */
#include "rest/pager.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/json.h"
#include "base/map.h"
#include "base/number.h"
#include "data/node.h"
#include "net/url.h"

struct pager {
    const struct pages *pages;
    struct page_place place;
    struct buf next; /* the token or URL that place points into */
    int64_t seen;    /* raw records up to here, earlier runs of the same slice included */
    uint64_t read;   /* pages of this run */
    uint64_t body_hash;
    uint64_t ring[PAGER_LOOP_MAX];
    uint64_t ring_count;
    uint64_t anchor, anchor_next; /* a hash met earlier; how many places there must be for it to move */
    bool is_over;
};

/* What the page says beside its records; -1: it does not say. */
struct page_says {
    int more;
    int64_t total, total_pages;
    struct json_value next;
};

struct kind {
    const char *name;
    int (*resume)(struct pager *pager, const struct cJSON *position, struct err *err);
    int (*move)(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err);
    void (*write)(const struct pager *pager, struct json_writer *writer);
};

/* --- what the page says -------------------------------------------------------------------------------------------------- */

size_t pager_paths(const struct pages *pages, const char *paths[PAGER_PATHS_MAX])
{
    const char *const declared[PAGER_PATHS_MAX] = {pages->more, pages->last, pages->total, pages->total_pages, pages->next};
    size_t count = 0;
    for (size_t i = 0; i < PAGER_PATHS_MAX; i++)
        if (declared[i]) paths[count++] = declared[i];
    return count;
}

bool pager_counts_records(const struct pages *pages)
{
    return pages->kind == PAGES_PAGE || pages->kind == PAGES_OFFSET;
}

/* Sources spell flags as true, "true", 1 and "1"; a container that is there says yes. -1: absent or null. */
static int flag_of(const struct json_value *value)
{
    struct str raw = value->raw;
    switch (value->kind) {
    case JSON_NULL:
        return -1;
    case JSON_FALSE:
        return 0;
    case JSON_NUMBER:
        return number_compare(raw, STR("0")) != 0;
    case JSON_STRING:
        return raw.size > 0 && !str_equal_nocase(raw, STR("false")) && !str_equal(raw, STR("0"));
    default:
        return 1;
    }
}

/* A count may be a number or a text holding one; -1: it is neither. */
static int64_t count_of(const struct json_value *value)
{
    int64_t count;
    bool is_scalar = value->kind == JSON_NUMBER || value->kind == JSON_STRING;
    return is_scalar && number_integral(value->raw, &count) && count >= 0 ? count : -1;
}

static struct page_says listen(const struct pages *pages, const struct json_value *found)
{
    struct page_says says = {-1, -1, -1, {.kind = JSON_NULL}};
    if (pages->more) says.more = flag_of(found++);
    if (pages->last) {
        int last = flag_of(found++);
        if (last == 1 || (last == 0 && says.more < 0)) says.more = !last;
    }
    if (pages->total) says.total = count_of(found++);
    if (pages->total_pages) says.total_pages = count_of(found++);
    if (pages->next) says.next = *found;
    return says;
}

/* --- guards -------------------------------------------------------------------------------------------------------------- */

/* Text from outside, short enough for a message. */
static int page_loop(struct err *err, const char *what, struct str text)
{
    bool is_long = text.size > 200;
    err_set(err, ERR_DATA, "page loop: the source gave the same %s again: '%.*s%s'", what, is_long ? 200 : (int)text.size,
            text.size ? text.data : "", is_long ? "..." : "");
    return err_hint(err, "the source, or the connector's `pages`, would never come to an end; state is kept");
}

/* Notes a token or URL; false when it is among the last PAGER_LOOP_MAX, or the anchor. */
static bool remember(struct pager *pager, struct str text)
{
    uint64_t hash = hash_bytes(text);
    uint64_t known = pager->ring_count < PAGER_LOOP_MAX ? pager->ring_count : PAGER_LOOP_MAX;
    for (uint64_t i = 0; i < known; i++)
        if (pager->ring[i] == hash) return false;
    if (pager->anchor_next > 0 && pager->anchor == hash) return false;
    if (pager->ring_count >= pager->anchor_next) {
        pager->anchor = hash;
        pager->anchor_next = pager->ring_count ? 2 * pager->ring_count : 1;
    }
    pager->ring[pager->ring_count++ % PAGER_LOOP_MAX] = hash;
    return true;
}

static void place_text(const struct pager *pager, struct buf *out)
{
    const struct page_place *place = &pager->place;
    if (place->has_number)
        buf_printf(out, "page %lld", (long long)place->number);
    else if (place->has_offset)
        buf_printf(out, "offset %lld", (long long)place->offset);
    else if (place->token.size)
        buf_append_str(out, place->token);
    else if (place->url.size)
        buf_append_str(out, place->url);
    else
        buf_printf(out, "page %llu of this run", (unsigned long long)place->index + 1);
}

/* The same body twice in a row: the source does not look at what asks for the page. Empty pages may well be the same. */
static int check_body(struct pager *pager, const struct page_facts *facts, struct err *err)
{
    bool is_same = pager->read > 0 && facts->body_hash == pager->body_hash;
    pager->body_hash = facts->body_hash;
    if (!is_same || (facts->records_known && facts->records == 0)) return 0;
    if (facts->has_records && !facts->has_records(facts->context)) return 0;
    struct buf where = BUF_INIT(PAGER_TOKEN_MAX);
    place_text(pager, &where);
    int rc = page_loop(err, "answer", buf_str(&where));
    buf_release(&where);
    return rc;
}

/* --- page and offset ----------------------------------------------------------------------------------------------------- */

/* Is there more? By what is known, from the surest to the weakest: no records, the flag, counts, the stop rule. */
static bool goes_on(const struct pager *pager, const struct page_facts *facts, const struct page_says *says)
{
    const struct pages *pages = pager->pages;
    if (facts->records_known && facts->records == 0) return false;
    if (says->more >= 0) return says->more;
    if (says->total_pages >= 0) return pager->place.number - pages->start + 1 < says->total_pages;
    if (says->total >= 0 && facts->records_known) return pager->seen < says->total;
    if (pages->stop == STOP_SHORT && pages->size && facts->records_known) return facts->records >= (uint64_t)pages->size;
    return true;
}

static int move_page(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err)
{
    (void)err;
    if (!goes_on(pager, facts, says)) return 0;
    pager->place.number++;
    return 1;
}

static int move_offset(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err)
{
    (void)err;
    if (!goes_on(pager, facts, says)) return 0;
    pager->place.offset += (int64_t)facts->records;
    return 1;
}

static bool read_number(const struct cJSON *position, const char *key, int64_t *number)
{
    const char *text = json_string(json_get(position, key));
    return text && number_to_int64(str_from(text), number) && *number >= 0;
}

static int resume_page(struct pager *pager, const struct cJSON *position, struct err *err)
{
    pager->place.has_number = true;
    pager->place.number = pager->pages->start;
    if (!position || (read_number(position, "number", &pager->place.number) && read_number(position, "seen", &pager->seen)))
        return 0;
    return err_set(err, ERR_DATA, "no page number in it");
}

static int resume_offset(struct pager *pager, const struct cJSON *position, struct err *err)
{
    pager->place.has_offset = true;
    pager->place.offset = pager->pages->start;
    if (!position || (read_number(position, "offset", &pager->place.offset) && read_number(position, "seen", &pager->seen)))
        return 0;
    return err_set(err, ERR_DATA, "no offset in it");
}

static void write_number(struct json_writer *writer, const char *key, int64_t number)
{
    char text[NUMBER_TEXT_MAX];
    json_member(writer, key);
    json_text(writer, (struct str){text, number_from_int64(number, text)});
}

static void write_page(const struct pager *pager, struct json_writer *writer)
{
    write_number(writer, "number", pager->place.number);
    write_number(writer, "seen", pager->seen);
}

static void write_offset(const struct pager *pager, struct json_writer *writer)
{
    write_number(writer, "offset", pager->place.offset);
    write_number(writer, "seen", pager->seen);
}

/* --- tokens and URLs ----------------------------------------------------------------------------------------------------- */

static int take_text(struct pager *pager, struct str text, struct err *err)
{
    buf_clear(&pager->next);
    buf_append_str(&pager->next, text);
    if (pager->next.failed) return err_set(err, ERR_DATA, "the next page's token or URL is over %d bytes", PAGER_TOKEN_MAX);
    return text.size > 0;
}

/* A path led to it: a text or a number, exactly as it stands. 0: there is none. */
static int take_value(struct pager *pager, const struct json_value *value, struct err *err)
{
    switch (value->kind) {
    case JSON_NULL:
    case JSON_FALSE:
        return 0;
    case JSON_NUMBER:
        return take_text(pager, value->raw, err);
    case JSON_STRING: {
        struct arena arena = ARENA_INIT(8 * PAGER_TOKEN_MAX);
        struct str text = jsonscan_text(value, &arena, NULL);
        int rc = take_text(pager, text.data ? text : value->raw, err); /* past the arena's cap it is too long either way */
        arena_release(&arena);
        return rc;
    }
    default:
        err_set(err, ERR_DATA, "expected a text or number at '%s', got %s", pager->pages->next,
                value->kind == JSON_TRUE    ? "true"
                : value->kind == JSON_ARRAY ? "a list"
                                            : "an object");
        return err_hint(err, "the connector's `pages.next` must lead to the next page's token or URL");
    }
}

/* A function said it. */
static int take_result(struct pager *pager, struct str json, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct err parse = ERR_INIT;
    const struct node *node;
    int rc;
    if (node_from_json(json, &arena, &node, &parse) != 0)
        rc = err_set(err, ERR_CONNECTOR, "function '%s': %s", pager->pages->next_function, parse.message);
    else if (node->kind == NODE_NULL || (node->kind == NODE_BOOLEAN && str_equal(node->text, STR("false"))))
        rc = 0;
    else if (node->kind == NODE_STRING || node->kind == NODE_NUMBER)
        rc = take_text(pager, node->text, err);
    else
        rc = err_set(err, ERR_CONNECTOR, "function '%s': expected a text, number or nil, got %s", pager->pages->next_function,
                     node_kind_name(node->kind));
    arena_release(&arena);
    return rc;
}

/* Puts the next token or URL into pager->next. 1: there is one. */
static int take_next(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err)
{
    if (says->more == 0) return 0;
    int rc = pager->pages->next_function               ? take_result(pager, facts->next_json, err)
             : pager->pages->kind == PAGES_LINK_HEADER ? take_text(pager, facts->link, err)
                                                       : take_value(pager, &says->next, err);
    if (rc != 0 || says->more != 1) return rc;
    err_set(err, ERR_DATA, "the source says that more pages follow, but not where");
    return err_hint(err, "compare the connector's `pages` with an answer of the source: `next` leads nowhere");
}

static int move_cursor(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err)
{
    int rc = take_next(pager, facts, says, err);
    if (rc <= 0) return rc;
    if (!remember(pager, buf_str(&pager->next))) return page_loop(err, "token", buf_str(&pager->next));
    pager->place.token = buf_str(&pager->next);
    pager->place.own_params = pager->pages->keep_params;
    return 1;
}

static int move_url(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err)
{
    if (pager->read == 0) (void)remember(pager, facts->url);
    int rc = take_next(pager, facts, says, err);
    if (rc <= 0) return rc;
    struct buf url = BUF_INIT(2 * PAGER_TOKEN_MAX);
    rc = url_resolve(facts->url, buf_str(&pager->next), &url, err);
    if (rc == 0) {
        buf_release(&pager->next);
        pager->next = url;
        if (!remember(pager, buf_str(&url))) return page_loop(err, "URL", buf_str(&url));
        pager->place.url = buf_str(&pager->next);
        pager->place.own_params = pager->pages->keep_params;
        return 1;
    }
    buf_release(&url);
    return err_context(err, "next page");
}

static int resume_text(struct pager *pager, const struct cJSON *position, const char *key, struct str *into, struct err *err)
{
    const char *text = json_string(json_get(position, key));
    if (!text || !text[0]) return err_set(err, ERR_DATA, "no %s in it", key);
    int rc = take_text(pager, str_from(text), err);
    if (rc < 0) return rc;
    *into = buf_str(&pager->next);
    (void)remember(pager, *into);
    pager->place.own_params = pager->pages->keep_params;
    return 0;
}

static int resume_cursor(struct pager *pager, const struct cJSON *position, struct err *err)
{
    if (position) return resume_text(pager, position, "token", &pager->place.token, err);
    if (!pager->pages->first_token) return 0;
    int rc = take_text(pager, str_from(pager->pages->first_token), err);
    if (rc < 0) return rc;
    pager->place.token = buf_str(&pager->next);
    (void)remember(pager, pager->place.token);
    return 0;
}

static int resume_url(struct pager *pager, const struct cJSON *position, struct err *err)
{
    return position ? resume_text(pager, position, "url", &pager->place.url, err) : 0;
}

static void write_cursor(const struct pager *pager, struct json_writer *writer)
{
    json_member(writer, "token");
    json_text(writer, pager->place.token);
}

static void write_url(const struct pager *pager, struct json_writer *writer)
{
    json_member(writer, "url");
    json_text(writer, pager->place.url);
}

/* --- none ---------------------------------------------------------------------------------------------------------------- */

static int resume_none(struct pager *pager, const struct cJSON *position, struct err *err)
{
    (void)pager;
    return position ? err_set(err, ERR_DATA, "there is but one page") : 0;
}

static int move_none(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err)
{
    (void)pager, (void)facts, (void)says, (void)err;
    return 0;
}

/* --- the machine --------------------------------------------------------------------------------------------------------- */

static const struct kind KINDS[PAGES_KIND_COUNT] = {
    [PAGES_NONE] = {"none", resume_none, move_none, NULL},
    [PAGES_PAGE] = {"page", resume_page, move_page, write_page},
    [PAGES_OFFSET] = {"offset", resume_offset, move_offset, write_offset},
    [PAGES_CURSOR] = {"cursor", resume_cursor, move_cursor, write_cursor},
    [PAGES_NEXT_URL] = {"next_url", resume_url, move_url, write_url},
    [PAGES_LINK_HEADER] = {"link_header", resume_url, move_url, write_url},
};

const char *pages_kind_name(enum pages_kind kind)
{
    return KINDS[kind].name;
}

struct pager *pager_new(const struct pages *pages)
{
    struct pager *pager = mem_zero(1, sizeof *pager);
    pager->pages = pages;
    pager->next = BUF_INIT(PAGER_TOKEN_MAX);
    return pager;
}

void pager_free(struct pager *pager)
{
    if (!pager) return;
    buf_release(&pager->next);
    free(pager);
}

int pager_start(struct pager *pager, struct str position, struct err *err)
{
    const struct kind *kind = &KINDS[pager->pages->kind];
    struct cJSON *json = NULL;
    pager->place.own_params = true;
    if (position.size == 0) return kind->resume(pager, NULL, err);
    struct err parse = ERR_INIT;
    int rc = json_parse(position, 4 * PAGER_TOKEN_MAX, &json, &parse);
    const char *stored = rc == 0 ? json_string(json_get(json, "kind")) : NULL;
    if (rc != 0)
        rc = err_set(err, ERR_DATA, "%s", parse.message);
    else if (!stored || strcmp(stored, kind->name) != 0)
        rc = err_set(err, ERR_DATA, "it is of pages kind '%s', the stream has '%s' now", stored ? stored : "?", kind->name);
    else
        rc = kind->resume(pager, json, err);
    json_free(json);
    if (rc != 0) err_context(err, "cannot resume at the stored position");
    return rc;
}

const struct page_place *pager_place(const struct pager *pager)
{
    return &pager->place;
}

int pager_next(struct pager *pager, const struct page_facts *facts, struct err *err)
{
    const struct pages *pages = pager->pages;
    struct page_says says = listen(pages, facts->found);
    CHECK(!pager->is_over);
    pager->is_over = true;
    int rc = check_body(pager, facts, err);
    if (rc != 0) return rc;
    if (facts->records_known) pager->seen += (int64_t)facts->records;
    rc = KINDS[pages->kind].move(pager, facts, &says, err);
    if (rc <= 0) return rc;
    pager->read++;
    pager->place.index++;
    if ((int64_t)pager->read >= pages->max_pages) {
        err_set(err, ERR_DATA, "page loop: over %lld pages in one slice", (long long)pages->max_pages);
        return err_hint(
            err, "if the source is that large, raise the connector's `pages.max_pages`, or read it in windows with `step`");
    }
    pager->is_over = false;
    return 1;
}

char *pager_position(const struct pager *pager)
{
    const struct kind *kind = &KINDS[pager->pages->kind];
    if (!pager->pages->stable || pager->is_over || !kind->write || pager->read == 0) return NULL;
    struct buf text = BUF_INIT(8 * PAGER_TOKEN_MAX);
    struct json_writer writer = JSON_WRITER(&text);
    json_open(&writer, '{');
    json_member(&writer, "kind");
    json_cstr(&writer, kind->name);
    kind->write(pager, &writer);
    json_close(&writer, '}');
    return buf_steal(&text);
}
