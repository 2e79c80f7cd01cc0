/* auth: a pipeline's tokens: get them by a browser, look at them, forget them. */
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "cli/command.h"
#include "cli/context.h"
#include "net/auth.h"
#include "net/device.h"
#include "os/clock.h"
#include "os/fs.h"
#include "os/process.h"

#define BROWSER "/usr/bin/xdg-open"

struct opening {
    bool with_browser;
    struct process *browser; /* NULL: none was started */
};

/* The URL is printed in any case: the browser may be on another screen, or not come up. */
static void show_url(void *context, const char *url)
{
    struct opening *opening = context;
    struct err ignored = ERR_INIT;
    const char *argv[] = {BROWSER, url, NULL};
    struct process_spec spec = {.program = BROWSER, .argv = argv, .environment = process_environment(), .own_group = true};
    printf("open this URL to log in:\n%s\n", url);
    fflush(stdout);
    if (opening->with_browser && fs_kind(BROWSER) == FS_FILE && process_start(&spec, &opening->browser, &ignored) != 0)
        opening->browser = NULL;
}

static void show_device(void *context, const struct device_login *login)
{
    (void)context;
    printf("open this URL on any device and type in the code %s to log in:\n%s\n", login->user_code, login->url);
    if (login->complete_url) printf("or this one, which has the code in it:\n%s\n", login->complete_url);
    fflush(stdout);
}

static int log_in(const struct arguments *arguments, struct sync_prepared *prepared, struct err *err)
{
    struct opening opening = {.with_browser = !argument_is_set(arguments, "--no-browser")};
    const struct sync_login login = {
        .by_device = argument_is_set(arguments, "--device"), .show = show_url, .show_device = show_device, .context = &opening};
    int rc = sync_log_in(prepared, &login, err);
    process_free(opening.browser);
    if (rc == 0) printf("%s: logged in\n", prepared->options.pipeline->name);
    return rc;
}

static int status(struct sync_prepared *prepared, struct auth *auth, struct err *err)
{
    struct auth_stored stored;
    char until[TIME_TEXT_MAX];
    const char *name = prepared->options.pipeline->name;
    int rc = auth_look(auth, &stored, err);
    if (rc != 0) return rc;
    bool is_good = stored.has_access_token && clock_wall_us(prepared->options.clock) < stored.renew_at_us;
    if (is_good && stored.renew_at_us != INT64_MAX && time_write_iso(stored.renew_at_us / 1000000 * 1000000, until) > 0)
        printf("%s: has a token, which is renewed at %s\n", name, until);
    else if (is_good)
        printf("%s: has a token, which is renewed when it is refused\n", name);
    else if (stored.has_refresh_token)
        printf("%s: has a refresh token; the next request gets a token by it\n", name);
    else
        printf("%s: has no token\n", name);
    return 0;
}

static int act(const struct arguments *arguments, struct sync_prepared *prepared, struct err *err)
{
    const char *what = arguments->words[0];
    struct auth *auth = NULL;
    if (strcmp(what, "login") == 0) return log_in(arguments, prepared, err);
    int rc = sync_auth(prepared, &auth, err);
    if (rc != 0) return rc;
    if (strcmp(what, "status") == 0)
        rc = status(prepared, auth, err);
    else if ((rc = auth_forget(auth, err)) == 0)
        printf("%s: its tokens are forgotten here; the source still takes them until they end or are revoked there\n",
               prepared->options.pipeline->name);
    auth_free(auth);
    return rc;
}

static int run(const struct arguments *arguments)
{
    struct cli_context cli;
    struct sync_prepared *prepared = NULL;
    struct err err = ERR_INIT;
    const char *what = arguments->words[0];
    if (strcmp(what, "login") != 0 && strcmp(what, "status") != 0 && strcmp(what, "logout") != 0) {
        fprintf(stderr, "sluice auth: use `login [PIPELINE]`, `status [PIPELINE]` or `logout [PIPELINE]`\n");
        return 2;
    }
    int code = cli_open(&cli, arguments, CLI_PIPELINE, arguments->word_count > 1 ? arguments->words[1] : NULL);
    cli.tokens_only = true;
    if (code == 0) code = cli_prepare(&cli, arguments, &prepared);
    if (code == 0 && act(arguments, prepared, &err) != 0) code = cli_failure(&cli, cli.pipeline->name, &err);
    sync_prepared_free(prepared);
    cli_close(&cli);
    return code;
}

static const struct cli_option OPTIONS[] = {
    OPTION_FILE,
    {"--device", 0, NULL, false, "login: by a browser on another device, where a code is typed in"},
    {"--no-browser", 0, NULL, false, "login: only print the URL"},
    OPTION_STATE_DIR,
    OPTION_LOG_FORMAT,
    OPTION_VERBOSE,
};

const struct command COMMAND_AUTH = {
    .name = "auth",
    .usage = "login [PIPELINE] | status [PIPELINE] | logout [PIPELINE]",
    .summary = "log in by a browser; show or forget a pipeline's tokens",
    .details =
        "`login` prints a URL, opens it, and waits ten minutes for the browser to come back to this machine; with --device, "
        "and\n"
        "where the connector logs in that way, it prints a URL and a code for a browser elsewhere. The tokens are kept in the\n"
        "state directory, readable by you alone, and renewed by each sync. `logout` forgets them; it does not revoke them.",
    .options = OPTIONS,
    .option_count = ARRAY_SIZE(OPTIONS),
    .min_words = 1,
    .max_words = 2,
    .run = run,
};
