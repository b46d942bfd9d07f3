/*
 * Does with texts what check_text.py asks for, so that Python can judge it. Reads requests from stdin, writes an
 * answer for each, all numbers little-endian:
 *
 *     request    what:1 errors:1 piece:4 number:8 name-length:1 name length:4 data
 *     answer     errno:4 number:8 length:4 data
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

enum { PARTS = 64 };

struct request {
    unsigned char what, errors;
    uint32_t piece; /* how much at a time; 0: all at once */
    int64_t number; /* a maximum, a base, an integer, the bits of a double */
    char name[256]; /* an encoding, a separator; "" stands for NULL */
    uint32_t length;
    char *data;
};

struct answer {
    uint32_t number; /* errno */
    int64_t value;
    size_t length;
    char *data;
};

static void *allocate(size_t size)
{
    void *memory = malloc(size + 1);
    if (!memory)
        abort();
    return memory;
}

static void fail(struct answer *answer)
{
    answer->number = (uint32_t)errno;
    answer->value = (int64_t)weir_error()->transferred;
}

static void put(struct answer *answer, const void *data, size_t length)
{
    answer->data = realloc(answer->data, answer->length + length + 1);
    if (!answer->data)
        abort();
    memcpy(answer->data + answer->length, data, length);
    answer->length += length;
}

/* --- encodings --- */

static const char *name_of(const struct request *request)
{
    return *request->name ? request->name : NULL;
}

static void convert(const struct request *request, struct answer *answer)
{
    answer->data = request->what == 'd' ? weir_decode(request->data, request->length, name_of(request),
                                                      (weir_text_errors)request->errors, &answer->length)
                                        : weir_encode(request->data, request->length, name_of(request),
                                                      (weir_text_errors)request->errors, &answer->length);
    if (!answer->data)
        fail(answer);
}

/* A piece of just its size, so that a sanitizer sees a step beyond, into a buffer of the least size. */
static ssize_t decode_piece(weir_decoder *decoder, const char *data, size_t length, struct answer *answer)
{
    char text[WEIR_DECODER_ROOM];
    char *piece = allocate(length);
    memcpy(piece, data, length);
    size_t used, done = 0;
    ssize_t got = 0;
    while (done < length &&
           (got = weir_decoder_decode(decoder, piece + done, length - done, &used, text, sizeof text)) >= 0) {
        put(answer, text, (size_t)got);
        done += used;
    }
    free(piece);
    return got;
}

static ssize_t encode_piece(weir_encoder *encoder, const char *data, size_t length, struct answer *answer)
{
    char bytes[WEIR_DECODER_ROOM];
    char *piece = allocate(length);
    memcpy(piece, data, length);
    size_t used, done = 0;
    ssize_t got = 0;
    while (done < length &&
           (got = weir_encoder_encode(encoder, piece + done, length - done, &used, bytes, sizeof bytes)) >= 0) {
        put(answer, bytes, (size_t)got);
        done += used;
    }
    free(piece);
    return got;
}

static size_t next_piece(const struct request *request, size_t at)
{
    size_t left = request->length - at;
    return request->piece < left ? request->piece : left;
}

static void decode_pieces(const struct request *request, struct answer *answer)
{
    char text[WEIR_DECODER_ROOM];
    weir_decoder *decoder = weir_decoder_new(name_of(request), (weir_text_errors)request->errors);
    ssize_t got = decoder ? 0 : -1;
    for (size_t at = 0; got >= 0 && at < request->length; at += request->piece)
        got = decode_piece(decoder, request->data + at, next_piece(request, at), answer);
    if (got >= 0 && (got = weir_decoder_finish(decoder, text, sizeof text)) >= 0)
        put(answer, text, (size_t)got);
    if (got < 0)
        fail(answer);
    weir_decoder_free(decoder);
}

static void encode_pieces(const struct request *request, struct answer *answer)
{
    char bytes[WEIR_DECODER_ROOM];
    weir_encoder *encoder = weir_encoder_new(name_of(request), (weir_text_errors)request->errors);
    ssize_t got = encoder ? 0 : -1;
    for (size_t at = 0; got >= 0 && at < request->length; at += request->piece)
        got = encode_piece(encoder, request->data + at, next_piece(request, at), answer);
    if (got >= 0 && (got = weir_encoder_finish(encoder, bytes, sizeof bytes)) >= 0)
        put(answer, bytes, (size_t)got);
    if (got < 0)
        fail(answer);
    weir_encoder_free(encoder);
}

