/* pg_server: a PostgreSQL server of the test's own: in a temporary folder, on a unix socket only, gone at the end.
 *
 * The server refuses to run as root, so as root it runs as "postgres" or "nobody". fsync stays on: these are commit tests.
 *
 *     static struct pg_server server;
 *     if (!pg_server_start(&server)) skip();       // there is no PostgreSQL on this machine
 *     ... server.url ...
 *     pg_server_stop(&server); */
#ifndef SLUICE_TESTS_PG_SERVER_H
#define SLUICE_TESTS_PG_SERVER_H

#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pg/conn.h"

struct pg_server {
    char folder[64];
    char bin[256];
    char url[160];
    pid_t pid;
};

static const struct passwd *pg_server_user(void)
{
    const struct passwd *user = getpwnam("postgres");
    return user ? user : getpwnam("nobody");
}

/* A child as the server's user, its output thrown away (errors to `log`). */
static pid_t pg_server_spawn(const struct pg_server *server, const char *const *argv, const char *log_name)
{
    char log_path[128];
    snprintf(log_path, sizeof(log_path), "%s/%s", server->folder, log_name);
    pid_t pid = fork();
    if (pid != 0) return pid;
    if (geteuid() == 0) {
        const struct passwd *user = pg_server_user();
        if (!user || setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0) _exit(126);
    }
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (chdir(server->folder) != 0 || !freopen(log_path, "w", stderr) || !freopen("/dev/null", "w", stdout) ||
        !freopen("/dev/null", "r", stdin))
        _exit(126);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static bool pg_server_accepts(const struct pg_server *server)
{
    struct pg *pg;
    struct err err = ERR_INIT;
    if (pg_open(&(struct pg_settings){.url = server->url}, &pg, &err) != 0) return false;
    pg_close(pg);
    return true;
}

/* Starts the server on the data there is, and waits until it accepts connections (at most 30 s). */
static inline bool pg_server_run(struct pg_server *server)
{
    char program[300], data[80];
    snprintf(program, sizeof(program), "%s/postgres", server->bin);
    snprintf(data, sizeof(data), "%s/data", server->folder);
    const char *const argv[] = {program,
                                "-D",
                                data,
                                "-k",
                                server->folder,
                                "-c",
                                "listen_addresses=",
                                "-c",
                                "max_connections=60",
                                "-c",
                                "shared_buffers=64MB",
                                "-c",
                                "checkpoint_timeout=1h",
                                NULL};
    server->pid = pg_server_spawn(server, argv, "server.log");
    for (int i = 0; i < 600; i++) {
        if (pg_server_accepts(server)) return true;
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid) break;
        usleep(50000);
    }
    fprintf(stderr, "the test's PostgreSQL did not start\n");
    return false;
}

static inline bool pg_server_start(struct pg_server *server)
{
    glob_t found;
    char program[300], data[80];
    int status = 0;
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0) return false;
    snprintf(server->bin, sizeof(server->bin), "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    snprintf(server->folder, sizeof(server->folder), "/tmp/sluice-pg-XXXXXX");
    if (!mkdtemp(server->folder)) return false;
    if (geteuid() == 0) {
        const struct passwd *user = pg_server_user();
        if (!user || chown(server->folder, user->pw_uid, user->pw_gid) != 0) return false;
    }
    snprintf(server->url, sizeof(server->url), "host=%s user=sluice dbname=postgres", server->folder);
    snprintf(program, sizeof(program), "%s/initdb", server->bin);
    snprintf(data, sizeof(data), "%s/data", server->folder);
    const char *const argv[] = {program, "-D", data, "-U", "sluice", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                                "-N",    NULL};
    pid_t pid = pg_server_spawn(server, argv, "initdb.log");
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        fprintf(stderr, "initdb failed, see %s/initdb.log\n", server->folder);
        return false;
    }
    return pg_server_run(server);
}

static int pg_server_remove(const char *path, const struct stat *stat_buffer, int kind, struct FTW *ftw)
{
    (void)stat_buffer;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* SIGINT ends it in order; SIGQUIT is a crash that needs recovery. */
static inline void pg_server_end(struct pg_server *server, int signal_number)
{
    if (server->pid <= 0) return;
    kill(server->pid, signal_number);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static inline void pg_server_stop(struct pg_server *server)
{
    pg_server_end(server, SIGINT);
    nftw(server->folder, pg_server_remove, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
