/* jsonscan: RFC 8259 rule by rule. The rules are those of the public JSONTestSuite's categories (what every parser must accept,
 * must refuse, and may do as it likes), each shown by bytes of our own; where the choice is ours, the table states it. Each
 * text is read three times: whole, with a step into every container, and by its brackets alone. */
#include "unit.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/jsonscan.h"

struct rule {
    const char *rule;
    struct str text;
};

#define RULE(rule_text, bytes)                                                                                                 \
    {                                                                                                                          \
        (rule_text),                                                                                                           \
        {                                                                                                                      \
            (bytes), sizeof(bytes) - 1                                                                                         \
        }                                                                                                                      \
    }

static const struct rule MUST_ACCEPT[] = {
    RULE("arrays: empty", "[]"),
    RULE("arrays: with spaces inside an inner one", "[[ ]   ]"),
    RULE("arrays: of an empty text", "[\"\"]"),
    RULE("arrays: a line end behind", "[\"b\"]\n"),
    RULE("arrays: false", "[false]"),
    RULE("arrays: null", "[null]"),
    RULE("arrays: true", "[true]"),
    RULE("arrays: of several kinds", "[null, 7, \"7\", {}, [], 0.5]"),
    RULE("arrays: a line end before the bracket", "[7\n]"),
    RULE("arrays: a space before", " [7]"),
    RULE("arrays: a space behind", "[7] "),
    RULE("arrays: several nulls", "[7,null,null,null,8]"),
    RULE("arrays: white space of all four kinds", "\t[\r7\n, 8 ]\n"),
    RULE("arrays: in arrays in objects", "[[7,[8,[9]]],{\"b\":{\"c\":{}}}]"),
    RULE("numbers: an integer", "[7]"),
    RULE("numbers: of many digits", "[70000000000000000000000000000000008]"),
    RULE("numbers: with a fraction", "[70.0625]"),
    RULE("numbers: fraction and exponent", "[70.0625e7]"),
    RULE("numbers: a space before", "[ 8]"),
    RULE("numbers: zero with an exponent", "[0e2]"),
    RULE("numbers: zero with a signed exponent", "[0e+2]"),
    RULE("numbers: zero with a capital exponent", "[0E+2]"),
    RULE("numbers: integer with an exponent", "[70e2]"),
    RULE("numbers: minus zero", "[-0]"),
    RULE("numbers: minus zero with a fraction", "[-0.0]"),
    RULE("numbers: negative", "[-78]"),
    RULE("numbers: minus one digit", "[-7]"),
    RULE("numbers: a fraction close to zero, of 70 digits",
         "[-0.0000000000000000000000000000000000000000000000000000000000000000000007]"),
    RULE("numbers: capital E", "[7E22]"),
    RULE("numbers: capital E, minus", "[7E-2]"),
    RULE("numbers: capital E, plus", "[7E+2]"),
    RULE("numbers: exponent without a sign", "[78e90]"),
    RULE("numbers: exponent with a minus", "[7e-2]"),
    RULE("numbers: exponent with a plus", "[7e+2]"),
    RULE("numbers: a leading zero in the exponent", "[7e02]"),
    RULE("objects: empty", "{}"),
    RULE("objects: one member", "{\"k\":\"v\"}"),
    RULE("objects: two members", "{\"k\" : 7 , \"l\" : 8 }"),
    RULE("objects: a key twice", "{\"k\":\"v\",\"k\":\"w\"}"),
    RULE("objects: a member twice", "{\"k\":\"v\",\"k\":\"v\"}"),
    RULE("objects: an empty key", "{\"\":7}"),
    RULE("objects: an escaped NUL in a key", "{\"k\\u0000l\":7}"),
    RULE("objects: an escaped letter as key", "{\"\\u006b\":7}"),
    RULE("objects: numbers near a double's ends", "{\"least\":-1.7e308, \"most\":1.7e308}"),
    RULE("objects: long texts", "{\"k\":[{\"id\":\"0123456789abcdef0123456789abcdef0123456789abcdef\"}],"
                                "\"id\":\"0123456789abcdef0123456789abcdef0123456789abcdef\"}"),
    RULE("objects: an empty list inside", "{\"k\":[]}"),
    RULE("objects: texts of escapes alone", "{\"k\":\"\\u041f\\u0440\\u0438\\u0432\\u0435\\u0442\"}"),
    RULE("objects: with line ends", "{\n\"k\": \"v\"\n}"),
    RULE("texts: escapes of one, two and three bytes", "[\"\\u0061\\u00e9\\u20ac\"]"),
    RULE("texts: a surrogate pair", "[\"\\ud83d\\ude42\"]"),
    RULE("texts: two surrogate pairs", "[\"\\ud83d\\ude42\\ud83e\\udd16\"]"),
    RULE("texts: the last surrogate pair", "[\"\\udbff\\udffe\"]"),
    RULE("texts: every short escape", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
    RULE("texts: a backslash and the text u0000", "[\"\\\\u0000\"]"),
    RULE("texts: an escaped quote", "[\"\\\"\"]"),
    RULE("texts: comment signs", "[\"x/*y*/z//w\"]"),
    RULE("texts: an escaped backslash and a letter", "[\"\\\\b\"]"),
    RULE("texts: an escaped backslash and an n", "[\"\\\\n\"]"),
    RULE("texts: an escaped control character", "[\"\\u001F\"]"),
    RULE("texts: an escaped noncharacter", "[\"\\uffFE\"]"),
    RULE("texts: in an array", "[\"seven\"]"),
    RULE("texts: in an array, behind a space", "[ \"seven\"]"),
    RULE("texts: an escaped no-break space", "[\"a\\u00a0b\"]"),
    RULE("texts: noncharacter U+10FFFF", "[\"\xf4\x8f\xbf\xbf\"]"),
    RULE("texts: noncharacter U+FFFF", "[\"\xef\xbf\xbf\"]"),
    RULE("texts: an escaped NUL", "[\"\\u0000\"]"),
    RULE("texts: an escaped comma", "[\"\\u002C\"]"),
    RULE("texts: two bytes", "[\"\xcf\x80\"]"),
    RULE("texts: a reserved character U+1BFFE", "[\"\xf0\x9b\xbf\xbe\"]"),
    RULE("texts: plain", "[\"plain \"]"),
    RULE("texts: a space", "\" \""),
    RULE("texts: a character of the symbols as a pair", "[\"\\uD834\\uDD1E\"]"),
    RULE("texts: an escape of three bytes", "[\"\\u20AC\"]"),
    RULE("texts: an escape of two bytes", "[\"\\u00e9\"]"),
    RULE("texts: U+2028 as it is", "[\"\xe2\x80\xa8\"]"),
    RULE("texts: U+2029 as it is", "[\"\xe2\x80\xa9\"]"),
    RULE("texts: an escaped line end", "[\"line\\u000aline\"]"),
    RULE("texts: escapes in both cases", "[\"\\u00eB\\u00Eb\"]"),
    RULE("texts: DEL as it is", "[\"a\x7f\"]"),
    RULE("texts: an escape of a letter", "[\"\\uA66e\"]"),
    RULE("texts: three bytes, several", "[\"\xe2\x82\xac\xe0\xa4\x85\"]"),
    RULE("texts: an escaped backslash by number", "[\"\\u005c\"]"),
    RULE("texts: an escaped quote by number", "[\"\\u0022\"]"),
    RULE("texts: an escaped noncharacter as a pair", "[\"\\uDBFF\\uDFFE\"]"),
    RULE("texts: another escaped noncharacter as a pair", "[\"\\uD83F\\uDFFE\"]"),
    RULE("texts: an escaped zero-width space", "[\"\\u200b\"]"),
    RULE("texts: an escaped invisible plus", "[\"\\u2064\"]"),
    RULE("texts: escaped noncharacter U+FDD0", "[\"\\ufdd0\"]"),
    RULE("texts: escaped noncharacter U+FFFE", "[\"\\uFFFE\"]"),
    RULE("texts: three and four bytes", "[\"\xe2\x82\xac\xf0\x9d\x84\x9e\"]"),
    RULE("texts: brackets, commas and colons", "{\"k\":\"[{]},:\"}"),
    RULE("whole documents: false", "false"),
    RULE("whole documents: an integer", "7"),
    RULE("whole documents: a negative fraction", "-0.5"),
    RULE("whole documents: null", "null"),
    RULE("whole documents: a text", "\"seven\""),
    RULE("whole documents: true", "true"),
    RULE("whole documents: an empty text", "\"\""),
    RULE("whole documents: a line end behind", "[\"b\"]\r\n"),
    RULE("whole documents: white space around", " [] "),
};

static const struct rule MUST_REFUSE[] = {
    RULE("arrays: two values without a comma", "[7 true]"),
    RULE("arrays: a letter and a byte that is no character", "[b\xe5]"),
    RULE("arrays: a colon for a comma", "[\"k\": 7]"),
    RULE("arrays: a comma behind the end", "[\"b\"],"),
    RULE("arrays: a comma first", "[,7]"),
    RULE("arrays: two commas", "[7,,8]"),
    RULE("arrays: two commas at the end", "[\"b\",,]"),
    RULE("arrays: closed twice", "[\"b\"]]"),
    RULE("arrays: a comma at the end", "[\"b\",]"),
    RULE("arrays: cut behind a value", "[\"b\""),
    RULE("arrays: cut behind no value", "[b"),
    RULE("arrays: an inner one without a comma", "[7[8]]"),
    RULE("arrays: a byte that is no character", "[\xff]"),
    RULE("arrays: a semicolon", "[7;8]"),
    RULE("arrays: just a comma", "[,]"),
    RULE("arrays: just a minus", "[-]"),
    RULE("arrays: a value missing", "[   , \"\"]"),
    RULE("arrays: with line ends, not closed", "[\"b\",\n7\n,8"),
    RULE("arrays: a number and a comma", "[7,]"),
    RULE("arrays: a number and commas", "[7,,]"),
    RULE("arrays: vertical tab and form feed", "[\"\vb\"\\f]"),
    RULE("arrays: a star", "[*]"),
    RULE("arrays: not closed behind a text", "[\"\""),
    RULE("arrays: not closed behind a comma", "[7,"),
    RULE("arrays: not closed behind line ends", "[7,\n8\n,9"),
    RULE("arrays: not closed behind an object", "[{}"),
    RULE("words: half of false", "[fals]"),
    RULE("words: half of null", "[nul]"),
    RULE("words: half of true", "[tru]"),
    RULE("words: too long", "[nulll]"),
    RULE("words: capital", "[True]"),
    RULE("words: undefined", "[undefined]"),
    RULE("words: a number, then zeroes behind a NUL", "789\0"),
    RULE("numbers: two points", "[0.7.8]"),
    RULE("numbers: minus and a leading zero", "[-07]"),
    RULE("numbers: an exponent of a plus alone", "[0.7e+]"),
    RULE("numbers: an empty exponent", "[0.7e]"),
    RULE("numbers: zero, E and plus", "[0E+]"),
    RULE("numbers: zero and E", "[0E]"),
    RULE("numbers: zero, a point and an exponent", "[0.e7]"),
    RULE("numbers: zero, e and plus", "[0e+]"),
    RULE("numbers: zero and e", "[0e]"),
    RULE("numbers: thousands apart", "[7 000.0]"),
    RULE("numbers: thousands joined", "[7_000]"),
    RULE("numbers: a fraction, e and plus", "[7.0e+]"),
    RULE("numbers: a fraction, e and minus", "[7.0e-]"),
    RULE("numbers: a fraction and e", "[7.0e]"),
    RULE("numbers: two points at the end", "[-7.0.]"),
    RULE("numbers: two exponents", "[7eE2]"),
    RULE("numbers: a plus before", "[+7]"),
    RULE("numbers: a point and a minus", "[.-7]"),
    RULE("numbers: a point, e and plus", "[8.e+3]"),
    RULE("numbers: a point, e and minus", "[8.e-3]"),
    RULE("numbers: a point and e", "[8.e3]"),
    RULE("numbers: no digit before the point, with an exponent", "[.8e-3]"),
    RULE("numbers: a point at the end", "[-8.]"),
    RULE("numbers: nothing between point and exponent", "[9.e+]"),
    RULE("numbers: a sum", "[7+8]"),
    RULE("numbers: hexadecimal, one digit", "[0x7]"),
    RULE("numbers: hexadecimal, two digits", "[0x7F]"),
    RULE("numbers: Infinity", "[Infinity]"),
    RULE("numbers: plus Inf", "[+Inf]"),
    RULE("numbers: Inf", "[Inf]"),
    RULE("numbers: an exponent with two signs", "[0e+-7]"),
    RULE("numbers: minus in front of no digits", "[-789foo]"),
    RULE("numbers: a byte that is no character in a long one", "[789\xe5]"),
    RULE("numbers: a byte that is no character in an exponent", "[7e7\xe5]"),
    RULE("numbers: a byte that is no character behind zero", "[0\xe5]"),
    RULE("numbers: two pluses", "[++7890]"),
    RULE("numbers: minus Infinity", "[-Infinity]"),
    RULE("numbers: minus and letters", "[-foo]"),
    RULE("numbers: minus and a space", "[- 7]"),
    RULE("numbers: minus NaN", "[-NaN]"),
    RULE("numbers: NaN", "[NaN]"),
    RULE("numbers: minus and several zeroes first", "[-078]"),
    RULE("numbers: minus and a point first", "[-.789]"),
    RULE("numbers: minus, a digit and a letter", "[-7x]"),
    RULE("numbers: a letter behind e", "[7eb]"),
    RULE("numbers: a byte that is no character behind e", "[7e\xe5]"),
    RULE("numbers: a point without digits", "[7.]"),
    RULE("numbers: a point first", "[.789]"),
    RULE("numbers: a full-width digit", "[\xef\xbc\x97]"),
    RULE("numbers: letters in it", "[7.8b-9]"),
    RULE("numbers: a letter behind a fraction", "[7.8garbage]"),
    RULE("numbers: a leading zero", "[078]"),
    RULE("numbers: two zeroes with an exponent", "[00e0]"),
    RULE("numbers: two zeroes with a fraction", "[00.0]"),
    RULE("numbers: minus, two zeroes, a fraction", "[-00.0]"),
    RULE("numbers: minus, two zeroes, an exponent", "[-00e0]"),
    RULE("numbers: two minuses", "[--7]"),
    RULE("numbers: an exponent with a point", "[7e7.5]"),
    RULE("objects: a bad value", "[\"k\", truth]"),
    RULE("objects: a bracket for a key", "{[: \"k\"}"),
    RULE("objects: a comma for the colon", "{\"k\", 7}"),
    RULE("objects: two colons", "{\"k\"::7}"),
    RULE("objects: a key of symbols", "{\xf0\x9f\x87\xb3\xf0\x9f\x87\xb4}"),
    RULE("objects: a number behind a member", "{\"k\":\"v\" 789}"),
    RULE("objects: single quotes", "{key: 'v'}"),
    RULE("objects: a continuation byte as key, a comma at the end", "{\"\xb9\":\"0\",}"),
    RULE("objects: no colon", "{\"k\" l}"),
    RULE("objects: no key", "{:\"k\"}"),
    RULE("objects: a member without a colon", "{\"k\" \"l\"}"),
    RULE("objects: no value", "{\"k\":"),
    RULE("objects: no colon and no end", "{\"k\""),
    RULE("objects: a number as key", "{7:7}"),
    RULE("objects: a huge number as key", "{7e7777:7}"),
    RULE("objects: words as keys", "{null:null,null:null}"),
    RULE("objects: commas at the end", "{\"k\":0,,,,,}"),
    RULE("objects: a key in single quotes", "{'k':0}"),
    RULE("objects: a comma at the end", "{\"k\":0,}"),
    RULE("objects: a comment behind", "{\"k\":\"v\"}/**/"),
    RULE("objects: a comment behind, not closed", "{\"k\":\"v\"}/**//"),
    RULE("objects: a line comment behind", "{\"k\":\"v\"}//"),
    RULE("objects: half a line comment behind", "{\"k\":\"v\"}/"),
    RULE("objects: two commas", "{\"k\":\"v\",,\"l\":\"w\"}"),
    RULE("objects: a key without quotes", "{k: \"v\"}"),
    RULE("objects: a value not ended", "{\"k\":\"v"),
    RULE("objects: a key alone", "{ \"k\" : \"v\", \"l\" }"),
    RULE("objects: a hash behind", "{\"k\":\"v\"}#"),
    RULE("objects: just a comma", "{,}"),
    RULE("objects: closed as an array", "{\"k\":7]"),
    RULE("arrays: closed as an object", "[7}"),
    RULE("texts: a high surrogate and a bare backslash", "[\"\\uD801\\\"]"),
    RULE("texts: a high surrogate and \\u", "[\"\\uD801\\u\"]"),
    RULE("texts: a high surrogate and \\u with one digit", "[\"\\uD801\\u7\"]"),
    RULE("texts: a high surrogate and \\u with a letter", "[\"\\uD801\\u7x\"]"),
    RULE("texts: a letter with an accent, no quotes", "[\xc3\xa5]"),
    RULE("texts: a backslash and a NUL", "[\"\\\0\"]"),
    RULE("texts: \\x", "[\"\\x61\"]"),
    RULE("texts: three backslashes and a quote", "[\"\\\\\\\"]"),
    RULE("texts: a backslash and a tab", "[\"\\\t\"]"),
    RULE("texts: a backslash and a symbol", "[\"\\\xf0\x9f\x8c\x80\"]"),
    RULE("texts: a backslash at the end", "[\"\\\"]"),
    RULE("texts: \\u with two digits", "[\"\\u00B\"]"),
    RULE("texts: a pair cut in its second half", "[\"\\uD835\\uDD\"]"),
    RULE("texts: a pair whose second half is no escape", "[\"\\uD801\\uD801\\x\"]"),
    RULE("texts: an unknown escape", "[\"\\b\\q\"]"),
    RULE("texts: \\u with a letter", "[\"\\uqqqq\"]"),
    RULE("texts: a backslash and a byte that is no character", "[\"\\\xe5\"]"),
    RULE("texts: \\u and a byte that is no character", "[\"\\u\xe5\"]"),
    RULE("texts: an escape before the quote", "[\\u0020\"seven\"]"),
    RULE("texts: an escape alone", "[\\n]"),
    RULE("texts: a quote alone", "\""),
    RULE("texts: single quotes", "['single']"),
    RULE("texts: no quotes", "word"),
    RULE("texts: an escape begun, not closed", "[\"\\"),
    RULE("texts: a raw control character", "[\"b\x01\"]"),
    RULE("texts: a raw line end", "[\"new\nline\"]"),
    RULE("texts: a raw tab", "[\"\t\"]"),
    RULE("texts: \\U", "\"\\U0061\""),
    RULE("texts: something behind", "\"\"y"),
    RULE("structure: a dot in angle brackets", "<.>"),
    RULE("structure: null in angle brackets", "[<null>]"),
    RULE("structure: a letter behind an array", "[7]y"),
    RULE("structure: an array closed twice", "[7]]"),
    RULE("structure: a text not closed in an array", "[\"seven]"),
    RULE("structure: an identifier", "a\xc3\xa5"),
    RULE("structure: an array closed, not opened", "7]"),
    RULE("structure: a comma for the closing brace", "{\"k\": true,"),
    RULE("structure: two arrays", "[][]"),
    RULE("structure: a closing bracket", "]"),
    RULE("structure: a closing brace", "}"),
    RULE("structure: half a byte order mark", "\xef\xbb{}"),
    RULE("structure: a byte that is no character", "\xe5"),
    RULE("structure: an opening bracket", "["),
    RULE("structure: nothing", ""),
    RULE("structure: a space", " "),
    RULE("structure: a NUL outside a text", "[\0]"),
    RULE("structure: a NUL behind", "[7]\0"),
    RULE("structure: a number and a sign", "8@"),
    RULE("structure: an object closed twice", "{}}"),
    RULE("structure: an empty key, nothing behind", "{\"\":"),
    RULE("structure: a comment inside", "{\"k\":/*comment*/\"v\"}"),
    RULE("structure: a text behind an object", "{\"k\": true} \"y\""),
    RULE("structure: an array and an apostrophe", "['"),
    RULE("structure: an array and a comma", "[,"),
    RULE("structure: an array and an object, open", "[{"),
    RULE("structure: an array and a text, open", "[\"k"),
    RULE("structure: an array and a text, the array open", "[\"k\""),
    RULE("structure: an object, open", "{"),
    RULE("structure: an object closed as an array", "{]"),
    RULE("structure: an object and a comma", "{,"),
    RULE("structure: an object and an array, open", "{["),
    RULE("structure: an object and a key, open", "{\"k"),
    RULE("structure: an object and a key in apostrophes", "{'k'"),
    RULE("structure: brackets behind bad escapes", "[\"\\{[\"\\{[\"\\{"),
    RULE("structure: a letter of two bytes", "\xc3\xa9"),
    RULE("structure: a star", "*"),
    RULE("structure: a hash between two objects", "{\"k\":\"v\"}#{}"),
    RULE("structure: a word joiner among white space", "[\xe2\x81\xa0]"),
    RULE("structure: a no-break space among white space", "[\xc2\xa0]"),
    RULE("structure: an escape before a text", "[\\u000A\"\"]"),
    RULE("structure: an array not closed", "[7"),
    RULE("structure: an array not closed behind half a null", "[ false, nul"),
    RULE("structure: an array not closed behind half a false", "[ true, fals"),
    RULE("structure: an array not closed behind half a true", "[ false, tru"),
    RULE("structure: an object not closed", "{\"seven\":\"seven\""),
    RULE("structure: an identifier of two bytes", "\xc3\xa5"),
    RULE("structure: a byte order mark alone", "\xef\xbb\xbf"),
    RULE("structure: a byte order mark inside", "[\xef\xbb\xbf]"),
    RULE("structure: form feeds", "[\f]"),
    RULE("structure: a vertical tab before", "\v[]"),
    RULE("structure: a page of HTML", "<html><body>busy</body></html>"),
    RULE("structure: a comment before", "// c\n[]"),
};

/* Where the standard leaves it to us. TAKE_DIRTY: taken, and flagged for repair. */
enum choice { TAKE, TAKE_DIRTY, REFUSE };

static const struct {
    enum choice choice;
    struct rule rule;
} OURS[] = {
    /* Numbers are text to us, so any is taken; what PostgreSQL's numeric cannot hold is flagged. */
    {TAKE, RULE("an integer past 64 bits", "[700000000000000000000]")},
    {TAKE, RULE("a negative integer past 64 bits", "[-700000000000000000000]")},
    {TAKE, RULE("a very long negative integer", "[-777777777777777777777777777777777777777777]")},
    {TAKE, RULE("a number over a double", "[7e400]")},
    {TAKE, RULE("a negative number over a double", "[-7e400]")},
    {TAKE, RULE("a fraction over a double", "[78.5e4000]")},
    {TAKE, RULE("a number too small for a double", "[7e-4000]")},
    {TAKE_DIRTY, RULE("an exponent past every type", "[0.7e0077777777777777777777777777]")},
    {TAKE_DIRTY, RULE("a negative exponent past every type", "[7.8e-777777777777]")},
    {TAKE_DIRTY, RULE("an integer with an exponent past every type", "[-7e+7777777]")},
    /* Half a surrogate pair becomes U+FFFD, whatever stands beside it. */
    {TAKE_DIRTY, RULE("a low surrogate alone, as a key", "{\"\\uDFAB\":0}")},
    {TAKE_DIRTY, RULE("a high surrogate and the end", "[\"\\uDBFE\"]")},
    {TAKE_DIRTY, RULE("a high surrogate and an escape that is no low one", "[\"\\uD889\\u4321\"]")},
    {TAKE_DIRTY, RULE("a high surrogate and a line end", "[\"\\uD801\\n\"]")},
    {TAKE_DIRTY, RULE("a high surrogate and letters", "[\"\\ud801bcd\"]")},
    {TAKE_DIRTY, RULE("two high surrogates and a line end", "[\"\\uD801\\uD801\\n\"]")},
    {TAKE_DIRTY, RULE("two high surrogates", "[\"\\ud801\\ud801\"]")},
    {TAKE_DIRTY, RULE("a high surrogate alone", "[\"\\ud801\"]")},
    {TAKE_DIRTY, RULE("a pair the wrong way round", "[\"\\uDd1f\\uD835\"]")},
    {TAKE_DIRTY, RULE("a low surrogate alone", "[\"\\uDFAB\"]")},
    /* So do bytes inside a text that are not UTF-8; outside a text they are refused above. */
    {TAKE_DIRTY, RULE("bytes that are no character", "[\"\xff\xfe\"]")},
    {TAKE_DIRTY, RULE("latin 1", "[\"\xe5\"]")},
    {TAKE_DIRTY, RULE("a continuation byte alone", "[\"\x82\"]")},
    {TAKE_DIRTY, RULE("a character past U+10FFFF", "[\"\xf4\xbf\xbf\xbe\"]")},
    {TAKE_DIRTY, RULE("an overlong form of two bytes", "[\"\xc0\xae\"]")},
    {TAKE_DIRTY, RULE("an overlong form of six bytes", "[\"\xfc\x83\xbf\xbf\xbf\xbe\"]")},
    {TAKE_DIRTY, RULE("an overlong NUL of six bytes", "[\"\xfc\x80\x80\x80\x80\x80\"]")},
    {TAKE_DIRTY, RULE("a character cut in half", "[\"\xe0\xfe\"]")},
    {TAKE_DIRTY, RULE("a character cut by the quote", "[\"\xe6\x97\"]")},
    {TAKE_DIRTY, RULE("a surrogate as UTF-8", "[\"\xed\xa0\x81\"]")},
    {TAKE_DIRTY, RULE("a raw NUL inside a text", "[\"b\0c\"]")},
    /* Another encoding than UTF-8 is not guessed. */
    {REFUSE, RULE("UTF-16, little end first, with a mark", "\xff\xfe[\0]\0")},
    {REFUSE, RULE("UTF-16, little end first", "[\0\"\0k\0\"\0]\0")},
    {REFUSE, RULE("UTF-16, big end first", "\0[\0\"\0k\0\"\0]")},
    {TAKE, RULE("a byte order mark before an object", "\xef\xbb\xbf{}")},
};

/* A copy with exactly the padding promised, of bytes that would be taken for JSON. */
static char *padded(struct str text)
{
    char *data = mem_alloc(text.size + JSONSCAN_PADDING);
    if (text.size) memcpy(data, text.data, text.size);
    memset(data + text.size, '"', JSONSCAN_PADDING);
    return data;
}

/* With a step into every container. */
static bool step_value(struct jsonscan *scan)
{
    struct json_value item;
    int kind = jsonscan_peek(scan);
    if (kind == JSON_OBJECT && jsonscan_enter_object(scan)) {
        while (jsonscan_next_key(scan, &item))
            if (!step_value(scan)) return false;
    } else if (kind == JSON_ARRAY && jsonscan_enter_array(scan)) {
        while (jsonscan_next_element(scan))
            if (!step_value(scan)) return false;
    } else {
        return jsonscan_value(scan, &item);
    }
    return !scan->error;
}

static void check(const char *rule, struct str text, enum choice expected)
{
    struct jsonscan scan;
    struct json_value value = {0};
    const char *error = NULL;
    size_t offset = 0;
    char *data = padded(text);
    jsonscan_init(&scan, data, text.size);
    bool whole = jsonscan_value(&scan, &value) && jsonscan_finish(&scan);
    if (whole != (expected != REFUSE)) fail_msg("%s: %s", rule, whole ? "was taken" : scan.error);
    if (whole && !(value.flags & JSON_DIRTY) != (expected == TAKE)) fail_msg("%s: flags are %d", rule, value.flags);
    jsonscan_init(&scan, data, text.size);
    bool stepped = step_value(&scan) && jsonscan_finish(&scan);
    if (stepped != whole) fail_msg("%s: stepping into it gives another answer", rule);
    bool surveyed = jsonscan_survey(data, text.size, NULL, NULL, 0, &error, &offset);
    if (whole && !surveyed) fail_msg("%s: its brackets alone are refused: %s", rule, error);
    free(data);
}

static bool holds_nul_escape(struct str text)
{
    for (size_t i = 0; i + 6 <= text.size; i++)
        if (memcmp(text.data + i, "\\u0000", 6) == 0 && (i == 0 || text.data[i - 1] != '\\')) return true;
    return false;
}

static void test_what_must_be_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(MUST_ACCEPT); i++) /* \u0000 is good JSON, and flagged: PostgreSQL has no place for it */
        check(MUST_ACCEPT[i].rule, MUST_ACCEPT[i].text, holds_nul_escape(MUST_ACCEPT[i].text) ? TAKE_DIRTY : TAKE);
}

