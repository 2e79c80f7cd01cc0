/* child: see child.h. */
#include "service/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

enum { READ_BYTES = 4096 };

struct child {
    struct process *process;
    int fd; /* what it writes to stderr */
    struct buf line;
};

int child_start(const char *const *words, size_t count, struct child **out, struct err *err)
{
    const char *argv[CHILD_WORDS_MAX + 5] = {"sluice", "run", "--log-format", "json"};
    int ends[2];
    CHECK(count <= CHILD_WORDS_MAX);
    memcpy(argv + 4, words, sizeof *words * count);
    if (pipe2(ends, O_CLOEXEC) != 0) return err_set(err, ERR_TRANSIENT, "could not make a pipe: %s", strerror(errno));
    struct process_fd fds[] = {{ends[1], STDERR_FILENO}};
    struct process_spec spec = {.program = "/proc/self/exe",
                                .argv = argv,
                                .environment = process_environment(),
                                .fds = fds,
                                .fd_count = 1,
                                .own_group = true};
    struct process *process;
    int rc = process_start(&spec, &process, err);
    close(ends[1]);
    if (rc) {
        close(ends[0]);
        return rc;
    }
    *out = mem_zero(1, sizeof **out);
    **out = (struct child){.process = process, .fd = ends[0], .line = BUF_INIT(CHILD_LINE_MAX)};
    return 0;
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
    close(child->fd);
    buf_release(&child->line);
    free(child);
}
