/* init: writes a sluice.yaml to start from. Never overwrites one. */
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/command.h"
#include "cli/print.h"
#include "os/fs.h"

static const char TEMPLATE[] =
    "# sluice.yaml: what is moved where. `sluice help config` lists every key.\n"
    "\n"
    "# Where rows go.\n"
    "destinations:\n"
    "  staging: { type: csv, path: ./staging }          # files for any warehouse\n"
    "  # warehouse: { type: postgres, url: \"${WAREHOUSE_URL}\", schema: raw_data }\n"
    "\n"
    "# What is moved. The name keys the state: renaming a pipeline starts it anew.\n"
    "pipelines:\n"
    "  shop:\n"
    "    connector: shop                 # a name from `sluice connector list`, or a path to a .lua file\n"
    "    config:                         # `sluice connector describe shop` lists its keys\n"
    "      base_url: \"https://api.example-ecommerce.com\"\n"
    "      api_key: \"${SHOP_API_KEY}\"    # from the environment; ${file:PATH} reads a private file\n"
    "    destination: staging\n"
    "    # streams:                      # default: every stream with the connector's modes\n"
    "    #   orders:\n"
    "    #     sync_mode: incremental    # or full_refresh\n"
    "    #     write_mode: append_dedup  # or append, overwrite\n"
    "    #     columns: { note: { enabled: false, reason: \"personal data\" } }\n"
    "    # rate_limit: { requests: 50, per: 1s }\n"
    "    # concurrency: 4\n"
    "    # network: { allow_private: true }   # only for APIs on this machine or network\n";

static int run(const struct arguments *arguments)
{
    const char *file = argument_value(arguments, "--file", "sluice.yaml");
    struct err err = ERR_INIT;
    int fd;
    if (fs_kind(file) != FS_MISSING) {
        err_set(&err, ERR_CONFIG, "'%s' is there already and is left as it is", file);
        err_hint(&err, "choose another name with -f");
        return print_failure(NULL, &err, NULL);
    }
    if (fs_create(file, 0644, &fd, &err) != 0) return print_failure(NULL, &err, NULL);
    int rc = fs_write_all(fd, TEMPLATE, sizeof TEMPLATE - 1, file, &err);
    close(fd);
    if (rc) return print_failure(NULL, &err, NULL);
    fprintf(stderr, "wrote %s; next: edit it, then `sluice check` and `sluice run`\n", file);
    return 0;
}

static const struct cli_option OPTIONS[] = {{"--file", 'f', "FILE", false, "name of the new file (default: sluice.yaml)"}};

const struct command COMMAND_INIT = {
    .name = "init",
    .usage = "",
    .summary = "write a commented sluice.yaml to start from",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .run = run,
};
