/* counted: pages that are numbered, and offsets that advance by the records that came. */
#include "rest/pager/parts.h"

#include "base/number.h"

bool pager_goes_on(const struct pager *pager, const struct page_facts *facts, const struct page_says *says)
{
    const struct pages *pages = pager->pages;
    if (facts->records_known && facts->records == 0) return false;
    if (says->more >= 0) return says->more;
    if (says->total_pages >= 0) return pager->place.number - pages->start + 1 < says->total_pages;
    if (says->total >= 0 && facts->records_known) return pager->seen < says->total;
    if (pages->stop == STOP_SHORT && pager->place.size && facts->records_known)
        return facts->records >= (uint64_t)pager->place.size;
    return true;
}

static int move_page(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err)
{
    (void)err;
    if (!pager_goes_on(pager, facts, says)) return 0;
    pager->place.number++;
    return 1;
}

static int move_offset(struct pager *pager, const struct page_facts *facts, const struct page_says *says, struct err *err)
{
    (void)err;
    if (!pager_goes_on(pager, facts, says)) return 0;
    pager->place.offset += (int64_t)facts->records;
    return 1;
}

bool pager_read_number(const struct cJSON *position, const char *key, int64_t *number)
{
    const char *text = json_string(json_get(position, key));
    return text && number_to_int64(str_from(text), number) && *number >= 0;
}

static int resume_page(struct pager *pager, const struct cJSON *position, struct err *err)
{
    pager->place.has_number = true;
    pager->place.number = pager->pages->start;
    if (!position ||
        (pager_read_number(position, "number", &pager->place.number) && pager_read_number(position, "seen", &pager->seen)))
        return 0;
    return err_set(err, ERR_DATA, "no page number in it");
}

static int resume_offset(struct pager *pager, const struct cJSON *position, struct err *err)
{
    pager->place.has_offset = true;
    pager->place.offset = pager->pages->start;
    if (!position ||
        (pager_read_number(position, "offset", &pager->place.offset) && pager_read_number(position, "seen", &pager->seen)))
        return 0;
    return err_set(err, ERR_DATA, "no offset in it");
}

void pager_write_number(struct json_writer *writer, const char *key, int64_t number)
{
    char text[NUMBER_TEXT_MAX];
    json_member(writer, key);
    json_text(writer, (struct str){text, number_from_int64(number, text)});
}

static void write_page(const struct pager *pager, struct json_writer *writer)
{
    pager_write_number(writer, "number", pager->place.number);
    pager_write_number(writer, "seen", pager->seen);
}

static void write_offset(const struct pager *pager, struct json_writer *writer)
{
    pager_write_number(writer, "offset", pager->place.offset);
    pager_write_number(writer, "seen", pager->seen);
}

const struct pager_kind PAGER_PAGE = {"page", resume_page, move_page, write_page, true};
const struct pager_kind PAGER_OFFSET = {"offset", resume_offset, move_offset, write_offset, true};
