/* The tone that is on where there is no media: MPEG layer III frames that this project makes itself. */
#ifndef STREAM_TONE_H
#define STREAM_TONE_H

#include <stddef.h>
#include <stdint.h>

/* A whole number of frames that can be played over and over without a click; made once, never freed. 44.1 kHz, at 128 kbit/s. */
const uint8_t *tone_frames(size_t *size);

#endif
