/* blocks: see blocks.h. */
#include "sync/blocks.h"

#include <string.h>

#include "base/json.h"

enum { BLOCKS_MAX = 64 * 1024 };

/* The choice of a stream in a list that has room for one more; a stream without one gets the defaults, where all are loaded. */
static struct stream_choice *choice_for(struct pipeline *pipeline, struct stream_choice *list, const char *stream)
{
    for (size_t i = 0; i < pipeline->stream_count; i++)
        if (strcmp(list[i].name, stream) == 0) return &list[i];
    if (pipeline->chooses_streams) return NULL;
    list[pipeline->stream_count] = pipeline->defaults;
    list[pipeline->stream_count].name = stream;
    return &list[pipeline->stream_count++];
}

static int block(struct stream_choice *choice, const struct cJSON *columns, struct arena *arena, struct err *err)
{
    size_t count = choice->blocked_count;
    for (const struct cJSON *column = json_first(columns); column; column = json_next(column)) count++;
    const char **blocked = arena_array(arena, const char *, count + 1), **reasons = arena_array(arena, const char *, count + 1);
    if (choice->blocked_count) memcpy(blocked, choice->blocked, choice->blocked_count * sizeof *blocked);
    if (choice->blocked_count) memcpy(reasons, choice->blocked_reasons, choice->blocked_count * sizeof *reasons);
    count = choice->blocked_count;
    for (const struct cJSON *column = json_first(columns); column; column = json_next(column)) {
        if (!json_string(column)) return err_set(err, ERR_CONFIG, "--block: a column's name is a text");
        blocked[count++] = arena_strdup(arena, json_string(column));
    }
    choice->blocked = blocked;
    choice->blocked_reasons = reasons;
    choice->blocked_count = count;
    return 0;
}

int blocks_apply(const struct pipeline *pipeline, const char *json, struct arena *arena, const struct pipeline **out,
                 struct err *err)
{
    struct cJSON *root = NULL;
    size_t more = 0;
    *out = pipeline;
    if (!json) return 0;
    if (json_parse(str_from(json), BLOCKS_MAX, &root, err) != 0 || !json_is_object(root)) {
        json_free(root);
        err_set(err, ERR_CONFIG, "--block: expected a JSON object");
        return err_hint(err, "like {\"orders\": [\"email\", \"phone\"]}");
    }
    for (const struct cJSON *stream = json_first(root); stream; stream = json_next(stream)) more++;
    struct pipeline *copy = arena_new(arena, struct pipeline);
    *copy = *pipeline;
    struct stream_choice *list = arena_array(arena, struct stream_choice, pipeline->stream_count + more + 1);
    if (pipeline->stream_count) memcpy(list, pipeline->streams, pipeline->stream_count * sizeof *list);
    int rc = 0;
    for (const struct cJSON *stream = json_first(root); stream && rc == 0; stream = json_next(stream)) {
        struct stream_choice *choice = choice_for(copy, list, arena_strdup(arena, json_key(stream)));
        if (!json_is_array(stream))
            rc = err_set(err, ERR_CONFIG, "--block: expected a list of columns for '%.100s'", json_key(stream));
        else if (choice)
            rc = block(choice, stream, arena, err);
    }
    json_free(root);
    copy->streams = list;
    *out = copy;
    return rc;
}
