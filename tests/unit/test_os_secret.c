/* secret: whatever spelling a value takes on its way into a text, it does not come out of the redactor. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "os/crypto.h"
#include "os/secret.h"
#include "os/thread.h"

static char redacted[64 * 1024];

static const char *redact(const struct secrets *secrets, const char *text)
{
    struct buf out = BUF_INIT(sizeof redacted - 1);
    secrets_redact(secrets, str_from(text), &out);
    assert_false(out.failed);
    snprintf(redacted, sizeof redacted, "%s", buf_text(&out));
    buf_release(&out);
    return redacted;
}

static struct secrets *with(const char *value)
{
    struct secrets *secrets = secrets_new();
    assert_true(secrets_add(secrets, "config.secret", str_from(value)) > 0);
    return secrets;
}

static void expect(const char *value, const char *text, const char *expected)
{
    struct secrets *secrets = with(value);
    assert_string_equal(redact(secrets, text), expected);
    secrets_free(secrets);
}

static void test_plain_value_is_replaced_everywhere(void **state)
{
    (void)state;
    expect("s3cr3t-key", "key s3cr3t-key, again (s3cr3t-key)", "key ***, again (***)");
    expect("s3cr3t-key", "s3cr3t-key", "***");
    expect("s3cr3t-key", "s3cr3t-keys3cr3t-key", "***");
    expect("s3cr3t-key", "nothing of it here: s3cr3t-kez, S3CR3T-KEY", "nothing of it here: s3cr3t-kez, S3CR3T-KEY");
    expect("s3cr3t-key", "", "");
}

static void test_text_cut_inside_a_value(void **state)
{
    (void)state;
    expect("0123456789abcdefghij", "token 0123456789abc", "token ***");
    expect("0123456789abcdefghij", "token 01234567", "token ***");
    expect("0123456789abcdefghij", "token 0123456", "token 0123456"); /* too little to tell */
    expect("0123456789abcdefghij", "token 0123456789abc, and more", "token 0123456789abc, and more");
    expect("p@ss word&more stuff", "x=p%40ss%20word%2", "x=***");
    expect("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa4\xc3\xb6", "\"\\u00e4\\u00f6\\u00fc\\u00df\\u00", "\"***");
}

static void test_url_encodings(void **state)
{
    (void)state;
    const char *value = "a b&c=d/e+f~\xc3\xa4%41";
    expect(value, "?k=a%20b%26c%3Dd%2Fe%2Bf~%C3%A4%2541&x", "?k=***&x");
    expect(value, "?k=a%20b%26c%3dd%2fe%2bf~%c3%a4%2541&x", "?k=***&x");
    expect(value, "?k=a+b%26c%3Dd%2Fe%2Bf%7E%C3%A4%2541&x", "?k=***&x");
    expect(value, "?k=%61%20%62%26%63%3D%64%2F%65%2B%66%7E%C3%A4%25%34%31&x", "?k=***&x");
    expect(value, "?k=a%20b&c=d/e+f~%C3%A4%2541&x", "?k=***&x"); /* an encoder that leaves reserved characters */
    expect("plus+plus", "plus+plus plus%2Bplus plus plus.", "*** *** plus plus.");
    expect("100%sure", "100%sure 100%25sure 100%.", "*** *** 100%.");
}

static void test_json_escapes(void **state)
{
    (void)state;
    const char *value = "a\"b\\c/d\ne\tf\x01g\xc3\xa4\xf0\x9f\x98\x80h";
    expect(value, "{\"k\":\"a\\\"b\\\\c/d\\ne\\tf\\u0001g\xc3\xa4\xf0\x9f\x98\x80h\"}", "{\"k\":\"***\"}");
    expect(value, "{\"k\":\"a\\u0022b\\u005Cc\\/d\\u000ae\\u0009f\\u0001g\\u00e4\\ud83d\\ude00h\"}", "{\"k\":\"***\"}");
    expect("back\\slash", "back\\slash and back\\\\slash", "*** and ***");
    expect("tom&jerry", "{\"u\":\"x?k=tom\\u0026jerry\"}", "{\"u\":\"x?k=***\"}");
    expect("a/b c/d", "{\"u\":\"http:\\/\\/x\\/?k=a%2Fb%20c%2Fd\"}", "{\"u\":\"http:\\/\\/x\\/?k=***\"}");
    expect("a/b c/d", "{\"u\":\"x?k=a\\/b%20c\\/d\"}", "{\"u\":\"x?k=***\"}"); /* URL escapes inside JSON's */
    expect("a/b c/d", "\\u0061\\u00252Fb\\u002bc\\u00252fd", "***");           /* whose '%' and '+' are escaped, too */
}

static void test_hex(void **state)
{
    (void)state;
    expect("key\xff\x01z", "6b6579ff017a 6B6579FF017A 6b6579FF017a.", "*** *** ***.");
}

