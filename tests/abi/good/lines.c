/* lines: sluice_config with a secret, sluice_resolve and sluice_fail: says who it is to a server and reads its lines. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sluice/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail_errno(struct sluice_session *session, const char *what)
{
    char message[200];
    snprintf(message, sizeof message, "could not %s: %s", what, strerror(errno));
    return sluice_fail(session, SLUICE_ERROR_TRANSIENT, message, "is the server up?");
}

static int connect_to(struct sluice_session *session, const char *host, uint16_t port, int *fd)
{
    char addresses[4][46];
    size_t count = 4;
    int rc = sluice_resolve(session, host, port, addresses, &count);
    if (rc) return rc;
    for (size_t i = 0; i < count && i < 4; i++) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
        if (inet_pton(AF_INET, addresses[i], &to.sin_addr) != 1) continue;
        *fd = socket(AF_INET, SOCK_STREAM, 0);
        if (*fd >= 0 && connect(*fd, (struct sockaddr *)&to, sizeof to) == 0) return 0;
        if (*fd >= 0) close(*fd);
    }
    return fail_errno(session, "connect");
}

static int dial(struct sluice_session *session, int *fd)
{
    const char *address = sluice_config(session, "address"), *other = sluice_config(session, "other_port");
    const char *colon = strrchr(address, ':');
    char host[128], hello[256];
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    int rc = connect_to(session, host, (uint16_t)atoi(other ? other : colon + 1), fd);
    if (rc) return rc;
    int size = snprintf(hello, sizeof hello, "%s\n", sluice_config(session, "password"));
    return write(*fd, hello, (size_t)size) == size ? 0 : fail_errno(session, "send");
}

static int check(struct sluice_session *session)
{
    int fd = -1, rc = dial(session, &fd);
    if (fd >= 0) close(fd);
    return rc;
}

static int page(struct sluice_session *session, void *instance)
{
    char bytes[4096];
    int fd = -1, rc = dial(session, &fd);
    (void)instance;
    if (rc) return rc;
    size_t size = 0;
    ssize_t got;
    while (size < sizeof bytes && (got = read(fd, bytes + size, sizeof bytes - size)) > 0) size += (size_t)got;
    close(fd);
    if (size >= 2 && memcmp(bytes, "NO", 2) == 0)
        return sluice_fail(session, SLUICE_ERROR_AUTH, "the server refuses the password", "correct `password`");
    for (char *at = bytes, *end; (end = memchr(at, '\n', (size_t)(bytes + size - at))) != NULL; at = end + 1) {
        const struct sluice_value row[1] = {sluice_text(at, (size_t)(end - at))};
        if (sluice_emit(session, 0, SLUICE_UPSERT, row, 1) < 0) return -1;
    }
    return 0;
}

static const struct sluice_plugin PLUGIN = {
    SLUICE_PLUGIN_HEADER,
    .profile = SLUICE_NETWORK,
    .name = "lines",
    .version = "1.0.0",
    .description = SLUICE_JSON({
        "config": {
            "address": {"type": "string", "required": true, "connect": 7000},
            "other_port": {"type": "integer"},
            "password": {"type": "string", "secret": true, "required": true}
        },
        "streams": {"lines": {"native": true, "fields": {"line": "string"}}}
    }), .check = check, .page = page,
};
SLUICE_PLUGIN(PLUGIN);
