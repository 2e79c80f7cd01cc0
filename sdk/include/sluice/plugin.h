/* sluice/plugin.h: connectors in C. A shared object with one exported function, which gives one constant: what it is.
 *
 *     #include <sluice/plugin.h>
 *
 *     static int page(struct sluice_session *session, void *instance)
 *     {
 *         (void)instance;
 *         struct sluice_value row[2] = {sluice_integer(1), sluice_text("Ada", 3)};
 *         return sluice_emit(session, 0, SLUICE_UPSERT, row, 2);            // 0: this was the last page
 *     }
 *
 *     static const struct sluice_plugin PLUGIN = {
 *         SLUICE_PLUGIN_HEADER, .name = "hello", .version = "1.0.0", .profile = SLUICE_PARSE,
 *         .description = "{\"streams\": {\"people\": {\"native\": true, \"primary_key\": \"id\","
 *                        " \"fields\": {\"id\": \"integer\", \"name\": \"string\"}}}}",
 *         .page = page,
 *     };
 *     SLUICE_PLUGIN(PLUGIN);
 *
 * Like a script, a plugin only declares and reads. The host keeps the loop, the state, the types and the tables; it runs the
 * plugin in a process of its own, behind the walls of the profile that it declares, and ends that process when it likes: there
 * is nothing to clean up that a kernel would not. A crash ends the sync of this connector with exit code 7 and nothing else.
 *
 * Threads   Every function here is called by one thread, one call at a time, and every host function must be called by that
 *           thread, inside of such a call. A plugin may have threads of its own (not in the profile `parse`).
 * Memory    What the host gives is the host's: valid until the callback returns, unless said otherwise. What a plugin hands to
 *           the host is copied before the host function returns.
 * Text      UTF-8; with a size where it may hold NUL, else ended by NUL.
 * Errors    A callback returns 0 (or what it says) when all is well, and a negative number after sluice_fail, or after a host
 *           function that returned one: `return` it. Nothing else is negative.
 * Versions  A struct grows at its end only, and begins with its size; a function keeps its meaning. The major number changes
 *           when that cannot be held; a host takes plugins of its own major number whose minor one is not newer. What came in
 *           after 1.0 says so ("since 1.N"): a plugin built with this header says that it needs at most SLUICE_ABI_MINOR.
 *
 * C11 and C++17. `sluice connector inspect FILE` shows what a host makes of a plugin. */
#ifndef SLUICE_PLUGIN_H
#define SLUICE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_ABI_MAJOR 1
#define SLUICE_ABI_MINOR 2

/* --- values ------------------------------------------------------------------------------------------------------------- */

/* What a value is. A column's type is declared in the description's `fields`; SLUICE_STRING may stand for a value of any type
 * and is then read like a JSON string would be (ISO 8601, decimal text, base64), everything else for its own type only. A value
 * that does not fit follows the pipeline's `on_mismatch`, counted, with its row in the rejects. */
enum sluice_kind {
    SLUICE_MISSING = 0, /* not known: what the table has stays. Only with SLUICE_UPSERT, and never in the primary key */
    SLUICE_NULL = 1,
    SLUICE_BOOLEAN = 2,   /* i: 0 or 1 */
    SLUICE_INTEGER = 3,   /* i; fits integer, decimal and float columns */
    SLUICE_FLOAT = 4,     /* f; what is not finite does not fit */
    SLUICE_DECIMAL = 5,   /* data: a JSON number, "-12.50e3": exact, of any length */
    SLUICE_STRING = 6,    /* data: UTF-8; what is not is repaired (U+FFFD), counted */
    SLUICE_DATE = 7,      /* i: days since 1970-01-01 */
    SLUICE_TIMESTAMP = 8, /* i: microseconds since 1970-01-01T00:00:00Z; timestamp_ntz: of the wall clock */
    SLUICE_JSON = 9,      /* data: one JSON text */
    SLUICE_BINARY = 10    /* data: the bytes */
};

/* 16 bytes. A zeroed one is MISSING. */
struct sluice_value {
    uint8_t kind; /* enum sluice_kind */
    uint8_t reserved[3];
    uint32_t size; /* of data, in bytes */
    union {
        int64_t i;
        double f;
        const char *data;
    } as;
};

