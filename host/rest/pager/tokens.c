/* tokens: what an answer holds asks for the next page: a token or URL in its body, a header, or its last record. */
#include "rest/pager/parts.h"

#include "base/arena.h"
#include "base/map.h"
#include "data/node.h"
#include "net/url.h"

int pager_take_text(struct buf *into, struct str text, struct err *err)
{
    buf_clear(into);
    buf_append_str(into, text);
    if (into->failed) return err_set(err, ERR_DATA, "the next page's token or URL is over %d bytes", PAGER_TOKEN_MAX);
    return text.size > 0;
}

/* A path led to it: a text or a number, exactly as it stands. */
int pager_take_value(struct buf *into, const struct json_value *value, const char *where, const char *path, struct err *err)
{
    switch (value->kind) {
    case JSON_NULL:
    case JSON_FALSE:
        return 0;
    case JSON_NUMBER:
        return pager_take_text(into, value->raw, err);
    case JSON_STRING: {
        struct arena arena = ARENA_INIT(8 * PAGER_TOKEN_MAX);
        struct str text = jsonscan_text(value, &arena, NULL);
        int rc = pager_take_text(into, text.data ? text : value->raw, err); /* past the arena's cap it is too long either way */
        arena_release(&arena);
        return rc;
    }
    default:
        err_set(err, ERR_DATA, "expected a text or number at '%s', got %s", path,
                value->kind == JSON_TRUE    ? "true"
                : value->kind == JSON_ARRAY ? "a list"
                                            : "an object");
        return err_hint(err, "the connector's `pages.%s` must lead to what asks for the next page", where);
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
        rc = pager_take_text(&pager->next, node->text, err);
    else
        rc = err_set(err, ERR_CONNECTOR, "function '%s': expected a text, number or nil, got %s", pager->pages->next_function,
                     node_kind_name(node->kind));
    arena_release(&arena);
    return rc;
}

/* Where this kind finds what asks for the next page. */
static int take_found(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err)
{
    const struct pages *pages = pager->pages;
    switch (pages->kind) {
    case PAGES_LINK_HEADER:
        return pager_take_text(&pager->next, facts->link, err);
    case PAGES_HEADER_TOKEN:
        if (pages->end && str_equal(facts->header, str_from(pages->end))) return 0;
        return pager_take_text(&pager->next, facts->header, err);
    case PAGES_LAST_RECORD:
        return pager_take_value(&pager->next, &facts->last, "field", pages->field, err);
    default:
        if (pages->next_function) return take_result(pager, facts->next_json, err);
        return pager_take_value(&pager->next, &says->next, "next", pages->next, err);
    }
}

/* Puts the next token or URL into pager->next. 1: there is one. */
static int take_next(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err)
{
    if (says->more == 0) return 0;
    int rc = take_found(pager, facts, says, err);
    if (rc != 0 || says->more != 1) return rc;
    err_set(err, ERR_DATA, "the source says that more pages follow, but not where");
    return err_hint(err,
                    "compare the connector's `pages` with an answer of the source: what asks for the next page is not there");
}

static bool is_new(struct pager *pager)
{
    return trail_add(&pager->trail, hash_bytes(buf_str(&pager->next)));
}

/* pager->next is a token: the next request carries it. */
static int go_to_token(struct pager *pager, struct err *err)
{
    if (!is_new(pager)) return pager_loop(err, "token", buf_str(&pager->next));
    pager->place.token = buf_str(&pager->next);
    pager->place.own_params = pager->pages->keep_params;
    return 1;
}

static int move_token(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err)
{
    int rc = take_next(pager, facts, says, err);
    return rc <= 0 ? rc : go_to_token(pager, err);
}

/* Without a record nothing can ask for more: such a page is the end, whatever its flag says. */
static int move_last_record(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err)
{
    if (!pager_goes_on(pager, facts, says)) return 0;
    int rc = take_found(pager, facts, says, err);
    if (rc > 0) return go_to_token(pager, err);
    if (rc < 0) return rc;
    err_set(err, ERR_DATA, "the last record of a page has no '%s', which asks for the next page", pager->pages->field);
    return err_hint(err, "the connector's `pages.field` must be a field that every record has");
}

static int move_url(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err)
{
    if (pager->read == 0) (void)trail_add(&pager->trail, hash_bytes(facts->url));
    int rc = take_next(pager, facts, says, err);
    if (rc <= 0) return rc;
    struct buf url = BUF_INIT(2 * PAGER_TOKEN_MAX);
    rc = url_resolve(facts->url, buf_str(&pager->next), &url, err);
    if (rc == 0) {
        buf_release(&pager->next);
        pager->next = url;
        if (!is_new(pager)) return pager_loop(err, "URL", buf_str(&url));
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
    int rc = pager_take_text(&pager->next, str_from(text), err);
    if (rc < 0) return rc;
    *into = buf_str(&pager->next);
    (void)is_new(pager);
    pager->place.own_params = pager->pages->keep_params;
    return 0;
}

static int resume_cursor(struct pager *pager, const struct cJSON *position, struct err *err)
{
    if (position) return resume_text(pager, position, "token", &pager->place.token, err);
    if (!pager->pages->first_token) return 0;
    int rc = pager_take_text(&pager->next, str_from(pager->pages->first_token), err);
    if (rc < 0) return rc;
    pager->place.token = buf_str(&pager->next);
    (void)is_new(pager);
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

const struct pager_kind PAGER_CURSOR = {"cursor", resume_cursor, move_token, write_cursor, false};
const struct pager_kind PAGER_HEADER_TOKEN = {"header_token", resume_cursor, move_token, write_cursor, false};
const struct pager_kind PAGER_LAST_RECORD = {"last_record", resume_cursor, move_last_record, write_cursor, true};
const struct pager_kind PAGER_NEXT_URL = {"next_url", resume_url, move_url, write_url, false};
const struct pager_kind PAGER_LINK = {"link_header", resume_url, move_url, write_url, false};
