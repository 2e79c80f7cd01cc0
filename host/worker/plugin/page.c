/* page: the rows of a page as they are emitted: copied side by side, the data of texts behind one another, so that the frame is
 * five pieces of memory. */
#include <stdio.h>
#include <string.h>

#include "worker/plugin/parts.h"

void plugin_page_init(struct plugin_page *page)
{
    *page = (struct plugin_page){
        .operations = BUF_INIT(PLUGIN_PAGE_MAX),
        .tables = BUF_INIT(PLUGIN_PAGE_MAX),
        .values = BUF_INIT(PLUGIN_PAGE_MAX),
        .texts = BUF_INIT(PLUGIN_PAGE_MAX),
        .checkpoint = BUF_INIT(PLUGIN_MAX_CHECKPOINT),
    };
}

void plugin_page_clear(struct plugin_page *page)
{
    buf_clear(&page->operations);
    buf_clear(&page->tables);
    buf_clear(&page->values);
    buf_clear(&page->texts);
    buf_clear(&page->checkpoint);
    page->has_checkpoint = page->is_bytes = false;
    page->rows = 0;
}

static bool has_data(uint8_t kind)
{
    return kind == SLUICE_STRING || kind == SLUICE_JSON || kind == SLUICE_DECIMAL || kind == SLUICE_BINARY;
}

static int is_full(const struct plugin_page *page)
{
    return page->values.size + page->texts.size + 3 * page->rows >= PLUGIN_PAGE_FULL ? 1 : 0;
}

static int refuse_row(struct plugin *plugin, uint32_t table, int operation, uint32_t count)
{
    char text[160];
    if (plugin->stage != STAGE_PAGE) return plugin_fault(plugin, "sluice_emit was called outside of page");
    if (plugin->page.is_bytes) return plugin_fault(plugin, "sluice_emit and sluice_emit_bytes were called for one page");
    if (table >= plugin->slice.table_count)
        snprintf(text, sizeof text, "sluice_emit was called for table %u of %u", table, plugin->slice.table_count);
    else if (operation < SLUICE_UPSERT || operation > SLUICE_TRUNCATE)
        snprintf(text, sizeof text, "sluice_emit was called with the unknown operation %d", operation);
    else
        snprintf(text, sizeof text, "sluice_emit was called with %u values for the %u columns of '%s'%s", count,
                 plugin->slice.tables[table].column_count, plugin->slice.tables[table].name,
                 operation == SLUICE_TRUNCATE ? ": SLUICE_TRUNCATE has none" : "");
    return plugin_fault(plugin, text);
}

static int too_large(struct plugin *plugin)
{
    return plugin_fault(plugin, "a page is over 15 MiB: end it when sluice_emit returns 1");
}

int plugin_emit(struct sluice_session *session, uint32_t table, int operation, const struct sluice_value *values,
                uint32_t count)
{
    struct plugin *plugin = plugin_of(session);
    struct plugin_page *page = &plugin->page;
    if (UNLIKELY(plugin->stage != STAGE_PAGE || page->is_bytes || table >= plugin->slice.table_count ||
                 operation < SLUICE_UPSERT || operation > SLUICE_TRUNCATE ||
                 count != (operation == SLUICE_TRUNCATE ? 0 : plugin->slice.tables[table].column_count)))
        return refuse_row(plugin, table, operation, count);
    char *place = buf_reserve(&page->values, count * sizeof *values);
    if (!place) return too_large(plugin);
    if (count) memcpy(place, values, count * sizeof *values);
    for (uint32_t i = 0; i < count; i++) {
        const struct sluice_value *value = &values[i];
        if (!has_data(value->kind)) {
            if (UNLIKELY(value->kind > SLUICE_BINARY)) return plugin_fault(plugin, "a value has an unknown kind");
            continue;
        }
        int64_t at = (int64_t)page->texts.size;
        if (UNLIKELY(value->size && !value->as.data)) return plugin_fault(plugin, "a value has a size and no data");
        buf_append(&page->texts, value->as.data, value->size);
        memcpy(place + i * sizeof *value + offsetof(struct sluice_value, as), &at, sizeof at);
    }
    if (page->texts.failed) return too_large(plugin);
    const char table_bytes[2] = {(char)(table & 0xff), (char)(table >> 8)};
    buf_advance(&page->values, count * sizeof *values);
    buf_append_char(&page->operations, (char)operation);
    buf_append(&page->tables, table_bytes, sizeof table_bytes);
    page->rows++;
    return is_full(page);
}

int plugin_emit_bytes(struct sluice_session *session, const char *data, size_t size)
{
    struct plugin *plugin = plugin_of(session);
    if (plugin->stage != STAGE_PAGE) return plugin_fault(plugin, "sluice_emit_bytes was called outside of page");
    if (plugin->page.rows) return plugin_fault(plugin, "sluice_emit and sluice_emit_bytes were called for one page");
    plugin->page.is_bytes = true;
    buf_append(&plugin->page.texts, data, size);
    return plugin->page.texts.failed ? too_large(plugin) : is_full(&plugin->page);
}

int plugin_checkpoint(struct sluice_session *session, const char *state, size_t size)
{
    struct plugin *plugin = plugin_of(session);
    struct plugin_page *page = &plugin->page;
    if (plugin->stage != STAGE_PAGE) return plugin_fault(plugin, "sluice_checkpoint was called outside of page");
    if (plugin->body.is_there) return plugin_fault(plugin, "sluice_checkpoint was called by a parser: a body has no position");
    if (!size || size > PLUGIN_MAX_CHECKPOINT || memchr(state, 0, size))
        return plugin_fault(plugin, "a checkpoint is a text of 1 byte to 1 MiB without NUL");
    buf_clear(&page->checkpoint);
    buf_append(&page->checkpoint, state, size);
    page->has_checkpoint = true;
    return 0;
}
