/* grant: which ports a native plugin may connect to, by what its configuration says. */
#include "sync/grant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 4, USUAL = 5432 };

static void test_ports_are_those_that_a_value_names(void **state)
{
    static const struct {
        const char *value;
        uint16_t ports[ROOM]; /* up to the first 0 */
    } CASES[] = {
        {"", {USUAL}},
        {"db.example.com", {USUAL}},
        {"db.example.com:6000", {6000}},
        {"[2001:db8::1]", {USUAL}},
        {"[2001:db8::1]:6000", {6000}},
        {"a:6000, b, a:6000 , c:7000", {6000, USUAL, 7000}},
        {"a:1,a:2,a:3,a:4,a:5,a:6", {1, 2, 3, 4}},
        {"a:0, b:65536, c:x", {USUAL}},
        {"postgresql://user:pa:ss@db.example.com:6000,other/name?port=1", {6000, USUAL}},
        {"postgresql://db.example.com/name", {USUAL}},
        {"host=db.example.com port=6000,7000 user=a", {6000, 7000}},
        {"host=db.example.com", {USUAL}},
        {"https://registry.example.com:8081/path", {8081}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        uint16_t ports[ROOM] = {0};
        size_t count = grant_ports(str_from(CASES[i].value), USUAL, ports, ROOM), wanted = 0;
        while (wanted < ROOM && CASES[i].ports[wanted]) wanted++;
        if (count != wanted || memcmp(ports, CASES[i].ports, wanted * sizeof *ports) != 0)
            fail_msg("%s: %zu ports, the first %u", CASES[i].value, count, ports[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ports_are_those_that_a_value_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
