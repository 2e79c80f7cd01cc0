/* connector new: a folder with a connector that runs, to be corrected. Never overwrites one. One in Lua is written from what is
 * proposed; one in C is the installed template under its new name. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/connector_parts.h"
#include "cli/print.h"
#include "os/fs.h"
#include "rest/propose/propose.h"

enum { LUA_MAX_BYTES = 1024 * 1024 };

static int refuse_name(const char *name, struct err *err)
{
    size_t size = strlen(name);
    bool is_name = size > 0 && size <= 64 && name[0] >= 'a' && name[0] <= 'z' &&
                   strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == size;
    if (is_name) return 0;
    err_set(err, ERR_CONFIG, "'%s' is no name of a connector", name);
    return err_hint(err, "lower case letters, digits, '_' and '-', a letter first");
}

static int write_file(const char *folder, const char *name, struct str text, struct arena *arena, struct err *err)
{
    const char *path = arena_printf(arena, "%s/%s", folder, name);
    int fd, rc = fs_create(path, 0644, &fd, err);
    if (rc != 0) return rc;
    rc = fs_write_all(fd, text.data, text.size, path, err);
    close(fd);
    return rc;
}

static int make_proposal(const char *name, const char *from, struct arena *arena, struct proposal *proposal, struct err *err)
{
    if (!from) {
        propose_starter(name, arena, proposal);
        return 0;
    }
    struct buf text = BUF_INIT(PROPOSE_MAX_BYTES);
    int rc = fs_read_file(from, PROPOSE_MAX_BYTES, &text, err);
    if (rc == 0 && (rc = propose(buf_str(&text), name, arena, proposal, err)) != 0) err_context(err, "'%s'", from);
    buf_release(&text);
    return rc;
}

static int make_folder(const char *folder, struct err *err)
{
    if (fs_kind(folder) != FS_MISSING) {
        err_set(err, ERR_CONFIG, "'%s' is there already and is left as it is", folder);
        return err_hint(err, "choose another name, or remove it first");
    }
    return fs_make_folders(folder, 0755, err);
}

/* --- in C ---------------------------------------------------------------------------------------------------------------- */

/* Beside the running program: where an installation has the template, and where a source tree does, seen from its build. */
static int find_template(struct arena *arena, const char **folder, struct err *err)
{
    static const char *const BESIDE[] = {"../share/sluice/template/c", "../../sdk/template/c"};
    char program[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    program[size > 0 ? size : 0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(BESIDE); i++) {
        *folder = fs_join(arena, fs_folder_of(arena, program), BESIDE[i]);
        if (fs_kind(*folder) == FS_FOLDER) return 0;
    }
    err_set(err, ERR_CONFIG, "cannot find the template of a plugin at '%s'", *folder);
    return err_hint(err, "install sluice with `cmake --install`, which puts it there");
}

/* The text with the template's name replaced. */
static void rename_in(struct str text, const char *name, struct buf *out)
{
    static const char WORD[] = "template";
    const char *at;
    while (text.size && (at = memmem(text.data, text.size, WORD, strlen(WORD))) != NULL) {
        size_t before = (size_t)(at - text.data) + strlen(WORD);
        buf_append(out, text.data, before - strlen(WORD));
        buf_append_text(out, name);
        text = (struct str){text.data + before, text.size - before};
    }
    buf_append_str(out, text);
}

static int copy_template(const char *from, const char *file, const char *name, const char *folder, struct arena *arena,
                         struct err *err)
{
    struct buf text = BUF_INIT(LUA_MAX_BYTES), renamed = BUF_INIT(2 * LUA_MAX_BYTES), target = BUF_INIT(256);
    int rc = fs_read_file(fs_join(arena, from, file), LUA_MAX_BYTES, &text, err);
    rename_in(buf_str(&text), name, &renamed);
    rename_in(str_from(file), name, &target);
    if (rc == 0) rc = write_file(folder, buf_text(&target), buf_str(&renamed), arena, err);
    buf_release(&text);
    buf_release(&renamed);
    buf_release(&target);
    return rc;
}

int connector_new_native(const char *name, struct arena *arena)
{
    static const char *const FILES[] = {"CMakeLists.txt", "template.c"};
    const char *folder = arena_printf(arena, "plugins/%s", name), *template;
    struct err err = ERR_INIT;
    int rc = refuse_name(name, &err);
    if (rc == 0) rc = find_template(arena, &template, &err);
    if (rc == 0) rc = make_folder(folder, &err);
    for (size_t i = 0; i < ARRAY_SIZE(FILES) && rc == 0; i++) rc = copy_template(template, FILES[i], name, folder, arena, &err);
    if (rc != 0) return print_failure(NULL, &err, NULL);
    fprintf(stderr,
            "wrote %s/%s.c; next: `cmake -S %s -B %s/build && cmake --build %s/build`, then `sluice connector inspect "
            "%s/build/%s.so`\n",
            folder, name, folder, folder, folder, folder, name);
    return 0;
}

/* --- in Lua -------------------------------------------------------------------------------------------------------------- */

int connector_new(const char *name, const char *from, struct arena *arena)
{
    const char *folder = arena_printf(arena, "connectors/%s", name);
    struct proposal proposal;
    struct buf lua = BUF_INIT(LUA_MAX_BYTES);
    struct err err = ERR_INIT;
    int rc = refuse_name(name, &err);
    if (rc == 0) rc = make_proposal(name, from, arena, &proposal, &err);
    if (rc == 0) {
        proposal_to_lua(&proposal, &lua);
        if (lua.failed) rc = err_set(&err, ERR_CONFIG, "the connector would be larger than a file may be (1 MiB)");
    }
    if (rc == 0) rc = make_folder(folder, &err);
    if (rc == 0) rc = write_file(folder, "init.lua", buf_str(&lua), arena, &err);
    buf_release(&lua);
    if (rc != 0) return print_failure(NULL, &err, NULL);
    fprintf(stderr,
            "wrote %s/init.lua with %zu stream%s; next: `sluice connector describe ./%s`, correct it, `sluice connector lint "
            "./%s`\n",
            folder, proposal.stream_count, proposal.stream_count == 1 ? "" : "s", folder, folder);
    return 0;
}
