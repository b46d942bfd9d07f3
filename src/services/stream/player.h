/*
 * What the radio's player is made of: the frames of a file (player_frames.c), the order of the files
 * (player_list.c).
 */
#ifndef STREAM_PLAYER_H
#define STREAM_PLAYER_H

#include "media.h"
#include "mp3.h"

/* --- the frames of a file --- */

/* Begun with frame_reader_begin; of its members frames and is_constant are for others. */
struct frame_reader {
    weir_file *file;
    bool at_offsets; /* a regular file, which is read at `offset`; else what comes is read */
    int64_t offset;
    uint8_t *buffer;
    size_t begin, end; /* what was read and not passed, in the buffer */
    uint64_t skip;     /* bytes behind it that are of no use: a tag's */
    uint64_t rubbish;  /* passed since the last frame */
    bool ended;
    struct mp3_frame before;
    uint64_t frames; /* found so far, but for the one that is no audio */
    bool is_varied;  /* its first frame says that the bitrate changes */
};

/* Frames of an open file, which stays the caller's. 0, or -1 with ENOMEM. */
int frame_reader_begin(struct frame_reader *reader, weir_file *file, bool at_offsets);
void frame_reader_end(struct frame_reader *reader);

/*
 * The next frame of audio, valid until the next call: 1; 0 at the end, or where nothing but rubbish comes; -1 with an
 * error. Parks.
 */
int frame_reader_next(struct frame_reader *reader, const uint8_t **bytes, struct mp3_frame *frame);

/* --- the order of the files --- */

struct playlist {
    struct media *media;
    const struct media_list *list; /* held */
    uint64_t generation;
    uint32_t *order; /* of those that are played; allocated */
    size_t count, at;
    bool shuffled;
};

/* From the first file on; shuffled anew. 0, or -1 with ENOMEM. playlist_end is due in any case. */
int playlist_begin(struct playlist *playlist, struct media *media, bool shuffled);
void playlist_end(struct playlist *playlist);

/*
 * The next file; NULL: there is none. Where the media were looked at again meanwhile it is the one that comes behind
 * the last of these, or the first. Valid until the next call.
 */
const struct media_file *playlist_next(struct playlist *playlist);

#endif