static void tell_name(const struct request *request, struct answer *answer)
{
    const char *name = weir_encoding_name(request->name);
    if (name)
        put(answer, name, strlen(name));
}

static void span(const struct request *request, struct answer *answer)
{
    answer->value = (int64_t)weir_utf8_span(request->data, request->length);
}

/* --- splitting: the length of each part, and the part --- */

static void put_part(struct answer *answer, const weir_part *part)
{
    uint32_t length = (uint32_t)part->length;
    put(answer, &length, sizeof length);
    put(answer, part->text, part->length);
    answer->value++;
}

static void split(const struct request *request, struct answer *answer)
{
    weir_part parts[PARTS];
    const char *separator = request->errors ? request->name : NULL;
    ssize_t count = weir_split(request->data, request->length, separator, request->number, parts, PARTS);
    if (count < 0)
        fail(answer);
    for (ssize_t i = 0; i < count; i++)
        put_part(answer, &parts[i]);
}

static void split_on(const struct request *request, struct answer *answer)
{
    weir_part part;
    const char *separator = request->errors ? request->name : NULL;
    weir_splitter splitter = weir_splitter_begin(request->data, request->length, separator, request->number);
    while (weir_splitter_next(&splitter, &part))
        put_part(answer, &part);
}

/* --- numbers --- */

static void parse_int(const struct request *request, struct answer *answer)
{
    if (weir_parse_int(request->data, request->length, (int)request->number, &answer->value) < 0)
        fail(answer);
}

static void parse_float(const struct request *request, struct answer *answer)
{
    double number;
    if (weir_parse_float(request->data, request->length, &number) < 0)
        fail(answer);
    else
        memcpy(&answer->value, &number, sizeof number);
}

static void write_int(const struct request *request, struct answer *answer)
{
    char text[WEIR_INT_TEXT];
    put(answer, text, strlen(weir_int_text(request->number, text, sizeof text)));
}

static void write_float(const struct request *request, struct answer *answer)
{
    char text[WEIR_FLOAT_TEXT];
    double number;
    memcpy(&number, &request->number, sizeof number);
    put(answer, text, strlen(weir_float_text(number, text, sizeof text)));
}

static const struct {
    unsigned char what;
    void (*function)(const struct request *request, struct answer *answer);
} calls[] = {
    {'d', convert}, {'e', convert},  {'D', decode_pieces}, {'E', encode_pieces}, {'n', tell_name}, {'u', span},
    {'s', split},   {'S', split_on}, {'i', parse_int},     {'f', parse_float},   {'I', write_int}, {'F', write_float},
};

/* --- requests and answers --- */

static bool get(void *to, size_t size)
{
    return size == 0 || fread(to, size, 1, stdin) == 1;
}

/* False at the end. The data, which the caller frees, is of just its size. */
static bool read_request(struct request *request)
{
    unsigned char name_length;
    if (!get(&request->what, 1))
        return false;
    if (!get(&request->errors, 1) || !get(&request->piece, 4) || !get(&request->number, 8) || !get(&name_length, 1) ||
        !get(request->name, name_length) || !get(&request->length, 4))
        abort();
    request->name[name_length] = '\0';
    request->data = malloc(request->length ? request->length : 1);
    if (!request->data || !get(request->data, request->length))
        abort();
    return true;
}

static void write_answer(const struct answer *answer)
{
    uint32_t length = answer->number ? 0 : (uint32_t)answer->length;
    fwrite(&answer->number, 4, 1, stdout);
    fwrite(&answer->value, 8, 1, stdout);
    fwrite(&length, 4, 1, stdout);
    if (length > 0)
        fwrite(answer->data, length, 1, stdout);
}

int main(void)
{
    struct request request;
    while (read_request(&request)) {
        struct answer answer = {.data = NULL};
        for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
            if (calls[i].what == request.what)
                calls[i].function(&request, &answer);
        write_answer(&answer);
        free(answer.data);
        free(request.data);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
