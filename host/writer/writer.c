/* The list of writers, and the names of write modes. A new writer is a folder and a line here. */
#include "writer/writer.h"

#include "writer/types.h"

static const struct writer_type *const TYPES[] = {&WRITER_POSTGRES, &WRITER_CSV};

static const char *const MODE_NAMES[] = {
    [WRITE_APPEND] = "append",
    [WRITE_OVERWRITE] = "overwrite",
    [WRITE_APPEND_DEDUP] = "append_dedup",
};

const char *write_mode_name(enum write_mode mode)
{
    return MODE_NAMES[mode];
}

bool write_mode_from_name(struct str name, enum write_mode *mode)
{
    for (size_t i = 0; i < ARRAY_SIZE(MODE_NAMES); i++) {
        if (!str_equal(name, str_from(MODE_NAMES[i]))) continue;
        *mode = (enum write_mode)i;
        return true;
    }
    return false;
}

const struct writer_type *writer_type_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_SIZE(TYPES); i++)
        if (str_equal(name, str_from(TYPES[i]->name))) return TYPES[i];
    return NULL;
}

const struct writer_type *const *writer_types(size_t *count)
{
    *count = ARRAY_SIZE(TYPES);
    return TYPES;
}