/* With any prefix before it in the encoded bytes, and anything behind: nothing of its base64 is left. */
static void test_base64_at_every_alignment(void **state)
{
    (void)state;
    static const char VALUE[] = "Zx\xfb\xff\xbf-secret?>~key";
    struct secrets *secrets = with(VALUE);
    static const char *const BEFORE[] = {"", "u", "us", "usr", "user", "user:"};
    static const char *const AFTER[] = {"", "\xff", "\xff\xff", "\xff\xff\xff", "ABCDEF"};
    for (size_t b = 0; b < ARRAY_SIZE(BEFORE); b++) {
        for (size_t a = 0; a < ARRAY_SIZE(AFTER); a++) {
            for (int is_url = 0; is_url < 2; is_url++) {
                struct buf bytes = BUF_INIT(256), text = BUF_INIT(512), clean = BUF_INIT(512);
                buf_printf(&bytes, "%s%s%s", BEFORE[b], VALUE, AFTER[a]);
                buf_append_text(&text, "Authorization: Basic ");
                if (is_url)
                    crypto_base64url(buf_str(&bytes), &text);
                else
                    crypto_base64(buf_str(&bytes), &text);
                buf_append_text(&text, ".");
                secrets_redact(secrets, buf_str(&text), &clean);

                /* Characters before and behind hold no bit of the value. */
                size_t first = strlen(BEFORE[b]) * 8 / 6, last = ((strlen(BEFORE[b]) + strlen(VALUE)) * 8 + 5) / 6;
                struct buf expected = BUF_INIT(512);
                const char *encoded = text.data + strlen("Authorization: Basic ");
                buf_printf(&expected, "Authorization: Basic %.*s***%s", (int)first, encoded, encoded + last);
                assert_string_equal(buf_text(&clean), buf_text(&expected));
                buf_release(&expected);
                buf_release(&clean);
                buf_release(&text);
                buf_release(&bytes);
            }
        }
    }
    secrets_free(secrets);
}

static void test_base64_behind_other_escapes(void **state)
{
    (void)state;
    static const char VALUE[] = "\xfb\xff\xbf\xfb\xff\xbf"; /* +/+/ ... in base64 */
    expect(VALUE, "+/+/+/+/", "***");
    expect(VALUE, "-_-_-_-_", "***");
    expect(VALUE, "k=%2B%2F%2b%2f%2B%2F%2B%2F&", "k=***&");
    expect(VALUE, "\"+\\/+\\/\\u002b\\/+\\/\"", "\"***\"");
}

static void test_short_values_are_left_alone(void **state)
{
    (void)state;
    expect("abc", "abcabc YWJj 616263", "abcabc YWJj 616263");
    expect("", "abc", "abc");
    expect("abcd", "abcd abc YWJjZA== 61626364 dabcd", "*** abc ***== *** d***");
}

static void test_overlapping_values_are_hidden_as_one(void **state)
{
    (void)state;
    struct secrets *secrets = secrets_new();
    secrets_add(secrets, "a", STR("abcd1234"));
    secrets_add(secrets, "b", STR("1234efgh"));
    secrets_add(secrets, "c", STR("abcd1234xyz"));
    assert_string_equal(redact(secrets, "<abcd1234efgh>"), "<***>");
    assert_string_equal(redact(secrets, "<abcd1234xyz>"), "<***>");
    assert_string_equal(redact(secrets, "<abcd1234xy>"), "<***xy>");
    assert_string_equal(redact(secrets, "<1234efghabcd1234>"), "<***>");
    secrets_free(secrets);
}

static void test_old_values_stay_hidden(void **state)
{
    (void)state;
    struct secrets *secrets = secrets_new();
    int id = secrets_add(secrets, "token", STR("first-token"));
    int other = secrets_add(secrets, "other", STR("other-token"));
    struct str first = secrets_by_id(secrets, id);
    assert_int_equal(secrets_add(secrets, "token", STR("second-token")), id);
    assert_int_not_equal(id, other);
    assert_string_equal(redact(secrets, "first-token second-token other-token"), "*** *** ***");
    assert_true(str_equal(secrets_by_name(secrets, "token"), STR("second-token")));
    assert_true(str_equal(secrets_by_id(secrets, id), STR("second-token")));
    assert_true(str_equal(first, STR("first-token"))); /* views stay good */
    secrets_add(secrets, "token", STR("first-token")); /* and back */
    assert_true(str_equal(secrets_by_name(secrets, "token"), STR("first-token")));
    secrets_free(secrets);
}

static void test_unknown_names_and_ids_give_nothing(void **state)
{
    (void)state;
    struct secrets *secrets = with("some-value");
    assert_int_equal(secrets_by_name(secrets, "config").size, 0);
    assert_int_equal(secrets_by_id(secrets, 0).size, 0);
    assert_int_equal(secrets_by_id(secrets, -1).size, 0);
    assert_int_equal(secrets_by_id(secrets, 2).size, 0);
    assert_int_equal(secrets_by_id(secrets, 1).size, 10);
    secrets_free(secrets);
    secrets_free(NULL);
}

static void test_no_registry_changes_nothing(void **state)
{
    (void)state;
    assert_string_equal(redact(NULL, "anything"), "anything");
}

