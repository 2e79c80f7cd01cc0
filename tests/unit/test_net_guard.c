#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/arena.h"
#include "base/check.h"
#include "net/guard.h"
#include "net/url.h"

/* --- hosts --------------------------------------------------------------------------------------- */

static struct guard *guard_of(const char *const *hosts, size_t count, bool allow_private, bool allow_http)
{
    const struct guard_options options = {hosts, count, allow_private, allow_http};
    struct guard *guard = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(guard_new(&options, &guard, &err), 0);
    return guard;
}

static int check_url(const struct guard *guard, const char *text, struct err *err)
{
    struct arena arena = ARENA_INIT(0);
    struct url url;
    int rc = url_parse(str_from(text), &arena, &url, err);
    if (rc == 0) rc = guard_url(guard, &url, err);
    arena_release(&arena);
    return rc;
}

static void test_only_allowed_hosts_pass(void **state)
{
    (void)state;
    static const char *const HOSTS[] = {"api.example.com", "*.Example.org", "127.0.0.1:8080", "[::1]:9090", "*.corp.test:8443"};
    static const struct {
        const char *url;
        bool passes;
    } CASES[] = {
        {"https://api.example.com/", true},
        {"https://API.EXAMPLE.COM:8443/x", true},
        {"https://api.example.com.evil.test/", false},
        {"https://xapi.example.com/", false},
        {"https://example.com/", false},
        {"https://a.example.org/", true},
        {"https://a.b.example.org/", true},
        {"https://example.org/", false},
        {"https://notexample.org/", false},
        {"https://127.0.0.1:8080/", true},
        {"http://127.0.0.1:8080/", true},
        {"http://2130706433:8080/", true}, /* the same address in another spelling */
        {"https://127.0.0.1/", false},
        {"https://127.0.0.1:8081/", false},
        {"https://[::1]:9090/", true},
        {"https://[0:0:0:0:0:0:0:1]:9090/", true},
        {"https://[::1]/", false},
        {"https://x.corp.test:8443/", true},
        {"https://x.corp.test/", false},
        {"https://api.example.com@evil.test/", false},
        {"https://evil.test/?https://api.example.com/", false},
        {"https://evil.test/#@api.example.com/", false},
    };
    struct guard *guard = guard_of(HOSTS, ARRAY_SIZE(HOSTS), false, true);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct err err = ERR_INIT;
        int rc = check_url(guard, CASES[i].url, &err);
        if ((rc == 0) != CASES[i].passes) fail_msg("%s gives %d: %s", CASES[i].url, rc, err.message);
        if (rc != 0 && strchr(CASES[i].url, '@') == NULL) assert_int_equal(rc, ERR_PERMISSION);
    }
    guard_free(guard);
}

static void test_nothing_is_allowed_by_default(void **state)
{
    (void)state;
    struct guard *guard = guard_of(NULL, 0, true, true);
    struct err err = ERR_INIT;
    assert_int_equal(check_url(guard, "https://example.com/", &err), ERR_PERMISSION);
    assert_non_null(strstr(err.message, "example.com"));
    assert_true(err.hint[0] != '\0');
    guard_free(guard);
}

static void test_schemes(void **state)
{
    (void)state;
    static const char *const HOSTS[] = {"h.test"};
    struct guard *strict = guard_of(HOSTS, 1, false, false), *open = guard_of(HOSTS, 1, false, true);
    static const char *const NEVER[] = {"ftp://h.test/x", "gopher://h.test/", "file://h.test/etc/passwd",
                                        "ldap://h.test/", "ws://h.test/",     "dict://h.test/"};
    struct err err = ERR_INIT;
    assert_int_equal(check_url(strict, "https://h.test/", &err), 0);
    assert_int_equal(check_url(strict, "http://h.test/", &err), ERR_PERMISSION);
    assert_int_equal(check_url(open, "http://h.test/", &err), 0);
    assert_int_equal(check_url(open, "HTTP://h.test/", &err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(NEVER); i++) assert_int_not_equal(check_url(open, NEVER[i], &err), 0);
    assert_false(guard_allows_http(strict));
    assert_true(guard_allows_http(open));
    guard_free(strict);
    guard_free(open);
}

static void test_refuses_patterns_that_mean_nothing(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",         "*",    "*.", "a*.example.com", "https://h.test", "h.test/path", "h.test:0", "h.test:65536", "h:80x",
        "user@h.t", "[::1", "[]", "[::1]x",         "h test",         "h.test:",     "::1"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        const struct guard_options options = {&BAD[i], 1, false, false};
        struct guard *guard = NULL;
        struct err err = ERR_INIT;
        if (guard_new(&options, &guard, &err) != ERR_CONFIG) fail_msg("'%s' is taken", BAD[i]);
        assert_null(guard);
    }
}

/* --- addresses ----------------------------------------------------------------------------------- */

enum { PUBLIC, INSIDE, NEVER };

static int kind_of(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    bool is_private = true;
    const char *kind = NULL;
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        kind = guard_address_kind((struct sockaddr *)&v4, &is_private);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        kind = guard_address_kind((struct sockaddr *)&v6, &is_private);
    else
        fail_msg("'%s' is no address", text);
    return !kind ? PUBLIC : is_private ? INSIDE : NEVER;
}

