/* reference: see reference.h. Copies only the nodes on the way to a changed scalar. */
#include "sync/reference.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "os/fs.h"
#include "os/secret.h"

enum { NAMED_DEPTH = 3, /* parts down to this depth are asked about */ REFERENCE_FILE_MAX = 64 * 1024, TEXT_MAX = 1024 * 1024 };

/* What stands for a value that only the source would have needed. */
static const char REPLAYED[] = "replayed";

struct expansion {
    const char *folder;
    bool is_replayed;
    bool (*is_used)(void *context, const char *path);
    void *context;
    struct secrets *secrets;
    struct arena *arena;
    struct problems *problems;
};

static void append_file(struct expansion *expansion, const struct node *node, struct str path, struct buf *out)
{
    struct err err = ERR_INIT;
    struct buf content = BUF_INIT(REFERENCE_FILE_MAX);
    const char *full = path.size && path.data[0] == '/'
                           ? arena_text(expansion->arena, path)
                           : arena_printf(expansion->arena, "%s/" STR_FMT, expansion->folder, STR_ARG(path));
    bool is_open = fs_check_private(full, &err) != 0 && strncmp(err.hint, "chmod", 5) == 0;
    bool is_there = err.class == 0 && fs_read_file(full, REFERENCE_FILE_MAX, &content, &err) == 0;
    if (!is_there && expansion->is_replayed) {
        buf_append_text(out, REPLAYED);
    } else if (!is_there) {
        problems_add(expansion->problems, node, "%s", err.message);
        /* A secret that a container is given is a mounted file with whatever mode the mount says. */
        problems_hint(expansion->problems, "%s%s", err_hint_text(&err),
                      is_open ? ", or mount it so: defaultMode 0400 in Kubernetes, mode 0400 in Docker" : "");
    } else {
        struct str text = buf_str(&content);
        while (text.size && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r')) text.size--;
        buf_append_str(out, text);
        secrets_add(expansion->secrets, arena_printf(expansion->arena, "file:" STR_FMT, STR_ARG(path)), text);
    }
    buf_release(&content);
}

static void append_reference(struct expansion *expansion, const struct node *node, struct str name, struct buf *out)
{
    if (str_starts(name, STR("file:"))) {
        append_file(expansion, node, (struct str){name.data + 5, name.size - 5}, out);
        return;
    }
    const char *variable = arena_text(expansion->arena, name);
    const char *value = getenv(variable);
    if (!value && expansion->is_replayed) value = REPLAYED;
    if (!value) {
        problems_add(expansion->problems, node, "the environment variable %s is not set", variable);
        problems_hint(expansion->problems, "export %s=..., or write ${file:PATH} to read it from a file", variable);
        return;
    }
    buf_append_text(out, value);
}

static struct str expand_text(struct expansion *expansion, const struct node *node)
{
    struct str text = node->text;
    if (!text.size || !memmem(text.data, text.size, "${", 2)) return text;
    struct buf out = BUF_INIT(TEXT_MAX);
    size_t at = 0;
    while (at < text.size) {
        struct str rest = {text.data + at, text.size - at};
        const char *end = str_starts(rest, STR("${")) ? memchr(rest.data, '}', rest.size) : NULL;
        if (str_starts(rest, STR("$${"))) {
            buf_append_text(&out, "${");
            at += 3;
        } else if (end) {
            append_reference(expansion, node, (struct str){rest.data + 2, (size_t)(end - rest.data) - 2}, &out);
            at += (size_t)(end - rest.data) + 1;
        } else {
            buf_append_char(&out, text.data[at++]);
        }
    }
    struct str expanded = arena_copy(expansion->arena, buf_str(&out));
    buf_release(&out);
    return expanded;
}

static struct node expand_node(struct expansion *expansion, const struct node *node, const char *path, int depth)
{
    struct node copy = *node;
    if (depth <= NAMED_DEPTH && path[0] && !expansion->is_used(expansion->context, path)) return copy;
    if (node->kind != NODE_LIST && node->kind != NODE_MAP) {
        copy.text = expand_text(expansion, node);
        if (copy.text.data != node->text.data) copy.kind = NODE_STRING;
        return copy;
    }
    struct node *children = arena_array(expansion->arena, struct node, node->count + 1);
    for (size_t i = 0; i < node->count; i++) {
        const char *below = depth >= NAMED_DEPTH ? path
                                                 : arena_printf(expansion->arena, "%s%s" STR_FMT, path, path[0] ? "." : "",
                                                                STR_ARG(node->children[i].key));
        children[i] = expand_node(expansion, &node->children[i], below, depth + 1);
    }
    copy.children = children;
    return copy;
}

const struct node *reference_expand(const struct node *root, const char *folder, bool is_replayed,
                                    bool (*is_used)(void *context, const char *path), void *context, struct secrets *secrets,
                                    struct arena *arena, struct problems *problems)
{
    struct expansion expansion = {folder, is_replayed, is_used, context, secrets, arena, problems};
    struct node *expanded = arena_new(arena, struct node);
    *expanded = expand_node(&expansion, root, "", 0);
    return expanded;
}
