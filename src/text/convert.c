/* Text of bytes and bytes of text: all at once, or in pieces. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "text/coder.h"

enum { LEAST_ROOM = 2 * WEIR__SUBSTITUTE };

/* --- all at once --- */

struct result {
    char *data;
    size_t length, size; /* both without the NUL */
};

/* Makes room for `more` bytes and a NUL. False: there is no memory. */
static bool grow(struct result *result, size_t more)
{
    size_t size;
    char *data = NULL;
    if (!__builtin_add_overflow(result->size, more, &size) && size < PTRDIFF_MAX)
        data = realloc(result->data, size + 1);
    if (!data)
        return false;
    result->data = data;
    result->size = size;
    return true;
}

/* CODED, BAD, or FULL: there is no memory. */
static enum weir__coded convert_all(struct weir__coder *coder, struct weir__flow *flow, struct result *result)
{
    enum weir__coded coded = WEIR__CODED_FULL;
    size_t more = flow->in_length; /* as long as the input is what most results are */
    for (; coded == WEIR__CODED_FULL; more = result->size / 2) {
        if (!grow(result, more + LEAST_ROOM))
            return WEIR__CODED_FULL;
        flow->out = (unsigned char *)result->data + result->length;
        flow->room = result->size - result->length;
        coded = weir__coder_code(coder, flow, true);
        result->length = result->size - flow->room;
    }
    result->data[result->length] = '\0';
    return coded;
}

static char *convert(const void *bytes, size_t length, const char *encoding, weir_text_errors errors, bool encodes,
                     size_t *result_length)
{
    struct weir__coder coder;
    struct weir__flow flow = {.in = bytes ? bytes : "", .in_length = length};
    struct result result = {.data = NULL};
    if (weir__coder_open(&coder, encoding, errors, encodes) < 0)
        return NULL;
    enum weir__coded coded = convert_all(&coder, &flow, &result);
    weir__coder_close(&coder); /* before the error, since it may have one of its own */
    if (coded == WEIR__CODED) {
        if (result_length)
            *result_length = result.length;
        return result.data;
    }
    free(result.data);
    if (coded == WEIR__CODED_BAD)
        weir__coder_fail(&coder);
    else
        weir__fail_memory(encodes ? "encode" : "decode");
    return NULL;
}

char *weir_decode(const void *bytes, size_t length, const char *encoding, weir_text_errors errors, size_t *text_length)
{
    return convert(bytes, length, encoding, errors, false, text_length);
}

char *weir_encode(const char *text, size_t length, const char *encoding, weir_text_errors errors, size_t *bytes_length)
{
    return convert(text, length, encoding, errors, true, bytes_length);
}

int weir_parse_text_errors(const char *name, weir_text_errors *errors)
{
    static const char *const names[] = {"strict", "ignore", "replace", "backslashreplace"};
    for (int i = 0; i < 4; i++)
        if (strcmp(names[i], name) == 0) {
            *errors = (weir_text_errors)i;
            return 0;
        }
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", *name ? name : "''",
                     "not strict, ignore, replace or backslashreplace");
}

/* --- in pieces --- */

/* A coder each, and nothing more: they have types of their own so that nobody takes one for the other. */
struct weir_decoder {
    struct weir__coder coder;
};

struct weir_encoder {
    struct weir__coder coder;
};

static ssize_t code_piece(struct weir__coder *coder, const void *data, size_t length, size_t *used, void *out,
                          size_t size, bool last)
{
    struct weir__flow flow = {.in = data ? data : "", .in_length = length, .out = out, .room = size};
    if (size < WEIR_DECODER_ROOM) {
        *used = 0;
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, coder->encodes ? "encode" : "decode", coder->name,
                         "a buffer must have %d bytes", WEIR_DECODER_ROOM);
    }
    enum weir__coded coded = weir__coder_code(coder, &flow, last);
    *used = length - flow.in_length;
    if (coded == WEIR__CODED_BAD && flow.room == size)
        return weir__coder_fail(coder);
    return (ssize_t)(size - flow.room);
}

static ssize_t finish(struct weir__coder *coder, void *out, size_t size)
{
    size_t used;
    ssize_t length = code_piece(coder, NULL, 0, &used, out, size, true);
    if (length >= 0)
        weir__coder_reset(coder);
    return length;
}

static struct weir__coder *coder_new(const char *encoding, weir_text_errors errors, bool encodes)
{
    struct weir__coder *coder = malloc(sizeof *coder);
    if (!coder) {
        weir__fail_memory(encodes ? "encode" : "decode");
        return NULL;
    }
    if (weir__coder_open(coder, encoding, errors, encodes) == 0)
        return coder;
    free(coder);
    return NULL;
}

static void coder_free(struct weir__coder *coder)
{
    if (coder)
        weir__coder_close(coder);
    free(coder);
}

weir_decoder *weir_decoder_new(const char *encoding, weir_text_errors errors)
{
    return (weir_decoder *)coder_new(encoding, errors, false);
}

ssize_t weir_decoder_decode(weir_decoder *decoder, const void *bytes, size_t length, size_t *used, char *text,
                            size_t size)
{
    return code_piece(&decoder->coder, bytes, length, used, text, size, false);
}

ssize_t weir_decoder_finish(weir_decoder *decoder, char *text, size_t size)
{
    return finish(&decoder->coder, text, size);
}

void weir_decoder_reset(weir_decoder *decoder)
{
    weir__coder_reset(&decoder->coder);
}

void weir_decoder_free(weir_decoder *decoder)
{
    coder_free((struct weir__coder *)decoder);
}

weir_encoder *weir_encoder_new(const char *encoding, weir_text_errors errors)
{
    return (weir_encoder *)coder_new(encoding, errors, true);
}

ssize_t weir_encoder_encode(weir_encoder *encoder, const char *text, size_t length, size_t *used, void *bytes,
                            size_t size)
{
    return code_piece(&encoder->coder, text, length, used, bytes, size, false);
}

ssize_t weir_encoder_finish(weir_encoder *encoder, void *bytes, size_t size)
{
    return finish(&encoder->coder, bytes, size);
}

void weir_encoder_reset(weir_encoder *encoder)
{
    weir__coder_reset(&encoder->coder);
}

void weir_encoder_free(weir_encoder *encoder)
{
    coder_free((struct weir__coder *)encoder);
}
