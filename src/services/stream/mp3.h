/*
 * MPEG audio frames (ISO 11172-3, 13818-3 and the customary 2.5): where they begin, how long they are and last. Pure
 * functions over bytes.
 */
#ifndef STREAM_MP3_H
#define STREAM_MP3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The longest a frame can be, and what is to be at hand to know one for sure: it, the next one, and the header after
 * that; of free format one more.
 */
enum { MP3_HEADER = 4, MP3_FRAME_MOST = 4608, MP3_LOOK_AHEAD = 3 * MP3_FRAME_MOST + MP3_HEADER };

struct mp3_frame {
    uint32_t length;  /* bytes, the header included */
    uint16_t samples; /* 384, 576, 1152 */
    uint32_t rate;    /* samples a second */
    uint32_t bitrate; /* bits a second; 0: free format */
    uint8_t version;  /* 10, 20, 25 */
    uint8_t layer;    /* 1 to 3 */
    uint8_t channels;
};

/* Reads a header. False: these four bytes are none (of free format a length is not known yet: 0). */
bool mp3_header(const uint8_t *bytes, struct mp3_frame *frame);

/* Whether two frames can follow each other in one stream: version, layer and rate. */
bool mp3_alike(const struct mp3_frame *a, const struct mp3_frame *b);

enum mp3_found {
    MP3_FRAME,  /* at *skip a frame begins and is whole */
    MP3_MORE,   /* after *skip bytes that are of no use more bytes are needed */
    MP3_NOTHING /* `last`: there is none to the end */
};

/*
 * Finds the next frame in `size` bytes: passes over ID3v2 (whatever its size says, within it), ID3v1, APEv2 and
 * rubbish. A sync counts where behind its frame comes one that is alike, a tag, or the end (`last`: no more bytes
 * come); where it is not like `before`, the frame that was found last (NULL: none), the one behind must be followed
 * likewise. Of free format (up to 640 kbit/s) it takes three more headers, each as far behind the one before. What
 * is found does not depend on how the bytes were cut. With MP3_LOOK_AHEAD bytes at hand a MP3_MORE has a *skip above
 * 0. Tags longer than the data: *skip may exceed `size`.
 */
enum mp3_found mp3_next(const uint8_t *bytes, size_t size, bool last, const struct mp3_frame *before, uint64_t *skip,
                        struct mp3_frame *frame);

/* Whether a whole frame is no audio but a Xing, Info or VBRI header: to be dropped where files are joined. */
bool mp3_is_info(const uint8_t *bytes, const struct mp3_frame *frame);

/* How long a frame lasts, in nanoseconds, added up without drift: the time of `samples` at `rate`. */
int64_t mp3_duration(uint64_t samples, uint32_t rate);

#endif
