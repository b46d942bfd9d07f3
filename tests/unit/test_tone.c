/* The tone: frames that are what they say, each complete in itself, and whole periods of a signal. */
#include "engine.h"

#include <math.h>

#include "services/stream/mp3.h"
#include "services/stream/tone.h"

static unsigned bits(const uint8_t *bytes, size_t at, int count)
{
    unsigned value = 0;
    for (int i = 0; i < count; i++, at++)
        value = value << 1 | (bytes[at / 8] >> (7 - at % 8) & 1);
    return value;
}

static void frames(void **state)
{
    (void)state;
    size_t size, at = 0, count = 0;
    const uint8_t *bytes = tone_frames(&size);
    struct mp3_frame frame;
    uint64_t samples = 0;
    while (at < size) {
        assert_true(mp3_header(bytes + at, &frame));
        assert_int_equal(frame.bitrate, 128000);
        assert_int_equal(frame.rate, 44100);
        assert_false(mp3_is_info(bytes + at, &frame));
        at += frame.length;
        samples += frame.samples;
        count++;
    }
    assert_int_equal(at, size);
    assert_int_equal(count, TONE_FRAMES);
    assert_int_equal(mp3_duration(samples, 44100), INT64_C(5120000000));
    assert_int_equal(size * 8, 128 * 5120);
}

/* What a frame's granules take is in it, and it begins with itself. */
static void granules(void **state)
{
    (void)state;
    size_t size, at = 0;
    const uint8_t *bytes = tone_frames(&size);
    struct mp3_frame frame;
    for (; at < size && mp3_header(bytes + at, &frame); at += frame.length) {
        const uint8_t *side = bytes + at + 4;
        unsigned first = bits(side, 18, 12), second = bits(side, 18 + 59, 12);
        assert_int_equal(bits(side, 0, 9), 0);
        assert_true(first > 0 && second > 0);
        assert_true(first + second <= 8 * (frame.length - 4 - 17));
    }
}

/* A tone in the middle of a line: its energy is there and next to it, and nothing of it is far away. */
static void spectrum(void **state)
{
    (void)state;
    static float signal[TONE_WINDOW];
    double lines[TONE_LINES], near = 0, all = 0;
    for (int i = 0; i < TONE_WINDOW; i++)
        signal[i] = (float)sin(M_PI * (30 + 0.5) / 576 * i + 1);
    tone_spectrum(signal, lines);
    for (int i = 0; i < TONE_LINES; i++) {
        all += lines[i] * lines[i];
        near += i >= 28 && i <= 32 ? lines[i] * lines[i] : 0;
    }
    assert_true(all > 0.1);
    assert_true(near > 0.99 * all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames),
        cmocka_unit_test(granules),
        cmocka_unit_test(spectrum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
