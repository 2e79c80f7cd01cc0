/* listing: see files.h. The folder in front of the pattern is walked as far down as the pattern goes. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "files.h"

enum { MAX_DEPTH = 32, PATH_BYTES = 4096 };

struct walk {
    struct sluice_session *session;
    const char *base;
    const char *pattern; /* below the base; NULL: everything */
    struct file_list *list;
    int depth; /* how far down the pattern can reach */
};

static int fail_path(struct sluice_session *session, const char *what, const char *path, const char *hint)
{
    char message[PATH_BYTES];
    snprintf(message, sizeof message, "cannot %s '%s': %s", what, path, strerror(errno));
    return sluice_fail(session, errno == EACCES || errno == EPERM ? SLUICE_ERROR_PERMISSION : SLUICE_ERROR_CONFIG, message,
                       hint);
}

static bool matches(const struct walk *walk, const char *below)
{
    if (!walk->pattern) return true;
    if (!strstr(walk->pattern, "**")) return fnmatch(walk->pattern, below, FNM_PATHNAME | FNM_PERIOD) == 0;
    if (strncmp(walk->pattern, "**/", 3) == 0 && fnmatch(walk->pattern + 3, below, 0) == 0) return true;
    return fnmatch(walk->pattern, below, 0) == 0; /* its stars cross folders */
}

static int add(struct walk *walk, const char *below, const struct stat *about)
{
    struct file_list *list = walk->list;
    if (list->count == FILES_MAX)
        return sluice_fail(walk->session, SLUICE_ERROR_DATA, "the path finds over 100000 files",
                           "name a folder of fewer, or a narrower pattern");
    if (list->count % 256 == 0) {
        struct file_entry *grown = realloc(list->entries, (list->count + 256) * sizeof *grown);
        if (!grown) return sluice_fail(walk->session, SLUICE_ERROR_CONNECTOR, "out of memory", NULL);
        list->entries = grown;
    }
    char *path = strdup(below);
    if (!path) return sluice_fail(walk->session, SLUICE_ERROR_CONNECTOR, "out of memory", NULL);
    list->entries[list->count++] = (struct file_entry){
        .path = path,
        .mtime_ns = (int64_t)about->st_mtim.tv_sec * 1000000000 + about->st_mtim.tv_nsec,
        .size = about->st_size,
    };
    return 0;
}

static int walk_folder(struct walk *walk, const char *below, int depth);

static int walk_entry(struct walk *walk, const char *below, int depth)
{
    char path[PATH_BYTES];
    struct stat about;
    snprintf(path, sizeof path, "%s/%s", walk->base, below);
    if (stat(path, &about) != 0) return errno == ENOENT ? 0 : fail_path(walk->session, "look at", path, NULL);
    if (S_ISDIR(about.st_mode)) return depth < walk->depth ? walk_folder(walk, below, depth + 1) : 0;
    return S_ISREG(about.st_mode) && matches(walk, below) ? add(walk, below, &about) : 0;
}

static int walk_folder(struct walk *walk, const char *below, int depth)
{
    char path[PATH_BYTES], inside[PATH_BYTES];
    snprintf(path, sizeof path, "%s%s%s", walk->base, below[0] ? "/" : "", below);
    DIR *folder = opendir(path);
    if (!folder) return fail_path(walk->session, "open the folder", path, "correct `path`, or who may read it");
    const struct dirent *entry;
    int rc = 0;
    while (rc == 0 && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        int size = snprintf(inside, sizeof inside, "%s%s%s", below, below[0] ? "/" : "", entry->d_name);
        if (size < (int)sizeof inside) rc = walk_entry(walk, inside, depth);
    }
    closedir(folder);
    return rc;
}

int files_compare(const struct file_entry *a, const struct file_entry *b, enum file_order order)
{
    if (order == ORDER_MTIME && a->mtime_ns != b->mtime_ns) return a->mtime_ns < b->mtime_ns ? -1 : 1;
    return strcmp(a->path, b->path);
}

static int by_name(const void *a, const void *b)
{
    return files_compare(a, b, ORDER_NAME);
}

static int by_mtime(const void *a, const void *b)
{
    return files_compare(a, b, ORDER_MTIME);
}

/* A lone file is listed by its name, below its folder. */
static int list_one(struct walk *walk, const char *path, const struct stat *about, char **base)
{
    const char *slash = strrchr(path, '/');
    *base = strndup(path, slash > path ? (size_t)(slash - path) : 1);
    if (!*base) return sluice_fail(walk->session, SLUICE_ERROR_CONNECTOR, "out of memory", NULL);
    return add(walk, slash + 1, about);
}

int files_list(struct sluice_session *session, const char *pattern, enum file_order order, char **base, struct file_list *list)
{
    struct walk walk = {.session = session, .list = list, .depth = MAX_DEPTH};
    struct stat about;
    *list = (struct file_list){0};
    *base = NULL;
    size_t plain = strcspn(pattern, "*?[");
    if (!pattern[plain]) {
        if (stat(pattern, &about) != 0)
            return fail_path(session, "find", pattern, "correct `path`: a file, a folder or a pattern");
        if (!S_ISDIR(about.st_mode)) return list_one(&walk, pattern, &about, base);
        *base = strdup(pattern);
    } else {
        const char *slash = memrchr(pattern, '/', plain);
        *base = strndup(pattern, slash && slash > pattern ? (size_t)(slash - pattern) : 1);
        walk.pattern = slash ? slash + 1 : pattern;
        walk.depth = 0;
        for (const char *c = walk.pattern; *c; c++) walk.depth += *c == '/';
        if (strstr(walk.pattern, "**")) walk.depth = MAX_DEPTH;
    }
    if (!*base) return sluice_fail(session, SLUICE_ERROR_CONNECTOR, "out of memory", NULL);
    walk.base = *base;
    int rc = walk_folder(&walk, "", 0);
    if (rc == 0 && list->count)
        qsort(list->entries, list->count, sizeof *list->entries, order == ORDER_NAME ? by_name : by_mtime);
    return rc;
}

void files_list_free(struct file_list *list)
{
    for (size_t i = 0; i < list->count; i++) free(list->entries[i].path);
    free(list->entries);
    *list = (struct file_list){0};
}