static void test_in_place_never_grows(void **state)
{
    (void)state;
    struct secrets *secrets = with("abcd");
    char text[] = "abcd-abcd abcd";
    secrets_redact_text(secrets, text, sizeof text);
    assert_string_equal(text, "***-*** ***");
    char whole[] = "abcd";
    secrets_redact_text(secrets, whole, sizeof whole);
    assert_string_equal(whole, "***");
    char empty[] = "";
    secrets_redact_text(secrets, empty, sizeof empty);
    assert_string_equal(empty, "");
    secrets_free(secrets);
}

static void test_values_larger_than_a_page(void **state)
{
    (void)state;
    struct buf value = BUF_INIT(200 * 1024);
    for (int i = 0; value.size < 150 * 1024; i++) buf_printf(&value, "%d,", i);
    struct secrets *secrets = secrets_new();
    secrets_add(secrets, "small", STR("small-value"));
    secrets_add(secrets, "large", buf_str(&value));
    secrets_add(secrets, "small again", STR("other-value"));
    assert_true(str_equal(secrets_by_name(secrets, "large"), buf_str(&value)));
    struct buf text = BUF_INIT(200 * 1024), clean = BUF_INIT(1024);
    buf_printf(&text, "<%s>", value.data);
    secrets_redact(secrets, buf_str(&text), &clean);
    assert_string_equal(buf_text(&clean), "<***>");
    buf_release(&clean);
    buf_release(&text);
    buf_release(&value);
    secrets_free(secrets);
}

/* Broken escapes at every place of a text must not lead the reader out of it. */
static void test_broken_escapes_are_only_text(void **state)
{
    (void)state;
    struct secrets *secrets = with("\xf0\x9f\x98\x80quite a \\ secret %");
    static const char *const TEXTS[] = {"%",          "%4",           "%zz",      "\\",      "\\u",       "\\ud83d",
                                        "\\ud83d\\u", "\\ud83d\\ude", "\\ud83dx", "\\ude00", "\\u12x4",   "\\q",
                                        "%\\u0034",   "\\u00254",     "100%",     "%%%%%%",  "\\\\\\\\\\"};
    for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++) {
        char *exact = mem_alloc(strlen(TEXTS[i])); /* no terminator, so that a sanitizer sees a read behind it */
        memcpy(exact, TEXTS[i], strlen(TEXTS[i]));
        struct buf out = BUF_INIT(64);
        secrets_redact(secrets, (struct str){exact, strlen(TEXTS[i])}, &out);
        assert_string_equal(buf_text(&out), TEXTS[i]);
        buf_release(&out);
        free(exact);
    }
    secrets_free(secrets);
}

struct worker {
    struct secrets *secrets;
    int number;
    int wrong;
};

static void add_and_redact(void *context)
{
    struct worker *worker = context;
    for (int i = 0; i < 100; i++) {
        char name[32], value[64], text[128], expected[128];
        snprintf(name, sizeof name, "name-%d", worker->number);
        snprintf(value, sizeof value, "value-%d-%d-end", worker->number, i);
        snprintf(text, sizeof text, "before %s after", value);
        snprintf(expected, sizeof expected, "before *** after");
        secrets_add(worker->secrets, name, str_from(value));
        secrets_redact_text(worker->secrets, text, sizeof text);
        if (strcmp(text, expected) != 0) worker->wrong++;
        if (!str_equal(secrets_by_name(worker->secrets, name), str_from(value))) worker->wrong++;
    }
}

static void test_many_threads_add_and_redact(void **state)
{
    (void)state;
    struct secrets *secrets = secrets_new();
    struct worker workers[4];
    struct thread threads[4] = {0};
    struct err err = ERR_INIT;
    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){secrets, i, 0};
        assert_int_equal(thread_start(&threads[i], "redact", add_and_redact, &workers[i], 0, &err), 0);
    }
    for (int i = 0; i < 4; i++) {
        thread_join(&threads[i]);
        assert_int_equal(workers[i].wrong, 0);
    }
    secrets_free(secrets);
}

UNIT_TESTS(cmocka_unit_test(test_plain_value_is_replaced_everywhere), cmocka_unit_test(test_text_cut_inside_a_value),
           cmocka_unit_test(test_url_encodings), cmocka_unit_test(test_json_escapes), cmocka_unit_test(test_hex),
           cmocka_unit_test(test_base64_at_every_alignment), cmocka_unit_test(test_base64_behind_other_escapes),
           cmocka_unit_test(test_short_values_are_left_alone), cmocka_unit_test(test_overlapping_values_are_hidden_as_one),
           cmocka_unit_test(test_old_values_stay_hidden), cmocka_unit_test(test_unknown_names_and_ids_give_nothing),
           cmocka_unit_test(test_no_registry_changes_nothing), cmocka_unit_test(test_in_place_never_grows),
           cmocka_unit_test(test_values_larger_than_a_page), cmocka_unit_test(test_broken_escapes_are_only_text),
           cmocka_unit_test(test_many_threads_add_and_redact))
