/* encode: bytes as hex and base64, and back (RFC 4648); see crypto.h. */
#include "base/check.h"
#include "os/crypto.h"

static const char STANDARD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void crypto_hex_text(const unsigned char *data, size_t size, char *out)
{
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = DIGITS[data[i] >> 4];
        out[2 * i + 1] = DIGITS[data[i] & 15];
    }
    out[2 * size] = '\0';
}

void crypto_hex(struct str data, struct buf *out)
{
    for (size_t i = 0; i < data.size; i++) {
        char pair[3];
        crypto_hex_text((const unsigned char *)data.data + i, 1, pair);
        buf_append(out, pair, 2);
    }
}

static void encode(struct str data, const char *alphabet, bool padded, struct buf *out)
{
    for (size_t i = 0; i < data.size; i += 3) {
        size_t have = data.size - i < 3 ? data.size - i : 3;
        uint32_t group = 0;
        for (size_t j = 0; j < 3; j++) group = group << 8 | (j < have ? (unsigned char)data.data[i + j] : 0);
        char text[4];
        for (size_t j = 0; j < 4; j++) text[j] = j <= have ? alphabet[group >> (18 - 6 * j) & 63] : '=';
        buf_append(out, text, padded ? 4 : have + 1);
    }
}

void crypto_base64(struct str data, struct buf *out)
{
    encode(data, STANDARD, true, out);
}

void crypto_base64url(struct str data, struct buf *out)
{
    encode(data, URL, false, out);
}

static int digit_of(char c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : -1;
}

/* Decodes text without padding. */
static bool decode(struct str text, const char *alphabet, struct buf *out)
{
    if (text.size % 4 == 1) return false;
    size_t size_before = out->size;
    uint32_t bits = 0;
    int bit_count = 0;
    bool fits = true;
    for (size_t i = 0; i < text.size && fits; i++) {
        int digit = digit_of(text.data[i], alphabet);
        fits = digit >= 0;
        bits = (bits << 6 | (uint32_t)digit) & 0xffffff;
        bit_count += 6;
        if (bit_count < 8 || !fits) continue;
        bit_count -= 8;
        buf_append_char(out, (char)(bits >> bit_count & 0xff));
    }
    if (fits && (bits & ((1u << bit_count) - 1)) == 0 && !out->failed) return true;
    if (out->data) {
        out->size = size_before;
        out->data[size_before] = '\0';
    }
    return false;
}

static struct str without_padding(struct str text)
{
    for (int i = 0; i < 2 && text.size && text.data[text.size - 1] == '='; i++) text.size--;
    return text;
}

bool crypto_base64_decode(struct str text, struct buf *out)
{
    return text.size % 4 == 0 && decode(without_padding(text), STANDARD, out);
}

bool crypto_base64url_decode(struct str text, struct buf *out)
{
    struct str bare = without_padding(text);
    return (bare.size == text.size || text.size % 4 == 0) && decode(bare, URL, out);
}
