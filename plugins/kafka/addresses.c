#include "kafka/addresses.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kafka/text.h"

struct host_addresses {
    char *name;
    uint16_t port;
    bool is_wanted, has_failed;
    int64_t known_since_ms; /* 0: not known */
    char addresses[ADDRESSES_PER_HOST][46];
    size_t count;
};

static size_t count_items(const char *list)
{
    size_t count = 0;
    for (list += strspn(list, ", "); *list; list += strspn(list, ", ")) {
        list += strcspn(list, ",");
        count++;
    }
    return count;
}

void addresses_init(struct addresses *addresses, const char *brokers)
{
    pthread_condattr_t attributes;
    *addresses = (struct addresses){.bootstrap_count = count_items(brokers)};
    pthread_mutex_init(&addresses->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&addresses->served, &attributes);
    pthread_cond_init(&addresses->asked, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* Those below are called with the mutex held. */

static struct host_addresses *find(struct addresses *addresses, const char *name, uint16_t port)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (addresses->hosts[i].port == port && strcmp(addresses->hosts[i].name, name) == 0) return &addresses->hosts[i];
    return NULL;
}

static struct host_addresses *add(struct addresses *addresses, const char *name, uint16_t port)
{
    addresses->hosts = realloc(addresses->hosts, (addresses->count + 1) * sizeof *addresses->hosts);
    if (!addresses->hosts) abort();
    addresses->hosts[addresses->count] = (struct host_addresses){.name = copy_text(name), .port = port};
    return &addresses->hosts[addresses->count++];
}

static bool is_fresh(const struct host_addresses *host)
{
    return host->known_since_ms != 0 && now_ms() - host->known_since_ms < ADDRESSES_FRESH_MS;
}

static struct host_addresses *next_wanted(struct addresses *addresses)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (addresses->hosts[i].is_wanted) return &addresses->hosts[i];
    return NULL;
}

/* None of those that were asked for is known, and as many have failed as there may be to begin with. */
static bool are_all_unknown(const struct addresses *addresses)
{
    size_t failed = 0;
    for (size_t i = 0; i < addresses->count; i++) {
        if (addresses->hosts[i].known_since_ms) return false;
        failed += addresses->hosts[i].has_failed;
    }
    return failed >= addresses->bootstrap_count;
}

static struct timespec from_now(int milliseconds)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += milliseconds / 1000;
    time.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    if (time.tv_nsec >= 1000000000) time.tv_sec++, time.tv_nsec -= 1000000000;
    return time;
}

/* --- the thread of the callback --------------------------------------------------------------------------------------- */

int addresses_serve(struct addresses *addresses, struct sluice_session *session)
{
    int rc = 0;
    pthread_mutex_lock(&addresses->mutex);
    for (struct host_addresses *host; rc == 0 && (host = next_wanted(addresses)) != NULL;) {
        char *name = copy_text(host->name), found[ADDRESSES_PER_HOST][46];
        uint16_t port = host->port;
        size_t count = ADDRESSES_PER_HOST;
        pthread_mutex_unlock(&addresses->mutex); /* a lookup may take its time */
        rc = sluice_resolve(session, name, port, found, &count);
        pthread_mutex_lock(&addresses->mutex);
        host = find(addresses, name, port);
        host->is_wanted = false;
        host->has_failed = rc < 0;
        if (rc < 0 && !are_all_unknown(addresses)) {
            rc = 0; /* librdkafka says so, and goes on with the other brokers */
        } else if (rc == 0) {
            host->count = count < ADDRESSES_PER_HOST ? count : ADDRESSES_PER_HOST;
            memcpy(host->addresses, found, sizeof found);
            host->known_since_ms = now_ms();
        }
        free(name);
    }
    pthread_cond_broadcast(&addresses->served);
    pthread_mutex_unlock(&addresses->mutex);
    return rc < 0 ? rc : 0;
}

void addresses_wait(struct addresses *addresses, int milliseconds)
{
    struct timespec until = from_now(milliseconds);
    pthread_mutex_lock(&addresses->mutex);
    if (!addresses->is_woken && !next_wanted(addresses)) pthread_cond_timedwait(&addresses->asked, &addresses->mutex, &until);
    addresses->is_woken = false;
    pthread_mutex_unlock(&addresses->mutex);
}

void addresses_wake(struct addresses *addresses)
{
    pthread_mutex_lock(&addresses->mutex);
    addresses->is_woken = true;
    pthread_cond_signal(&addresses->asked);
    pthread_mutex_unlock(&addresses->mutex);
}

