/* layout: see layout.h. */
#include "writer/csv/layout.h"

#include <ctype.h>
#include <inttypes.h>

#include "base/number.h"
#include "os/crypto.h"
#include "os/fs.h"

enum { NAME_MAX_BYTES = 100 };

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

const char *csv_folder_name(const char *name, struct arena *arena)
{
    size_t size = strlen(name);
    bool as_it_is = size > 0 && size <= NAME_MAX_BYTES && name[0] != '.';
    for (size_t i = 0; i < size && as_it_is; i++) as_it_is = is_plain(name[i]);
    if (as_it_is) return name;

    char hex[SHA256_HEX_SIZE];
    crypto_sha256_hex(str_from(name), hex);
    size_t kept = size < NAME_MAX_BYTES ? size : NAME_MAX_BYTES;
    char *folder = arena_printf(arena, "%.*s-%.8s", (int)kept, name, hex);
    for (size_t i = 0; i < kept; i++)
        if (!is_plain(folder[i]) || (i == 0 && folder[i] == '.')) folder[i] = '_';
    return folder;
}

const char *csv_number_text(uint64_t number, char out[CSV_NUMBER_SIZE])
{
    snprintf(out, CSV_NUMBER_SIZE, "%010" PRIu64, number);
    return out;
}

bool csv_number_read(const char *text, uint64_t *number)
{
    size_t size = strlen(text);
    if (size < 10) return false;
    for (size_t i = 0; i < size; i++)
        if (text[i] < '0' || text[i] > '9') return false;
    while (size > 1 && *text == '0') text++, size--;
    return number_to_uint64((struct str){text, size}, number);
}

const char *csv_pipeline_ledger(const char *root, const char *pipeline, struct arena *arena)
{
    return arena_printf(arena, "%s/.sluice/%s", root, csv_folder_name(pipeline, arena));
}

void csv_paths_of(const char *root, const char *pipeline, const char *flow, struct arena *arena, struct csv_paths *paths)
{
    const char *flow_name = csv_folder_name(flow, arena);
    paths->root = arena_strdup(arena, root);
    paths->data = arena_printf(arena, "%s/%s", root, csv_folder_name(pipeline, arena));
    paths->stage = arena_printf(arena, ".stage-%s", flow_name);
    paths->ledger = arena_printf(arena, "%s/%s", csv_pipeline_ledger(root, pipeline, arena), flow_name);
    paths->commits = arena_printf(arena, "%s/commits", paths->ledger);
    paths->rejects = arena_printf(arena, "%s/rejects", paths->ledger);
}

const char *csv_stream_folder(const struct csv_paths *paths, const char *stream, struct arena *arena)
{
    return arena_printf(arena, "%s/%s", paths->data, csv_folder_name(stream, arena));
}

int csv_fs_error(struct err *err)
{
    if (err->class == ERR_CONFIG || err->class == ERR_DATA) {
        err->class = ERR_DESTINATION;
        if (!err->hint[0]) return err_hint(err, "check the path of the csv destination and who may write to it");
    }
    return err->class;
}
