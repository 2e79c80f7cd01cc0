/* runs: see runs.h. */
#include "cli/runs.h"

#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "os/clock.h"
#include "os/fs.h"

#define ENDING ".ndjson"

enum { LIST_MAX = 10000 };

static int folder_of(const char *state_folder, const char *pipeline, struct arena *arena, const char **folder, struct err *err)
{
    char *state;
    int rc = fs_state_folder(state_folder, arena, &state, err);
    if (rc == 0) *folder = arena_printf(arena, "%s/runs/%s", state, pipeline);
    return rc;
}

static int list(const char *folder, struct arena *arena, const char ***names, size_t *count, struct err *err)
{
    struct fs_entry *entries = NULL;
    size_t found = 0;
    int rc = fs_kind(folder) == FS_FOLDER ? fs_list(folder, LIST_MAX, arena, &entries, &found, err) : 0;
    *names = arena_array(arena, const char *, found + 1);
    *count = 0;
    for (size_t i = found; rc == 0 && i > 0; i--) { /* they are sorted, and begin with their time */
        struct str name = str_from(entries[i - 1].name);
        if (entries[i - 1].kind != FS_FILE || !str_ends(name, STR(ENDING))) continue;
        name.size -= strlen(ENDING);
        (*names)[(*count)++] = arena_text(arena, name);
    }
    return rc;
}

int runs_keep(const char *state_folder, const char *pipeline, const struct buf *events, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    const char *folder, **names;
    char text[TIME_TEXT_MAX];
    size_t count = 0;
    int rc = folder_of(state_folder, pipeline, &arena, &folder, err);
    if (rc == 0) rc = fs_make_folders(folder, 0700, err);
    if (rc == 0) {
        const char *name = arena_text(&arena, (struct str){text, time_write_iso(clock_wall_us(clock_system()), text)});
        rc = fs_write_file(arena_printf(&arena, "%s/%s-%ld" ENDING, folder, name, (long)getpid()), 0600,
                           (struct str){events->data, events->size}, err);
    }
    if (rc == 0) rc = list(folder, &arena, &names, &count, err);
    for (size_t i = RUNS_KEPT; rc == 0 && i < count; i++)
        rc = fs_remove_file(arena_printf(&arena, "%s/%s" ENDING, folder, names[i]), err);
    arena_release(&arena);
    return rc;
}

int runs_list(const char *state_folder, const char *pipeline, struct arena *arena, const char *const **names, size_t *count,
              struct err *err)
{
    const char *folder, **found;
    int rc = folder_of(state_folder, pipeline, arena, &folder, err);
    if (rc == 0) rc = list(folder, arena, &found, count, err);
    if (rc == 0) *names = (const char *const *)found;
    return rc;
}

int runs_read(const char *state_folder, const char *pipeline, const char *name, struct buf *events, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    const char *folder;
    int rc = folder_of(state_folder, pipeline, &arena, &folder, err);
    const char *path = rc == 0 ? arena_printf(&arena, "%s/%s" ENDING, folder, name) : NULL;
    if (rc == 0 && (strchr(name, '/') || fs_kind(path) != FS_FILE)) {
        rc = err_set(err, ERR_CONFIG, "no run '%s' of pipeline '%s' is kept here", name, pipeline);
        err_hint(err, "sluice explain %s --list", pipeline);
    }
    if (rc == 0) rc = fs_read_file(path, RUN_MAX_BYTES, events, err);
    arena_release(&arena);
    return rc;
}
