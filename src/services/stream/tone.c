/*
 * The tone: a quiet chord whose voices come and go, as layer III. It is an encoder of one kind of signal: mono, long
 * windows alone, each frame complete in itself (no bit reservoir), so that the last can be followed by the first.
 */
#include "tone.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    HEADER_BITS = 32,
    SIDE_BITS = 136,
    SMALLEST = 15, /* but for 0: see put_lines */
    LARGEST = SMALLEST + 8191,
    GAIN_OF_ONE = 210, /* the gain at which a line of 1 is 1 */
};

static uint8_t frames[TONE_BYTES];

/* --- the signal --- */

/*
 * How often each voice swings, and how often it comes and goes, in all of it (5.12 s). All are whole: it ends as it
 * begins.
 */
static const struct {
    int swings, swells;
    double strength;
} voices[] = {
    {1126, 1, 0.030}, /* 219.9 Hz */
    {1690, 2, 0.020}, /* 330.1 Hz */
    {2252, 3, 0.016}, /* 439.8 Hz */
    {2836, 2, 0.010}, /* 553.9 Hz */
};

static float sample_at(int at)
{
    double sum = 0, turn = 2 * M_PI * at / TONE_SAMPLES;
    for (size_t i = 0; i < sizeof voices / sizeof *voices; i++)
        sum +=
            voices[i].strength * (0.6 - 0.4 * cos(voices[i].swells * turn + (double)i)) * sin(voices[i].swings * turn);
    return (float)sum;
}

/* --- bits --- */

struct bits {
    uint8_t *bytes;
    size_t at;
};

static void put_bits(struct bits *bits, uint32_t value, int count)
{
    while (count-- > 0) {
        bits->bytes[bits->at / 8] |= (uint8_t)((value >> count & 1) << (7 - bits->at % 8));
        bits->at++;
    }
}

/* --- a granule --- */

struct granule {
    double lines[TONE_LINES];
    int values[TONE_LINES]; /* quantized */
    int gain;
    int pairs;   /* how many of values lie before the zeros */
    size_t bits; /* that they take */
};

/*
 * The decoder makes of n at a gain: n^(4/3) * 2^((gain - 210) / 4). The gain is as fine as the largest line allows.
 * What is smaller than SMALLEST is 0 or that, which is 70 dB below.
 */
static void quantize(struct granule *granule)
{
    double largest = 0;
    for (int i = 0; i < TONE_LINES; i++)
        largest = fmax(largest, fabs(granule->lines[i]));
    int gain = GAIN_OF_ONE + (int)ceil(4 * log2(fmax(largest, 1e-9)) - 16.0 / 3 * log2(LARGEST - 1));
    granule->gain = gain > 0 ? gain : 0;
    for (int i = 0; i < TONE_LINES; i++) {
        double step = exp2((granule->gain - GAIN_OF_ONE) / 4.0);
        int value = (int)lround(pow(fabs(granule->lines[i]) / step, 0.75));
        value = value >= SMALLEST ? value : value > SMALLEST / 2 ? SMALLEST : 0;
        granule->values[i] = granule->lines[i] < 0 ? -value : value;
        if (value)
            granule->pairs = i / 2 + 1;
    }
}

/* What it has above 15, and its sign. */
static void put_value(struct bits *bits, int value)
{
    if (!value)
        return;
    put_bits(bits, (uint32_t)(abs(value) - SMALLEST), 13);
    put_bits(bits, value < 0, 1);
}

/* Pairs, by Huffman's table 31: of it four codes are used, since all lines are 0 or 15 and more. */
static void put_lines(struct bits *bits, const struct granule *granule)
{
    static const struct {
        uint8_t code, length;
    } codes[2][2] = {{{0xf, 4}, {0x58, 9}}, {{0x2b, 8}, {0x3, 4}}};
    for (int i = 0; i < granule->pairs; i++) {
        int x = granule->values[2 * i], y = granule->values[2 * i + 1];
        put_bits(bits, codes[x != 0][y != 0].code, codes[x != 0][y != 0].length);
        put_value(bits, x);
        put_value(bits, y);
    }
}

static void put_side(struct bits *bits, const struct granule *granule)
{
    put_bits(bits, (uint32_t)granule->bits, 12);
    put_bits(bits, (uint32_t)granule->pairs, 9);
    put_bits(bits, (uint32_t)granule->gain, 8);
    put_bits(bits, 0, 4 + 1);                       /* no scale factors; long windows */
    put_bits(bits, 31U << 10 | 31U << 5 | 31U, 15); /* table 31 in each region */
    put_bits(bits, 0, 4 + 3);                       /* which are as short as can be */
    put_bits(bits, 0, 3);                           /* preflag, scalefac_scale, count1table_select */
}

/* --- a frame --- */

/* 47 of 49 frames have one byte more: 128 kbit/s are 417 and 47/49 bytes a frame. */
static bool is_padded(int frame)
{
    return frame * 47 / 49 != (frame + 1) * 47 / 49;
}

static void make_granule(int number, struct granule *granule)
{
    float signal[TONE_WINDOW];
    uint8_t scratch[TONE_LINES * 5] = {0}; /* a line takes at most 9 + 13 + 1 bits */
    struct bits bits = {scratch, 0};
    *granule = (struct granule){0};
    for (int i = 0; i < TONE_WINDOW; i++)
        signal[i] = sample_at(number * 576 - TONE_BEFORE + i);
    tone_spectrum(signal, granule->lines);
    quantize(granule);
    put_lines(&bits, granule);
    granule->bits = bits.at;
}

/* Returns how long it is. What the lines leave free stays zero. */
static size_t make_frame(int number, uint8_t *bytes)
{
    struct granule granules[2];
    struct bits bits = {bytes, 0};
    put_bits(&bits, 0xfffb90c4 | (is_padded(number) ? 0x200U : 0), HEADER_BITS); /* MPEG-1, layer III, mono */
    put_bits(&bits, 0, 9 + 5 + 4); /* main_data_begin 0: its own data alone */
    for (int i = 0; i < 2; i++) {
        make_granule(2 * number + i, &granules[i]);
        put_side(&bits, &granules[i]);
    }
    for (int i = 0; i < 2; i++)
        put_lines(&bits, &granules[i]);
    return is_padded(number) ? 418 : 417;
}

static void make_frames(void)
{
    size_t at = 0;
    for (int i = 0; i < TONE_FRAMES; i++)
        at += make_frame(i, frames + at);
}

const uint8_t *tone_frames(size_t *size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_frames);
    *size = TONE_BYTES;
    return frames;
}
