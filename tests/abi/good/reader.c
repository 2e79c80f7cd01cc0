/* reader: the profile `files` and sluice_emit_bytes: hands the host a CSV file to decode, whole. */
#include <errno.h>
#include <fcntl.h>
#include <sluice/plugin.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int page(struct sluice_session *session, void *instance)
{
    char bytes[8192], message[300];
    const char *path = sluice_config(session, "path"), *other = sluice_config(session, "other");
    int fd = open(other ? other : path, O_RDONLY);
    (void)instance;
    if (fd < 0) {
        snprintf(message, sizeof message, "cannot open '%s': %s", other ? other : path, strerror(errno));
        return sluice_fail(session, SLUICE_ERROR_CONFIG, message, "correct `path`");
    }
    ssize_t got = 0;
    int rc = 0;
    while (rc >= 0 && (got = read(fd, bytes, sizeof bytes)) > 0) rc = sluice_emit_bytes(session, bytes, (size_t)got);
    close(fd);
    return rc < 0 ? rc : 0;
}

static const struct sluice_plugin PLUGIN = {
    SLUICE_PLUGIN_HEADER,
    .profile = SLUICE_FILES,
    .name = "reader",
    .version = "1.0.0",
    .description = SLUICE_JSON({
        "config": {"path": {"type": "string", "required": true, "files": true}, "other": {"type": "string"}},
        "streams": {"rows": {"native": true, "format": "csv", "primary_key": "id", "fields": {"id": "integer"}}}
    }),
                 .page = page,
};
SLUICE_PLUGIN(PLUGIN);