enum sluice_operation {
    SLUICE_UPSERT = 0,  /* the row is there, as given */
    SLUICE_DELETE = 1,  /* the row with this primary key is gone; other values may be NULL */
    SLUICE_TRUNCATE = 2 /* all rows of the table that came before are gone; no values, count 0. Where rows are only appended
                           nothing goes. Not of a parser. Since 1.2 */
};

/* --- the plugin --------------------------------------------------------------------------------------------------------- */

/* Walls. Whatever the profile: no program is executed, nothing is written, no port is listened on, no other process is seen. */
enum sluice_profile {
    SLUICE_PARSE = 1, /* nothing but memory: no network, no files, no secrets, no threads; 64 MiB, 10 s of CPU time per call */
    SLUICE_NETWORK = 2, /* TCP to the ports that the configuration names (`connect`), addresses by sluice_resolve; certificates
                           and time zones of the system can be read; 512 MiB */
    SLUICE_FILES = 3    /* reading below the folders and files that the configuration names (`files`); 256 MiB */
};

struct sluice_session; /* one conversation with the host; see the functions below */
struct sluice_slice;
struct sluice_call;

/* What stands where a description has {"$function": PLACE}. Answers with sluice_result, as the Lua function at that place would
 * return: a JSON value; for `records` and `map`, one record a line. */
struct sluice_function {
    const char *place; /* "streams.orders.records"; NULL ends the list */
    int (*call)(struct sluice_session *session, const struct sluice_call *call);
};

struct sluice_plugin {
    uint32_t struct_size; /* SLUICE_PLUGIN_HEADER fills in these four */
    uint16_t abi_major, abi_minor;
    uint32_t value_size;
    int32_t profile;         /* enum sluice_profile */
    const char *name;        /* lower case letters, digits, `_` and `-` */
    const char *version;     /* of the connector */
    const char *description; /* JSON: the vocabulary of sdk/description.md without `name` and `version`; configuration, streams.
                                A stream with `native: true` is read by open, page and close, any other by HTTP requests */
    const struct sluice_function *functions; /* NULL: none */

    /* Native streams. One session reads one slice of one stream; slices that run at once have processes of their own. NULL
     * where a plugin has none of these streams; open, close and check may be NULL anyway.
     *
     * Of a parser (`parser: true` in its description, since 1.1) the same callbacks read one body of an answer: open, pages
     * that take it by sluice_input until it has ended, close; and again for the next one. */

    /* Proves the configuration: connects, logs in, looks. Without one `sluice connector check` reads a first page. */
    int (*check)(struct sluice_session *session);
    /* Begins to read. *instance (NULL before) is given to page and close. */
    int (*open)(struct sluice_session *session, const struct sluice_slice *slice, void **instance);
    /* Emits rows, some thousand of them: until sluice_emit says that it is enough, or nothing came for about a second. Returns
     * 1 when there is more, 0 when the slice has been read, in `continuous` never. Within 60 s. A page may be empty. */
    int (*page)(struct sluice_session *session, void *instance);
    /* After the last page, or when no more is wanted. Not after an error, and not at the end of a process. */
    void (*close)(struct sluice_session *session, void *instance);

    /* Since 1.2. What the source itself has to hold for a pipeline (a replication slot, a subscription): `setup` makes what is
     * not there, for `sluice source setup`, `teardown` removes what is, for `sluice source teardown`. `slice` is as that of a
     * first sync: its tables are those that the pipeline wants. What was done is told by sluice_log. Within 60 s. NULL: the
     * source holds nothing. */
    int (*setup)(struct sluice_session *session, const struct sluice_slice *slice);
    int (*teardown)(struct sluice_session *session, const struct sluice_slice *slice);
};

#define SLUICE_PLUGIN_HEADER sizeof(struct sluice_plugin), SLUICE_ABI_MAJOR, SLUICE_ABI_MINOR, sizeof(struct sluice_value)

/* JSON without quotes to escape: SLUICE_JSON({"streams": {"people": {"native": true}}}) */
#define SLUICE_JSON(...) #__VA_ARGS__

#if defined(__GNUC__)
#define SLUICE_EXPORT __attribute__((visibility("default")))
#else
#define SLUICE_EXPORT
#endif

/* Exports `plugin`, a constant struct sluice_plugin, from the one file of the shared object that says so. */
#define SLUICE_PLUGIN(plugin)                                                                                                  \
    SLUICE_EXPORT const struct sluice_plugin *sluice_plugin_entry(void)                                                        \
    {                                                                                                                          \
        return &(plugin);                                                                                                      \
    }                                                                                                                          \
    extern int sluice_plugin_needs_a_semicolon