void addresses_close(struct addresses *addresses)
{
    pthread_mutex_lock(&addresses->mutex);
    addresses->is_closing = true;
    pthread_cond_broadcast(&addresses->served);
    pthread_mutex_unlock(&addresses->mutex);
}

void addresses_release(struct addresses *addresses)
{
    for (size_t i = 0; i < addresses->count; i++) free(addresses->hosts[i].name);
    free(addresses->hosts);
    pthread_cond_destroy(&addresses->served);
    pthread_cond_destroy(&addresses->asked);
    pthread_mutex_destroy(&addresses->mutex);
}

void addresses_refused(struct addresses *addresses, char *out, size_t size)
{
    pthread_mutex_lock(&addresses->mutex);
    snprintf(out, size, "%s", addresses->refused);
    pthread_mutex_unlock(&addresses->mutex);
}

/* --- librdkafka's threads --------------------------------------------------------------------------------------------- */

/* One entry of the list that getaddrinfo would give, its address behind it in the same block. */
static struct addrinfo *make_info(const char *text, uint16_t port)
{
    struct {
        struct addrinfo info;
        struct sockaddr_storage storage;
    } *made = allocate(1, sizeof *made);
    struct sockaddr_in *four = (struct sockaddr_in *)&made->storage;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&made->storage;
    bool is_six = strchr(text, ':') != NULL;
    if (is_six)
        *six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
    else
        *four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    void *address = is_six ? (void *)&six->sin6_addr : (void *)&four->sin_addr;
    if (inet_pton(is_six ? AF_INET6 : AF_INET, text, address) != 1) {
        free(made);
        return NULL;
    }
    made->info = (struct addrinfo){.ai_family = is_six ? AF_INET6 : AF_INET,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_protocol = IPPROTO_TCP,
                                   .ai_addrlen = is_six ? sizeof *six : sizeof *four,
                                   .ai_addr = (struct sockaddr *)&made->storage};
    return &made->info;
}

static void free_infos(struct addrinfo *info)
{
    while (info) {
        struct addrinfo *next = info->ai_next;
        free(info);
        info = next;
    }
}

/* Waits until the host has been asked. */
static struct host_addresses *wait_for(struct addresses *addresses, const char *node, uint16_t port)
{
    struct timespec until = from_now(ADDRESSES_WAIT_MS);
    struct host_addresses *host = find(addresses, node, port);
    if (!host) host = add(addresses, node, port);
    if (is_fresh(host)) return host;
    host->is_wanted = true;
    pthread_cond_signal(&addresses->asked);
    while (!addresses->is_closing && find(addresses, node, port)->is_wanted)
        if (pthread_cond_timedwait(&addresses->served, &addresses->mutex, &until) == ETIMEDOUT) break;
    host = find(addresses, node, port);
    return host->known_since_ms ? host : NULL;
}

int addresses_answer(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result,
                     void *opaque)
{
    struct addresses *addresses = opaque;
    if (!node && !service) { /* this is how it frees */
        free_infos(*result);
        return 0;
    }
    int family = hints ? hints->ai_family : AF_UNSPEC;
    long port = service ? strtol(service, NULL, 10) : 0;
    struct addrinfo **end = result;
    *result = NULL;
    if (port <= 0 || port > UINT16_MAX || !node) return EAI_SERVICE;
    pthread_mutex_lock(&addresses->mutex);
    const struct host_addresses *host = wait_for(addresses, node, (uint16_t)port);
    for (size_t i = 0; host && i < host->count; i++) {
        struct addrinfo *info = make_info(host->addresses[i], (uint16_t)port);
        if (info && family != AF_UNSPEC && info->ai_family != family) {
            free(info);
            continue;
        }
        if (!info) continue;
        *end = info;
        end = &info->ai_next;
    }
    pthread_mutex_unlock(&addresses->mutex);
    return *result ? 0 : EAI_AGAIN;
}

int addresses_connect(int socket, const struct sockaddr *to, int size, const char *id, void *opaque)
{
    struct addresses *addresses = opaque;
    if (connect(socket, to, (socklen_t)size) == 0 || errno == EINPROGRESS) return 0;
    int error = errno;
    if (error == EACCES || error == EPERM) { /* the walls: a port that the configuration does not name */
        pthread_mutex_lock(&addresses->mutex);
        snprintf(addresses->refused, sizeof addresses->refused, "%s", id ? id : "a broker");
        pthread_mutex_unlock(&addresses->mutex);
    }
    return error;
}
