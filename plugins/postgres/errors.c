#include "postgres/errors.h"

#include <string.h>

static const struct pg_meaning STATES[] = {
    {"28", SLUICE_ERROR_AUTH, "check user and password in `url`, and pg_hba.conf of the server"},
    {"3D000", SLUICE_ERROR_CONFIG, "check the database's name in `url`"},
    {"42501", SLUICE_ERROR_PERMISSION,
     "grant the role what it lacks: GRANT SELECT ON .. TO .., for changes ALTER ROLE .. REPLICATION"},
    {"42P01", SLUICE_ERROR_SOURCE, "a table has gone since the source was looked at; the next run looks again"},
    {"42703", SLUICE_ERROR_SOURCE, "a column has gone since the source was looked at; the next run looks again"},
    {"42704", SLUICE_ERROR_DATA, NULL},
    {"53", SLUICE_ERROR_TRANSIENT, "the server is out of connections, memory or disk"},
    {"55006", SLUICE_ERROR_TRANSIENT, "another session reads this slot: each pipeline needs a slot of its own"},
    {"55P03", SLUICE_ERROR_TRANSIENT, "somebody holds a lock on the table, as ALTER TABLE does"},
    {"55000", SLUICE_ERROR_SOURCE,
     "for changes the server needs wal_level = logical (a restart), and free max_replication_slots"},
    {"57014", SLUICE_ERROR_TRANSIENT, "somebody cancelled the query"},
    {"57P", SLUICE_ERROR_TRANSIENT, "the server is starting, stopping or was told to end the session"},
    {"08", SLUICE_ERROR_TRANSIENT, NULL},
    {"40", SLUICE_ERROR_TRANSIENT, NULL},
    {"58P01", SLUICE_ERROR_DATA, "the server no longer has these changes: read everything anew with --full-refresh"},
    {"58", SLUICE_ERROR_TRANSIENT, NULL},
    {"XX", SLUICE_ERROR_SOURCE, "the server reports damage or a bug of its own: look into its log"},
    {"25006", SLUICE_ERROR_CONFIG, "this server is a read-only standby: name the primary in `url`"},
    {"0A000", SLUICE_ERROR_SOURCE, NULL},
};
static const struct pg_meaning BROKEN = {"", SLUICE_ERROR_TRANSIENT, NULL};
static const struct pg_meaning OTHER = {"", SLUICE_ERROR_SOURCE, NULL};

const struct pg_meaning *error_meaning(const char *state)
{
    if (!state) return &BROKEN;
    for (size_t i = 0; i < sizeof STATES / sizeof *STATES; i++)
        if (strncmp(state, STATES[i].state, strlen(STATES[i].state)) == 0) return &STATES[i];
    return &OTHER;
}

/* In this order: the first that the message holds. libpq says more than one thing where there are several hosts. */
static const struct pg_meaning SENTENCES[] = {
    {"password authentication failed", SLUICE_ERROR_AUTH, "check user and password in `url`"},
    {"no password supplied", SLUICE_ERROR_AUTH, "put the password into `url`"},
    {"no pg_hba.conf entry", SLUICE_ERROR_AUTH,
     "pg_hba.conf of the server has no line for this address, database and user; it may ask for sslmode=require"},
    {"pg_hba.conf rejects", SLUICE_ERROR_AUTH, "pg_hba.conf of the server rejects this address, database or user"},
    {"authentication failed", SLUICE_ERROR_AUTH, "check user and password in `url`"},
    {"is not permitted to log in", SLUICE_ERROR_AUTH, "ALTER ROLE .. LOGIN"},
    {"authentication method", SLUICE_ERROR_AUTH, "the server wants a method that needs more than user and password"},
    {"channel binding", SLUICE_ERROR_AUTH, NULL},
    {"SCRAM", SLUICE_ERROR_AUTH, NULL},
    {"must be superuser or replication role", SLUICE_ERROR_PERMISSION, "ALTER ROLE .. REPLICATION"},
    {"certificate", SLUICE_ERROR_SOURCE,
     "name the CA's file by sslrootcert= in `url`; the name in the certificate must be that of the host"},
    {"server does not support SSL", SLUICE_ERROR_CONFIG, "`url` asks for TLS, which the server does not have"},
    {"SSL error", SLUICE_ERROR_SOURCE, NULL},
    {"role \"", SLUICE_ERROR_AUTH, "check the user in `url`"},
    {"database \"", SLUICE_ERROR_CONFIG, "check the database's name in `url`"},
    {"permission denied", SLUICE_ERROR_PERMISSION, "GRANT CONNECT ON DATABASE .. TO .."},
    {"invalid", SLUICE_ERROR_CONFIG, "check the options in `url`"},
};

const struct pg_meaning *error_of_connecting(const char *message)
{
    for (size_t i = 0; i < sizeof SENTENCES / sizeof *SENTENCES; i++)
        if (strstr(message, SENTENCES[i].state)) return &SENTENCES[i];
    return &BROKEN;
}
