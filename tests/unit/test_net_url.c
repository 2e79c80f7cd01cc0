#include "unit.h"

#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "net/url.h"
#include "os/secret.h"

static void test_takes_urls_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *scheme, *host;
        int port;
        const char *path, *query, *whole;
    } CASES[] = {
        {"https://api.example.com", "https", "api.example.com", 443, "/", NULL, "https://api.example.com/"},
        {"HTTPS://API.Example.COM:443/a/../b?x=1#top", "https", "api.example.com", 443, "/b", "x=1",
         "https://api.example.com/b?x=1"},
        {"http://127.0.0.1:8080/orders?limit=2&page=1", "http", "127.0.0.1", 8080, "/orders", "limit=2&page=1",
         "http://127.0.0.1:8080/orders?limit=2&page=1"},
        {"http://2130706433/", "http", "127.0.0.1", 80, "/", NULL, "http://127.0.0.1/"},
        {"http://0x7f.1/", "http", "127.0.0.1", 80, "/", NULL, "http://127.0.0.1/"},
        {"https://[::1]:8443/x", "https", "::1", 8443, "/x", NULL, "https://[::1]:8443/x"},
        {"https://h.test/a b?q=\xc3\xa9 x", "https", "h.test", 443, "/a%20b", "q=%C3%A9%20x",
         "https://h.test/a%20b?q=%C3%A9%20x"},
        {"ftp://h.test/x", "ftp", "h.test", 21, "/x", NULL, "ftp://h.test/x"},
        {"https://h%2etest/", "https", "h.test", 443, "/", NULL, "https://h.test/"},
        {"https:///h.test", "https", "h.test", 443, "/", NULL, "https://h.test/"}, /* as browsers read it */
        {"https://h.test/a/..?", "https", "h.test", 443, "/", NULL, "https://h.test/"},
        {"https://h.test/a%2Fb/%2e%2e?", "https", "h.test", 443, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct arena arena = ARENA_INIT(0);
        struct err err = ERR_INIT;
        struct url url = {0};
        if (url_parse(str_from(CASES[i].text), &arena, &url, &err) != 0) fail_msg("%s: %s", CASES[i].text, err.message);
        assert_string_equal(url.scheme, CASES[i].scheme);
        assert_string_equal(url.host, CASES[i].host);
        assert_int_equal(url.port, CASES[i].port);
        if (CASES[i].path) assert_string_equal(url.path, CASES[i].path);
        if (CASES[i].query)
            assert_string_equal(url.query, CASES[i].query);
        else
            assert_null(url.query);
        if (CASES[i].whole) assert_string_equal(url.text, CASES[i].whole);
        arena_release(&arena);
    }
}

static void test_refuses_what_is_no_url_or_dangerous(void **state)
{
    (void)state;
    static const struct str BAD[] = {
        {"", 0},
        {"orders", 6},
        {"/orders", 7},
        {"https://", 8},
        {"https://h.test/\r\nX: y", 21},
        {"https://h.test/\0x", 17},
        {"https://h.test/\x7f", 16},
        {"https://user:pw@h.test/", 23},
        {"https://user@h.test/", 20},
        {"https://h.test:99999/", 21},
        {"https://h.test:x/", 17},
        {"https://m\xc3\xbcller.test/", 21},
        {"https://h%2ftest/", 17},
        {"https://h%0atest/", 17},
        {"https://h%00.test/", 18},
        {"https://h.test./", 16},
        {"https://.h.test/", 16},
        {"https://h..test/", 16},
        {"https://[fe80::1%25eth0]/", 25},
        {"https://h test/", 15},
        {"https://h.test\\@evil.test/", 26},
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        struct arena arena = ARENA_INIT(0);
        struct err err = ERR_INIT;
        struct url url = {.port = 77};
        if (url_parse(BAD[i], &arena, &url, &err) != ERR_CONFIG) fail_msg("'%s' is taken as %s", BAD[i].data, url.text);
        assert_int_equal(url.port, 77);
        assert_true(err.message[0] != '\0');
        assert_null(strstr(err.message, "pw"));
        arena_release(&arena);
    }
}

