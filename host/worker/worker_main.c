/* sluice-worker: the second program. Connector code runs here and nowhere else.
 *
 *     sluice-worker            the host's end of a socketpair is descriptor 3: LOAD, then calls, until it closes
 *     sluice-worker --plugin   likewise, for the native plugin whose shared object is descriptor 4: PLUGIN, then requests
 *     sluice-worker --walls    raises the walls around descriptor 1, prints which stand as one JSON line, ends
 *
 * It opens nothing and is told nothing but what comes in frames. It always leaves by _exit: at the end of its input with 0,
 * after a fault of the protocol with 2, after a limit with 3 (see lua/state.c). */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/stream.h"
#include "worker/lua/script.h"
#include "worker/plugin/plugin.h"
#include "worker/walls.h"

enum { CHANNEL_FD = 3, OBJECT_FD = 4, EXIT_PROTOCOL = 2 };

static int show_walls(void)
{
    struct walls walls;
    struct buf line = BUF_INIT(4096);
    walls_raise(STDOUT_FILENO, &walls);
    walls_to_json(&walls, &line);
    buf_append_char(&line, '\n');
    ssize_t written = write(STDOUT_FILENO, line.data, line.size);
    _exit(written == (ssize_t)line.size ? 0 : 1);
}

/* Answers a request that cannot be read, and ends. */
NORETURN static void refuse(struct wire_stream *stream, uint32_t id, const struct err *problem)
{
    struct buf out = BUF_INIT(4096);
    struct err err = ERR_INIT;
    struct wire_fail fail = {.kind = WIRE_FAIL_PROTOCOL, .message = str_from(problem->message)};
    wire_write_fail(&out, id, &fail);
    int rc = wire_send(stream, buf_str(&out), (struct wire_wait){.wait_ms = -1}, &err);
    _exit(rc == 0 ? EXIT_PROTOCOL : 0);
}

/* The next frame; the end of the input is the normal end. */
static struct wire_frame receive(struct wire_stream *stream)
{
    struct err err = ERR_INIT;
    struct wire_frame frame;
    int rc = wire_receive(stream, &frame, (struct wire_wait){.wait_ms = -1}, &err);
    if (rc == ERR_TRANSIENT) _exit(0);
    if (rc != 0) refuse(stream, 0, &err);
    return frame;
}

NORETURN static void serve(void)
{
    struct err err = ERR_INIT;
    struct wire_stream loading = WIRE_STREAM_INIT(CHANNEL_FD), calls = WIRE_STREAM_INIT(CHANNEL_FD);
    struct script *script = script_new(&calls, &err);
    struct walls walls;
    walls_raise(CHANNEL_FD, &walls);
    if (!script) refuse(&calls, 0, &err);

    /* The sources stay where they were received, for `require`: hence a stream of its own for the first frame. */
    struct wire_load load;
    struct wire_frame frame = receive(&loading);
    if (wire_read_load(&frame, &load, &err) != 0) refuse(&calls, frame.id, &err);
    script_describe(script, frame.id, &load);
    for (;;) {
        struct wire_call call;
        frame = receive(&calls);
        if (wire_read_call(&frame, &call, &err) != 0) refuse(&calls, frame.id, &err);
        script_call(script, frame.id, &call);
    }
}

NORETURN static void serve_plugin(void)
{
    struct err err = ERR_INIT;
    struct wire_stream stream = WIRE_STREAM_INIT(CHANNEL_FD);
    struct plugin *plugin = plugin_new(&stream, &err);
    if (!plugin) refuse(&stream, 0, &err);
    struct wire_plugin request;
    struct wire_frame frame = receive(&stream);
    if (wire_read_plugin(&frame, &request, &err) != 0) refuse(&stream, frame.id, &err);
    plugin_load(plugin, frame.id, &request, CHANNEL_FD, OBJECT_FD);
    for (;;) {
        frame = receive(&stream);
        plugin_answer(plugin, &frame);
    }
}

static bool is_socket(int fd)
{
    struct stat about;
    return fstat(fd, &about) == 0 && S_ISSOCK(about.st_mode);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--walls") == 0) return show_walls();
    if (argc == 1 && is_socket(CHANNEL_FD)) serve();
    if (argc == 2 && strcmp(argv[1], "--plugin") == 0 && is_socket(CHANNEL_FD)) serve_plugin();
    fprintf(stderr,
            "usage: sluice-worker [--walls]\nsluice starts this program itself; --walls prints how well it is shut in\n");
    return EXIT_PROTOCOL;
}
