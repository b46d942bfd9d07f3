/* Layer III's way from a signal to its spectrum: the polyphase filter bank, the MDCT of each band, alias reduction. */
#include <math.h>

#include "tone.h"

enum { BANDS = TONE_LINES / 18, WINDOW = 512 };

/* The window of the filter bank (ISO 11172-3, table 3-B.3), times 65536: the first half, and the middle. */
static const int32_t window[257] = {
    0,      -1,     -1,     -1,     -1,     -1,     -1,     -2,     -2,     -2,     -2,     -3,     -3,     -4,
    -4,     -5,     -5,     -6,     -7,     -7,     -8,     -9,     -10,    -11,    -13,    -14,    -16,    -17,
    -19,    -21,    -24,    -26,    -29,    -31,    -35,    -38,    -41,    -45,    -49,    -53,    -58,    -63,
    -68,    -73,    -79,    -85,    -91,    -97,    -104,   -111,   -117,   -125,   -132,   -139,   -147,   -154,
    -161,   -169,   -176,   -183,   -190,   -196,   -202,   -208,   213,    218,    222,    225,    227,    228,
    228,    227,    224,    221,    215,    208,    200,    189,    177,    163,    146,    127,    106,    83,
    57,     29,     -2,     -36,    -72,    -111,   -153,   -197,   -244,   -294,   -347,   -401,   -459,   -519,
    -581,   -645,   -711,   -779,   -848,   -919,   -991,   -1064,  -1137,  -1210,  -1283,  -1356,  -1428,  -1498,
    -1567,  -1634,  -1698,  -1759,  -1817,  -1870,  -1919,  -1962,  -2001,  -2032,  -2057,  -2075,  -2085,  -2087,
    -2080,  -2063,  2037,   2000,   1952,   1893,   1822,   1739,   1644,   1535,   1414,   1280,   1131,   970,
    794,    605,    402,    185,    -45,    -288,   -545,   -814,   -1095,  -1388,  -1692,  -2006,  -2330,  -2663,
    -3004,  -3351,  -3705,  -4063,  -4425,  -4788,  -5153,  -5517,  -5879,  -6237,  -6589,  -6935,  -7271,  -7597,
    -7910,  -8209,  -8491,  -8755,  -8998,  -9219,  -9416,  -9585,  -9727,  -9838,  -9916,  -9959,  -9966,  -9935,
    -9863,  -9750,  -9592,  -9389,  -9139,  -8840,  -8492,  -8092,  -7640,  -7134,  6574,   5959,   5288,   4561,
    3776,   2935,   2037,   1082,   70,     -998,   -2122,  -3300,  -4533,  -5818,  -7154,  -8540,  -9975,  -11455,
    -12980, -14548, -16155, -17799, -19478, -21189, -22929, -24694, -26482, -28289, -30112, -31947, -33791, -35640,
    -37489, -39336, -41176, -43006, -44821, -46617, -48390, -50137, -51853, -53534, -55178, -56778, -58333, -59838,
    -61289, -62684, -64019, -65290, -66494, -67629, -68692, -69679, -70590, -71420, -72169, -72835, -73415, -73908,
    -74313, -74630, -74856, -74992, 75038,
};

/* The analysis window is a 32nd of it. The second half mirrors the first, with the sign of its 64s. */
static double window_at(int at)
{
    double value = at <= 256 ? window[at] : at % 64 == 0 ? window[WINDOW - at] : -window[WINDOW - at];
    return value / 65536 / 32;
}

/* The sample of each band at a slot of 32 samples; odd samples of odd bands are inverted, as the MDCT wants them. */
static void bands_at(const float *signal, int slot, double bands[BANDS])
{
    double folded[64] = {0};
    const float *newest = signal + WINDOW - 32 + slot * 32L + 31;
    for (int i = 0; i < WINDOW; i++)
        folded[i % 64] += window_at(i) * newest[-i];
    for (int band = 0; band < BANDS; band++) {
        double sum = 0;
        for (int i = 0; i < 64; i++)
            sum += cos((2 * band + 1) * (i - 16) * M_PI / 64) * folded[i];
        bands[band] = slot % 2 && band % 2 ? -sum : sum;
    }
}

/* 36 samples to 18 lines; scaled so that a decoder's inverse gives the samples back. */
static void transform(const double samples[36], double lines[18])
{
    for (int line = 0; line < 18; line++) {
        lines[line] = 0;
        for (int i = 0; i < 36; i++)
            lines[line] += samples[i] * sin(M_PI / 36 * (i + 0.5)) * cos(M_PI / 72 * (2 * i + 19) * (2 * line + 1)) / 9;
    }
}

/* Butterflies between neighbours, which the decoder's undo. */
static void reduce_alias(double *lower, double *upper)
{
    static const double factors[] = {-0.6, -0.535, -0.33, -0.185, -0.095, -0.041, -0.0142, -0.0037};
    for (int i = 0; i < 8; i++) {
        double scale = 1 / sqrt(1 + factors[i] * factors[i]), cross = scale * factors[i];
        double low = lower[17 - i], high = upper[i];
        lower[17 - i] = low * scale + high * cross;
        upper[i] = high * scale - low * cross;
    }
}

void tone_spectrum(const float signal[TONE_WINDOW], double lines[TONE_LINES])
{
    double samples[BANDS][36], bands[BANDS];
    for (int slot = 0; slot < 36; slot++) {
        bands_at(signal, slot, bands);
        for (int band = 0; band < BANDS; band++)
            samples[band][slot] = bands[band];
    }
    for (int band = 0; band < BANDS; band++)
        transform(samples[band], lines + 18L * band);
    for (int band = 1; band < BANDS; band++)
        reduce_alias(lines + 18L * (band - 1), lines + 18L * band);
}
