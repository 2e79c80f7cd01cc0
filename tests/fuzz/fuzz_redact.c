/* redact: no planted secret is readable in what comes out, whatever the bytes around it. In the input a byte 1 to 31 (but line
 * end and tab) stands for a spelling of one of three secrets, the rest is the text around them; each secret is then looked for
 * in every spelling that an encoder could choose. */
#include "fuzz.h"

#include <stdio.h>

#include "base/buf.h"
#include "os/secret.h"

static const char *const SECRETS[] = {"s3cr3t-K\xc3\xa9y/1+2=", "pa$$ \"word\"\\%41", "0123456789abcdef0123456789abcdef"};

/* --- encoders ----------------------------------------------------------------------------------------------------------- */

static void put_url(struct str text, bool all, bool lower, bool plus, struct buf *out)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
        if (is_plain && !all)
            buf_append_char(out, (char)c);
        else if (c == ' ' && plus)
            buf_append_char(out, '+');
        else
            buf_printf(out, lower ? "%%%02x" : "%%%02X", c);
    }
}

/* Every character as \u, surrogates where they are due; the secrets are UTF-8 of at most two bytes. */
static void put_unicode(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        unsigned code = c;
        if (c >= 0xc0 && i + 1 < text.size) code = (c & 31u) << 6 | ((unsigned char)text.data[++i] & 63u);
        buf_printf(out, "\\u%04x", code);
    }
}

static void put_base64(struct str text, bool url, struct buf *out)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    for (size_t i = 0; i < (text.size + 2) / 3 * 3; i++) {
        bits = bits << 8 | (i < text.size ? (unsigned char)text.data[i] : 0);
        if (i % 3 != 2) continue;
        for (size_t k = 0; k < 4; k++) {
            char c = DIGITS[bits >> (18 - 6 * k) & 63];
            if (url && c == '+') c = '-';
            if (url && c == '/') c = '_';
            if (i - 2 + k <= text.size)
                buf_append_char(out, c);
            else if (!url)
                buf_append_char(out, '=');
        }
        bits = 0;
    }
}

enum { SPELLINGS = 14 };

static void put_spelling(struct str secret, int spelling, struct buf *out)
{
    struct buf inner = BUF_INIT(4096);
    switch (spelling) {
    case 0:
        buf_append_str(out, secret);
        break;
    case 1:
    case 2:
    case 3:
        put_url(secret, spelling == 3, spelling == 2, spelling == 2, out);
        break;
    case 4:
        buf_append_json_string(out, secret);
        break;
    case 5:
        put_unicode(secret, out);
        break;
    case 6:
    case 7:
        for (size_t i = 0; i < secret.size; i++)
            buf_printf(out, spelling == 6 ? "%02x" : "%02X", (unsigned char)secret.data[i]);
        break;
    case 8: /* the value at each of the three alignments, in both alphabets */
    case 9:
    case 10:
    case 11:
        buf_append(&inner, "id:", (size_t)(spelling - 8) % 3 + 1);
        buf_append_str(&inner, secret);
        put_base64(buf_str(&inner), spelling % 2, out);
        break;
    case 12:
        put_base64(secret, false, &inner);
        put_url(buf_str(&inner), false, false, false, out);
        break;
    default:
        put_url(secret, false, false, false, &inner);
        put_unicode(buf_str(&inner), out);
        break;
    }
    buf_release(&inner);
}

/* --- looking for them --------------------------------------------------------------------------------------------------- */

/* The characters of a spelling that hold something of the secret: without quotes, and without the neighbours in base64. */
static struct str core_of(struct str spelled, struct str secret, int spelling)
{
    if (spelling == 4) return (struct str){spelled.data + 1, spelled.size - 2};
    if (spelling < 8 || spelling > 12) return spelled;
    size_t before = spelling == 12 ? 0 : (size_t)(spelling - 8) % 3 + 1;
    size_t first = before * 8 / 6, end = ((before + secret.size) * 8 + 5) / 6;
    if (spelling < 12) return (struct str){spelled.data + first, end - first};
    for (size_t i = 0; i < end; i++) end += spelled.data[i] == '%' ? 2 : 0;
    return (struct str){spelled.data, end};
}

/* Every spelling of every secret, made once. */
static struct str cores[ARRAY_SIZE(SECRETS) * SPELLINGS];
static char spelled_bytes[64 * 1024];

static void make_cores(void)
{
    char *out = spelled_bytes;
    for (size_t i = 0; i < ARRAY_SIZE(cores); i++) {
        struct str secret = str_from(SECRETS[i / SPELLINGS]);
        struct buf spelled = BUF_INIT(4096);
        put_spelling(secret, (int)(i % SPELLINGS), &spelled);
        struct str core = core_of(buf_str(&spelled), secret, (int)(i % SPELLINGS));
        memcpy(out, core.data, core.size);
        cores[i] = (struct str){out, core.size};
        out += core.size;
        buf_release(&spelled);
    }
}

static void holds_no_secret(struct str text)
{
    if (!cores[0].data) make_cores();
    for (size_t i = 0; i < ARRAY_SIZE(cores); i++) CHECK(!fuzz_contains(text, cores[i]));
}

void fuzz(struct str input)
{
    struct secrets *secrets = secrets_new();
    struct buf text = BUF_INIT(16 << 20), out = BUF_INIT(16 << 20);
    for (size_t i = 0; i < ARRAY_SIZE(SECRETS); i++) {
        char name[16];
        snprintf(name, sizeof name, "secret%zu", i);
        CHECK(secrets_add(secrets, name, str_from(SECRETS[i])) == (int)i + 1);
    }
    for (size_t i = 0; i < input.size; i++) {
        unsigned char c = (unsigned char)input.data[i];
        if (c > 0 && c < 32 && c != '\n' && c != '\t')
            put_spelling(str_from(SECRETS[c % ARRAY_SIZE(SECRETS)]), c % SPELLINGS, &text);
        else
            buf_append_char(&text, (char)c);
    }
    secrets_redact(secrets, buf_str(&text), &out);
    CHECK(!out.failed && out.size <= text.size);
    holds_no_secret(buf_str(&out));
    if (!fuzz_contains(buf_str(&text), STR("\0"))) { /* the same in place */
        char *place = mem_alloc(text.size + 1);
        memcpy(place, buf_text(&text), text.size + 1);
        secrets_redact_text(secrets, place, text.size + 1);
        CHECK(str_equal(str_from(place), buf_str(&out)));
        free(place);
    }
    buf_release(&text);
    buf_release(&out);
    secrets_free(secrets);
}
