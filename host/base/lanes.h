/* lanes: classes of bytes, sixteen or sixty-four at a time. What makes jsonscan fast, and the only file that knows the CPU.
 *
 * Each function reads a fixed number of bytes at `at` (all of them must be readable) and returns a mask with one bit a byte,
 * the first byte lowest. With SSE2, which every x86-64 has, a class costs an instruction or two; elsewhere the portable
 * spelling (swar_*, eight bytes in a word) gives the same answers. Both are compiled where there is SSE2, so that a test can
 * compare them. */
#ifndef SLUICE_BASE_LANES_H
#define SLUICE_BASE_LANES_H

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* What a string reader must look at: `stop` marks '"', '\\' and control characters, `high` bytes that are not ASCII. */
struct lanes_string {
    uint32_t stop;
    uint32_t high;
};

/* What holds a document together. */
struct lanes_structure {
    uint64_t quote;
    uint64_t backslash;
    uint64_t bracket; /* one of [ ] { } */
};

#define LANES_EACH(byte) ((byte)*UINT64_C(0x0101010101010101))

static inline uint64_t swar_load(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* The high bit of each byte, gathered: the products of no two bits meet, so nothing carries. */
static inline uint32_t swar_gather(uint64_t high_bits)
{
    return (uint32_t)((((high_bits >> 7) & LANES_EACH(1)) * UINT64_C(0x0102040810204080)) >> 56);
}

/* The high bit of each byte that is zero; exact (no borrow runs from byte to byte). */
static inline uint64_t swar_zero(uint64_t word)
{
    return ~(((word & LANES_EACH(0x7f)) + LANES_EACH(0x7f)) | word) & LANES_EACH(0x80);
}

static inline uint64_t swar_equal(uint64_t word, uint8_t byte)
{
    return swar_zero(word ^ LANES_EACH(byte));
}

static inline struct lanes_string swar_string16(const char *at)
{
    struct lanes_string found = {0, 0};
    for (unsigned half = 0; half < 2; half++) {
        uint64_t word = swar_load(at + half * 8);
        uint64_t control = ~((word & LANES_EACH(0x7f)) + LANES_EACH(0x60)) & ~word & LANES_EACH(0x80);
        uint64_t stop = swar_equal(word, '"') | swar_equal(word, '\\') | control;
        found.stop |= swar_gather(stop) << (half * 8);
        found.high |= swar_gather(word) << (half * 8);
    }
    return found;
}

static inline uint32_t swar_space16(const char *at)
{
    uint32_t found = 0;
    for (unsigned half = 0; half < 2; half++) {
        uint64_t word = swar_load(at + half * 8);
        uint64_t space = swar_equal(word, ' ') | swar_equal(word, '\n') | swar_equal(word, '\r') | swar_equal(word, '\t');
        found |= swar_gather(space) << (half * 8);
    }
    return found;
}

static inline struct lanes_structure swar_structure64(const char *at)
{
    struct lanes_structure found = {0, 0, 0};
    for (unsigned eighth = 0; eighth < 8; eighth++) {
        uint64_t word = swar_load(at + eighth * 8),
                 folded = word | LANES_EACH(0x20); /* [ and { differ in this bit, ] and } too */
        found.quote |= (uint64_t)swar_gather(swar_equal(word, '"')) << (eighth * 8);
        found.backslash |= (uint64_t)swar_gather(swar_equal(word, '\\')) << (eighth * 8);
        found.bracket |= (uint64_t)swar_gather(swar_equal(folded, '{') | swar_equal(folded, '}')) << (eighth * 8);
    }
    return found;
}

#ifdef __SSE2__

static inline __m128i lanes_load(const char *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

static inline struct lanes_string lanes_string16(const char *at)
{
    __m128i bytes = lanes_load(at);
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    __m128i stop = _mm_or_si128(_mm_or_si128(quote, backslash), control);
    return (struct lanes_string){(uint32_t)_mm_movemask_epi8(stop), (uint32_t)_mm_movemask_epi8(bytes)};
}

static inline uint32_t lanes_space16(const char *at)
{
    __m128i bytes = lanes_load(at);
    __m128i blank = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t')));
    __m128i line = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r')));
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(blank, line));
}

static inline struct lanes_structure lanes_structure64(const char *at)
{
    struct lanes_structure found = {0, 0, 0};
    for (unsigned quarter = 0; quarter < 4; quarter++) {
        __m128i bytes = lanes_load(at + quarter * 16);
        __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
        __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
        __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
        __m128i bracket = _mm_or_si128(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')), _mm_cmpeq_epi8(folded, _mm_set1_epi8('}')));
        found.quote |= (uint64_t)(uint32_t)_mm_movemask_epi8(quote) << (quarter * 16);
        found.backslash |= (uint64_t)(uint32_t)_mm_movemask_epi8(backslash) << (quarter * 16);
        found.bracket |= (uint64_t)(uint32_t)_mm_movemask_epi8(bracket) << (quarter * 16);
    }
    return found;
}

#else

static inline struct lanes_string lanes_string16(const char *at)
{
    return swar_string16(at);
}

static inline uint32_t lanes_space16(const char *at)
{
    return swar_space16(at);
}

static inline struct lanes_structure lanes_structure64(const char *at)
{
    return swar_structure64(at);
}

#endif

#endif
