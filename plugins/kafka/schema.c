#include "kafka/schema.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "kafka/text.h"

enum { HOPS_MAX = 16, PARTS_MAX = 64, POINTER_NAME_MAX = 256 };

static const char *text_of(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* --- references ------------------------------------------------------------------------------------------------------- */

/* The name at *pointer, up to the next slash, without the escapes of RFC 6901. */
static bool next_name(const char **pointer, char name[POINTER_NAME_MAX])
{
    size_t size = 0;
    if (**pointer != '/') return false;
    for ((*pointer)++; **pointer && **pointer != '/' && size < POINTER_NAME_MAX - 1; (*pointer)++) {
        bool is_escape = **pointer == '~' && ((*pointer)[1] == '0' || (*pointer)[1] == '1');
        if (is_escape) (*pointer)++;
        name[size++] = !is_escape ? **pointer : **pointer == '0' ? '~' : '/';
    }
    name[size] = '\0';
    return **pointer == '\0' || **pointer == '/';
}

/* What `node` stands for within `root`; NULL: it refers to what is not there. */
static const cJSON *resolve(const cJSON *root, const cJSON *node)
{
    const char *pointer;
    for (int hops = 0; node && (pointer = text_of(node, "$ref")) != NULL; hops++) {
        char name[POINTER_NAME_MAX];
        if (*pointer++ != '#' || hops == HOPS_MAX) return NULL;
        node = root;
        while (node && *pointer) node = next_name(&pointer, name) ? cJSON_GetObjectItemCaseSensitive(node, name) : NULL;
    }
    return node;
}

/* --- types ------------------------------------------------------------------------------------------------------------ */

/* The one of a list that is not null; NULL: there are several, or none. */
static const cJSON *only_one(const cJSON *root, const cJSON *list)
{
    const cJSON *item, *found = NULL;
    cJSON_ArrayForEach(item, list)
    {
        const cJSON *meant = cJSON_IsObject(item) ? resolve(root, item) : item;
        const char *type = cJSON_IsString(meant) ? meant->valuestring : meant ? text_of(meant, "type") : NULL;
        if (type && strcmp(type, "null") == 0) continue;
        if (found) return NULL;
        found = meant;
    }
    return found;
}

static const char *type_of_string(const cJSON *node)
{
    const char *format = text_of(node, "format"), *encoding = text_of(node, "contentEncoding");
    if (format && strcmp(format, "date-time") == 0) return "timestamp";
    if (format && strcmp(format, "date") == 0) return "date";
    return encoding && strcmp(encoding, "base64") == 0 ? "binary" : "string";
}

static const char *type_of(const cJSON *root, const cJSON *node)
{
    for (int hops = 0; hops < HOPS_MAX && cJSON_IsObject(node = resolve(root, node)); hops++) {
        const cJSON *type = cJSON_GetObjectItemCaseSensitive(node, "type");
        if (cJSON_IsArray(type)) type = only_one(root, type);
        const char *name = cJSON_GetStringValue(type);
        if (name && strcmp(name, "integer") == 0) return "integer";
        if (name && strcmp(name, "number") == 0) return "decimal";
        if (name && strcmp(name, "boolean") == 0) return "boolean";
        if (name && strcmp(name, "string") == 0) return type_of_string(node);
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(node, "oneOf");
        if (!list) list = cJSON_GetObjectItemCaseSensitive(node, "anyOf");
        if (name || cJSON_GetObjectItemCaseSensitive(node, "type") || !list) return "json";
        node = only_one(root, list);
    }
    return "json";
}

/* --- columns ---------------------------------------------------------------------------------------------------------- */

static bool has_column(const struct schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->count; i++)
        if (strcmp(schema->columns[i].name, name) == 0) return true;
    return false;
}

static void add_properties(struct schema *schema, const cJSON *root, const cJSON *object)
{
    const cJSON *property;
    cJSON_ArrayForEach(property, cJSON_GetObjectItemCaseSensitive(object, "properties"))
    {
        if (!property->string || !*property->string || has_column(schema, property->string)) continue;
        if (schema->count == SCHEMA_MAX_COLUMNS) {
            schema->is_cut = true;
            return;
        }
        schema->columns[schema->count++] =
            (struct schema_column){.name = copy_text(property->string), .type = type_of(root, property)};
    }
}

const char *schema_read(struct schema *schema, const char *text)
{
    cJSON *root = cJSON_Parse(text);
    const cJSON *object = root ? resolve(root, root) : NULL, *part;
    int parts = 0;
    *schema = (struct schema){0};
    if (cJSON_IsObject(object)) {
        schema->columns = allocate(SCHEMA_MAX_COLUMNS, sizeof *schema->columns);
        add_properties(schema, root, object);
        cJSON_ArrayForEach(part, cJSON_GetObjectItemCaseSensitive(object, "allOf"))
        {
            const cJSON *meant = parts++ < PARTS_MAX ? resolve(root, part) : NULL;
            if (meant) add_properties(schema, root, meant);
        }
    }
    const char *flaw = !root                                              ? "it is not JSON"
                       : !object                                          ? "it refers to what is not in it"
                       : !cJSON_IsObject(object) && !cJSON_IsBool(object) ? "it is no JSON Schema"
                                                                          : NULL;
    cJSON_Delete(root);
    return flaw;
}

void schema_release(struct schema *schema)
{
    for (size_t i = 0; i < schema->count; i++) free(schema->columns[i].name);
    free(schema->columns);
    *schema = (struct schema){0};
}
