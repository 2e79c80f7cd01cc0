/* How it works: one easy handle inside one multi handle, so that the waiting is ours: the loop below polls libcurl's sockets
 * together with the cancel descriptor and looks at the clock, which makes cancelling prompt and time limits testable. The
 * connection cache belongs to the multi handle and lives as long as the struct. What arrives goes to http_answer.c.
 *
 * Addresses are judged where sockets are opened (every name, spelling and DNS answer ends there) and once more, for connections
 * that are used again, right before the request goes out. */
#include "net/http.h"

#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/time.h"
#include "net/guard.h"
#include "net/http_answer.h"
#include "net/proxy.h"
#include "net/url.h"
#include "os/cancel.h"
#include "os/clock.h"

enum {
    POLL_MS = 100,              /* how late a time limit may be noticed */
    RECEIVE_BYTES = 256 * 1024, /* libcurl's buffer */
    KEPT_CONNECTIONS = 4,
    DNS_CACHE_S = 60,
    REQUEST_HEADERS_MAX_BYTES = 128 * 1024,
    HTTP_PROXY_AUTHENTICATION = 407,
};

const struct http_limits HTTP_LIMITS_DEFAULT = {
    .connect_ms = 10 * 1000,
    .first_byte_ms = 60 * 1000,
    .low_speed_bytes = 1024,
    .low_speed_ms = 60 * 1000,
    .total_ms = 0,
    .body_bytes = 16 * 1024 * 1024,
    .header_bytes = 64 * 1024,
    .inflate_ratio = 200,
};

struct http {
    struct http_options options;
    CURL *easy;
    CURLM *multi;
};

/* One request on its way. */
struct transfer {
    struct http *http;
    struct answer answer;
    struct curl_slist *headers;
    char reason[CURL_ERROR_SIZE];
    struct err failure; /* ours: a time limit, cancelled, an address refused; class 0: none */
    struct err refused; /* an address that guard refused while there may be others */
    bool was_sent;      /* the request may have reached the server */
    bool has_first_byte;
    bool is_proxied;
    int64_t begun_ms, sent_ms; /* sent_ms: when the last of the request went out */
    curl_off_t uploaded;
    int64_t speed_since_ms; /* low speed: the window's begin ... */
    uint64_t speed_bytes;   /* ... and what had arrived by then */
    uint64_t received;      /* headers and body */
};

/* --- what may be sent ---------------------------------------------------------------------------- */

/* Those make up the framing, or say which content codings we can undo. */
static const char *const OWN_HEADERS[] = {"Host",    "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "TE",
                                          "Trailer", "Expect",         "Accept-Encoding",   "Keep-Alive"};

static bool is_token(struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c)) return false;
    }
    return text.size > 0;
}

static int check_header(const struct http_header *header, struct err *err)
{
    if (!is_token(header->name))
        return err_set(err, ERR_CONFIG, "cannot send a header named '" STR_FMT "'", STR_ARG(header->name));
    for (size_t i = 0; i < header->value.size; i++) {
        unsigned char c = (unsigned char)header->value.data[i];
        if ((c >= ' ' || c == '\t') && c != 0x7f) continue;
        err_set(err, ERR_CONFIG, "cannot send the header '" STR_FMT "': a control character (0x%02x) at byte %zu",
                STR_ARG(header->name), c, i);
        return err_hint(err, "look for a line break at the end of its value");
    }
    for (size_t i = 0; i < ARRAY_SIZE(OWN_HEADERS); i++)
        if (str_equal_nocase(header->name, str_from(OWN_HEADERS[i])))
            return err_set(err, ERR_CONFIG, "cannot send the header '%s': it is the host's to set", OWN_HEADERS[i]);
    return 0;
}

static void add_header_line(struct transfer *transfer, const char *line)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, line);
    CHECK(longer);
    transfer->headers = longer;
}

