/* child: see child.h. */
#include "service/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

enum { READ_BYTES = 4096 };

/* What a child is started with, until it runs. */
struct start {
    const char *argv[CHILD_WORDS_MAX + 5];
    struct process_fd theirs; /* its end of the pipe */
    struct process_spec spec;
};

struct child {
    struct process *process;
    struct start *start; /* NULL: it runs */
    int fd;              /* what it writes to stderr */
    struct buf line;
};

static struct start *make_start(const char *const *words, size_t count, int theirs)
{
    static const char *const FIRST[] = {"sluice", "run", "--log-format", "json"};
    struct start *start = mem_zero(1, sizeof *start);
    CHECK(count <= CHILD_WORDS_MAX);
    memcpy(start->argv, FIRST, sizeof FIRST);
    memcpy(start->argv + ARRAY_SIZE(FIRST), words, sizeof *words * count);
    start->theirs = (struct process_fd){theirs, STDERR_FILENO};
    start->spec = (struct process_spec){.program = "/proc/self/exe",
                                        .argv = start->argv,
                                        .environment = process_environment(),
                                        .fds = &start->theirs,
                                        .fd_count = 1,
                                        .own_group = true};
    return start;
}

static void end_start(struct child *child)
{
    close(child->start->theirs.ours);
    free(child->start);
    child->start = NULL;
}

static void child_free(struct child *child)
{
    close(child->fd);
    buf_release(&child->line);
    free(child);
}

int child_begin(const char *const *words, size_t count, struct child **out, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return err_set(err, ERR_TRANSIENT, "could not make a pipe: %s", strerror(errno));
    struct child *child = mem_zero(1, sizeof *child);
    *child = (struct child){.start = make_start(words, count, ends[1]), .fd = ends[0], .line = BUF_INIT(CHILD_LINE_MAX)};
    int rc = process_begin(&child->start->spec, &child->process, err);
    if (rc) {
        end_start(child);
        child_free(child);
    } else {
        *out = child;
    }
    return rc;
}

int child_begun(struct child *child, struct err *err)
{
    int rc = process_begun(child->process, err);
    end_start(child);
    if (rc) child_free(child);
    return rc;
}

int child_start(const char *const *words, size_t count, struct child **out, struct err *err)
{
    struct child *child;
    int rc = child_begin(words, count, &child, err);
    if (rc == 0) rc = child_begun(child, err);
    if (rc == 0) *out = child;
    return rc;
}

int child_fd(const struct child *child)
{
    return child->fd;
}

static void take_lines(struct buf *text, void (*line)(void *context, struct str line), void *context)
{
    char *newline;
    size_t taken = 0;
    while (taken < text->size && (newline = memchr(text->data + taken, '\n', text->size - taken)) != NULL) {
        size_t size = (size_t)(newline - text->data) - taken;
        line(context, (struct str){text->data + taken, size});
        taken += size + 1;
    }
    if (taken == 0) return;
    memmove(text->data, text->data + taken, text->size - taken);
    text->size -= taken;
}

bool child_read(struct child *child, void (*line)(void *context, struct str line), void *context)
{
    char *place = buf_reserve(&child->line, READ_BYTES);
    if (!place) {
        line(context, buf_str(&child->line));
        buf_clear(&child->line);
        place = buf_reserve(&child->line, READ_BYTES);
    }
    ssize_t size = read(child->fd, place, READ_BYTES);
    if (size <= 0) return size < 0 && errno == EINTR;
    buf_advance(&child->line, (size_t)size);
    take_lines(&child->line, line, context);
    return true;
}

void child_kill(struct child *child, int signal_number)
{
    process_kill(child->process, signal_number);
}

void child_end(struct child *child, struct process_end *end)
{
    process_wait(child->process, -1, NULL, end);
    process_free(child->process);
    child_free(child);
}
