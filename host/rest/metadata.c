/* metadata: see metadata.h. */
#include "rest/metadata.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/records_path.h"

struct gathering {
    const struct fields_from *from;
    struct arena *arena;
    struct metadata_field *fields; /* METADATA_MAX_FIELDS of them */
    size_t count, unusable;
};

/* The host's own columns, and what no column is called. */
static bool is_usable(struct str name)
{
    bool ok = name.data && name.size > 0 && name.size <= SCHEMA_MAX_NAME && !str_starts(name, STR("_sluice_"));
    for (size_t i = 0; ok && i < name.size; i++) ok = (unsigned char)name.data[i] >= ' ' && name.data[i] != ',';
    return ok;
}

static struct str text_at(struct str record, const char *path, struct arena *arena)
{
    struct json_value value;
    if (!jsonscan_find(record.data, record.size, path, &value) || value.kind != JSON_STRING) return (struct str){0};
    return arena_copy(arena, jsonscan_text(&value, arena, NULL));
}

static int take_field(void *context, struct jsonscan *scan, struct err *err)
{
    struct gathering *gathering = context;
    struct json_value value;
    if (!jsonscan_value(scan, &value)) return ERR_TRANSIENT;
    struct str name = value.kind == JSON_OBJECT ? text_at(value.raw, gathering->from->name, gathering->arena) : (struct str){0};
    if (!is_usable(name)) {
        gathering->unusable++;
        return 0;
    }
    if (gathering->count == METADATA_MAX_FIELDS) {
        err_set(err, ERR_DATA, "%s: the source lists more than %d fields", gathering->from->stream->request.where,
                METADATA_MAX_FIELDS);
        return err_hint(err, "is `records` the path of one stream's fields?");
    }
    struct str type = text_at(value.raw, gathering->from->type, gathering->arena);
    gathering->fields[gathering->count++] = (struct metadata_field){name, type};
    return 0;
}

static int take_page(struct gathering *gathering, const struct page *page, struct err *err)
{
    struct jsonscan scan;
    jsonscan_init(&scan, page->body->data, page->body->size);
    int rc = records_walk(&scan, gathering->from->stream->records_path, take_field, gathering, err);
    if (rc != ERR_TRANSIENT || err->class) return rc;
    return err_set(err, ERR_TRANSIENT, "%s: the answer is not JSON: %s", gathering->from->stream->request.where,
                   scan.error ? scan.error : "broken");
}

static int compare(struct str a, struct str b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* The type decides between two of one name, so that the order of the records does not. */
static int order(const void *a, const void *b)
{
    const struct metadata_field *left = a, *right = b;
    int names = compare(left->name, right->name);
    return names ? names : compare(left->type, right->type);
}

void metadata_sort(struct metadata_field *fields, size_t count, struct metadata *out)
{
    size_t kept = 0;
    if (count) qsort(fields, count, sizeof *fields, order);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !str_equal(fields[kept - 1].name, fields[i].name)) fields[kept++] = fields[i];
    *out = (struct metadata){.fields = fields, .count = kept};
}

int metadata_read(const struct reader_options *options, const struct fields_from *from, struct arena *arena,
                  struct metadata *out, struct err *err)
{
    struct gathering gathering = {.from = from, .arena = arena};
    struct page page;
    int rc;
    gathering.fields = arena_array(arena, struct metadata_field, METADATA_MAX_FIELDS);
    struct reader *reader = reader_new(options);
    while ((rc = reader_next(reader, &page, err)) > 0) {
        rc = take_page(&gathering, &page, err);
        page_release(&page);
        if (rc) break;
    }
    out->is_refused = rc < 0 && reader_end(reader) == READER_SKIPS_STREAM;
    reader_free(reader);
    if (rc) return rc;
    if (gathering.count == 0) {
        err_set(err, ERR_DATA, "%s: the source lists no fields", from->stream->request.where);
        return err_hint(err, "are `records` (%s) and `name` (%s) the right paths?", from->stream->records_path, from->name);
    }
    metadata_sort(gathering.fields, gathering.count, out);
    out->unusable = gathering.unusable;
    return 0;
}

static bool is_skipped(const struct fields_from *from, struct str type)
{
    for (size_t i = 0; i < from->skip_count; i++)
        if (str_equal(from->skip[i], type)) return true;
    return false;
}

static struct field_description type_of(const struct fields_from *from, struct str type)
{
    for (size_t i = 0; i < from->type_count; i++)
        if (str_equal(from->types[i].name, type)) return from->types[i].field;
    return from->other;
}

void metadata_apply(const struct fields_from *from, const struct metadata *metadata, struct arena *arena,
                    struct stream_description *stream)
{
    size_t declared = stream->field_count, count = declared;
    struct field_description *fields = arena_array(arena, struct field_description, declared + metadata->count + 1);
    if (declared) memcpy(fields, stream->fields, declared * sizeof *fields);
    for (size_t i = 0; i < metadata->count; i++) {
        const struct metadata_field *listed = &metadata->fields[i];
        size_t at = 0;
        while (at < declared && !str_equal(str_from(fields[at].name), listed->name)) at++;
        if (at == declared && is_skipped(from, listed->type)) continue;
        if (at == declared) {
            at = count++;
            fields[at] = type_of(from, listed->type);
            fields[at].name = arena_text(arena, listed->name);
        }
        fields[at].is_listed = true;
    }
    stream->fields = fields;
    stream->field_count = count;
}