static int add_headers(struct transfer *transfer, const struct http_request *request, struct err *err)
{
    struct buf line = BUF_INIT(REQUEST_HEADERS_MAX_BYTES);
    size_t total = 0;
    bool has_type = false;
    int rc = 0;
    for (size_t i = 0; i < request->header_count && rc == 0; i++) {
        const struct http_header *header = &request->headers[i];
        struct str value = str_trim(header->value);
        rc = check_header(header, err);
        total += header->name.size + header->value.size + 4;
        if (rc == 0 && total > REQUEST_HEADERS_MAX_BYTES)
            rc = err_set(err, ERR_CONFIG, "cannot send more than %d bytes of headers", REQUEST_HEADERS_MAX_BYTES);
        if (rc != 0) break;
        buf_clear(&line);
        buf_append_str(&line, header->name);
        buf_append_text(&line, value.size ? ": " : ";"); /* libcurl's spelling of a header without a value */
        buf_append_str(&line, value);
        add_header_line(transfer, buf_text(&line));
        has_type = has_type || str_equal_nocase(header->name, STR("content-type"));
    }
    add_header_line(transfer, "Accept-Encoding: gzip, deflate");
    add_header_line(transfer, "Expect:"); /* no waiting for a 100 before the body */
    if (!has_type) add_header_line(transfer, "Content-Type:");
    buf_release(&line);
    return rc;
}

/* --- libcurl's callbacks ------------------------------------------------------------------------- */

static void count_received(struct transfer *transfer, size_t size)
{
    if (!transfer->has_first_byte) {
        transfer->has_first_byte = true;
        transfer->speed_since_ms = clock_now_ms(transfer->http->options.clock);
    }
    transfer->received += size;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    count_received(transfer, size * count);
    return answer_header(&transfer->answer, data, size * count) ? size * count : 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    count_received(transfer, size * count);
    /* An empty body is told as 0 bytes, for which anything but 0 would be an error. */
    return answer_body(&transfer->answer, data, size * count) ? size * count : CURL_WRITEFUNC_ERROR;
}

static int on_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    struct transfer *transfer = context;
    (void)down_total;
    (void)down;
    (void)up_total;
    if (up > transfer->uploaded) transfer->sent_ms = clock_now_ms(transfer->http->options.clock);
    transfer->uploaded = up;
    return 0;
}

static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = context;
    (void)purpose;
    if (!transfer->is_proxied && guard_address(transfer->http->options.guard, &address->addr, &transfer->refused) != 0)
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int on_before_request(void *context, char *remote, char *local, int remote_port, int local_port)
{
    struct transfer *transfer = context;
    (void)local;
    (void)remote_port;
    (void)local_port;
    if (!transfer->is_proxied && guard_address_text(transfer->http->options.guard, remote, &transfer->failure) != 0)
        return CURL_PREREQFUNC_ABORT;
    transfer->was_sent = true;
    transfer->sent_ms = clock_now_ms(transfer->http->options.clock);
    return CURL_PREREQFUNC_OK;
}

/* --- the transfer -------------------------------------------------------------------------------- */

#define SET(option, value) CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK)

/* Methods whose requests have a body even when it is empty (RFC 9110 8.6): they say "Content-Length: 0". */
static bool has_content(const struct http_request *request)
{
    static const char *const METHODS[] = {"POST", "PUT", "PATCH"};
    for (size_t i = 0; i < ARRAY_SIZE(METHODS); i++)
        if (strcmp(request->method, METHODS[i]) == 0) return true;
    return request->body.size > 0;
}

static void set_request(CURL *easy, const struct http_request *request)
{
    bool is_head = strcmp(request->method, "HEAD") == 0;
    if (is_head) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (has_content(request)) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
        SET(CURLOPT_POSTFIELDS, request->body.size ? request->body.data : "");
        SET(CURLOPT_CUSTOMREQUEST, request->method);
    } else {
        SET(CURLOPT_HTTPGET, 1L);
        SET(CURLOPT_CUSTOMREQUEST, request->method);
    }
    /* On a kept connection that turns out dead libcurl sends the request again by itself. What must not be sent twice gets a
     * fresh one. */
    bool may_repeat = request->idempotent || is_head || strcmp(request->method, "GET") == 0;
    SET(CURLOPT_FRESH_CONNECT, may_repeat ? 0L : 1L);
}

