/* Text between UTF-8 and an encoding, a piece at a time; see transcoder.h. */
#include "transcoder.h"

#include <errno.h>
#include <stdlib.h>

struct buffer {
    char *data;
    size_t length, room;
};

struct transcoder {
    weir_decoder *decoder; /* one of the two, or neither */
    weir_encoder *encoder;
    bool crlf;
    char before;            /* the last byte of the piece before */
    struct buffer returned; /* a piece with its CRs */
    struct buffer coded;
};

static struct transcoder *allocate(const char *encoding)
{
    struct transcoder *transcoder = calloc(1, sizeof *transcoder);
    if (!transcoder)
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", encoding, NULL);
    return transcoder;
}

struct transcoder *transcoder_new_decoder(const char *encoding, weir_text_errors errors)
{
    struct transcoder *transcoder = allocate(encoding);
    if (transcoder && (transcoder->decoder = weir_decoder_new(encoding, errors)))
        return transcoder;
    free(transcoder);
    return NULL;
}

struct transcoder *transcoder_new_encoder(const char *encoding, weir_text_errors errors, bool crlf)
{
    struct transcoder *transcoder = allocate(encoding);
    if (!transcoder)
        return NULL;
    transcoder->crlf = crlf;
    if (!encoding || (transcoder->encoder = weir_encoder_new(encoding, errors)))
        return transcoder;
    free(transcoder);
    return NULL;
}

void transcoder_free(struct transcoder *transcoder)
{
    if (!transcoder)
        return;
    weir_decoder_free(transcoder->decoder);
    weir_encoder_free(transcoder->encoder);
    free(transcoder->returned.data);
    free(transcoder->coded.data);
    free(transcoder);
}

/* Makes room for that many more bytes. 0, or -1 without memory. */
static int reserve(struct buffer *buffer, size_t more)
{
    if (buffer->room - buffer->length >= more)
        return 0;
    size_t room = 2 * buffer->room + more;
    char *data = realloc(buffer->data, room);
    if (!data)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "convert", "", NULL);
    buffer->data = data;
    buffer->room = room;
    return 0;
}

static int add_returns(struct transcoder *transcoder, const char *data, size_t size)
{
    struct buffer *to = &transcoder->returned;
    to->length = 0;
    if (reserve(to, 2 * size) < 0)
        return -1;
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n' && transcoder->before != '\r')
            to->data[to->length++] = '\r';
        transcoder->before = to->data[to->length++] = data[i];
    }
    return 0;
}

static ssize_t code(struct transcoder *transcoder, const char *data, size_t size, size_t *used)
{
    struct buffer *to = &transcoder->coded;
    char *free_part = to->data + to->length;
    size_t room = to->room - to->length;
    return transcoder->decoder ? weir_decoder_decode(transcoder->decoder, data, size, used, free_part, room)
                               : weir_encoder_encode(transcoder->encoder, data, size, used, free_part, room);
}

static ssize_t finish(struct transcoder *transcoder)
{
    struct buffer *to = &transcoder->coded;
    char *free_part = to->data + to->length;
    size_t room = to->room - to->length;
    return transcoder->decoder ? weir_decoder_finish(transcoder->decoder, free_part, room)
                               : weir_encoder_finish(transcoder->encoder, free_part, room);
}

/* 0, or -1 with what stands before the bad byte in the buffer. */
static int code_all(struct transcoder *transcoder, const char *data, size_t size, bool ends)
{
    struct buffer *to = &transcoder->coded;
    ssize_t got;
    for (size_t used = 0; size > 0; data += used, size -= used, to->length += (size_t)got)
        if (reserve(to, size + WEIR_DECODER_ROOM) < 0 || (got = code(transcoder, data, size, &used)) < 0)
            return -1;
    if (!ends)
        return 0;
    if (reserve(to, WEIR_DECODER_ROOM) < 0 || (got = finish(transcoder)) < 0)
        return -1;
    to->length += (size_t)got;
    return 0;
}

static void begin_anew(struct transcoder *transcoder)
{
    transcoder->before = '\0';
    if (transcoder->decoder)
        weir_decoder_reset(transcoder->decoder);
    if (transcoder->encoder)
        weir_encoder_reset(transcoder->encoder);
}

int transcoder_convert(struct transcoder *transcoder, const char *data, size_t size, bool ends, const char **result,
                       size_t *length)
{
    *result = data;
    *length = size;
    if (transcoder->crlf) {
        if (add_returns(transcoder, data, size) < 0)
            return -1;
        *result = transcoder->returned.data;
        *length = transcoder->returned.length;
    }
    int done = 0;
    if (transcoder->decoder || transcoder->encoder) {
        transcoder->coded.length = 0;
        done = code_all(transcoder, *result, *length, ends);
        *result = transcoder->coded.data;
        *length = transcoder->coded.length;
    }
    if (ends || done < 0)
        begin_anew(transcoder);
    return done;
}

size_t transcoder_half_character(const char *data, size_t size)
{
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        unsigned char byte = (unsigned char)data[size - back];
        size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
        if ((byte & 0xc0) != 0x80)
            return length > back ? back : 0;
    }
    return 0;
}
