/* Weights out of canonical Huffman codes in flash; lichen/coding is the twin of this file.

   The dense form has a code word for each weight. The sparse form has in turn how many zeros to skip and the next weight that is none: a gap
   of `escape` is as many zeros without a weight behind them, and the last gap leads to the end. Words are at most 15 bits long and come
   most significant bit first.

   How this works inside: the words of a canonical code, filled up to 16 bits, ascend with their lengths. So the first length whose last word
   is not below the bits at hand is that of the next word, and its distance from this last word leads to its symbol. AVR, which shifts bit by
   bit, takes bits one by one instead and compares words as long as they are by then. What a table says is checked when decoding begins: a
   damaged one gives wrong weights, but nothing is read or written outside, and every loop ends. */
#ifndef LICHEN_DECODER_H
#define LICHEN_DECODER_H

#include <stdbool.h>

#include "lichen_common.h"

#if !defined(LICHEN_DECODE_BITWISE) && defined(__AVR__)
#define LICHEN_DECODE_BITWISE 1
#elif !defined(LICHEN_DECODE_BITWISE)
#define LICHEN_DECODE_BITWISE 0
#endif

#define LICHEN_LONGEST_WORD 15

/* A code in flash: how many words of each length there are, from the shortest to the longest, then `symbols` symbols, two at least. */
typedef struct {
    const int8_t *table;
    uint8_t shortest, longest, symbols;
} lichen_code;

/* The coded weights of a layer. `escape` is 0 in the dense form, and its code of gaps is not looked at. `channels` is for kernels that
   decode so many output channels at a time. */
typedef struct {
    const int8_t *words; /* `bytes` bytes, an even number */
    int32_t bytes;
    lichen_code values, gaps;
    uint8_t escape;
    int16_t channels;
} lichen_coded;

/* The words of one length: the last of them, and what is added to a word to find its symbol. */
typedef struct {
    uint16_t last;
    uint8_t offset, length;
} lichen_words_of_length;

/* A code made ready, from the shortest length on. */
typedef struct {
    const int8_t *symbols;
    lichen_words_of_length lengths[LICHEN_LONGEST_WORD];
} lichen_words;

typedef struct {
    const int8_t *next, *end;
#if defined(__AVR__)
    uint8_t window; /* the bits at hand, the next one highest, and a one behind the last */
#elif LICHEN_DECODE_BITWISE
    uint8_t window, left; /* the bits at hand and how many there are */
#else
    uint32_t window; /* the same */
    int left;
#endif
} lichen_bits;

typedef struct {
    lichen_bits bits;
    lichen_words values, gaps;
    int zeros; /* in front of the next word, which is a value's or a gap's */
    bool has_value;
    uint8_t escape;
} lichen_decoder;

/* The words of a code. What is no complete code becomes one of two words. */
LICHEN_LOOP void lichen_words_begin(lichen_words *words, const int8_t *table, uint8_t shortest, uint8_t longest, uint8_t symbols)
{
    lichen_words_of_length *of = words->lengths;
    const bool starts = lichen_flash_s8(table) != 0;
    uint32_t word = 0;
    unsigned index = 0;
    for (uint8_t length = shortest; length <= longest; length++, of++) {
        const uint8_t count = (uint8_t)lichen_flash_s8(table++);
        of->length = length;
        of->offset = (uint8_t)(index - word);
        word += count;
        index += count;
        of->last = (uint16_t)((LICHEN_DECODE_BITWISE ? word : word << (16 - length)) - 1u);
        word <<= 1;
    }
    words->symbols = table;
    if (!starts || word != UINT32_C(2) << longest || index != symbols) {
        words->lengths[0].last = LICHEN_DECODE_BITWISE ? 1 : UINT16_MAX;
        words->lengths[0].offset = 0;
        words->lengths[0].length = 1;
    }
}

#if defined(__AVR__)

/* The symbol of the next word. Behind the end all bits are zero. A bit takes 8 cycles, a length 12, and a byte 9. */
LICHEN_INLINE int8_t lichen_next_symbol(lichen_bits *bits, const lichen_words *words)
{
    const lichen_words_of_length *of = words->lengths;
    uint8_t left = of->length, high;
    uint16_t word;
    __asm__ volatile("clr %A[word]\n\tclr %B[word]\n"
        "1:\n\tlsl %[window]\n\tbrne 3f\n\t" /* no bit but the one behind the last, which is in carry now */
        "cp %A[next], %A[end]\n\tcpc %B[next], %B[end]\n\tbrsh 2f\n\t"
        "lpm %[window], Z+\n"
        "2:\n\tsec\n\trol %[window]\n"
        "3:\n\trol %A[word]\n\trol %B[word]\n\t"
        "dec %[left]\n\tbrne 1b\n\t"
        "ld __tmp_reg__, X+\n\tld %[high], X+\n\t"
        "cp __tmp_reg__, %A[word]\n\tcpc %[high], %B[word]\n\tbrsh 4f\n\t"
        "adiw r26, 2\n\tinc %[left]\n\trjmp 1b\n"
        "4:\n\tld __tmp_reg__, X\n\tadd %A[word], __tmp_reg__"
        : [next] "+z"(bits->next), [window] "+r"(bits->window), [left] "+r"(left), [word] "=&r"(word), [high] "=&r"(high), "+x"(of)
        : [end] "r"(bits->end)
        : "memory");
    return lichen_flash_s8(words->symbols + (uint8_t)word);
}