static void set_transport(struct http *http, CURL *easy)
{
    const char *schemes = guard_allows_http(http->options.guard) ? "http,https" : "https";
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* cancelling does not wait for a name that is being looked up */
    SET(CURLOPT_PROTOCOLS_STR, schemes);
    SET(CURLOPT_REDIR_PROTOCOLS_STR, schemes);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, ""); /* and none from the environment */
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_SSLVERSION, (long)(http->options.needs_tls_1_3 ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2));
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)http->options.limits.connect_ms);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, (long)DNS_CACHE_S);
    /* libcurl 7.88 refuses to set this one again on a handle whose last transfer ended while its name was looked up. Then the
     * size of the first time stays, which is the same. */
    (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_USERAGENT, http->options.user_agent);
}

static void set_identity(CURL *easy, const struct http_identity *identity)
{
    struct curl_blob certificate = {
        .data = (char *)(uintptr_t)identity->certificate.data, .len = identity->certificate.size, .flags = CURL_BLOB_NOCOPY};
    struct curl_blob key = {
        .data = (char *)(uintptr_t)identity->key.data, .len = identity->key.size, .flags = CURL_BLOB_NOCOPY};
    if (identity->certificate.size == 0) return;
    SET(CURLOPT_SSLCERT_BLOB, &certificate);
    SET(CURLOPT_SSLKEY_BLOB, &key);
    if (identity->password) SET(CURLOPT_KEYPASSWD, identity->password);
}

/* The proxy's own answers are not the source's. Certificates of a proxy are trusted like the source's. */
static void set_proxy(CURL *easy, const struct proxy *proxy, struct str authorities)
{
    struct curl_blob blob = {.data = (char *)(uintptr_t)authorities.data, .len = authorities.size, .flags = CURL_BLOB_NOCOPY};
    SET(CURLOPT_PROXY, proxy->url);
    SET(CURLOPT_NOPROXY, ""); /* what is reached directly was decided already, and the environment has no say */
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (authorities.size) SET(CURLOPT_PROXY_CAINFO_BLOB, &blob);
    if (!proxy->user) return;
    SET(CURLOPT_PROXYUSERNAME, proxy->user);
    SET(CURLOPT_PROXYPASSWORD, proxy->password);
    SET(CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
}

static void set_authorities(CURL *easy, struct str pem)
{
    struct curl_blob blob = {.data = (char *)(uintptr_t)pem.data, .len = pem.size, .flags = CURL_BLOB_NOCOPY};
    if (pem.size == 0) return;
    SET(CURLOPT_CAINFO_BLOB, &blob);
    SET(CURLOPT_CAPATH, (char *)NULL); /* the system's folder of authorities counts beside it otherwise */
}

static void set_callbacks(struct transfer *transfer, CURL *easy)
{
    SET(CURLOPT_ERRORBUFFER, transfer->reason);
    SET(CURLOPT_HTTPHEADER, transfer->headers);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, transfer);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, transfer);
    SET(CURLOPT_PREREQFUNCTION, on_before_request);
    SET(CURLOPT_PREREQDATA, transfer);
}

/* Too slow? The window begins anew each time its share has arrived. */
static bool is_crawling(struct transfer *transfer, int64_t now_ms)
{
    const struct http_limits *limits = &transfer->http->options.limits;
    if (limits->low_speed_ms <= 0 || now_ms - transfer->speed_since_ms < limits->low_speed_ms) return false;
    uint64_t wanted = (uint64_t)limits->low_speed_bytes * (uint64_t)limits->low_speed_ms / 1000;
    if (transfer->received - transfer->speed_bytes < wanted) return true;
    transfer->speed_since_ms = now_ms;
    transfer->speed_bytes = transfer->received;
    return false;
}

