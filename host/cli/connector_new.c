/* connector new: a folder with a connector that runs, to be corrected. Never overwrites one. */
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
