/* load: from a shared object to a descriptor that can be trusted to be one. The checks go from what can be read in any version
 * to what only this one has; the first that is not passed says why in its own words. */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "worker/plugin/parts.h"

struct loading {
    struct plugin *plugin;
    const char *object;
    void *handle;
    const struct sluice_plugin *(*entry)(void);
    const struct sluice_plugin *about;
    uint64_t profile;
    bool inspects;
};

/* Of a descriptor of version 1.0. */
enum { FIRST_SIZE = offsetof(struct sluice_plugin, setup) };

static const char *refuse(struct loading *loading, const char *format, ...) PRINTF_LIKE(2, 3);

static const char *refuse(struct loading *loading, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(loading->plugin->refusal, sizeof loading->plugin->refusal, format, arguments);
    va_end(arguments);
    return loading->plugin->refusal;
}

static const char *check_object(struct loading *loading)
{
    loading->handle = dlopen(loading->object, RTLD_NOW | RTLD_LOCAL);
    if (loading->handle) return NULL;
    const char *why = dlerror(), *behind = why ? strstr(why, loading->object) : NULL;
    if (behind && behind == why && why[strlen(loading->object)] == ':') why += strlen(loading->object) + 2;
    return refuse(loading, "it cannot be loaded: %s", why ? why : "no reason was given");
}

static const char *check_entry(struct loading *loading)
{
    void *symbol = dlsym(loading->handle, "sluice_plugin_entry");
    memcpy(&loading->entry, &symbol, sizeof symbol); /* ISO C has no cast from an object to a function */
    return symbol ? NULL : refuse(loading, "it exports no sluice_plugin_entry: does one of its files say SLUICE_PLUGIN(..)?");
}

static const char *check_descriptor(struct loading *loading)
{
    loading->about = loading->entry();
    return loading->about ? NULL : refuse(loading, "its sluice_plugin_entry gives NULL");
}

static const char *check_major(struct loading *loading)
{
    const struct sluice_plugin *about = loading->about;
    if (about->abi_major == SLUICE_ABI_MAJOR) return NULL;
    return refuse(loading, "it was built for version %u of the plugin interface, this host has version %d", about->abi_major,
                  SLUICE_ABI_MAJOR);
}

static const char *check_minor(struct loading *loading)
{
    const struct sluice_plugin *about = loading->about;
    if (about->abi_minor <= SLUICE_ABI_MINOR) return NULL;
    return refuse(loading, "it needs version %d.%u of the plugin interface, this host has %d.%d: a newer sluice runs it",
                  SLUICE_ABI_MAJOR, about->abi_minor, SLUICE_ABI_MAJOR, SLUICE_ABI_MINOR);
}

static const char *check_size(struct loading *loading)
{
    uint32_t size = loading->about->struct_size;
    if (size >= FIRST_SIZE) return NULL;
    return refuse(loading, "its descriptor has %u bytes, the first version had %d: was it begun with SLUICE_PLUGIN_HEADER?",
                  size, FIRST_SIZE);
}

static const char *check_value(struct loading *loading)
{
    uint32_t size = loading->about->value_size;
    if (size == sizeof(struct sluice_value)) return NULL;
    return refuse(loading, "its values have %u bytes, the host's %zu: was it built for another machine?", size,
                  sizeof(struct sluice_value));
}

static const char *check_profile(struct loading *loading)
{
    static const char *const NAMES[] = {NULL, "parse", "network", "files"};
    int32_t profile = loading->about->profile;
    if (profile < SLUICE_PARSE || profile > SLUICE_FILES) return refuse(loading, "it declares the unknown profile %d", profile);
    if (loading->inspects || (uint64_t)profile == loading->profile) return NULL;
    return refuse(loading, "it declares the profile %s, but was described with %s: did its file change?", NAMES[profile],
                  NAMES[loading->profile]);
}

static const char *check_texts(struct loading *loading)
{
    const struct sluice_plugin *about = loading->about;
    if (!about->name || !about->name[0]) return refuse(loading, "it has no name");
    if (!about->version || !about->version[0]) return refuse(loading, "it has no version");
    if (!about->description) return refuse(loading, "it has no description");
    size_t size = strnlen(about->description, PLUGIN_MAX_DESCRIPTION + 1);
    if (size > PLUGIN_MAX_DESCRIPTION) return refuse(loading, "its description is over 1 MiB");
    const char *at = about->description + strspn(about->description, " \t\r\n");
    return *at == '{' ? NULL : refuse(loading, "its description is no JSON object");
}

static const char *check_functions(struct loading *loading)
{
    const struct sluice_function *function = loading->about->functions;
    size_t count = 0;
    for (; function && function->place; function++) {
        if (!function->call) return refuse(loading, "its function for '%s' is NULL", function->place);
        if (++count > PLUGIN_MAX_FUNCTIONS) return refuse(loading, "it has over %d functions", PLUGIN_MAX_FUNCTIONS);
    }
    return NULL;
}

static const struct {
    const char *name; /* what was passed, for people */
    const char *(*passes)(struct loading *loading);
} CHECKS[] = {
    {"the object can be loaded", check_object},
    {"it exports sluice_plugin_entry", check_entry},
    {"it gives a descriptor", check_descriptor},
    {"its major version is the host's", check_major},
    {"its minor version is not newer", check_minor},
    {"its descriptor is whole", check_size},
    {"its values have 16 bytes", check_value},
    {"its profile is known", check_profile},
    {"it has a name, a version and a description", check_texts},
    {"its functions are there", check_functions},
};

const char *plugin_refusal(struct plugin *plugin, const char *object, uint64_t profile, bool inspects,
                           void (*trace)(struct plugin *plugin, const char *check))
{
    struct loading loading = {.plugin = plugin, .object = object, .profile = profile, .inspects = inspects};
    for (size_t i = 0; i < ARRAY_SIZE(CHECKS); i++) {
        const char *reason = CHECKS[i].passes(&loading);
        if (reason) return reason;
        if (trace) trace(plugin, CHECKS[i].name);
    }
    size_t size = loading.about->struct_size;
    memcpy(&plugin->about, loading.about, size < sizeof plugin->about ? size : sizeof plugin->about);
    return NULL;
}