static void test_refuses_a_url_over_its_cap(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(2 * URL_MAX_BYTES), out = BUF_INIT(URL_MAX_BYTES);
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    struct url url;
    buf_append_text(&text, "https://h.test/");
    while (text.size <= URL_MAX_BYTES) buf_append_text(&text, "aaaaaaaaaaaaaaaa");
    assert_int_equal(url_parse(buf_str(&text), &arena, &url, &err), ERR_CONFIG);
    assert_int_equal(url_resolve(STR("https://h.test/"), buf_str(&text), &out, &err), ERR_DATA);
    buf_release(&text);
    buf_release(&out);
    arena_release(&arena);
}

static void test_resolves_references(void **state)
{
    (void)state;
    static const struct {
        const char *base, *reference, *result; /* NULL: refused */
    } CASES[] = {
        {"https://h.test/a/b?x=1", "?page=2", "https://h.test/a/b?page=2"},
        {"https://h.test/a/b?x=1", "c", "https://h.test/a/c"},
        {"https://h.test/a/b", "/c?y=2#z", "https://h.test/c?y=2"},
        {"https://h.test/a/b", "../c", "https://h.test/c"},
        {"https://h.test/a/b", "../../../../c", "https://h.test/c"},
        {"https://h.test/a/b", "//other.test/c", "https://other.test/c"},
        {"https://h.test/a/b", "https://other.test:8443/", "https://other.test:8443/"},
        {"https://h.test/a", "http://h.test/a", "http://h.test/a"},
        {"https://h.test/a", "ftp://h.test/a", "ftp://h.test/a"},
        {"https://h.test/a?x=1", "#top", "https://h.test/a?x=1"},
        {"https://h.test/a", "  /b c\t", "https://h.test/b%20c"},
        {"https://h.test/a", "", NULL},
        {"https://h.test/a", "/b\r\nSet-Cookie: x", NULL},
        {"https://h.test/a", "https://", NULL},
        {"nothing", "/b", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct buf out = BUF_INIT(URL_MAX_BYTES);
        struct err err = ERR_INIT;
        int rc = url_resolve(str_from(CASES[i].base), str_from(CASES[i].reference), &out, &err);
        if (!CASES[i].result) {
            if (rc != ERR_DATA) fail_msg("'%s' gives '%s'", CASES[i].reference, buf_text(&out));
        } else {
            if (rc != 0) fail_msg("'%s': %s", CASES[i].reference, err.message);
            assert_string_equal(buf_text(&out), CASES[i].result);
        }
        buf_release(&out);
    }
}

static bool same_origin(const char *a, const char *b)
{
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    struct url one, two;
    assert_int_equal(url_parse(str_from(a), &arena, &one, &err), 0);
    assert_int_equal(url_parse(str_from(b), &arena, &two, &err), 0);
    bool is_same = url_same_origin(&one, &two);
    arena_release(&arena);
    return is_same;
}

static void test_compares_origins(void **state)
{
    (void)state;
    assert_true(same_origin("https://h.test/a", "https://H.TEST:443/b?c"));
    assert_false(same_origin("https://h.test/", "http://h.test/"));
    assert_false(same_origin("https://h.test/", "https://h.test:444/"));
    assert_false(same_origin("https://h.test/", "https://a.h.test/"));
    assert_false(same_origin("http://h.test:443/", "https://h.test:443/"));
}

static void test_encodes_all_but_unreserved(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1024);
    url_encode((struct str){"aZ09-._~ /?&=+%\"\xc3\xa9\0", 19}, &out);
    assert_string_equal(buf_text(&out), "aZ09-._~%20%2F%3F%26%3D%2B%25%22%C3%A9%00");
    buf_release(&out);
}

