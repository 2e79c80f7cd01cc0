/* device: see device.h. What is shown to people comes from a server and goes to a terminal: it is held to visible characters.
 */
#include "net/device.h"

#include <string.h>

#include "base/json.h"
#include "net/auth_token.h"
#include "net/url.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/secret.h"

enum {
    INTERVAL_MIN_MS = 1000,
    INTERVAL_MS = 5000, /* without a word of the server's (RFC 8628 3.2), and what slow_down adds (3.5) */
    INTERVAL_MAX_MS = 60 * 1000,
    LIFE_MS = 15 * 60 * 1000, /* without a word of the server's */
    LIFE_MAX_MS = 60 * 60 * 1000,
    USER_CODE_MAX = 64,
    DEVICE_CODE_MAX = 8 * 1024,
};

/* --- the code ----------------------------------------------------------------------------------------------------------- */

static bool is_visible(const char *text, size_t max)
{
    for (const char *c = text; *c; c++)
        if (*c < ' ' || *c > '~') return false;
    return text[0] && strlen(text) <= max;
}

static bool is_web_url(const char *text, struct arena *arena)
{
    struct url url;
    struct err ignored = ERR_INIT;
    bool is_web = strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0;
    return is_web && is_visible(text, URL_MAX_BYTES) && !strchr(text, ' ') &&
           url_parse(str_from(text), arena, &url, &ignored) == 0;
}

static int64_t read_ms(const struct cJSON *json, const char *key, int64_t fallback_ms, int64_t least_ms, int64_t most_ms)
{
    double seconds;
    if (!json_number(json_get(json, key), &seconds)) return fallback_ms;
    if (!(seconds * 1000 > (double)least_ms)) return least_ms;
    return seconds * 1000 < (double)most_ms ? (int64_t)(seconds * 1000) : most_ms;
}

static int read_login(const struct cJSON *json, const struct device_options *options, struct arena *arena,
                      struct device_login *login, struct err *err)
{
    const char *device_code = json_string(json_get(json, "device_code")), *user_code = json_string(json_get(json, "user_code"));
    const char *url = json_string(json_get(json, "verification_uri"));
    const char *complete = json_string(json_get(json, "verification_uri_complete"));
    if (!url) url = json_string(json_get(json, "verification_url")); /* Google's name, from before the RFC */
    if (device_code && options->secrets) (void)secrets_add(options->secrets, "auth.device_code", str_from(device_code));
    if (!device_code || !is_visible(device_code, DEVICE_CODE_MAX) || !user_code || !is_visible(user_code, USER_CODE_MAX) ||
        !url || !is_web_url(url, arena)) {
        err_set(err, ERR_DATA, "cannot log in: the answer of device_authorization_url lacks a code or a URL that can be shown");
        return err_hint(err, "expected device_code, user_code and verification_uri (RFC 8628 3.2)");
    }
    *login = (struct device_login){
        .url = arena_strdup(arena, url),
        .user_code = arena_strdup(arena, user_code),
        .complete_url = complete && is_web_url(complete, arena) ? arena_strdup(arena, complete) : NULL,
        .device_code = str_from(arena_strdup(arena, device_code)),
        .interval_ms = read_ms(json, "interval", INTERVAL_MS, INTERVAL_MIN_MS, INTERVAL_MAX_MS),
        .ends_ms = clock_now_ms(options->clock) + read_ms(json, "expires_in", LIFE_MS, INTERVAL_MIN_MS, LIFE_MAX_MS),
    };
    return 0;
}

int device_begin(const struct auth_spec *spec, const struct auth_sender *sender, const struct device_options *options,
                 struct arena *arena, struct device_login *login, struct err *err)
{
    struct cJSON *json = NULL;
    int rc = token_ask_device(spec, sender, options->clock, options->secrets, &json, err);
    if (rc == 0) rc = read_login(json, options, arena, login, err);
    json_free(json);
    return rc;
}

/* --- the wait ----------------------------------------------------------------------------------------------------------- */

static int ended(struct err *err)
{
    err_set(err, ERR_AUTH, "nobody typed the code in before it ended");
    return err_hint(err, "log in again: there is a new code each time");
}

/* What a refusal means: 0 to ask again after *interval_ms, or the failure. */
static int judge(const char *error, struct err *failure, int64_t *interval_ms, struct err *err)
{
    if (strcmp(error, "authorization_pending") == 0) return 0;
    if (strcmp(error, "expired_token") == 0) return ended(err);
    if (strcmp(error, "slow_down") == 0) {
        *interval_ms += INTERVAL_MS;
        return 0;
    }
    if (err_class_info(failure->class)->retryable) {
        *interval_ms *= 2; /* as RFC 8628 3.5 asks for when the server cannot be reached */
        if (*interval_ms > INTERVAL_MAX_MS) *interval_ms = INTERVAL_MAX_MS;
        return 0;
    }
    if (strcmp(error, "access_denied") == 0) err_hint(failure, "somebody refused the login; log in again");
    return err_copy(err, failure);
}

int device_wait(struct auth *auth, const struct auth_sender *sender, const struct device_login *login,
                const struct device_options *options, struct err *err)
{
    const struct auth_pair code = {STR("device_code"), login->device_code};
    int64_t interval_ms = login->interval_ms;
    for (;;) {
        char error[AUTH_ERROR_MAX];
        struct err failure = ERR_INIT;
        if (clock_now_ms(options->clock) + interval_ms > login->ends_ms) return ended(err);
        if (!clock_sleep_ms(options->clock, interval_ms, options->cancel))
            return err_set(err, ERR_CANCELLED, "stopped while waiting for the login");
        if (auth_redeem(auth, sender, AUTH_CALL_DEVICE_CODE, &code, 1, error, &failure) == 0) return 0;
        int rc = judge(error, &failure, &interval_ms, err);
        if (rc != 0) return rc;
        if (options->log) log_debug(options->log, "not logged in yet: %s", failure.message);
    }
}