static void test_what_must_be_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(MUST_REFUSE); i++) check(MUST_REFUSE[i].rule, MUST_REFUSE[i].text, REFUSE);
}

static void test_what_is_ours_to_choose(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(OURS); i++) check(OURS[i].rule.rule, OURS[i].rule.text, OURS[i].choice);
}

/* 500 arrays are ours to take or not, 100,000 have to be refused without a crash. */
static void test_depth(void **state)
{
    (void)state;
    static const struct {
        const char *open, *close;
        size_t depth;
        enum choice choice;
    } CASES[] = {
        {"[", "]", 500, TAKE},
        {"[", "]", JSONSCAN_MAX_DEPTH, TAKE},
        {"[", "]", JSONSCAN_MAX_DEPTH + 1, REFUSE},
        {"[", "]", 100000, REFUSE},
        {"[", "", 100000, REFUSE},
        {"[{\"\":", "", 50000, REFUSE},
        {"{\"k\":", "}", 300, REFUSE}, /* without a value inside */
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct buf text = BUF_INIT(1 << 20);
        for (size_t depth = 0; depth < CASES[i].depth; depth++) buf_append_text(&text, CASES[i].open);
        for (size_t depth = 0; depth < CASES[i].depth; depth++) buf_append_text(&text, CASES[i].close);
        check(CASES[i].open, buf_str(&text), CASES[i].choice);
        buf_release(&text);
    }
}

UNIT_TESTS(cmocka_unit_test(test_what_must_be_accepted), cmocka_unit_test(test_what_must_be_refused),
           cmocka_unit_test(test_what_is_ours_to_choose), cmocka_unit_test(test_depth))
