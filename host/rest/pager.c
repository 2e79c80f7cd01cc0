/* How it works: each kind is a row of a table: how it starts (or resumes) and how it moves; pager/ has them by family. What
 * they share is here: reading flags and counts out of the page, the guards, positions.
 *
 * Where one has been is remembered by pager/loop. Page and offset kinds cannot repeat a place; what repeats there is the body,
 * when a source ignores the parameter. A hash stands for its text: SipHash, 64 bits, a key per process. */
#include "rest/pager.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "base/number.h"
#include "rest/pager/parts.h"

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

static const struct pager_kind PAGER_NONE = {"none", resume_none, move_none, NULL, false};
static const struct pager_kind PAGER_KEYSET = {"capped_keyset", NULL, NULL, NULL, true}; /* the kind inside it moves */

static const struct pager_kind *const KINDS[PAGES_KIND_COUNT] = {
    [PAGES_NONE] = &PAGER_NONE,
    [PAGES_PAGE] = &PAGER_PAGE,
    [PAGES_OFFSET] = &PAGER_OFFSET,
    [PAGES_CURSOR] = &PAGER_CURSOR,
    [PAGES_NEXT_URL] = &PAGER_NEXT_URL,
    [PAGES_LINK_HEADER] = &PAGER_LINK,
    [PAGES_HEADER_TOKEN] = &PAGER_HEADER_TOKEN,
    [PAGES_LAST_RECORD] = &PAGER_LAST_RECORD,
    [PAGES_TIME_NEXT] = &PAGER_TIME_NEXT,
    [PAGES_CAPPED_KEYSET] = &PAGER_KEYSET,
};

const struct pages *pages_moving(const struct pages *pages)
{
    return pages->inner ? pages->inner : pages;
}

/* --- what the page says -------------------------------------------------------------------------------------------------- */

size_t pager_paths(const struct pages *declared_pages, const char *paths[PAGER_PATHS_MAX])
{
    const struct pages *pages = pages_moving(declared_pages);
    const char *const declared[PAGER_PATHS_MAX] = {pages->more, pages->last, pages->total, pages->total_pages, pages->next};
    size_t count = 0;
    for (size_t i = 0; i < PAGER_PATHS_MAX; i++)
        if (declared[i]) paths[count++] = declared[i];
    return count;
}

bool pager_counts_records(const struct pages *pages)
{
    return KINDS[pages->kind]->counts_records || pages->cap > 0;
}

const char *pager_last_path(const struct pages *pages)
{
    return pages->kind == PAGES_CAPPED_KEYSET ? pages->key : pages->kind == PAGES_LAST_RECORD ? pages->field : NULL;
}

