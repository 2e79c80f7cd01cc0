/* unit: what every unit test includes: cmocka in the order it wants, and the one way to write main().
 *
 *     static void test_trims_both_ends(void **state) { (void)state; assert_int_equal(...); }
 *     UNIT_TESTS(cmocka_unit_test(test_trims_both_ends), ...) */
#ifndef SLUICE_TESTS_UNIT_H
#define SLUICE_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define UNIT_TESTS(...)                                                                                                        \
    int main(void)                                                                                                             \
    {                                                                                                                          \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                                                       \
        return cmocka_run_group_tests(tests, NULL, NULL);                                                                      \
    }

#endif