/* May the transfer go on? Sets the failure when not. */
static bool check_limits(struct transfer *transfer)
{
    const struct http_options *options = &transfer->http->options;
    const struct http_limits *limits = &options->limits;
    int64_t now_ms = clock_now_ms(options->clock);
    struct err *failure = &transfer->failure;
    if (cancel_aborted(options->cancel)) {
        err_set(failure, ERR_CANCELLED, "stopped while a request was under way");
    } else if (limits->total_ms > 0 && now_ms - transfer->begun_ms >= limits->total_ms) {
        err_set(failure, ERR_TRANSIENT, "could not finish in the %lld ms a request may take", (long long)limits->total_ms);
        failure->is_too_much = true;
    } else if (transfer->has_first_byte) {
        if (is_crawling(transfer, now_ms))
            err_set(failure, ERR_TRANSIENT, "could not go on: less than %lld bytes/s for %lld ms",
                    (long long)limits->low_speed_bytes, (long long)limits->low_speed_ms);
    } else if (transfer->was_sent && limits->first_byte_ms > 0 && now_ms - transfer->sent_ms >= limits->first_byte_ms) {
        err_set(failure, ERR_TRANSIENT, "could not get an answer: nothing came for %lld ms", (long long)limits->first_byte_ms);
        failure->is_too_much = true;
    }
    return failure->class == 0;
}

/* The cancel descriptor becomes readable at STOP already, which lets a transfer end in peace: from then on only the clock wakes
 * us. */
static void wait_for_traffic(struct http *http)
{
    struct cancel *cancel = http->options.cancel;
    bool watches = cancel && !cancel_stopping(cancel);
    struct curl_waitfd extra = {.fd = watches ? cancel_fd(cancel) : -1, .events = CURL_WAIT_POLLIN};
    CHECK(curl_multi_poll(http->multi, &extra, watches ? 1 : 0, POLL_MS, NULL) == CURLM_OK);
}

static CURLcode outcome(struct http *http)
{
    int left = 0;
    CURLMsg *message;
    CURLcode code = CURLE_OK;
    while ((message = curl_multi_info_read(http->multi, &left)) != NULL)
        if (message->msg == CURLMSG_DONE) code = message->data.result;
    return code;
}

static CURLcode run(struct transfer *transfer)
{
    struct http *http = transfer->http;
    int running = 1;
    CHECK(curl_multi_add_handle(http->multi, http->easy) == CURLM_OK);
    for (;;) {
        CHECK(curl_multi_perform(http->multi, &running) == CURLM_OK);
        if (running == 0 || !check_limits(transfer)) break;
        wait_for_traffic(http);
    }
    CURLcode code = running ? CURLE_ABORTED_BY_CALLBACK : outcome(http);
    CHECK(curl_multi_remove_handle(http->multi, http->easy) == CURLM_OK);
    return code;
}

/* --- what went wrong ----------------------------------------------------------------------------- */

#define PROXY_HINT "give its user and password in `network.proxy`: http://USER:PASSWORD@HOST:PORT"
#define OLD_TLS_HINT "the source must offer TLS 1.2 or later, or what `network.tls_min` asks for"
#define UNTRUSTED ERR_SOURCE, "cannot trust the host"
#define NO_TLS ERR_SOURCE, "cannot speak TLS with the host"

/* Those that are not simply the network's trouble of the moment; the first whose words are in libcurl's reason counts. What a
 * handshake fails for has no code of its own, but OpenSSL's words for it last. */
