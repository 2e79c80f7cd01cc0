/* find: connectors by path or by name. Names are looked up in a list of folders; each entry there is a folder with an init.lua,
 * a lone NAME.lua, or a native plugin, NAME.so. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "connector/connector.h"
#include "os/fs.h"

enum { MAX_ENTRIES = 10000, MAX_FOLDERS = 64 };

static const char LUA_ENDING[] = ".lua", NATIVE_ENDING[] = ".so";

struct folders {
    const char *list[MAX_FOLDERS];
    size_t count;
};

static void add_folder(struct folders *folders, const char *folder)
{
    if (folder && folders->count < MAX_FOLDERS) folders->list[folders->count++] = folder;
}

/* Beside the running program: where an installation keeps them, and where a source tree does, seen from its build folder. */
static void add_own_folders(struct folders *folders, struct arena *arena)
{
    static const char *const BESIDE[] = {"../share/sluice/connectors", "../lib/sluice/connectors", "../../connectors",
                                         "plugins"};
    char program[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    if (size <= 0) return;
    program[size] = '\0';
    const char *folder = fs_folder_of(arena, program);
    for (size_t i = 0; i < ARRAY_SIZE(BESIDE); i++) {
        const char *joined = fs_join(arena, folder, BESIDE[i]);
        char *real = realpath(joined, NULL); /* for messages without dots; a missing one is only listed */
        add_folder(folders, real ? arena_strdup(arena, real) : joined);
        free(real);
    }
}

static void list_folders(const struct connector_path *path, struct arena *arena, struct folders *folders)
{
    const char *base = path->base ? path->base : ".";
    for (size_t i = 0; i < path->configured_count; i++) add_folder(folders, fs_join(arena, base, path->configured[i]));
    add_folder(folders, fs_join(arena, base, "connectors"));
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (data && data[0] == '/')
        add_folder(folders, fs_join(arena, data, "sluice/connectors"));
    else if (home && home[0] == '/')
        add_folder(folders, fs_join(arena, home, ".local/share/sluice/connectors"));
    add_own_folders(folders, arena);
}

/* The connector that `file` is, a folder with init.lua, a .lua or .so file; NULL when it is none. */
static const struct connector *connector_at(const char *file, const char *origin, struct arena *arena)
{
    enum fs_kind kind = fs_kind(file);
    struct str name = fs_base_name(file);
    bool is_folder = kind == FS_FOLDER && fs_kind(fs_join(arena, file, "init.lua")) == FS_FILE;
    bool is_native = !is_folder && str_ends(name, str_from(NATIVE_ENDING));
    if (!is_folder && (kind != FS_FILE || !(is_native || str_ends(name, str_from(LUA_ENDING))))) return NULL;
    if (!is_folder) name.size -= is_native ? sizeof NATIVE_ENDING - 1 : sizeof LUA_ENDING - 1;
    if (!fs_is_plain_name(name) || name.data[0] == '.') return NULL;
    struct connector *connector = arena_new(arena, struct connector);
    *connector = (struct connector){arena_text(arena, name), arena_strdup(arena, file), arena_strdup(arena, origin), is_folder,
                                    is_native};
    return connector;
}

static int find_by_path(const struct connector_path *path, const char *given, struct arena *arena, const struct connector **out,
                        struct err *err)
{
    const char *file = fs_join(arena, path->base ? path->base : ".", given);
    char *real = realpath(file, NULL); /* "." and a trailing slash have a name then */
    if (real) file = arena_strdup(arena, real);
    free(real);
    if (str_equal(fs_base_name(file), STR("init.lua"))) file = fs_folder_of(arena, file);
    *out = connector_at(file, "path", arena);
    if (*out) return 0;
    if (fs_kind(file) == FS_MISSING) {
        err_set(err, ERR_CONFIG, "cannot find the connector '%s'", given);
        return err_hint(err, "give a .lua file or a folder with an init.lua; it was looked for at '%s'", file);
    }
    err_set(err, ERR_CONFIG, "cannot use '%s' as a connector", given);
    return err_hint(err, "a connector is a .lua file, a folder with an init.lua, or a native plugin's .so file");
}

static const struct connector *find_by_name(const struct folders *folders, struct str name, struct arena *arena)
{
    for (size_t i = 0; i < folders->count; i++) {
        const char *in_folder = fs_join(arena, folders->list[i], arena_text(arena, name));
        const struct connector *found = connector_at(in_folder, folders->list[i], arena);
        if (!found) found = connector_at(arena_printf(arena, "%s%s", in_folder, LUA_ENDING), folders->list[i], arena);
        if (!found) found = connector_at(arena_printf(arena, "%s%s", in_folder, NATIVE_ENDING), folders->list[i], arena);
        if (found) return found;
    }
    return NULL;
}

static int not_found(const struct folders *folders, const char *what, const char *name, const char *nearest, struct err *err)
{
    err_set(err, ERR_CONFIG, "there is no %s '%s'", what, name);
    struct buf places = BUF_INIT(360);
    for (size_t i = 0; i < folders->count; i++) buf_printf(&places, "%s%s", i ? ", " : "", folders->list[i]);
    err_hint(err, "%s%s%slooked in %s%s", nearest ? "did you mean '" : "", nearest ? nearest : "", nearest ? "'? " : "",
             buf_text(&places), places.failed ? " ..." : "");
    buf_release(&places);
    return ERR_CONFIG;
}

int connector_find(const struct connector_path *path, const char *name, struct arena *arena, const struct connector **out,
                   struct err *err)
{
    struct str text = str_from(name);
    bool is_file = str_ends(text, str_from(LUA_ENDING)) || str_ends(text, str_from(NATIVE_ENDING));
    if (strchr(name, '/') || is_file || str_equal(text, STR("."))) return find_by_path(path, name, arena, out, err);
    struct folders folders = {0};
    list_folders(path, arena, &folders);
    if (fs_is_plain_name(text) && name[0] != '.') {
        *out = find_by_name(&folders, text, arena);
        if (*out) return 0;
    }
    const struct connector *all;
    size_t count;
    connector_list(path, arena, &all, &count);
    return not_found(&folders, "connector", name, count ? str_nearest(text, &all[0].name, count, sizeof *all) : NULL, err);
}

int connector_find_parser(const struct connector_path *path, const struct connector *connector, const char *name,
                          struct arena *arena, const struct connector **out, struct err *err)
{
    struct folders folders = {0};
    add_folder(&folders, connector->is_folder ? connector->path : fs_folder_of(arena, connector->path));
    list_folders(path, arena, &folders);
    const char *file = arena_printf(arena, "%s%s", name, NATIVE_ENDING);
    bool is_name = fs_is_plain_name(str_from(name)) && name[0] != '.';
    for (size_t i = 0; i < folders.count && is_name; i++) {
        *out = connector_at(fs_join(arena, folders.list[i], file), folders.list[i], arena);
        if (*out && (*out)->is_native) return 0;
    }
    return not_found(&folders, "parser", name, NULL, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct connector *)a)->name, ((const struct connector *)b)->name);
}

void connector_list(const struct connector_path *path, struct arena *arena, const struct connector **out, size_t *count)
{
    struct folders folders = {0};
    struct map seen = MAP_INIT;
    list_folders(path, arena, &folders);
    for (size_t i = 0; i < folders.count; i++) {
        struct fs_entry *entries;
        size_t entry_count;
        struct err err = ERR_INIT;
        if (fs_kind(folders.list[i]) != FS_FOLDER ||
            fs_list(folders.list[i], MAX_ENTRIES, arena, &entries, &entry_count, &err) != 0)
            continue;
        for (size_t j = 0; j < entry_count; j++) {
            const struct connector *found =
                connector_at(fs_join(arena, folders.list[i], entries[j].name), folders.list[i], arena);
            if (found && !map_get(&seen, str_from(found->name)))
                map_set(&seen, str_from(found->name), (void *)(uintptr_t)found);
        }
    }
    struct connector *list = arena_array(arena, struct connector, seen.count + 1);
    *count = 0;
    const struct map_entry *entry;
    for (size_t at = 0; (entry = map_each(&seen, &at)) != NULL;) list[(*count)++] = *(const struct connector *)entry->value;
    qsort(list, *count, sizeof *list, by_name);
    *out = list;
    map_release(&seen);
}
