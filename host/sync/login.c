/* login: the part of sync.h that gets, shows and forgets a pipeline's tokens, outside of any sync. */
#include "net/authorize.h"
#include "net/loopback.h"
#include "os/secret.h"
#include "rest/access.h"
#include "sync/prepare.h"
#include "sync/sync.h"

enum { LOGIN_MAX_MS = 10 * 60 * 1000 };

int sync_auth(struct sync_prepared *prepared, struct auth **out, struct err *err)
{
    struct auth_spec spec;
    int rc = access_auth(prepared->description, prepared->config, prepared->now_us, &prepared->arena, &spec, err);
    if (rc != 0) return rc;
    if (auth_keeps_tokens(&spec)) return prepare_auth(prepared, prepared->options.cancel, &prepared->arena, out, err);
    err_set(err, ERR_CONFIG, "the pipeline's credentials are fixed: there are no tokens to keep");
    return err_hint(err, "they are in its config");
}

/* The browser's way: from the URL to the code. */
static int get_code(struct sync_prepared *prepared, const struct auth_oauth2 *oauth2, struct authorization *authorization,
                    const struct sync_login *login, struct buf *code, struct err *err)
{
    struct loopback *loopback = NULL;
    int port = 0;
    int rc = authorize_port(oauth2, &prepared->arena, &port, err);
    if (rc == 0) rc = loopback_open(port, &loopback, err);
    if (rc == 0) rc = authorize_begin(oauth2, loopback_port(loopback), &prepared->arena, authorization, err);
    if (rc == 0) {
        struct secrets *secrets = prepared->options.secrets;
        if (secrets) (void)secrets_add(secrets, "auth.code_verifier", str_from(authorization->verifier));
        login->show(login->context, authorization->url);
        rc = loopback_wait(loopback, authorization->path, str_from(authorization->state), LOGIN_MAX_MS, prepared->options.clock,
                           prepared->options.cancel, code, err);
        if (rc == 0 && secrets) (void)secrets_add(secrets, "auth.code", buf_str(code));
    }
    loopback_free(loopback);
    return rc;
}

static int log_in_here(struct sync_prepared *prepared, const struct auth_oauth2 *oauth2, struct session *session,
                       const struct sync_login *login, struct err *err)
{
    struct authorization authorization;
    struct buf code = BUF_INIT(16 * 1024);
    int rc = get_code(prepared, oauth2, &authorization, login, &code, err);
    if (rc == 0) {
        const struct auth_pair params[] = {{STR("code"), buf_str(&code)},
                                           {STR("redirect_uri"), str_from(authorization.redirect_uri)},
                                           {STR("code_verifier"), str_from(authorization.verifier)}};
        rc = session_redeem(session, params, ARRAY_SIZE(params), err);
    }
    buf_release(&code);
    return rc;
}

static int check_login(const struct auth_spec *spec, bool by_device, struct err *err)
{
    if (!auth_is_login(spec)) {
        err_set(err, ERR_CONFIG, "this connector does not log in by a browser");
        return err_hint(
            err, "its credentials are in the pipeline's config; logins are for the grants authorization_code and device_code");
    }
    if (!by_device || spec->oauth2.device_url[0]) return 0;
    err_set(err, ERR_CONFIG, "this connector does not log in by another device");
    return err_hint(err, "leave out --device, and open the URL in a browser on this machine");
}

int sync_log_in(struct sync_prepared *prepared, const struct sync_login *login, struct err *err)
{
    struct auth_spec spec;
    struct client *client = NULL;
    int rc = access_auth(prepared->description, prepared->config, prepared->now_us, &prepared->arena, &spec, err);
    if (rc == 0) rc = check_login(&spec, login->by_device, err);
    /* The store is opened first: a login that cannot be kept is not worth anybody's time. */
    if (rc == 0) rc = prepare_login_client(prepared, prepared->options.cancel, NULL, &client, err);
    if (rc != 0) return rc;
    struct session *session = session_new(client);
    rc = login->by_device || spec.oauth2.grant == AUTH_DEVICE_CODE
             ? session_log_in_by_device(session, &spec, login->show_device, login->context, err)
             : log_in_here(prepared, &spec.oauth2, session, login, err);
    session_free(session);
    client_free(client);
    return rc;
}