static const struct {
    CURLcode code;
    const char *says; /* "": whatever it says */
    int class;
    const char *text;
    const char *hint;
} CODES[] = {
    {CURLE_COULDNT_RESOLVE_HOST, "", ERR_TRANSIENT, "could not find the host", "check the host's name and this machine's DNS"},
    {CURLE_COULDNT_RESOLVE_PROXY, "", ERR_TRANSIENT, "could not find the proxy",
     "check `network.proxy` and this machine's DNS"},
    {CURLE_RECV_ERROR, "HTTP code 407", ERR_AUTH, "the proxy refuses us", PROXY_HINT},
    {CURLE_RECV_ERROR, "HTTP code 403", ERR_PERMISSION, "the proxy does not let us through", "it must allow the source's host"},
    {CURLE_RECV_ERROR, "from proxy after CONNECT", ERR_TRANSIENT, "the proxy could not reach the source", ""},
    {CURLE_PROXY, "", ERR_TRANSIENT, "could not get through the proxy", "check `network.proxy`: its scheme, host and port"},
    {CURLE_SSL_CERTPROBLEM, "", ERR_CONFIG, "cannot use the client certificate",
     "check `network.client_cert`, `client_key` and `client_key_password`: do they belong together?"},
    {CURLE_RECV_ERROR, "certificate required", ERR_AUTH, "the source wants a client certificate",
     "name one: network: { client_cert: PATH, client_key: PATH }"},
    {CURLE_RECV_ERROR, "alert", ERR_AUTH, "the source does not take the client certificate",
     "it must be signed by an authority that the source trusts, and not have expired"},
    {CURLE_COULDNT_CONNECT, "", ERR_TRANSIENT, "could not connect", ""},
    {CURLE_PARTIAL_FILE, "", ERR_TRANSIENT, "could not get all of the body", ""},
    {CURLE_GOT_NOTHING, "", ERR_TRANSIENT, "could not get an answer", ""},
    {CURLE_OPERATION_TIMEDOUT, "", ERR_TRANSIENT, "could not connect in time", ""},
    {CURLE_PEER_FAILED_VERIFICATION, "has expired", UNTRUSTED,
     "the source must renew its certificate; check the clock here, too"},
    {CURLE_PEER_FAILED_VERIFICATION, "not yet valid", UNTRUSTED, "check this machine's clock"},
    {CURLE_PEER_FAILED_VERIFICATION, "subject name", UNTRUSTED, "its certificate is for another name; check the base URL"},
    {CURLE_PEER_FAILED_VERIFICATION, "", UNTRUSTED,
     "if a private authority signed its certificate, name that in the pipeline: 'network: { ca_file: PATH }'"},
    {CURLE_SSL_CONNECT_ERROR, "wrong version number", NO_TLS, "check the URL's port: what answers there speaks something else"},
    {CURLE_SSL_CONNECT_ERROR, "protocol version", NO_TLS, OLD_TLS_HINT},
    {CURLE_SSL_CONNECT_ERROR, "unsupported protocol", NO_TLS, OLD_TLS_HINT},
    {CURLE_SSL_CONNECT_ERROR, "handshake failure", NO_TLS, "the source must offer a cipher that counts as safe today"},
    {CURLE_SSL_CACERT_BADFILE, "", ERR_CONFIG, "cannot check certificates",
     "install the system's list of authorities (ca-certificates)"},
    {CURLE_URL_MALFORMAT, "", ERR_CONFIG, "cannot use the URL", ""},
    {CURLE_UNSUPPORTED_PROTOCOL, "", ERR_DATA, "cannot speak with the source", ""}, /* an answer of HTTP/0.9 is one, too */
    {CURLE_WEIRD_SERVER_REPLY, "", ERR_DATA, "cannot read the answer", ""},
    {CURLE_BAD_FUNCTION_ARGUMENT, "", ERR_DATA, "cannot read the answer", ""},
    {CURLE_OUT_OF_MEMORY, "", ERR_DATA, "cannot take in the answer", ""},
    {CURLE_FILESIZE_EXCEEDED, "", ERR_DATA, "cannot take in the answer", ""},
};

static void explain(const struct transfer *transfer, CURLcode code, struct err *failure)
{
    const char *reason = transfer->reason[0] ? transfer->reason : curl_easy_strerror(code);
    for (size_t i = 0; i < ARRAY_SIZE(CODES); i++) {
        if (CODES[i].code != code || !strstr(reason, CODES[i].says)) continue;
        err_set(failure, CODES[i].class, "%s: %s", CODES[i].text, reason);
        if (CODES[i].hint[0]) err_hint(failure, "%s", CODES[i].hint);
        return;
    }
    err_set(failure, ERR_TRANSIENT, "could not finish the exchange: %s", reason);
}

/* The failure that counts: ours before libcurl's, which only knows that a callback said no. */
static void find_failure(const struct transfer *transfer, CURLcode code, struct err *failure)
{
    if (transfer->failure.class != 0)
        *failure = transfer->failure;
    else if (code == CURLE_COULDNT_CONNECT && transfer->refused.class != 0)
        *failure = transfer->refused;
    else if (code != CURLE_OK)
        explain(transfer, code, failure);
}

/* --- the interface ------------------------------------------------------------------------------- */

static void init_library(void)
{
    CHECK(curl_global_init_mem(CURL_GLOBAL_DEFAULT, mem_alloc, free, mem_resize, mem_strdup, mem_zero) == CURLE_OK);
}