#elif LICHEN_DECODE_BITWISE

/* The symbol of the next word. Behind the end all bits are zero. */
LICHEN_INLINE int8_t lichen_next_symbol(lichen_bits *bits, const lichen_words *words)
{
    const lichen_words_of_length *of = words->lengths;
    uint16_t word = 0;
    uint8_t length = of->length;
    for (;;) {
        do {
            if (bits->left == 0) {
                bits->window = 0;
                bits->left = 8;
                if (bits->next < bits->end) {
                    bits->window = (uint8_t)lichen_flash_s8(bits->next++);
                }
            }
            word = (uint16_t)(word << 1 | bits->window >> 7);
            bits->window = (uint8_t)(bits->window << 1);
            bits->left--;
        } while (--length);
        if (word <= of->last) {
            return lichen_flash_s8(words->symbols + (uint8_t)(word + of->offset));
        }
        of++;
        length = 1;
    }
}

#else

/* The symbol of the next word. Behind the end all bits are zero. */
LICHEN_INLINE int8_t lichen_next_symbol(lichen_bits *bits, const lichen_words *words)
{
    const lichen_words_of_length *of = words->lengths;
    if (bits->left < 16) {
        if (bits->next < bits->end) {
            const uint32_t high = (uint8_t)lichen_flash_s8(bits->next), low = (uint8_t)lichen_flash_s8(bits->next + 1);
            bits->window |= (high << 8 | low) << (16 - bits->left);
            bits->next += 2;
        }
        bits->left += 16;
    }
    const uint32_t word = bits->window >> 16;
    while (word > of->last) {
        of++;
    }
    bits->window <<= of->length;
    bits->left -= of->length;
    return lichen_flash_s8(words->symbols + (uint8_t)((word >> (16 - of->length)) + of->offset));
}

#endif

/* In front of the first weight of `coded`. */
LICHEN_INLINE void lichen_decoder_begin(lichen_decoder *decoder, const lichen_coded *coded)
{
    decoder->bits.next = coded->words;
    decoder->bits.end = coded->words + coded->bytes;
#if defined(__AVR__)
    decoder->bits.window = 0x80;
#else
    decoder->bits.window = 0;
    decoder->bits.left = 0;
#endif
    decoder->escape = coded->escape;
    lichen_words_begin(&decoder->values, coded->values.table, coded->values.shortest, coded->values.longest, coded->values.symbols);
    if (coded->escape) {
        lichen_words_begin(&decoder->gaps, coded->gaps.table, coded->gaps.shortest, coded->gaps.longest, coded->gaps.symbols);
        decoder->zeros = 0;
        decoder->has_value = false;
    }
}

/* The next `n` weights. */
LICHEN_LOOP void lichen_decode(lichen_decoder *decoder, int8_t *to, int n)
{
    lichen_bits bits = decoder->bits;
    int8_t *const end = to + n;
    if (decoder->escape) {
        const lichen_words *words = decoder->has_value ? &decoder->values : &decoder->gaps;
        int zeros = decoder->zeros;
        memset(to, 0, (size_t)n);
        while (zeros < end - to) {
            to += zeros;
            zeros = 0;
            const int8_t symbol = lichen_next_symbol(&bits, words);
            if (words == &decoder->values) {
                *to++ = symbol;
                words = &decoder->gaps;
            } else {
                zeros = (uint8_t)symbol;
                if (zeros != decoder->escape) words = &decoder->values;
            }
        }
        decoder->zeros = zeros - (int)(end - to);
        decoder->has_value = words == &decoder->values;
    } else {
        while (to < end) *to++ = lichen_next_symbol(&bits, &decoder->values);
    }
    decoder->bits = bits;
}

/* All `n` weights of `coded`. */
LICHEN_LOOP void lichen_decode_all(const lichen_coded *coded, int8_t *to, int n)
{
    lichen_decoder decoder;
    lichen_decoder_begin(&decoder, coded);
    lichen_decode(&decoder, to, n);
}

#endif
