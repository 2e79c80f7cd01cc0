/* project: sluice.yaml. Whatever it holds, there is either a project whose pipelines are whole, or mistakes, each one line; a
 * tree read from YAML is the tree read from its JSON. */
#include "fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "data/node.h"
#include "os/secret.h"
#include "sync/project.h"

static void check_tree(struct str text)
{
    struct arena arena = ARENA_INIT(256 << 20);
    const struct node *yaml, *json;
    struct err err = ERR_INIT;
    struct buf first = BUF_INIT(64 << 20), second = BUF_INIT(64 << 20);
    int rc = node_from_yaml(text, "sluice.yaml", &arena, &yaml, &err);
    CHECK(rc == 0 || ((rc == ERR_CONFIG || rc == ERR_NOMEM) && strstr(err.message, "sluice.yaml")));
    if (rc == 0) {
        node_to_json(yaml, &first);
        CHECK(!first.failed && fuzz_is_utf8(buf_str(&first), true));
        CHECK(node_from_json(buf_str(&first), &arena, &json, &err) == 0);
        node_to_json(json, &second);
        CHECK(str_equal(buf_str(&first), buf_str(&second)));
    }
    buf_release(&first);
    buf_release(&second);
    arena_release(&arena);
}

static void check_project(const char *file)
{
    struct arena arena = ARENA_INIT(256 << 20);
    struct problems problems = PROBLEMS_INIT(&arena);
    struct secrets *secrets = secrets_new();
    const struct project *project = NULL;
    project_load(file, NULL, false, secrets, &arena, &project, &problems);
    CHECK((project == NULL) == (problems.count > 0));
    for (size_t i = 0; i < problems_listed(&problems); i++) {
        struct str message = str_from(problems.list[i].message);
        CHECK(message.size > 0 && !fuzz_contains(message, STR("\n")) && fuzz_is_utf8(message, true));
    }
    for (size_t i = 0; project && i < project->pipeline_count; i++) {
        const struct pipeline *pipeline = &project->pipelines[i];
        CHECK(pipeline->name && pipeline->connector && pipeline->destination && pipeline->writer);
        CHECK(pipeline->concurrency > 0 && pipeline->commit_bytes > 0 && pipeline->memory_bytes > 0);
        CHECK(project_pipeline(project, pipeline->name) == pipeline);
    }
    secrets_free(secrets);
    arena_release(&arena);
}

void fuzz(struct str input)
{
    char file[64];
    if (fuzz_contains(input, STR("file:"))) return; /* would read files of this machine */
    check_tree(input);
    int fd = memfd_create("sluice.yaml", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, input.data, input.size) == (ssize_t)input.size);
    snprintf(file, sizeof file, "/proc/self/fd/%d", fd);
    check_project(file);
    close(fd);
}
