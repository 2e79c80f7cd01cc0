/* case_read: the keys of a case, and its file. */
#include <stdio.h>
#include <string.h>

#include "cli/case.h"
#include "data/option.h"
#include "net/cassette.h"
#include "os/fs.h"

static const struct option ERROR_OPTIONS[] = {
    {"class", OPTION_ENUM, OPTION_REQUIRED, NULL,
     "config|auth|permission|rate_limit|transient|stalled|source|data|schema|connector", NULL, "what kind of failure"},
    {"stream", OPTION_STRING, 0, NULL, NULL, NULL, "the stream that fails; left out: any, or the sync as a whole"},
    {"message", OPTION_STRING, 0, NULL, NULL, NULL, "its message; *** stands for any text"},
};
static const struct option_table ERROR_TABLE = OPTION_TABLE("an expected error", ERROR_OPTIONS);

static const struct option SYNC_OPTIONS[] = {
    {"now", OPTION_TIMESTAMP, 0, NULL, NULL, NULL, "the time this sync begins"},
    {"exchanges", OPTION_STRING, 0, NULL, NULL, NULL, "requests and their answers, see `net/cassette`"},
    {"cassette", OPTION_STRING, 0, NULL, NULL, NULL, "a file with them instead, relative to the case"},
    {"rows", OPTION_MAP_OF, 0, NULL, NULL, NULL, "per stream: the rows of its table afterwards, a JSON object a line"},
    {"state", OPTION_STRING, 0, NULL, NULL, NULL, "what is remembered afterwards, an entry a line"},
    {"rejects", OPTION_STRING, 0, NULL, NULL, NULL, "the rejected records and values, one a line"},
    {"error", OPTION_ANY, 0, NULL, NULL, NULL, "the failure it ends with, or a list of those of several streams"},
};
static const struct option_table SYNC_TABLE = OPTION_TABLE("a sync of a case", SYNC_OPTIONS);

static const struct option CASE_OPTIONS[] = {
    {"now", OPTION_TIMESTAMP, 0, NULL, NULL, NULL, "the time the syncs begin; 2024-06-01T00:00:00Z"},
    {"config", OPTION_ANY, 0, NULL, NULL, NULL, "the connector's configuration; secrets are made up"},
    {"pipeline", OPTION_ANY, 0, NULL, NULL, NULL, "further keys of a pipeline in sluice.yaml: streams, rate_limit, ..."},
    {"syncs", OPTION_LIST_OF, OPTION_REQUIRED, NULL, NULL, &SYNC_TABLE, "one after the other, on the same tables and state"},
};
static const struct option_table CASE_TABLE = OPTION_TABLE("a case", CASE_OPTIONS);

/* One, or a list of them. */
static void check_errors(const struct node *error, size_t sync, struct problems *problems)
{
    bool is_list = node_is(error, NODE_LIST);
    for (size_t i = 0; error && i < (is_list ? error->count : 1); i++) {
        const struct node *entry = is_list ? &error->children[i] : error;
        char path[64];
        snprintf(path, sizeof path, is_list ? "syncs.%zu.error.%zu" : "syncs.%zu.error", sync, i);
        if (node_is(entry, NODE_MAP))
            option_check(&ERROR_TABLE, entry, path, problems);
        else
            problems_add(problems, entry, "%s: expected a map with `class`, not %s", path, node_kind_name(entry->kind));
    }
}

/* So that their mistakes are told together with all others. */
static void check_exchanges(const struct case_file *file, const struct node *exchanges, struct problems *problems)
{
    struct cassette *cassette;
    if (!node_is(exchanges, NODE_STRING)) return;
    cassette_read(node_text(exchanges), file->path, exchanges->line + 1, 0, &cassette, problems);
    cassette_free(cassette);
}

void case_read(const char *path, struct arena *arena, struct case_file *out, struct problems *problems)
{
    struct err err = ERR_INIT;
    struct buf text = BUF_INIT(CASE_MAX_BYTES);
    struct str name = fs_base_name(path);
    const char *dot = memrchr(name.data, '.', name.size);
    *out = (struct case_file){.path = arena_strdup(arena, path)};
    out->name = arena_text(arena, (struct str){name.data, dot ? (size_t)(dot - name.data) : name.size});
    if (fs_read_file(path, CASE_MAX_BYTES, &text, &err) == 0) {
        out->text = arena_copy(arena, buf_str(&text));
        if (node_from_yaml(out->text, out->path, arena, &out->root, &err) != 0) out->root = NULL;
    }
    buf_release(&text);
    if (err.class) {
        problems_add(problems, NULL, "%s", err.message);
        if (err.hint[0]) problems_hint(problems, "%s", err.hint);
        return;
    }
    if (!node_is(out->root, NODE_MAP)) {
        struct node place = {.file = out->path, .line = 1};
        problems_add(problems, &place, "expected a case, a map with 'syncs', not %s", node_kind_name(out->root->kind));
        return;
    }
    option_check(&CASE_TABLE, out->root, "", problems);
    out->syncs = node_get(out->root, "syncs");
    for (size_t i = 0; node_is(out->syncs, NODE_LIST) && i < out->syncs->count; i++) {
        const struct node *sync = &out->syncs->children[i];
        if (!node_is(sync, NODE_MAP) || !node_get(sync, "exchanges") == !node_get(sync, "cassette")) {
            problems_add(problems, sync, "syncs.%zu: expected `exchanges` or `cassette`, and not both", i);
            continue;
        }
        check_exchanges(out, node_get(sync, "exchanges"), problems);
        check_errors(node_get(sync, "error"), i, problems);
    }
}
