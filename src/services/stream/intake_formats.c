/* How frames of MP3 and AAC and pages of Ogg are found in what a source sends; see intake_inside.h. */
#include <string.h>

#include "intake_inside.h"

/* --- MP3 --- */

bool intake_next_mp3(struct intake *intake, const uint8_t *bytes, size_t size, bool last, struct intake_piece *piece)
{
    struct mp3_frame frame;
    if (mp3_next(bytes, size, last, intake->known ? &intake->frame : NULL, &piece->skip, &frame) != MP3_FRAME)
        return false;
    intake->frame = frame;
    piece->length = frame.length;
    piece->start = true;
    piece->kind = mp3_is_info(bytes + piece->skip, &frame) ? INTAKE_UNWANTED : INTAKE_AUDIO;
    return true;
}

/* --- AAC in ADTS (ISO 13818-7, 6.2) --- */

enum { ADTS_HEADER = 7, ADTS_RATES = 13 };

/* A frame's length by its header; 0: it is none. */
static size_t adts_length(const uint8_t *bytes)
{
    if (bytes[0] != 0xff || (bytes[1] & 0xf6) != 0xf0 || (bytes[2] >> 2 & 15) >= ADTS_RATES)
        return 0;
    size_t length = (size_t)(bytes[3] & 3) << 11 | (size_t)bytes[4] << 3 | bytes[5] >> 5;
    return length > ADTS_HEADER ? length : 0;
}

/* Version, profile and rate. */
static bool adts_alike(const uint8_t *a, const uint8_t *b)
{
    return a[1] == b[1] && (a[2] & 0xfc) == (b[2] & 0xfc);
}

/*
 * Whether a frame is whole, and goes on with what was there before or is confirmed by the header behind it; *more:
 * what that needs is still to come.
 */
static bool adts_confirmed(const struct intake *intake, const uint8_t *bytes, size_t size, size_t length, bool *more)
{
    bool goes_on = intake->known && adts_alike(bytes, intake->adts);
    *more = length + (goes_on ? 0 : ADTS_HEADER) > size;
    return !*more && (goes_on || (adts_length(bytes + length) && adts_alike(bytes, bytes + length)));
}

bool intake_next_adts(struct intake *intake, const uint8_t *bytes, size_t size, bool last, struct intake_piece *piece)
{
    for (size_t at = 0; at + ADTS_HEADER <= size; at++) {
        size_t length = adts_length(bytes + at);
        bool more = false;
        piece->skip = at;
        if (length && adts_confirmed(intake, bytes + at, size - at, length, &more)) {
            memcpy(intake->adts, bytes + at, sizeof intake->adts);
            piece->length = length;
            piece->start = true;
            return true;
        }
        if (more && !last)
            return false;
    }
    piece->skip = size < ADTS_HEADER ? 0 : size - ADTS_HEADER + 1;
    return false;
}

/* --- Ogg (RFC 3533) --- */

enum { OGG_HEADER = 27, OGG_CONTINUED = 1, OGG_FIRST = 2 };

/* The length of the page that begins there; 0: more bytes are needed to know it. */
static size_t ogg_length(const uint8_t *bytes, size_t size)
{
    size_t length = OGG_HEADER;
    if (size < OGG_HEADER || size < (length += bytes[26]))
        return 0;
    for (size_t i = 0; i < bytes[26]; i++)
        length += bytes[OGG_HEADER + i];
    return length;
}

/*
 * Headers of all codecs come before what has a time: their position is 0, or -1 where none of them ends on the page, as
 * of a picture that is longer than one.
 */
static bool ogg_is_header(const struct intake *intake, const uint8_t *page)
{
    uint64_t position;
    memcpy(&position, page + 6, sizeof position);
    return (page[5] & OGG_FIRST) || (intake->header_open && (position == 0 || position == UINT64_MAX));
}

bool intake_next_ogg(struct intake *intake, const uint8_t *bytes, size_t size, bool last, struct intake_piece *piece)
{
    static const uint8_t mark[5] = "OggS"; /* and the version, 0 */
    const uint8_t *page = memmem(bytes, size, mark, sizeof mark);
    (void)last;
    if (!page) {
        piece->skip = size < sizeof mark ? 0 : size - sizeof mark + 1;
        return false;
    }
    piece->skip = (size_t)(page - bytes);
    piece->length = ogg_length(page, size - piece->skip);
    if (piece->length == 0 || piece->length > size - piece->skip)
        return false;
    piece->kind = ogg_is_header(intake, page) ? INTAKE_HEADER : INTAKE_AUDIO;
    piece->start = !(page[5] & OGG_CONTINUED);
    return true;
}
