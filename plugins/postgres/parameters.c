/* parameters: the URL of a pipeline as what libpq is told. Each host of it appears once for each of its addresses. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/connection.h"

enum { ADDRESSES_MAX = 8 };

/* Options that name files or sockets of this machine, or leave the walls: a source is reached by TCP. */
static const char *const REFUSED[] = {"service", "passfile", "hostaddr", "replication", "krbsrvname", "gsslib", "requirepeer"};
static const char *const SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

static void put(struct parameters *parameters, const char *keyword, const char *value)
{
    if (parameters->count == PARAMETERS_MAX) abort(); /* libpq knows about forty */
    parameters->keywords[parameters->count] = keyword;
    parameters->values[parameters->count++] = value;
    parameters->keywords[parameters->count] = parameters->values[parameters->count] = NULL;
}

static const char *option(const struct parameters *parameters, const char *keyword)
{
    for (const PQconninfoOption *at = parameters->options; at->keyword; at++)
        if (strcmp(at->keyword, keyword) == 0) return at->val && *at->val ? at->val : NULL;
    return NULL;
}

static void put_unless_given(struct parameters *parameters, const char *keyword, const char *value)
{
    if (!option(parameters, keyword)) put(parameters, keyword, value);
}

static void add(struct text *list, const char *value, size_t size)
{
    if (list->size) text_add(list, ",", 1);
    text_add(list, value, size);
}

static int add_host(struct parameters *parameters, struct sluice_session *session, const char *host, size_t size,
                    const char *port)
{
    char name[256], addresses[ADDRESSES_MAX][46];
    size_t count = ADDRESSES_MAX;
    long number = strtol(port, NULL, 10);
    if (size == 0 || size >= sizeof name || *host == '/' || *host == '@')
        return fail(session, SLUICE_ERROR_CONFIG, "postgresql://user:password@db.example.com:5432/shop",
                    "`url` must name a host that is reached by TCP");
    if (number < 1 || number > 65535) return fail(session, SLUICE_ERROR_CONFIG, NULL, "`url` has no port number: %s", port);
    memcpy(name, host, size);
    name[size] = 0;
    int rc = sluice_resolve(session, name, (uint16_t)number, addresses, &count);
    if (rc < 0) return rc;
    for (size_t i = 0; i < count && i < ADDRESSES_MAX; i++) {
        add(&parameters->host, name, size);
        add(&parameters->hostaddr, addresses[i], strlen(addresses[i]));
        add(&parameters->port, port, strlen(port));
    }
    return 0;
}

/* host=a,b port=1,2: as many ports as hosts, or one for all. */
static int add_hosts(struct parameters *parameters, struct sluice_session *session)
{
    const char *hosts = option(parameters, "host"), *ports = option(parameters, "port");
    if (!hosts)
        return fail(session, SLUICE_ERROR_CONFIG, "postgresql://user:password@db.example.com:5432/shop",
                    "`url` must name a host that is reached by TCP");
    for (;;) {
        size_t size = strcspn(hosts, ","), port_size = ports ? strcspn(ports, ",") : 0;
        char port[16] = "5432";
        if (port_size && port_size < sizeof port) {
            memcpy(port, ports, port_size);
            port[port_size] = 0;
        }
        int rc = add_host(parameters, session, hosts, size, port);
        if (rc < 0) return rc;
        if (!hosts[size]) return 0;
        hosts += size + 1;
        if (ports && ports[port_size]) ports += port_size + 1;
    }
}

static bool is_refused(const char *keyword)
{
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++)
        if (strcmp(REFUSED[i], keyword) == 0) return true;
    return false;
}

int parameters_init(struct parameters *parameters, struct sluice_session *session, const char *url, bool replication)
{
    *parameters = (struct parameters){.count = 0};
    if (!url || (strncmp(url, "postgresql://", 13) != 0 && strncmp(url, "postgres://", 11) != 0))
        return fail(session, SLUICE_ERROR_CONFIG, "postgresql://user:password@db.example.com:5432/shop",
                    "`url` is no URL of a PostgreSQL database");
    char *message = NULL;
    parameters->options = PQconninfoParse(url, &message);
    if (!parameters->options) { /* the message may quote the URL, and with it the password */
        PQfreemem(message);
        return fail(session, SLUICE_ERROR_CONFIG,
                    "an option that libpq does not know, or a character that must be written as %XX", "`url` cannot be read");
    }
    for (const PQconninfoOption *at = parameters->options; at->keyword; at++) {
        if (!at->val || !*at->val || strcmp(at->keyword, "host") == 0 || strcmp(at->keyword, "port") == 0) continue;
        if (is_refused(at->keyword))
            return fail(session, SLUICE_ERROR_CONFIG, "hosts are looked up by sluice; files of this machine are out of reach",
                        "`url` must not have the option \"%s\"", at->keyword);
        put(parameters, at->keyword, at->val);
    }
    int rc = add_hosts(parameters, session);
    if (rc < 0) return rc;
    put(parameters, "host", parameters->host.data);
    put(parameters, "hostaddr", parameters->hostaddr.data);
    put(parameters, "port", parameters->port.data);
    put(parameters, "client_encoding", "UTF8");
    put(parameters, "gssencmode", "disable");
    put(parameters, "passfile", "/dev/null/none"); /* there is none, and libpq need not look */
    put_unless_given(parameters, "connect_timeout", "10");
    put_unless_given(parameters, "fallback_application_name", "sluice");
    put_unless_given(parameters, "keepalives_idle", "60");
    put_unless_given(parameters, "tcp_user_timeout", "60000");
    const char *mode = option(parameters, "sslmode");
    if (mode && strncmp(mode, "verify-", 7) == 0) put_unless_given(parameters, "sslrootcert", SYSTEM_CERTIFICATES);
    if (replication) put(parameters, "replication", "database");
    return 0;
}

void parameters_release(struct parameters *parameters)
{
    PQconninfoFree(parameters->options);
    text_release(&parameters->host);
    text_release(&parameters->hostaddr);
    text_release(&parameters->port);
}