void http_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    CHECK(pthread_once(&once, init_library) == 0);
}

struct http *http_new(const struct http_options *options)
{
    http_init();
    struct http *http = mem_zero(1, sizeof *http);
    http->options = *options;
    http->easy = curl_easy_init();
    http->multi = curl_multi_init();
    CHECK(http->easy && http->multi);
    CHECK(curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS) == CURLM_OK);
    return http;
}

void http_free(struct http *http)
{
    if (!http) return;
    curl_easy_cleanup(http->easy);
    curl_multi_cleanup(http->multi);
    free(http);
}

static int prepare(struct transfer *transfer, const struct http_request *request, struct arena *arena, struct url *url,
                   struct err *err)
{
    struct http *http = transfer->http;
    CURL *easy = http->easy;
    int rc = url_parse(str_from(request->url), arena, url, err);
    if (rc == 0 && !is_token(str_from(request->method)))
        rc = err_set(err, ERR_CONFIG, "cannot send a request with the method '%.40s'", request->method);
    if (rc == 0) rc = add_headers(transfer, request, err);
    transfer->is_proxied = rc == 0 && http->options.proxy && proxy_serves(http->options.proxy, url);
    if (transfer->is_proxied) rc = proxy_check_host(http->options.guard, url, err);
    if (rc != 0) return rc;
    curl_easy_reset(easy); /* of options; connections stay */
    transfer->answer.compression = request->compression;
    transfer->answer.spool = request->spool;
    transfer->answer.is_over_tls = strcmp(url->scheme, "https") == 0;
    SET(CURLOPT_URL, url->text);
    set_transport(http, easy);
    set_authorities(easy, http->options.authorities);
    set_identity(easy, &http->options.identity);
    if (transfer->is_proxied) set_proxy(easy, http->options.proxy, http->options.authorities);
    set_request(easy, request);
    set_callbacks(transfer, easy);
    return 0;
}

int64_t http_source_now_us(const struct http_response *response, int64_t wall_us)
{
    int64_t seconds;
    return time_parse_http_date(http_header(response, "date"), &seconds) ? seconds * 1000000 : wall_us;
}

int http_send(struct http *http, const struct http_request *request, struct arena *arena, struct http_response *response,
              bool *was_sent, struct err *err)
{
    struct transfer *transfer = mem_zero(1, sizeof *transfer);
    struct clock *clock = http->options.clock;
    struct url url;
    struct err failure = ERR_INIT;
    bool is_head = strcmp(request->method, "HEAD") == 0;
    transfer->http = http;
    transfer->begun_ms = clock_now_ms(clock);
    answer_init(&transfer->answer, &http->options.limits, http->options.budget, arena, is_head);
    int rc = prepare(transfer, request, arena, &url, err);
    if (rc == 0) {
        CURLcode code = run(transfer);
        find_failure(transfer, code, &failure);
        *response = (struct http_response){.url = url.text, .arena = arena};
        rc = answer_finish(&transfer->answer, &failure, response, err);
        response->elapsed_ms = clock_now_ms(clock) - transfer->begun_ms;
    }
    if (rc == 0 && transfer->is_proxied && response->status == HTTP_PROXY_AUTHENTICATION) {
        http_response_release(response);
        err_set(err, ERR_AUTH, "the proxy refuses us: it answered %d", HTTP_PROXY_AUTHENTICATION);
        rc = err_hint(err, PROXY_HINT);
    }
    if (rc == 0)
        limit_facts_read(response->headers, response->header_count, http_source_now_us(response, clock_wall_us(clock)),
                         &response->limits);
    if (was_sent) *was_sent = transfer->was_sent;
    curl_easy_reset(http->easy); /* nothing in it points here any more */
    curl_slist_free_all(transfer->headers);
    answer_release(&transfer->answer);
    free(transfer);
    return rc;
}

void http_response_release(struct http_response *response)
{
    block_release(response->body);
    response->body = NULL;
}

struct str http_header(const struct http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (str_equal_nocase(response->headers[i].name, str_from(name))) return response->headers[i].value;
    return (struct str){0};
}