SLUICE_EXPORT const struct sluice_plugin *sluice_plugin_entry(void); /* the function that a host looks for */

/* --- what the host says ------------------------------------------------------------------------------------------------- */

/* A column that is wanted; its values stand at its place in sluice_emit. Those that a pipeline leaves out are not there; the
 * others keep the order of `fields`. */
struct sluice_column {
    const char *name;
    const char *type; /* "string", "timestamp", ...: the vocabulary's */
};

/* A table that the slice feeds. */
struct sluice_table {
    const char *name; /* the stream's, as declared */
    const struct sluice_column *columns;
    uint32_t column_count;
    uint32_t reserved;
};

/* The place of a table's column; -1: it is not wanted. */
static inline int sluice_column_at(const struct sluice_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        const char *a = table->columns[i].name, *b = name;
        while (*a && *a == *b) a++, b++;
        if (*a == *b) return (int)i;
    }
    return -1;
}

/* What is to be read. Valid until close. */
struct sluice_slice {
    uint32_t struct_size;
    uint32_t table_count;
    const struct sluice_table *tables; /* the stream, if it is loaded, then those declared in its `routes`, as far as chosen */
    const char *stream;                /* its name */
    const char *state;   /* the checkpoint to go on behind: what it covers was taken; NULL: there is none, from the beginning */
    const char *from;    /* of a declared cursor: the values wanted, canonical text; NULL: open */
    const char *to;      /* likewise, where they end; whether it belongs to them: `cursor.bounds` */
    const char *values;  /* JSON object: what the stream is read for (`partitions`); NULL: nothing */
    int64_t now_us;      /* when the sync began, microseconds since 1970 */
    uint8_t incremental; /* the sync mode: 1 incremental, 0 full refresh */
    uint8_t continuous;  /* 1: what comes later is waited for, until the host ends it; 0: up to what there is now */
    uint8_t sample;      /* 1: a preview; a first page is all that will be asked for */
    uint8_t reserved[5];
};

/* A call of a function. */
struct sluice_call {
    uint32_t struct_size;
    uint32_t reserved;
    const char *context; /* JSON: what templates know, without secrets */
    size_t context_size;
    const char *page; /* records, pages.next: the answer's body; else empty */
    size_t page_size;
    const char *records_path; /* map: where its records are; NULL */
};

/* A request that the host sends, with the description's `http`: base, credentials, rate limits, retries, hosts that may be
 * reached. */
struct sluice_header {
    const char *name, *value;
};

struct sluice_http_request {
    uint32_t struct_size;
    uint32_t header_count;
    const char *method; /* NULL: "GET" */
    const char *url;    /* behind `http.base`, or an absolute URL of an allowed host */
    const struct sluice_header *headers;
    const char *body; /* NULL: none */
    size_t body_size;
    uint8_t idempotent; /* a POST that may be sent again: it only reads */
    uint8_t reserved[7];
};

/* Valid until the callback returns. */
struct sluice_http_response {
    uint32_t struct_size; /* set before */
    int32_t status;       /* below 400, or what a rule of `http.errors` says to ignore; the host has dealt with the others by
                             those rules (functions are not asked) and its retries */
    uint32_t header_count;
    uint32_t reserved;
    const struct sluice_header *headers; /* names in lower case */
    const char *body;
    size_t body_size;
};

/* --- what the host does -------------------------------------------------------------------------------------------------
 *
 * Use the functions further below; this table is how they reach the host. It grows at its end. */

struct sluice_host {
    uint32_t struct_size;
    uint16_t abi_major, abi_minor; /* the host's */
    int (*emit)(struct sluice_session *session, uint32_t table, int operation, const struct sluice_value *values,
                uint32_t count);
    int (*emit_bytes)(struct sluice_session *session, const char *data, size_t size);
    int (*checkpoint)(struct sluice_session *session, const char *state, size_t size);
    const char *(*committed)(struct sluice_session *session);
    const char *(*config)(struct sluice_session *session, const char *key);
    void *(*alloc)(struct sluice_session *session, size_t size);
    int (*resolve)(struct sluice_session *session, const char *name, uint16_t port, char (*addresses)[46], size_t *count);
    int (*sleep)(struct sluice_session *session, uint32_t milliseconds);
    int (*cancelled)(struct sluice_session *session);
    void (*log)(struct sluice_session *session, int level, const char *text);
    int (*fail)(struct sluice_session *session, int error, const char *message, const char *hint);
    int (*result)(struct sluice_session *session, const char *text, size_t size);
    int (*http)(struct sluice_session *session, const struct sluice_http_request *request,
                struct sluice_http_response *response);
    int (*input)(struct sluice_session *session, void *into, size_t room, size_t *size); /* since 1.1 */
};

