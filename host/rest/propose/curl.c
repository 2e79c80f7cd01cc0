/* curl: a command line as browsers copy it ("Copy as cURL") and documentations show it, split as a shell would. */
#include <string.h>

#include "rest/propose/parts.h"

enum { WORDS_MAX = 500 };

/* The next word of a POSIX shell's command line; false at its end or when a quote is not closed. */
static bool next_word(struct str *rest, struct arena *arena, const char **word, bool *is_broken)
{
    struct buf text = BUF_INIT(PROPOSE_MAX_BYTES);
    char quote = 0;
    bool has_word = false;
    size_t i = 0;
    for (; i < rest->size; i++) {
        char c = rest->data[i];
        bool is_space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        if (!quote && is_space && has_word) break;
        if (!quote && is_space) continue;
        has_word = true;
        if (c == '\\' && quote != '\'' && i + 1 < rest->size) {
            char next = rest->data[++i];
            if (next == '\n' || next == '\r') {
                has_word = text.size > 0;
                continue;
            }
            if (quote && next != '"' && next != '\\' && next != '$') buf_append_char(&text, '\\');
            buf_append_char(&text, next);
        } else if (quote ? c == quote : c == '\'' || c == '"') {
            quote = quote ? 0 : c;
        } else if (!quote && c == '$' && i + 1 < rest->size && rest->data[i + 1] == '\'') {
            continue; /* $'..': its escapes are those that matter here */
        } else {
            buf_append_char(&text, c);
        }
    }
    *is_broken = quote != 0;
    *word = arena_text(arena, buf_str(&text));
    *rest = (struct str){rest->data + i, rest->size - i};
    buf_release(&text);
    return has_word && !*is_broken;
}

/* Options with a value that say nothing about the API. */
static bool takes_value(const char *option)
{
    static const char *const OPTIONS[] = {
        "-o", "--output",      "-A",      "--user-agent", "-e",      "--referer", "-m", "--max-time", "--connect-timeout",
        "-w", "--write-out",   "--retry", "-x",           "--proxy", "--cacert",  "-E", "--cert",     "--key",
        "-D", "--dump-header", "-c",      "--cookie-jar"};
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++)
        if (strcmp(OPTIONS[i], option) == 0) return true;
    return false;
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

struct command {
    struct seen_request request;
    struct proposed_pair headers[PROPOSE_MAX_PARAMS];
    struct buf data;
    bool data_is_query; /* -G */
};

static void add_header(struct command *command, const char *name, const char *value)
{
    if (command->request.header_count == PROPOSE_MAX_PARAMS) return;
    command->headers[command->request.header_count++] = (struct proposed_pair){name, value};
}

static void add_header_line(struct command *command, const char *line, struct arena *arena)
{
    const char *colon = strchr(line, ':');
    if (!colon) return;
    add_header(command, arena_text(arena, (struct str){line, (size_t)(colon - line)}),
               arena_text(arena, str_trim(str_from(colon + 1))));
}

static void add_data(struct command *command, const char *data)
{
    if (command->data.size) buf_append_char(&command->data, '&');
    buf_append_text(&command->data, data);
}

/* An option with its value; the value is not used by a switch. False: the option takes none. */
static bool read_option(struct command *command, const char *option, const char *value, struct arena *arena)
{
    if (is_one_of(option, "-H", "--header"))
        add_header_line(command, value, arena);
    else if (is_one_of(option, "-X", "--request"))
        command->request.method = value;
    else if (is_one_of(option, "-u", "--user"))
        add_header(command, "Authorization", "Basic");
    else if (is_one_of(option, "-b", "--cookie"))
        add_header(command, "Cookie", value);
    else if (is_one_of(option, "-d", "--data") || is_one_of(option, "--data-raw", "--data-urlencode") ||
             is_one_of(option, "--data-binary", "--json"))
        add_data(command, value);
    else if (strcmp(option, "--url") == 0)
        command->request.url = value;
    else
        return takes_value(option);
    return true;
}

static int read_words(struct command *command, const char **words, size_t count, struct arena *arena, struct err *err)
{
    for (size_t i = 1; i < count; i++) {
        const char *equals = strncmp(words[i], "--", 2) == 0 ? strchr(words[i], '=') : NULL;
        if (equals) {
            read_option(command, arena_text(arena, (struct str){words[i], (size_t)(equals - words[i])}), equals + 1, arena);
        } else if (words[i][0] == '-' && words[i][1]) {
            command->data_is_query = command->data_is_query || is_one_of(words[i], "-G", "--get");
            bool is_joined = words[i][1] != '-' && words[i][2] && strchr("HXudb", words[i][1]); /* -XPOST */
            if (is_joined)
                read_option(command, arena_printf(arena, "-%c", words[i][1]), words[i] + 2, arena);
            else if (read_option(command, words[i], i + 1 < count ? words[i + 1] : "", arena))
                i++;
        } else if (!command->request.url) {
            command->request.url = words[i];
        }
    }
    if (command->request.url) return 0;
    err_set(err, ERR_CONFIG, "there is no URL in the curl command");
    return err_hint(err, "copy the whole command, as one line or with \\ at the ends of lines");
}

int propose_curl(struct str text, struct arena *arena, struct proposal *proposal, struct err *err)
{
    const char *words[WORDS_MAX];
    size_t count = 0;
    bool is_broken = false;
    struct command command = {.request = {.headers = command.headers}, .data = BUF_INIT(PROPOSE_MAX_BYTES)};
    struct proposed_stream *stream;
    while (count < WORDS_MAX && next_word(&text, arena, &words[count], &is_broken)) count++;
    int rc = is_broken ? err_set(err, ERR_CONFIG, "a quote in the curl command is not closed")
                       : read_words(&command, words, count, arena, err);
    if (rc == 0) {
        const char *data = arena_text(arena, buf_str(&command.data));
        if (command.data.size && command.data_is_query)
            command.request.url =
                arena_printf(arena, "%s%c%s", command.request.url, strchr(command.request.url, '?') ? '&' : '?', data);
        else if (command.data.size)
            command.request.body = data;
        if (!command.request.method) command.request.method = command.request.body ? "POST" : "GET";
        if (!strstr(command.request.url, "://")) command.request.url = arena_printf(arena, "https://%s", command.request.url);
        rc = propose_request(proposal, &command.request, arena, &stream, err);
    }
    buf_release(&command.data);
    return rc;
}