static void test_builds_forms(void **state)
{
    (void)state;
    struct buf form = BUF_INIT(1024);
    url_add_form(&form, STR("a b"), STR("1&2"));
    url_add_form(&form, STR("c"), STR(""));
    assert_string_equal(buf_text(&form), "a%20b=1%262&c=");
    buf_release(&form);
}

static void test_sets_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *url, *result;
    } CASES[] = {
        {"https://h.test/a", "https://h.test/a?api%20key=k%261"},
        {"https://h.test/a?", "https://h.test/a?api%20key=k%261"},
        {"https://h.test/a?x=1", "https://h.test/a?x=1&api%20key=k%261"},
        {"https://h.test/a?api%20key=old&x=1&api%20KEY=y&xapi%20key=2", "https://h.test/a?x=1&xapi%20key=2&api%20key=k%261"},
        {"https://h.test/a?api%20key&x", "https://h.test/a?x&api%20key=k%261"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct buf url = BUF_INIT(1024);
        buf_append_text(&url, CASES[i].url);
        url_set_param(&url, STR("api key"), STR("k&1"));
        assert_string_equal(buf_text(&url), CASES[i].result);
        assert_false(url.failed);
        buf_release(&url);
    }
    struct buf small = BUF_INIT(20);
    buf_append_text(&small, "https://h.test/a");
    url_set_param(&small, STR("name"), STR("value"));
    assert_true(small.failed);
    buf_release(&small);
}

static void check_redacted(const struct secrets *secrets, const char *url, const char *shown)
{
    struct buf out = BUF_INIT(1024);
    url_redact(str_from(url), secrets, &out);
    assert_string_equal(buf_text(&out), shown);
    buf_release(&out);
}

static void test_shows_urls_without_secrets(void **state)
{
    (void)state;
    struct secrets *secrets = secrets_new();
    (void)secrets_add(secrets, "config.api_key", STR("s3cr&t-value"));
    check_redacted(secrets, "https://h.test/a?page=2", "https://h.test/a?page=2");
    check_redacted(secrets, "https://h.test/a?access_token=abcd&page=2", "https://h.test/a?access_token=***&page=2");
    check_redacted(secrets, "https://h.test/?X-Amz-Signature=ff&X-Amz-Credential=gg&x",
                   "https://h.test/?X-Amz-Signature=***&X-Amz-Credential=***&x");
    check_redacted(secrets, "https://h.test/?q=s3cr%26t-value", "https://h.test/?q=***");
    check_redacted(secrets, "https://h.test/s3cr%26t-value/x", "https://h.test/***/x");
    check_redacted(secrets, "https://user:pa@ss@h.test/x@y", "https://h.test/x@y");
    check_redacted(NULL, "nothing", "nothing");
    secrets_free(secrets);
}

static void test_cuts_long_urls_when_shown(void **state)
{
    (void)state;
    struct buf url = BUF_INIT(URL_MAX_BYTES), out = BUF_INIT(1024);
    buf_append_text(&url, "https://h.test/?q=");
    for (int i = 0; i < 5000; i++) buf_append_char(&url, 'a');
    url_redact(buf_str(&url), NULL, &out);
    assert_int_equal(out.size, 403);
    assert_true(str_ends(buf_str(&out), STR("...")));
    buf_release(&url);
    buf_release(&out);
}

UNIT_TESTS(cmocka_unit_test(test_takes_urls_apart), cmocka_unit_test(test_refuses_what_is_no_url_or_dangerous),
           cmocka_unit_test(test_refuses_a_url_over_its_cap), cmocka_unit_test(test_resolves_references),
           cmocka_unit_test(test_compares_origins), cmocka_unit_test(test_encodes_all_but_unreserved),
           cmocka_unit_test(test_builds_forms), cmocka_unit_test(test_sets_parameters),
           cmocka_unit_test(test_shows_urls_without_secrets), cmocka_unit_test(test_cuts_long_urls_when_shown))
