/* pg_proxy: stands between the writer and the server on a unix socket, and cuts connections where a test wants it.
 *
 * It looks for the client's COMMIT, and counts the client's bytes. After one cut it lets everything pass. */
#ifndef SLUICE_TESTS_PG_PROXY_H
#define SLUICE_TESTS_PG_PROXY_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum pg_proxy_cut {
    CUT_NEVER,
    CUT_BEFORE_COMMIT, /* the server never sees it */
    CUT_AFTER_COMMIT,  /* the server has answered it; the client never sees that */
    CUT_AT_BYTE,       /* of what the client sends on a connection from now on */
};

struct pg_proxy {
    char folder[80];
    char server[120];
    int listener;
    int wake[2];
    pthread_t thread;
    _Atomic int cut; /* enum pg_proxy_cut */
    _Atomic long at_byte;
    _Atomic int cuts; /* made so far */
};

static int pg_proxy_socket(const char *folder, int connects)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", folder);
    int rc = connects ? connect(fd, (struct sockaddr *)&address, sizeof(address))
                      : bind(fd, (struct sockaddr *)&address, sizeof(address));
    if (rc == 0 && (connects || listen(fd, 16) == 0)) return fd;
    close(fd);
    return -1;
}

struct pg_proxy_pair {
    int client, server;
};

static void pg_proxy_drop(struct pg_proxy_pair *pair)
{
    close(pair->client);
    close(pair->server);
    *pair = (struct pg_proxy_pair){-1, -1};
}

static int pg_proxy_send(int fd, const char *data, ssize_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, (size_t)size, MSG_NOSIGNAL);
        if (sent <= 0) return -1;
        data += sent;
        size -= sent;
    }
    return 0;
}

/* One read from the client, passed on or not. */
static void pg_proxy_from_client(struct pg_proxy *proxy, struct pg_proxy_pair *pair)
{
    static const char COMMIT[] = "Q\0\0\0\013COMMIT";
    char data[16384];
    ssize_t size = recv(pair->client, data, sizeof(data), 0);
    if (size <= 0) {
        pg_proxy_drop(pair);
        return;
    }
    int cut = atomic_load(&proxy->cut);
    int is_commit = memmem(data, (size_t)size, COMMIT, sizeof(COMMIT) - 1) != NULL;
    if (cut == CUT_AT_BYTE) {
        long left = atomic_load(&proxy->at_byte);
        if (left > size) {
            atomic_store(&proxy->at_byte, left - size);
        } else {
            pg_proxy_send(pair->server, data, left);
            cut = CUT_BEFORE_COMMIT;
            is_commit = 1;
        }
    }
    if (is_commit && cut == CUT_BEFORE_COMMIT) {
        atomic_store(&proxy->cut, CUT_NEVER);
        atomic_fetch_add(&proxy->cuts, 1);
        pg_proxy_drop(pair);
        return;
    }
    if (pg_proxy_send(pair->server, data, size) != 0) {
        pg_proxy_drop(pair);
        return;
    }
    if (is_commit && cut == CUT_AFTER_COMMIT) {
        if (recv(pair->server, data, sizeof(data), 0) > 0) atomic_fetch_add(&proxy->cuts, 1);
        atomic_store(&proxy->cut, CUT_NEVER);
        pg_proxy_drop(pair);
    }
}

static void *pg_proxy_main(void *context)
{
    struct pg_proxy *proxy = context;
    struct pg_proxy_pair pairs[16];
    for (size_t i = 0; i < 16; i++) pairs[i] = (struct pg_proxy_pair){-1, -1};
    for (;;) {
        struct pollfd fds[34] = {{.fd = proxy->listener, .events = POLLIN}, {.fd = proxy->wake[0], .events = POLLIN}};
        for (size_t i = 0; i < 16; i++) {
            fds[2 + 2 * i] = (struct pollfd){.fd = pairs[i].client, .events = POLLIN};
            fds[3 + 2 * i] = (struct pollfd){.fd = pairs[i].server, .events = POLLIN};
        }
        if (poll(fds, 34, -1) < 0 && errno != EINTR) break;
        if (fds[1].revents) break;
        for (size_t i = 0; i < 16; i++) {
            if (fds[2 + 2 * i].revents) pg_proxy_from_client(proxy, &pairs[i]);
            if (!fds[3 + 2 * i].revents || pairs[i].server < 0) continue;
            char data[16384];
            ssize_t size = recv(pairs[i].server, data, sizeof(data), 0);
            if (size <= 0 || pg_proxy_send(pairs[i].client, data, size) != 0) pg_proxy_drop(&pairs[i]);
        }
        for (size_t i = 0; fds[0].revents && i < 16; i++) {
            if (pairs[i].client >= 0) continue;
            pairs[i].client = accept(proxy->listener, NULL, NULL);
            pairs[i].server = pg_proxy_socket(proxy->server, 1);
            if (pairs[i].server < 0 || pairs[i].client < 0) pg_proxy_drop(&pairs[i]);
            break;
        }
    }
    for (size_t i = 0; i < 16; i++)
        if (pairs[i].client >= 0) pg_proxy_drop(&pairs[i]);
    return NULL;
}

static inline int pg_proxy_start(struct pg_proxy *proxy, const char *server_folder)
{
    *proxy = (struct pg_proxy){.listener = -1};
    snprintf(proxy->server, sizeof(proxy->server), "%s", server_folder);
    snprintf(proxy->folder, sizeof(proxy->folder), "%s/proxy", server_folder);
    if (mkdir(proxy->folder, 0700) != 0 || pipe(proxy->wake) != 0) return -1;
    proxy->listener = pg_proxy_socket(proxy->folder, 0);
    if (proxy->listener < 0) return -1;
    return pthread_create(&proxy->thread, NULL, pg_proxy_main, proxy);
}

static inline void pg_proxy_stop(struct pg_proxy *proxy)
{
    close(proxy->wake[1]);
    pthread_join(proxy->thread, NULL);
    close(proxy->wake[0]);
    close(proxy->listener);
}

#endif
