/* front: see front.h. */
#include "service/web/front.h"

#include <stdlib.h>

#include "service/hooks.h"
#include "service/roster.h"

struct front {
    struct hooks *hooks;
    struct api *api;
    struct server *server;
};

static int check_reach(const char *listen, const struct api_settings *settings, struct err *err)
{
    bool is_local;
    int rc = server_is_local(listen, &is_local, err);
    if (rc || is_local || roster_project(settings->roster)->service.token_count) return rc;
    err_set(err, ERR_CONFIG, "others can reach %s, and `service.tokens` of %s is empty: anybody could start and stop syncs",
            listen, settings->file);
    return err_hint(err, "listen on 127.0.0.1, or declare a token: `sluice serve --new-token` makes one");
}

int front_open(const char *listen, const struct api_settings *settings, struct front **out, struct err *err)
{
    struct front *front = mem_zero(1, sizeof *front);
    front->hooks = settings->hooks;
    int rc = check_reach(listen, settings, err);
    if (rc == 0) rc = api_open(settings, &front->api, err);
    const struct server_settings server = {
        .listen = listen, .admit = api_admit, .handle = api_handle, .context = front->api, .clock = settings->clock};
    if (rc == 0) rc = server_open(&server, &front->server, err);
    if (rc) {
        front_close(front);
        return rc;
    }
    api_bind(front->api, server_address(front->server));
    *out = front;
    return 0;
}

const char *front_address(const struct front *front)
{
    return server_address(front->server);
}

void front_turn(struct front *front)
{
    server_sweep(front->server);
}

void front_poke(struct front *front)
{
    server_poke(front->server);
}

void front_drain(struct front *front)
{
    api_drain(front->api);
}

void front_close(struct front *front)
{
    if (!front) return;
    if (front->api) api_stop(front->api);
    hooks_settle(front->hooks); /* the answers of events that were taken */
    server_close(front->server);
    api_free(front->api);
    free(front);
}
