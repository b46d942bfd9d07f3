/* The tone that is on where there is no media: MPEG layer III frames that this project makes itself. */
#ifndef STREAM_TONE_H
#define STREAM_TONE_H

#include <stddef.h>
#include <stdint.h>

/* So many frames of a mono signal at 44.1 kHz and 128 kbit/s: 49 frames are whole bytes and 1.28 s. */
enum { TONE_FRAMES = 4 * 49, TONE_SAMPLES = TONE_FRAMES * 1152, TONE_BYTES = TONE_FRAMES / 49 * 20480 };

/* A whole number of frames that can be played over and over without a click; made once, never freed. Any thread. */
const uint8_t *tone_frames(size_t *size);

/* --- tone_bands.c --- */

enum {
    TONE_LINES = 72,                     /* of a granule's 576: the lowest four bands, up to 2.7 kHz */
    TONE_BEFORE = 512 - 32,              /* samples before a granule that its first bands are made of */
    TONE_WINDOW = TONE_BEFORE + 2 * 576, /* all that its spectrum is made of: it and the next one's samples too */
};

/*
 * The spectrum of a granule, as layer III has it (ISO 11172-3, C.1.3 and C.1.5.3.3): bands, MDCT with long windows,
 * alias reduction.
 */
void tone_spectrum(const float signal[TONE_WINDOW], double lines[TONE_LINES]);

#endif
