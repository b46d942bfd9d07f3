/* The frames of a file, read in pieces: tags are passed over, a Xing, Info or VBRI header is left out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "player.h"

enum { BUFFER = 65536, RUBBISH_MOST = 1 << 20 };

int frame_reader_begin(struct frame_reader *reader, weir_file *file, bool at_offsets)
{
    *reader = (struct frame_reader){.file = file, .at_offsets = at_offsets, .buffer = malloc(BUFFER)};
    return reader->buffer ? 0 : weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "read", "the media", NULL);
}

void frame_reader_end(struct frame_reader *reader)
{
    free(reader->buffer);
}

static ssize_t read_some(struct frame_reader *reader, void *buffer, size_t size)
{
    if (!reader->at_offsets)
        return weir_file_read(reader->file, buffer, size, WEIR_FOREVER);
    ssize_t length = weir_file_read_at(reader->file, buffer, size, reader->offset);
    reader->offset += length > 0 ? length : 0;
    return length;
}

/* Passes over what has not been read. */
static int skip_rest(struct frame_reader *reader)
{
    if (reader->at_offsets) {
        reader->offset += (int64_t)reader->skip;
        reader->skip = 0;
    }
    while (reader->skip > 0 && !reader->ended) {
        ssize_t length = read_some(reader, reader->buffer, reader->skip < BUFFER ? (size_t)reader->skip : BUFFER);
        if (length < 0)
            return -1;
        reader->ended = length == 0;
        reader->skip -= (size_t)length;
    }
    return 0;
}

static int refill(struct frame_reader *reader)
{
    if (skip_rest(reader) < 0)
        return -1;
    if (reader->ended)
        return 0;
    size_t left = reader->end - reader->begin;
    memmove(reader->buffer, reader->buffer + reader->begin, left);
    ssize_t length = read_some(reader, reader->buffer + left, BUFFER - left);
    if (length < 0)
        return -1;
    reader->begin = 0;
    reader->end = left + (size_t)length;
    reader->ended = length == 0;
    return 0;
}

/* What lies beyond the buffer is a tag's. */
static void pass(struct frame_reader *reader, uint64_t skip)
{
    size_t left = reader->end - reader->begin, here = skip < left ? (size_t)skip : left;
    reader->begin += here;
    reader->rubbish += here;
    reader->skip += skip - here;
}

/* Any frame. As frame_reader_next. */
static int find(struct frame_reader *reader, const uint8_t **bytes, struct mp3_frame *frame)
{
    enum mp3_found found = MP3_MORE;
    while (reader->rubbish < RUBBISH_MOST) {
        uint64_t skip;
        const struct mp3_frame *before = reader->before.length ? &reader->before : NULL;
        found =
            mp3_next(reader->buffer + reader->begin, reader->end - reader->begin, reader->ended, before, &skip, frame);
        pass(reader, skip);
        if (found != MP3_MORE)
            break;
        if (refill(reader) < 0)
            return -1;
    }
    if (found != MP3_FRAME)
        return 0;
    *bytes = reader->buffer + reader->begin;
    reader->begin += frame->length;
    reader->rubbish = 0;
    reader->before = *frame;
    return 1;
}

int frame_reader_next(struct frame_reader *reader, const uint8_t **bytes, struct mp3_frame *frame)
{
    bool is_first = !reader->before.length;
    int result = find(reader, bytes, frame);
    if (result == 1 && is_first && mp3_is_info(*bytes, frame)) {
        reader->is_varied = !memmem(*bytes, frame->length, "Info", 4);
        result = find(reader, bytes, frame);
    }
    reader->frames += result == 1;
    return result;
}