/* Every range with its first and last address and the neighbours outside. */
static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        int kind;
    } CASES[] = {
        {"0.0.0.0", NEVER},
        {"0.255.255.255", NEVER},
        {"1.0.0.0", PUBLIC},
        {"9.255.255.255", PUBLIC},
        {"10.0.0.0", INSIDE},
        {"10.255.255.255", INSIDE},
        {"11.0.0.0", PUBLIC},
        {"100.63.255.255", PUBLIC},
        {"100.64.0.0", INSIDE},
        {"100.127.255.255", INSIDE},
        {"100.128.0.0", PUBLIC},
        {"126.255.255.255", PUBLIC},
        {"127.0.0.1", INSIDE},
        {"127.255.255.255", INSIDE},
        {"128.0.0.0", PUBLIC},
        {"169.253.255.255", PUBLIC},
        {"169.254.0.0", INSIDE},
        {"169.254.169.254", INSIDE},
        {"169.255.0.0", PUBLIC},
        {"172.15.255.255", PUBLIC},
        {"172.16.0.0", INSIDE},
        {"172.31.255.255", INSIDE},
        {"172.32.0.0", PUBLIC},
        {"191.255.255.255", PUBLIC},
        {"192.0.0.0", NEVER},
        {"192.0.0.255", NEVER},
        {"192.0.1.0", PUBLIC},
        {"192.0.2.1", NEVER},
        {"192.0.3.0", PUBLIC},
        {"192.88.99.1", NEVER},
        {"192.88.100.0", PUBLIC},
        {"192.167.255.255", PUBLIC},
        {"192.168.0.0", INSIDE},
        {"192.168.255.255", INSIDE},
        {"192.169.0.0", PUBLIC},
        {"198.17.255.255", PUBLIC},
        {"198.18.0.0", INSIDE},
        {"198.19.255.255", INSIDE},
        {"198.20.0.0", PUBLIC},
        {"198.51.100.7", NEVER},
        {"198.51.101.0", PUBLIC},
        {"203.0.113.9", NEVER},
        {"203.0.114.0", PUBLIC},
        {"223.255.255.255", PUBLIC},
        {"224.0.0.1", NEVER},
        {"239.255.255.255", NEVER},
        {"240.0.0.0", NEVER},
        {"255.255.255.254", NEVER},
        {"255.255.255.255", NEVER},
        {"8.8.8.8", PUBLIC},
        {"::", NEVER},
        {"::1", INSIDE},
        {"::2", NEVER},
        {"::7f00:1", NEVER},
        {"::ffff:127.0.0.1", INSIDE},
        {"::ffff:8.8.8.8", PUBLIC},
        {"::ffff:169.254.169.254", INSIDE},
        {"::ffff:224.0.0.1", NEVER},
        {"::ffff:0:127.0.0.1", NEVER},
        {"64:ff9b::10.0.0.1", INSIDE},
        {"64:ff9b::8.8.8.8", PUBLIC},
        {"64:ff9b:1::1", INSIDE},
        {"64:ff9b:2::1", NEVER},
        {"2002:7f00:1::", INSIDE},
        {"2002:a00:1::1", INSIDE},
        {"2002:808:808::1", PUBLIC},
        {"2002:e000:1::", NEVER},
        {"2001::1", NEVER},
        {"2001:1ff::1", NEVER},
        {"2001:200::1", PUBLIC},
        {"2001:db7::1", PUBLIC},
        {"2001:db8::1", NEVER},
        {"2001:db9::1", PUBLIC},
        {"2606:4700::1111", PUBLIC},
        {"3fff::1", NEVER},
        {"3fff:fff::1", NEVER},
        {"3fff:1000::1", PUBLIC},
        {"4000::1", NEVER},
        {"100::1", NEVER},
        {"fbff::1", NEVER},
        {"fc00::1", INSIDE},
        {"fdff::1", INSIDE},
        {"fe00::1", NEVER},
        {"fe80::1", INSIDE},
        {"febf::1", INSIDE},
        {"fec0::1", INSIDE},
        {"feff::1", INSIDE},
        {"ff02::1", NEVER},
        {"ffff::1", NEVER},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
        if (kind_of(CASES[i].address) != CASES[i].kind) fail_msg("%s is %d", CASES[i].address, kind_of(CASES[i].address));
}

static void test_private_addresses_want_permission(void **state)
{
    (void)state;
    struct guard *strict = guard_of(NULL, 0, false, false), *open = guard_of(NULL, 0, true, false);
    struct err err = ERR_INIT;
    assert_int_equal(guard_address_text(strict, "8.8.8.8", &err), 0);
    assert_int_equal(guard_address_text(strict, "127.0.0.1", &err), ERR_PERMISSION);
    assert_non_null(strstr(err.message, "127.0.0.1"));
    assert_non_null(strstr(err.message, "loopback"));
    assert_non_null(strstr(err.hint, "allow_private"));
    assert_int_equal(guard_address_text(open, "127.0.0.1", &err), 0);
    assert_int_equal(guard_address_text(open, "::1", &err), 0);
    assert_int_equal(guard_address_text(open, "0.0.0.0", &err), ERR_PERMISSION);
    assert_int_equal(guard_address_text(open, "ff02::1", &err), ERR_PERMISSION);
    assert_int_equal(guard_address_text(open, "localhost", &err), ERR_PERMISSION);
    assert_int_equal(guard_address_text(open, "", &err), ERR_PERMISSION);
    guard_free(strict);
    guard_free(open);
}

static void test_other_families_are_refused(void **state)
{
    (void)state;
    struct guard *open = guard_of(NULL, 0, true, true);
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct err err = ERR_INIT;
    assert_int_equal(guard_address(open, (struct sockaddr *)&local, &err), ERR_PERMISSION);
    guard_free(open);
}

UNIT_TESTS(cmocka_unit_test(test_only_allowed_hosts_pass), cmocka_unit_test(test_nothing_is_allowed_by_default),
           cmocka_unit_test(test_schemes), cmocka_unit_test(test_refuses_patterns_that_mean_nothing),
           cmocka_unit_test(test_addresses), cmocka_unit_test(test_private_addresses_want_permission),
           cmocka_unit_test(test_other_families_are_refused))