bool pages_overlap(const struct pages *pages)
{
    return pages->kind == PAGES_TIME_NEXT || (pages->kind == PAGES_CAPPED_KEYSET && pages->inclusive);
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
int pager_loop(struct err *err, const char *what, struct str text)
{
    bool is_long = text.size > 200;
    err_set(err, ERR_DATA, "page loop: the source gave the same %s again: '%.*s%s'", what, is_long ? 200 : (int)text.size,
            text.size ? text.data : "", is_long ? "..." : "");
    return err_hint(err, "the source, or the connector's `pages`, would never come to an end; state is kept");
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

/* Bodies that repeat: the source does not look at what asks for the page. Empty pages may well be the same. Times rise by
 * themselves. */
static int check_body(struct pager *pager, const struct page_facts *facts, struct err *err)
{
    if (pager->pages->kind == PAGES_TIME_NEXT || (facts->records_known && facts->records == 0)) return 0;
    if (!echo_add(&pager->echo, facts->body_hash)) return 0;
    if (facts->has_records && !facts->has_records(facts->context)) return 0;
    struct buf where = BUF_INIT(PAGER_TOKEN_MAX);
    place_text(pager, &where);
    int rc = pager_loop(err, "answer", buf_str(&where));
    buf_release(&where);
    return rc;
}

/* --- the machine --------------------------------------------------------------------------------------------------------- */

const struct pager_kind *pager_kind_of(const struct pages *pages)
{
    return KINDS[pages->kind];
}

const char *pages_kind_name(enum pages_kind kind)
{
    return KINDS[kind]->name;
}

struct pager *pager_new(const struct pages *pages)
{
    struct pager *pager = mem_zero(1, sizeof *pager);
    pager->declared = pages;
    pager->pages = pages_moving(pages);
    pager->next = BUF_INIT(PAGER_TOKEN_MAX);
    pager->warning = BUF_INIT(PAGER_TOKEN_MAX);
    pager->key = BUF_INIT(PAGER_TOKEN_MAX);
    pager->last_key = BUF_INIT(PAGER_TOKEN_MAX);
    pager->size = pager->pages->size;
    pager->total = pager->total_pages = -1;
    return pager;
}

void pager_free(struct pager *pager)
{
    if (!pager) return;
    buf_release(&pager->next);
    buf_release(&pager->warning);
    buf_release(&pager->key);
    buf_release(&pager->last_key);
    free(pager);
}

void pager_first_time(struct pager *pager, const char *time)
{
    pager->first_time = time;
}

/* How many records the next request asks for: never past a cap, where the position does not depend on the size. */
static void set_size(struct pager *pager)
{
    int64_t left = pager->declared->cap - pager->seen;
    bool is_near = pager->declared->cap > 0 && left > 0 && left < pager->size && pager->pages->kind != PAGES_PAGE;
    pager->place.size = is_near ? left : pager->size;
}

bool pager_can_shrink(const struct pager *pager)
{
    const struct pages *pages = pager->pages;
    return pager->declared->sends_size && pager->place.size > 1 && pages->kind != PAGES_PAGE && pages->kind != PAGES_NONE &&
           !pager->place.url.size;
}

void pager_shrink(struct pager *pager)
{
    pager->size = pager->place.size / 2;
    pager->calm = 0;
    set_size(pager);
}

/* A page came: after some of them the source is asked for more again. */
static void grow(struct pager *pager)
{
    if (pager->size == pager->pages->size || ++pager->calm < PAGER_CALM) return;
    pager->size = 2 * pager->size < pager->pages->size ? 2 * pager->size : pager->pages->size;
    pager->calm = 0;
}

static int resume(struct pager *pager, const struct cJSON *position, struct err *err)
{
    int rc = KINDS[pager->pages->kind]->resume(pager, position, err);
    if (rc == 0 && pager->declared->kind == PAGES_CAPPED_KEYSET) rc = pager_keyset_resume(pager, position, err);
    if (position && pager->declared->cap > 0) (void)pager_read_number(position, "lap_records", &pager->seen);
    if (rc == 0) set_size(pager);
    return rc;
}

int pager_start(struct pager *pager, struct str position, struct err *err)
{
    const char *kind = KINDS[pager->declared->kind]->name;
    struct cJSON *json = NULL;
    pager->place.own_params = true;
    if (position.size == 0) return resume(pager, NULL, err);
    struct err parse = ERR_INIT;
    int rc = json_parse(position, 4 * PAGER_TOKEN_MAX, &json, &parse);
    const char *stored = rc == 0 ? json_string(json_get(json, "kind")) : NULL;
    if (rc != 0)
        rc = err_set(err, ERR_DATA, "%s", parse.message);
    else if (!stored || strcmp(stored, kind) != 0)
        rc = err_set(err, ERR_DATA, "it is of pages kind '%s', the stream has '%s' now", stored ? stored : "?", kind);
    else
        rc = resume(pager, json, err);
    json_free(json);
    if (rc != 0) err_context(err, "cannot resume at the stored position");
    return rc;
}

const struct page_place *pager_place(const struct pager *pager)
{
    return &pager->place;
}

bool pager_ahead(const struct pager *pager, int64_t steps, struct page_place *place)
{
    const struct pages *pages = pager->pages;
    int64_t size = pager->place.size;
    bool is_declared = size > 0 && size == pages->size && pager->declared->cap == 0;
    *place = pager->place;
    if (place->has_number) {
        place->number += steps;
        int64_t pages_before = place->number - pages->start;
        if (pager->total_pages >= 0) return pages_before < pager->total_pages;
        return is_declared && pager->total >= 0 && pages_before < (pager->total + size - 1) / size;
    }
    place->offset += steps * size;
    return place->has_offset && is_declared && pager->total >= 0 && place->offset - pages->start < pager->total;
}

void pager_go(struct pager *pager, const struct page_place *place)
{
    pager->place = *place;
}

bool pager_capped(const struct pager *pager)
{
    return pager->is_capped;
}

const char *pager_warning(const struct pager *pager)
{
    return pager->warning.size ? buf_text(&pager->warning) : NULL;
}

static int move(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err)
{
    int rc = KINDS[pager->pages->kind]->move(pager, facts, says, err);
    if (pager->declared->kind == PAGES_CAPPED_KEYSET) return pager_keyset_move(pager, facts, rc, err);
    return pager_check_cap(pager, says, rc, err);
}

int pager_next(struct pager *pager, const struct page_facts *facts, struct err *err)
{
    const struct pages *pages = pager->declared;
    struct page_says says = listen(pager->pages, facts->found);
    CHECK(!pager->is_over);
    pager->is_over = true;
    pager->total = says.total;
    pager->total_pages = says.total_pages;
    buf_clear(&pager->warning);
    int rc = check_body(pager, facts, err);
    if (rc != 0) return rc;
    if (facts->records_known) pager->seen += (int64_t)facts->records;
    rc = move(pager, facts, &says, err);
    if (rc <= 0) return rc;
    pager->read++;
    pager->place.index++;
    if (pages->kind == PAGES_TIME_NEXT) pager->place.lap++;
    if ((int64_t)pager->read >= pages->max_pages) {
        err_set(err, ERR_DATA, "page loop: over %lld pages in one slice", (long long)pages->max_pages);
        return err_hint(
            err, "if the source is that large, raise the connector's `pages.max_pages`, or read it in windows with `step`");
    }
    grow(pager);
    set_size(pager);
    pager->is_over = false;
    return 1;
}

/* --- positions ----------------------------------------------------------------------------------------------------------- */

char *pager_position(const struct pager *pager)
{
    const struct pages *pages = pager->declared;
    const struct pager_kind *moving = KINDS[pager->pages->kind];
    if (!pages->stable || pager->is_over || !moving->write || pager->read == 0) return NULL;
    struct buf text = BUF_INIT(8 * PAGER_TOKEN_MAX);
    struct json_writer writer = JSON_WRITER(&text);
    json_open(&writer, '{');
    json_member(&writer, "kind");
    json_cstr(&writer, KINDS[pages->kind]->name);
    moving->write(pager, &writer);
    if (pages->cap > 0) pager_write_number(&writer, "lap_records", pager->seen);
    if (pages->kind == PAGES_CAPPED_KEYSET) {
        json_member(&writer, "key");
        json_text(&writer, pager->place.key);
    }
    json_close(&writer, '}');
    return buf_steal(&text);
}
