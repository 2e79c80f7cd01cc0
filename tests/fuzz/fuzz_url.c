/* url: what parses is normal (parsing it again changes nothing), names a plain host and carries no login; a resolved reference
 * parses; a parameter set is there once; what is shown holds no credential. Input: base and reference in two lines. */
#include "fuzz.h"

#include "net/url.h"

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 127) return false;
    return true;
}

static bool parse(struct str text, struct arena *arena, struct url *url)
{
    struct err err = ERR_INIT;
    struct url before = *url;
    int rc = url_parse(text, arena, url, &err);
    CHECK(rc == 0 || (rc == ERR_CONFIG && err.message[0]));
    if (rc != 0) CHECK(memcmp(&before, url, sizeof before) == 0);
    return rc == 0;
}

static void check_normal(const struct url *url, struct arena *arena)
{
    struct url again = {0};
    CHECK(url->scheme && url->host && url->path && url->text && url->path[0] == '/');
    CHECK(is_printable(url->text) && is_printable(url->host) && is_printable(url->path) &&
          (!url->query || is_printable(url->query)));
    CHECK(!strchr(url->text, '#') && !strpbrk(url->host, "@/?#[]"));
    CHECK(url->port >= 0 && url->port <= 65535);
    CHECK(parse(str_from(url->text), arena, &again) && strcmp(again.text, url->text) == 0);
    CHECK(url_same_origin(url, &again) && strcmp(url->path, again.path) == 0);
    CHECK(!url->query == !again.query && (!url->query || strcmp(url->query, again.query) == 0));
}

static void check_param(const struct url *url, struct str name, struct str value, struct arena *arena)
{
    struct buf set = BUF_INIT(URL_MAX_BYTES), pair = BUF_INIT(URL_MAX_BYTES);
    struct url again = {0};
    buf_append_text(&set, url->text);
    url_set_param(&set, name, value);
    url_set_param(&set, name, value);
    url_add_form(&pair, name, value);
    CHECK(!set.failed && parse(buf_str(&set), arena, &again) && url_same_origin(url, &again));
    CHECK(again.query && str_ends(str_from(again.query), buf_str(&pair)));
    size_t count = 0;
    struct str rest = str_from(again.query), one;
    while (str_next(&rest, '&', &one)) count += str_equal(one, buf_str(&pair));
    CHECK(count == 1);
    buf_release(&set);
    buf_release(&pair);
}

static void check_shown(struct str text)
{
    static const char *const NAMES[] = {"?access_token=", "&access_token="};
    struct buf shown = BUF_INIT(1 << 20), with = BUF_INIT(1 << 20);
    url_redact(text, NULL, &shown);
    CHECK(shown.size <= 403);
    buf_append_text(&with, "https://user:hunter2word@h.test/p");
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        buf_append_text(&with, NAMES[i]);
        buf_append_text(&with, "hunter2word&x=");
        buf_append_str(&with, text);
    }
    buf_clear(&shown);
    url_redact(buf_str(&with), NULL, &shown);
    if (!fuzz_contains(text, STR("unter2"))) CHECK(!fuzz_contains(buf_str(&shown), STR("hunter2word")));
    buf_release(&shown);
    buf_release(&with);
}

void fuzz(struct str input)
{
    struct arena arena = ARENA_INIT(0);
    struct buf resolved = BUF_INIT(URL_MAX_BYTES);
    struct str base = fuzz_line(&input), reference = fuzz_line(&input);
    struct url url = {0}, target = {0};
    struct err err = ERR_INIT;
    check_shown(base);
    if (parse(base, &arena, &url)) {
        check_normal(&url, &arena);
        check_param(&url, reference, base, &arena);
        int rc = url_resolve(str_from(url.text), reference, &resolved, &err);
        CHECK(rc == 0 || (rc == ERR_DATA && err.message[0]));
        if (rc == 0 && parse(buf_str(&resolved), &arena, &target)) check_normal(&target, &arena);
    }
    buf_release(&resolved);
    arena_release(&arena);
}
