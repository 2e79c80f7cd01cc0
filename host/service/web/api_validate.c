/* api_validate: what a sluice.yaml has for mistakes, before it takes the place of the one that is there. */
#include "os/secret.h"
#include "service/cadence.h"
#include "service/web/route.h"
#include "sync/project.h"

static void write_problem(struct json_writer *json, const struct problem *problem)
{
    json_open(json, '{');
    if (problem->line) json_member(json, "line"), json_int(json, problem->line);
    json_member(json, "message"), json_cstr(json, problem->message);
    if (problem->hint) json_member(json, "hint"), json_cstr(json, problem->hint);
    json_close(json, '}');
}

/* The file that serves now says where paths begin; nothing but the text is read, no reference either. */
static void read_text(const struct api_call *call, struct str text, struct arena *arena, struct problems *problems)
{
    const struct project *project;
    const struct node *root;
    struct secrets *secrets = secrets_new();
    struct err err = ERR_INIT;
    if (node_from_yaml(text, "", arena, &root, &err) != 0) {
        problems_add(problems, NULL, "%s", err.message);
        if (err.hint[0]) problems_hint(problems, "%s", err.hint);
    } else {
        project_read(root, call->settings->file, PROJECT_NOTHING, false, secrets, arena, &project, problems);
        for (size_t i = 0; project && i < project->pipeline_count; i++) {
            struct cadences cadences;
            cadences_read(&project->pipelines[i], arena, &cadences, problems);
        }
    }
    secrets_free(secrets);
}

int answer_validate(struct api_call *call, struct err *err)
{
    struct arena *arena = &call->request->arena;
    static const char *const KEYS[] = {"config", NULL};
    struct problems problems = PROBLEMS_INIT(arena);
    struct cJSON *body;
    int rc = api_body(call, KEYS, &body, err);
    if (rc) return rc;
    const char *text = json_string(json_get(body, "config"));
    if (text) read_text(call, arena_copy(arena, str_from(text)), arena, &problems);
    if (!text) return err_set(err, ERR_CONFIG, "config: expected the text of a sluice.yaml");
    json_open(&call->json, '{');
    json_member(&call->json, "valid"), json_bool(&call->json, problems.count == 0);
    json_member(&call->json, "problems");
    json_open(&call->json, '[');
    for (size_t i = 0; i < problems_listed(&problems); i++) write_problem(&call->json, &problems.list[i]);
    json_close(&call->json, ']');
    json_close(&call->json, '}');
    return 0;
}