struct sluice_session {
    const struct sluice_host *host;
};

/* Takes one row of slice->tables[table]: `count` values, one for each of its columns (none with SLUICE_TRUNCATE). Returns 0; 1
 * when the page is full, so that `page` should return 1 soon (it has 15 MiB more, then emitting fails); or an error. `page`
 * only, like the next two. */
static inline int sluice_emit(struct sluice_session *session, uint32_t table, enum sluice_operation operation,
                              const struct sluice_value *values, uint32_t count)
{
    return session->host->emit(session, table, (int)operation, values, count);
}

/* Takes bytes of the stream's declared `format` instead of rows. A page's bytes are one whole body of it, any size up to 16
 * MiB. Of a parser they are NDJSON, and a line may go on in the next page. Returns as sluice_emit. */
static inline int sluice_emit_bytes(struct sluice_session *session, const char *data, size_t size)
{
    return session->host->emit_bytes(session, data, size);
}

/* All that was emitted so far is covered by `state` (up to 1 MiB of text; JSON by custom): a sync that is interrupted goes on
 * behind it, and so does the next one of a stream whose cursor is `token`. It is stored in one transaction with the rows, so
 * it must say how to go on without a row twice or none. A page's last counts, and for all of the page: emit nothing behind it.
 * Returns 0 or an error. */
static inline int sluice_checkpoint(struct sluice_session *session, const char *state, size_t size)
{
    return session->host->checkpoint(session, state, size);
}

/* The newest checkpoint that is durable in the destination, with its rows: what a source may be told to forget. At first that
 * of an earlier run; slice->state may be newer, when what failed is tried again. NULL: none yet. `page` only. */
static inline const char *sluice_committed(struct sluice_session *session)
{
    return session->host->committed(session);
}

/* The value of a declared config entry as text (numbers and booleans as in JSON), its default included; NULL: it has none.
 * Secrets: in the profiles `network` and `files` only. Valid as long as the session. */
static inline const char *sluice_config(struct sluice_session *session, const char *key)
{
    return session->host->config(session, key);
}

/* Zeroed memory that is freed when the callback returns. Never NULL: a process out of memory ends. */
static inline void *sluice_alloc(struct sluice_session *session, size_t size)
{
    return session->host->alloc(session, size);
}

/* The addresses of a host that may be connected to, as text ("192.0.2.1", "2001:db8::1"): the host looks them up and leaves out
 * those that the pipeline does not allow (loopback and private ones, unless network.allow_private). *count: how many fit, then
 * how many there are. At least one, or an error, which a callback that can do without this host forgets by returning as if
 * there were none. Profile `network`. */
static inline int sluice_resolve(struct sluice_session *session, const char *name, uint16_t port, char (*addresses)[46],
                                 size_t *count)
{
    return session->host->resolve(session, name, port, addresses, count);
}

/* Waits, 30 s at most. Returns 0; 1 as soon as no more is wanted, see sluice_cancelled; or an error. */
static inline int sluice_sleep(struct sluice_session *session, uint32_t milliseconds)
{
    return session->host->sleep(session, milliseconds);
}

/* 1: no more is wanted. Then page should return 1 with what it has, within a second; later it is ended where it is. */
static inline int sluice_cancelled(struct sluice_session *session)
{
    return session->host->cancelled(session);
}

enum sluice_log_level { SLUICE_LOG_DEBUG = 0, SLUICE_LOG_INFO = 1, SLUICE_LOG_WARN = 2 };

/* One line for the sync's log; secrets of the configuration in it are hidden. At most 1,000 in a page. */
static inline void sluice_log(struct sluice_session *session, enum sluice_log_level level, const char *text)
{
    session->host->log(session, (int)level, text);
}

