/* UTF-16 and UTF-32, in either order of bytes (Unicode, section 3.10). What is left at the end is one bad sequence. */
#include "base/utf8.h"
#include "text/codec.h"

enum { LITTLE, BIG };

static inline uint32_t read_unit(const unsigned char *bytes, size_t size, int order)
{
    uint32_t unit = 0;
    for (size_t i = 0; i < size; i++)
        unit = unit << 8 | bytes[order == BIG ? i : size - 1 - i];
    return unit;
}

static inline void write_unit(uint32_t unit, unsigned char *bytes, size_t size, int order)
{
    for (size_t i = 0; i < size; i++, unit >>= 8)
        bytes[order == BIG ? size - 1 - i : i] = (unsigned char)unit;
}

static inline int is_high_surrogate(uint32_t unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static inline int is_low_surrogate(uint32_t unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

static inline int decode16(const unsigned char *bytes, size_t length, uint32_t *character, int order)
{
    if (length < 2)
        return 0;
    *character = read_unit(bytes, 2, order);
    if (is_low_surrogate(*character))
        return -2;
    if (!is_high_surrogate(*character))
        return 2;
    if (length < 4)
        return 0;
    uint32_t low = read_unit(bytes + 2, 2, order);
    if (!is_low_surrogate(low))
        return -2;
    *character = 0x10000 + ((*character & 0x3ff) << 10 | (low & 0x3ff));
    return 4;
}

static inline size_t encode16(uint32_t character, unsigned char *bytes, int order)
{
    if (character < 0x10000) {
        write_unit(character, bytes, 2, order);
        return 2;
    }
    write_unit(0xd800 + ((character - 0x10000) >> 10), bytes, 2, order);
    write_unit(0xdc00 + (character & 0x3ff), bytes + 2, 2, order);
    return 4;
}

static inline int decode32(const unsigned char *bytes, size_t length, uint32_t *character, int order)
{
    if (length < 4)
        return 0;
    *character = read_unit(bytes, 4, order);
    return *character > 0x10ffff || is_high_surrogate(*character) || is_low_surrogate(*character) ? -4 : 4;
}

/* Characters of one unit: of more, and where there is something bad, one at a time is fast enough. */
static inline void decode_run(struct weir__flow *flow, size_t size, int order)
{
    const unsigned char *in = flow->in, *end = in + flow->in_length;
    unsigned char *out = flow->out, *most = out + flow->room;
    while ((size_t)(end - in) >= size && most - out >= 3) {
        uint32_t unit = read_unit(in, size, order);
        if (unit > 0xffff || is_high_surrogate(unit) || is_low_surrogate(unit))
            break;
        out += weir__utf8_encode(unit, out);
        in += size;
    }
    *flow = (struct weir__flow){in, (size_t)(end - in), out, (size_t)(most - out)};
}

static inline void encode_run(struct weir__flow *flow, size_t size, int order)
{
    const unsigned char *in = flow->in, *end = in + flow->in_length;
    unsigned char *out = flow->out, *most = out + flow->room;
    uint32_t character;
    while (in < end && (size_t)(most - out) >= size) {
        int length = weir__utf8_decode(in, (size_t)(end - in), &character);
        if (length <= 0 || character > 0xffff)
            break;
        write_unit(character, out, size, order);
        out += size;
        in += length;
    }
    *flow = (struct weir__flow){in, (size_t)(end - in), out, (size_t)(most - out)};
}

static int decode16le(const unsigned char *bytes, size_t length, uint32_t *character)
{
    return decode16(bytes, length, character, LITTLE);
}

static int decode16be(const unsigned char *bytes, size_t length, uint32_t *character)
{
    return decode16(bytes, length, character, BIG);
}

static size_t encode16le(uint32_t character, unsigned char *bytes)
{
    return encode16(character, bytes, LITTLE);
}

static size_t encode16be(uint32_t character, unsigned char *bytes)
{
    return encode16(character, bytes, BIG);
}

static int decode32le(const unsigned char *bytes, size_t length, uint32_t *character)
{
    return decode32(bytes, length, character, LITTLE);
}

static int decode32be(const unsigned char *bytes, size_t length, uint32_t *character)
{
    return decode32(bytes, length, character, BIG);
}

static size_t encode32le(uint32_t character, unsigned char *bytes)
{
    write_unit(character, bytes, 4, LITTLE);
    return 4;
}

static size_t encode32be(uint32_t character, unsigned char *bytes)
{
    write_unit(character, bytes, 4, BIG);
    return 4;
}

static void decode16le_run(struct weir__flow *flow)
{
    decode_run(flow, 2, LITTLE);
}

static void encode16le_run(struct weir__flow *flow)
{
    encode_run(flow, 2, LITTLE);
}

static void decode16be_run(struct weir__flow *flow)
{
    decode_run(flow, 2, BIG);
}

static void encode16be_run(struct weir__flow *flow)
{
    encode_run(flow, 2, BIG);
}

static void decode32le_run(struct weir__flow *flow)
{
    decode_run(flow, 4, LITTLE);
}

static void encode32le_run(struct weir__flow *flow)
{
    encode_run(flow, 4, LITTLE);
}

static void decode32be_run(struct weir__flow *flow)
{
    decode_run(flow, 4, BIG);
}

static void encode32be_run(struct weir__flow *flow)
{
    encode_run(flow, 4, BIG);
}

const struct weir__codec weir__utf16le_codec = {NULL, decode16le, encode16le, decode16le_run, encode16le_run};
const struct weir__codec weir__utf16be_codec = {NULL, decode16be, encode16be, decode16be_run, encode16be_run};
const struct weir__codec weir__utf32le_codec = {NULL, decode32le, encode32le, decode32le_run, encode32le_run};
const struct weir__codec weir__utf32be_codec = {NULL, decode32be, encode32be, decode32be_run, encode32be_run};
