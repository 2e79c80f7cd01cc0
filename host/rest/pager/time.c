/* time: the end time of a page is the start of the next (time_next), as exports by time have it.
 *
 * Times only ever rise, so nothing can go round. A page that ends in the second it began in gives no way on: when it is full,
 * the next request starts one second later. Sources of this kind give all records of a second in one page, however many
 * (Zendesk's incremental exports say so), so nothing is lost by that; a warning names the second. One that is not full cannot
 * go on. */
#include "rest/pager/parts.h"

#include "base/time.h"

enum { SECOND_US = 1000 * 1000 };

static int put_time(struct pager *pager, int64_t instant_us, struct err *err)
{
    char text[64];
    size_t size = time_write_format(instant_us, pager->pages->format, text, sizeof text);
    if (size == 0) return err_set(err, ERR_DATA, "the next page would begin past the year 9999");
    return pager_take_text(&pager->next, (struct str){text, size}, err);
}

static int stuck(struct pager *pager, const struct page_facts *facts, int64_t start_us, struct err *err)
{
    struct str time = pager->place.token;
    int64_t size = pager->place.size;
    bool is_full = facts->records > 0 && (size == 0 || facts->records >= (uint64_t)size);
    if (!is_full) return pager_loop(err, "end time", time);
    buf_clear(&pager->warning);
    buf_printf(&pager->warning, "%zu records share the second '" STR_FMT "'; the next page begins one second later",
               facts->records, STR_ARG(time));
    return put_time(pager, start_us + SECOND_US, err);
}

static int move_time(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err)
{
    const struct pages *pages = pager->pages;
    int64_t start_us, end_us;
    bool has_flag = says->more >= 0;
    if (has_flag ? !says->more : !pager_goes_on(pager, facts, says)) return 0;
    struct buf text = BUF_INIT(PAGER_TOKEN_MAX);
    int rc = pager_take_value(&text, &says->next, "next", pages->next, err);
    if (rc == 0 && has_flag) {
        err_set(err, ERR_DATA, "the source says that more pages follow, but not from when");
        rc = err_hint(err, "compare the connector's `pages.next` with an answer of the source");
    }
    if (rc > 0 && !time_parse_format(buf_str(&text), pages->format, &end_us)) {
        err_set(err, ERR_DATA, "the end time '%.*s' is not of format '%s'", (int)(text.size < 64 ? text.size : 64), text.data,
                pages->format);
        rc = err_hint(err, "give the connector's `pages` the source's `format`");
    }
    bool has_start = pager->place.token.size && time_parse_format(pager->place.token, pages->format, &start_us);
    if (rc > 0 && has_start && end_us < start_us) rc = pager_loop(err, "time", buf_str(&text));
    if (rc > 0)
        rc = has_start && end_us == start_us ? stuck(pager, facts, start_us, err)
                                             : pager_take_text(&pager->next, buf_str(&text), err);
    buf_release(&text);
    if (rc <= 0) return rc;
    pager->place.token = buf_str(&pager->next);
    pager->place.own_params = pages->keep_params;
    return 1;
}

static int resume_time(struct pager *pager, const struct cJSON *position, struct err *err)
{
    const char *first = pager->pages->first_token ? pager->pages->first_token : pager->first_time;
    const char *time = position ? json_string(json_get(position, "time")) : first;
    if (position && (!time || !time[0])) return err_set(err, ERR_DATA, "no time in it");
    if (!time) return 0;
    int rc = pager_take_text(&pager->next, str_from(time), err);
    if (rc < 0) return rc;
    pager->place.token = buf_str(&pager->next);
    if (position) pager->place.own_params = pager->pages->keep_params;
    return 0;
}

static void write_time(const struct pager *pager, struct json_writer *writer)
{
    json_member(writer, "time");
    json_text(writer, pager->place.token);
}

const struct pager_kind PAGER_TIME_NEXT = {"time_next", resume_time, move_time, write_time, true};