/* What a failure means: who can do something about it, and the sync's exit code. */
enum sluice_error {
    SLUICE_ERROR_CONFIG = 1,     /* the configuration: 2 */
    SLUICE_ERROR_AUTH = 2,       /* credentials refused: 3 */
    SLUICE_ERROR_PERMISSION = 3, /* known, but not allowed: 3 */
    SLUICE_ERROR_TRANSIENT = 4,  /* may heal: network, restart of a server. The slice begins again behind its checkpoint: 4 */
    SLUICE_ERROR_SOURCE = 5,     /* the source refuses for good: 4 */
    SLUICE_ERROR_DATA = 6,       /* a rule about data: retention passed, a file changed: 5 */
    SLUICE_ERROR_CONNECTOR = 7   /* the plugin: 7 */
};

/* Says why the callback fails: one line that says what happened, lower case, no full stop; and what to do (may be NULL). The
 * first of a callback counts. Returns a negative number: `return sluice_fail(..)`. */
static inline int sluice_fail(struct sluice_session *session, enum sluice_error error, const char *message, const char *hint)
{
    return session->host->fail(session, (int)error, message, hint);
}

/* Sends a request and waits for its answer: 0, or an error, be it of the source, of the credentials or of the way. The profile
 * does not matter, since the plugin itself connects to nothing. In `check`, `setup`, `teardown` and `page` of connectors whose
 * description has `http`. */
static inline int sluice_http(struct sluice_session *session, const struct sluice_http_request *request,
                              struct sluice_http_response *response)
{
    return session->host->http(session, request, response);
}

/* The next bytes of the body that a parser was opened for, as read(2): at least one and at most `room` of them, or *size 0
 * behind the last one. Unpacked, and whole: what the source cut off never gets here. A body counts as parsed when its end was
 * seen, so a last page (0) before that is an error, and so is a page that takes nothing and emits nothing. Returns 0 or an
 * error. `page` only. Since 1.1. */
static inline int sluice_input(struct sluice_session *session, void *into, size_t room, size_t *size)
{
    return session->host->input(session, into, room, size);
}

/* Adds to the answer of a function. Returns 0, or an error past 16 MiB. */
static inline int sluice_result(struct sluice_session *session, const char *text, size_t size)
{
    return session->host->result(session, text, size);
}

/* --- values, made ------------------------------------------------------------------------------------------------------- */

static inline struct sluice_value sluice_of_int(enum sluice_kind kind, int64_t number)
{
    struct sluice_value value = {(uint8_t)kind, {0, 0, 0}, 0, {number}};
    return value;
}

static inline struct sluice_value sluice_of_data(enum sluice_kind kind, const char *data, size_t size)
{
    struct sluice_value value = {(uint8_t)kind, {0, 0, 0}, (uint32_t)size, {0}};
    value.as.data = data;
    return value;
}

static inline struct sluice_value sluice_missing(void)
{
    return sluice_of_int(SLUICE_MISSING, 0);
}

static inline struct sluice_value sluice_null(void)
{
    return sluice_of_int(SLUICE_NULL, 0);
}

static inline struct sluice_value sluice_boolean(int is_true)
{
    return sluice_of_int(SLUICE_BOOLEAN, is_true ? 1 : 0);
}

static inline struct sluice_value sluice_integer(int64_t number)
{
    return sluice_of_int(SLUICE_INTEGER, number);
}

static inline struct sluice_value sluice_float(double number)
{
    struct sluice_value value = sluice_of_int(SLUICE_FLOAT, 0);
    value.as.f = number;
    return value;
}

static inline struct sluice_value sluice_date(int64_t days)
{
    return sluice_of_int(SLUICE_DATE, days);
}

static inline struct sluice_value sluice_timestamp(int64_t microseconds)
{
    return sluice_of_int(SLUICE_TIMESTAMP, microseconds);
}

/* Texts of up to 16 MiB; what a size cannot hold is cut by the page's limit before. */
static inline struct sluice_value sluice_text(const char *data, size_t size)
{
    return sluice_of_data(SLUICE_STRING, data, size);
}

static inline struct sluice_value sluice_decimal(const char *data, size_t size)
{
    return sluice_of_data(SLUICE_DECIMAL, data, size);
}

static inline struct sluice_value sluice_json(const char *data, size_t size)
{
    return sluice_of_data(SLUICE_JSON, data, size);
}

static inline struct sluice_value sluice_binary(const char *data, size_t size)
{
    return sluice_of_data(SLUICE_BINARY, data, size);
}

#ifdef __cplusplus
}
#endif

#endif
