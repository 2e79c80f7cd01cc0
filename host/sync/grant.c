/* grant: see grant.h. */
#include "sync/grant.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "os/fs.h"

enum { MAX_PORTS = 64 };

/* --- hosts --------------------------------------------------------------------------------------------------------------- */

static bool is_port(struct str text, uint16_t *port)
{
    int64_t number;
    if (!number_to_int64(text, &number) || number < 1 || number > UINT16_MAX) return false;
    *port = (uint16_t)number;
    return true;
}

static size_t add_port(uint16_t port, uint16_t *ports, size_t count, size_t room)
{
    for (size_t i = 0; i < count; i++)
        if (ports[i] == port) return count;
    if (count < room) ports[count++] = port;
    return count;
}

/* What stands behind the last colon of a host, which may be an address in brackets. */
static uint16_t port_of(struct str host, uint16_t fallback)
{
    uint16_t port = fallback;
    const char *bracket = host.size ? memrchr(host.data, ']', host.size) : NULL;
    const char *colon = host.size ? memrchr(host.data, ':', host.size) : NULL;
    if (!colon || (bracket && colon < bracket)) return fallback;
    struct str text = {colon + 1, (size_t)(host.data + host.size - colon - 1)};
    return is_port(text, &port) ? port : fallback;
}

/* The hosts of a URL: behind the scheme and the credentials, up to the path or the query. */
static struct str authority_of(struct str value)
{
    const char *scheme = value.size ? memmem(value.data, value.size, "://", 3) : NULL;
    if (scheme) value = (struct str){scheme + 3, (size_t)(value.data + value.size - scheme - 3)};
    for (size_t i = 0; scheme && i < value.size; i++)
        if (value.data[i] == '/' || value.data[i] == '?') value.size = i;
    const char *at = value.size ? memrchr(value.data, '@', value.size) : NULL;
    return at ? (struct str){at + 1, (size_t)(value.data + value.size - at - 1)} : value;
}

/* `port=5433` of a list of words; commas as in the hosts beside it. False when nothing is said so. */
static bool words_name(struct str value, struct str *ports)
{
    struct str word;
    while (str_next(&value, ' ', &word))
        if (str_starts(word, STR("port="))) {
            *ports = (struct str){word.data + 5, word.size - 5};
            return true;
        }
    return false;
}

size_t grant_ports(struct str value, uint16_t fallback, uint16_t *ports, size_t room)
{
    size_t count = 0;
    struct str list, item;
    uint16_t port;
    bool is_url = value.size && memmem(value.data, value.size, "://", 3);
    if (!is_url && words_name(value, &list)) {
        while (str_next(&list, ',', &item))
            if (is_port(item, &port)) count = add_port(port, ports, count, room);
        return count;
    }
    if (!is_url && value.size && memchr(value.data, '=', value.size)) return add_port(fallback, ports, 0, room);
    list = authority_of(value);
    if (!list.size) return add_port(fallback, ports, 0, room);
    while (str_next(&list, ',', &item)) count = add_port(port_of(authority_of(str_trim(item)), fallback), ports, count, room);
    return count;
}

/* --- files --------------------------------------------------------------------------------------------------------------- */

/* What is below the longest part of a path without a pattern. */
static const char *folder_of_pattern(const char *path, struct arena *arena)
{
    size_t plain = strcspn(path, "*?[");
    if (path[plain] == '\0') return path;
    const char *slash = memrchr(path, '/', plain);
    size_t size = slash && slash > path ? (size_t)(slash - path) : 1;
    return arena_text(arena, (struct str){path, size});
}

/* --- all of it ----------------------------------------------------------------------------------------------------------- */

const struct connector_grant *grant_make(const char *profile, const struct config *config, const char *folder,
                                         bool allow_private, struct arena *arena)
{
    struct connector_grant *grant = arena_new(arena, struct connector_grant);
    size_t count = config->table->count;
    struct connector_setting *settings = arena_array(arena, struct connector_setting, count + 1);
    const char **paths = arena_array(arena, const char *, count + 1);
    uint16_t *ports = arena_array(arena, uint16_t, MAX_PORTS);
    *grant = (struct connector_grant){
        .profile = profile, .ports = ports, .paths = paths, .settings = settings, .allow_private = allow_private};
    bool may_know = strcmp(profile, "parse") != 0;
    char *absolute = realpath(folder[0] ? folder : ".", NULL);
    if (absolute) folder = arena_strdup(arena, absolute);
    free(absolute);
    for (size_t i = 0; i < count; i++) {
        const struct config_entry *entry = &config->table->entries[i];
        const struct config_value *value = &config->values[i];
        if (!value->is_set || (entry->secret && !may_know)) continue;
        const char *text = value->text.data;
        if (entry->is_files) {
            text = fs_join(arena, folder, text);
            paths[grant->path_count++] = folder_of_pattern(text, arena);
        }
        if (entry->port) {
            size_t room = MAX_PORTS - grant->port_count;
            grant->port_count += grant_ports(value->text, (uint16_t)entry->port, ports + grant->port_count, room);
        }
        settings[grant->setting_count++] = (struct connector_setting){entry->name, text};
    }
    return grant;
}
