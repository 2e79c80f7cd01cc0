/* roster: see roster.h. */
#include "service/roster.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/map.h"
#include "os/secret.h"
#include "service/store.h"

struct content {
    struct arena arena;
    struct secrets *secrets;
    const struct project *project;
    struct roster_pipeline *list;
    struct map by_name;
};

struct roster {
    const char *file;
    struct stat seen;        /* of the file when it was last looked at */
    pthread_rwlock_t lock;   /* of `current` being replaced */
    struct content *current; /* NULL until one was read */
    struct content *wrong;   /* holds the problems of a file that was refused */
};

struct roster *roster_new(const char *file)
{
    struct roster *roster = mem_zero(1, sizeof *roster);
    roster->file = file;
    pthread_rwlockattr_t kind;
    pthread_rwlockattr_init(&kind);
    pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP); /* readers never cease */
    pthread_rwlock_init(&roster->lock, &kind);
    pthread_rwlockattr_destroy(&kind);
    return roster;
}

static void content_free(struct content *content)
{
    if (!content) return;
    map_release(&content->by_name);
    arena_release(&content->arena);
    secrets_free(content->secrets);
    free(content);
}

void roster_free(struct roster *roster)
{
    if (!roster) return;
    content_free(roster->current);
    content_free(roster->wrong);
    pthread_rwlock_destroy(&roster->lock);
    free(roster);
}

static bool has_changed(struct roster *roster)
{
    struct stat now = {0};
    if (stat(roster->file, &now) != 0) return false; /* being replaced; or gone, which changes nothing for those that run */
    bool same = now.st_ino == roster->seen.st_ino && now.st_size == roster->seen.st_size &&
                now.st_mtim.tv_sec == roster->seen.st_mtim.tv_sec && now.st_mtim.tv_nsec == roster->seen.st_mtim.tv_nsec;
    roster->seen = now;
    return !same;
}

static void fill(struct content *content, struct problems *problems)
{
    size_t count = content->project->pipeline_count;
    content->list = arena_array(&content->arena, struct roster_pipeline, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct roster_pipeline *entry = &content->list[i];
        entry->pipeline = &content->project->pipelines[i];
        cadences_read(entry->pipeline, &content->arena, &entry->cadences, problems);
        entry->records = arena_array(&content->arena, struct cadence_record, entry->cadences.count);
        for (size_t c = 0; c < entry->cadences.count; c++) {
            const struct cadence *cadence = &entry->cadences.list[c];
            entry->records[c].stream = cadence->stream ? cadence->stream : "";
            entry->records[c].runs_at_once = cadence->schedule.kind != SCHEDULE_CRON;
        }
        map_set(&content->by_name, str_from(entry->pipeline->name), entry);
    }
}

bool roster_read(struct roster *roster, bool anyway, struct problems *problems)
{
    bool changed = has_changed(roster);
    if (!changed && !anyway) return false;
    struct content *content = mem_zero(1, sizeof *content);
    content->secrets = secrets_new();
    content->by_name = MAP_INIT;
    *problems = PROBLEMS_INIT(&content->arena);
    project_load(roster->file, PROJECT_SERVICE, false, content->secrets, &content->arena, &content->project, problems);
    if (problems->count == 0) fill(content, problems);
    struct content **place = problems->count ? &roster->wrong : &roster->current;
    pthread_rwlock_wrlock(&roster->lock);
    content_free(*place);
    *place = content;
    pthread_rwlock_unlock(&roster->lock);
    return problems->count == 0;
}

void roster_hold(struct roster *roster)
{
    pthread_rwlock_rdlock(&roster->lock);
}

void roster_let_go(struct roster *roster)
{
    pthread_rwlock_unlock(&roster->lock);
}

const char **roster_names(struct roster *roster, struct arena *arena, size_t *count)
{
    roster_hold(roster);
    const struct roster_pipeline *list = roster_list(roster, count);
    const char **names = arena_array(arena, const char *, *count + 1);
    for (size_t i = 0; i < *count; i++) names[i] = arena_strdup(arena, list[i].pipeline->name);
    roster_let_go(roster);
    return names;
}

const struct project *roster_project(const struct roster *roster)
{
    return roster->current ? roster->current->project : NULL;
}

struct roster_pipeline *roster_list(struct roster *roster, size_t *count)
{
    *count = roster->current ? roster->current->project->pipeline_count : 0;
    return roster->current ? roster->current->list : NULL;
}

struct roster_pipeline *roster_find(struct roster *roster, const char *name)
{
    return roster->current ? map_get(&roster->current->by_name, str_from(name)) : NULL;
}
