/* doctor: what this machine gives: the worker and which of its walls stand, where connectors and state are. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/print.h"
#include "connector/connector.h"
#include "os/fs.h"

static void row(const char *what, const char *state, const char *detail)
{
    printf("%-24s %-12s %s\n", what, state, detail ? detail : "");
}

static int show_walls(struct arena *arena)
{
    struct str json;
    struct cJSON *walls = NULL;
    struct err err = ERR_INIT;
    int rc = connector_walls(NULL, arena, &json, &err);
    if (rc == 0) rc = json_parse(json, 64 * 1024, &walls, &err);
    if (rc) {
        row("worker", "FAILED", err.message);
        return err_class_info(rc)->exit_code;
    }
    row("worker", "ok", "starts, and raises these walls:");
    for (const struct cJSON *wall = json_first(walls); wall; wall = json_next(wall)) {
        char name[80];
        snprintf(name, sizeof name, "  %s", json_key(wall));
        struct buf text = BUF_INIT(4096);
        if (json_string(wall))
            buf_append_text(&text, json_string(wall));
        else
            json_print(wall, &text);
        row(name, buf_text(&text), NULL);
        buf_release(&text);
    }
    json_free(walls);
    return 0;
}

static void show_connectors(struct arena *arena)
{
    const struct connector *found;
    size_t count;
    struct connector_path path = {0};
    struct buf names = BUF_INIT(4096);
    connector_list(&path, arena, &found, &count);
    for (size_t i = 0; i < count; i++) buf_printf(&names, "%s%s", i ? ", " : "", found[i].name);
    row("connectors", count ? "ok" : "none", buf_text(&names));
    buf_release(&names);
}

static int run(const struct arguments *arguments)
{
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    struct utsname kernel;
    char *folder;
    row("sluice", "ok", SLUICE_VERSION);
    if (uname(&kernel) == 0) row("kernel", "ok", kernel.release);
    int code = show_walls(&arena);
    show_connectors(&arena);
    if (fs_state_folder(argument_value(arguments, "--state-dir", NULL), &arena, &folder, &err) == 0)
        row("state directory", "ok", folder);
    else
        row("state directory", "FAILED", err.message);
    if (err.class) code = err_class_info(err.class)->exit_code;
    arena_release(&arena);
    return code;
}

static const struct cli_option OPTIONS[] = {OPTION_STATE_DIR};

const struct command COMMAND_DOCTOR = {
    .name = "doctor",
    .usage = "",
    .summary = "show what this machine gives: worker walls, connectors, state directory",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .run = run,
};
