/* What an intake has of each format: how its frames or pages are found. */
#ifndef STREAM_INTAKE_INSIDE_H
#define STREAM_INTAKE_INSIDE_H

#include "intake.h"
#include "mp3.h"

enum {
    INTAKE_ROOM = 81920,         /* the longest page of Ogg, 65,307 bytes, and some more */
    INTAKE_HEADER_MOST = 262144, /* bytes of Ogg's header pages, which may have a picture in them */
};

enum intake_kind {
    INTAKE_AUDIO,
    INTAKE_UNWANTED, /* of the format, but nothing to be heard: not passed on */
    INTAKE_HEADER,   /* of Ogg: what each listener needs first */
};

/* A frame or a page, and how many bytes of no use are before it. */
struct intake_piece {
    uint64_t skip;
    size_t length;
    enum intake_kind kind;
    bool start; /* a listener may begin there */
};

/*
 * Finds the next in `size` bytes: true, it is whole; false: after piece->skip bytes, maybe more than there are, more
 * is needed. `last`: no more comes.
 */
typedef bool intake_next(struct intake *intake, const uint8_t *bytes, size_t size, bool last,
                         struct intake_piece *piece);

intake_next intake_next_mp3, intake_next_adts, intake_next_ogg;

struct intake {
    intake_next *next;
    const char *type;
    struct mount_source *source;
    bool known;       /* at least one piece was found */
    uint64_t dropped; /* bytes that were not passed on */
    uint64_t rubbish; /* of those, the ones that were looked at; the rest of a long tag is not */
    uint64_t skip;    /* of what comes next: bytes of no use */

    struct mp3_frame frame; /* MP3: the last */
    uint8_t adts[3];        /* AAC: what all headers have in common, of the last */
    uint8_t *header;        /* Ogg: the header pages so far, allocated */
    size_t header_size;
    bool header_open, header_sent; /* more may follow; those of an earlier stream were sent */

    size_t size; /* of what is in the buffer */
    uint8_t data[INTAKE_ROOM];
};

#endif
