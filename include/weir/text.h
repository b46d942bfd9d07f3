/*
 * Text: from bytes to text and back, taken apart, and numbers in it.
 *
 * Text is UTF-8 with a length, and may hold NULs. The calls are Python's and give what Python gives, as a test with a
 * hundred thousand inputs sees to; where something is different it is said here.
 */
#ifndef WEIR_TEXT_H
#define WEIR_TEXT_H

#include <weir/api.h>

WEIR_BEGIN

/* --- encodings --- */

/*
 * Encodings go by Python's names and aliases, whatever their case and punctuation: utf-8, utf-8-sig, ascii, latin-1,
 * utf-16 and utf-32 (decoding goes by the byte order mark, without one they are this machine's; encoding writes one),
 * utf-16-le, -be, utf-32-le, -be, cp1252, koi8-r, shift_jis, gb18030 and so on; and by any name that iconv(3) knows.
 * NULL is utf-8.
 *
 * UTF-8, ASCII, Latin-1, UTF-16 and UTF-32 are weir's own, the others iconv's. What is different from Python:
 * - Of iconv's multi-byte encodings each bad byte counts alone, and the tables differ in some characters, as those of
 *   cp273, cp424, cp856, cp875, cp1026, cp1140, mac-cyrillic, mac-roman and tis-620 do; cp1252 and all others of one
 *   byte are the same.
 * - cp1255 and cp1258 also know characters that they write as a letter and a mark (and read as one).
 * - Not known where iconv does not know them: cp720, cp1006, hz, most of mac-*, some of iso2022_jp_* and
 *   shift_jis_2004; and never what is no encoding of text, or Python's own: idna, punycode, unicode_escape.
 * - Text to be encoded that is no UTF-8 has bad bytes, where Python's str can have a lone surrogate.
 */

/* What is done with bytes that are no character, and with characters that the encoding has not. Python's errors=. */
typedef enum weir_text_errors {
    WEIR_TEXT_STRICT,           /* the call fails with EILSEQ */
    WEIR_TEXT_IGNORE,           /* they are left out */
    WEIR_TEXT_REPLACE,          /* decoding: U+FFFD, one for each maximal part of a character; encoding: ? */
    WEIR_TEXT_BACKSLASHREPLACE, /* a bad byte is \xNN, a character \xNN, \uNNNN or \UNNNNNNNN */
} weir_text_errors;

/* Reads "strict", "ignore", "replace" or "backslashreplace". Returns 0, or -1 of kind USAGE with EINVAL. */
WEIR_API int weir_parse_text_errors(const char *name, weir_text_errors *errors);

/*
 * The name that Python has for an encoding: "iso8859-1" for "Latin1". NULL, and no error, of one that only iconv may
 * know.
 */
WEIR_API const char *weir_encoding_name(const char *encoding);

/*
 * Makes text of bytes: UTF-8, with a NUL behind it, which the caller frees with free(3). `text_length` may be NULL.
 * At most four times as long as the bytes, and a little. Returns NULL with EILSEQ of kind USAGE (strict; the sentence
 * has the byte and the offset, which is also weir_error()->transferred), EINVAL (no such encoding), ENOMEM; and of
 * iconv's encodings EMFILE, ENFILE, EAGAIN. Those are opened on the pool, since iconv reads files: parks then,
 * otherwise never. Python's bytes.decode.
 */
WEIR_API char *weir_decode(const void *bytes, size_t length, const char *encoding, weir_text_errors errors,
                           size_t *text_length);

/*
 * Makes bytes of text, likewise; at most sixteen times as long. The error names the character that the encoding has
 * not and its offset in the text. Python's str.encode.
 */
WEIR_API char *weir_encode(const char *text, size_t length, const char *encoding, weir_text_errors errors,
                           size_t *bytes_length);

/*
 * How many of the bytes, from the first on, are whole characters of UTF-8: `length` if all of it is text. Cannot
 * fail.
 */
WEIR_API size_t weir_utf8_span(const void *bytes, size_t length);

/* --- in pieces --- */

/*
 * A decoder keeps the beginning of a character (and what an encoding remembers) between pieces, 16 bytes at most. One
 * caller at a time. Python's codecs.getincrementaldecoder.
 */
typedef struct weir_decoder weir_decoder;

enum { WEIR_DECODER_ROOM = 128 }; /* the smallest buffer for text */

/*
 * Returns NULL with EINVAL (no such encoding), ENOMEM, EMFILE, ENFILE, EAGAIN. Parks as weir_decode. The caller frees
 * it.
 */
WEIR_API weir_decoder *weir_decoder_new(const char *encoding, weir_text_errors errors);

/*
 * Decodes as much of a piece as `text` has room for, and puts how many bytes that was in *used; call it again for the
 * rest. Returns the length of the text (no NUL), which may be 0; or -1 with EILSEQ: what stands before the bad byte
 * was handed out by the call before, and the decoder says the same again until it is reset. -1 with EINVAL if `size`
 * is below WEIR_DECODER_ROOM. Does not park. Where an encoding of iconv's has more than one byte a character, what
 * follows a bad one may depend on the pieces. One byte becomes at most four, so a buffer of 4 * length +
 * WEIR_DECODER_ROOM is room enough for all of it.
 */
WEIR_API ssize_t weir_decoder_decode(weir_decoder *decoder, const void *bytes, size_t length, size_t *used, char *text,
                                     size_t size);

/*
 * The end: half a character that was left is bad. Returns as above; afterwards, unless it failed, the decoder is as
 * new.
 */
WEIR_API ssize_t weir_decoder_finish(weir_decoder *decoder, char *text, size_t size);

/* Forgets what it had kept: the next byte begins a text. */
WEIR_API void weir_decoder_reset(weir_decoder *decoder);

/* NULL is fine. May park, of an encoding of iconv's. */
WEIR_API void weir_decoder_free(weir_decoder *decoder);

/* The same for text on its way out, whose pieces may end within a character. Python's codecs.getincrementalencoder. */
typedef struct weir_encoder weir_encoder;

/* As weir_decoder_new, and with its errors. The caller frees it. Parks likewise. */
WEIR_API weir_encoder *weir_encoder_new(const char *encoding, weir_text_errors errors);

/*
 * Encodes as much of a piece of UTF-8 as `bytes` has room for, as weir_decoder_decode decodes: *used, what it returns and its
 * errors are the same. One byte of text becomes at most sixteen. Does not park.
 */
WEIR_API ssize_t weir_encoder_encode(weir_encoder *encoder, const char *text, size_t length, size_t *used, void *bytes,
                                     size_t size);

/* The end: half a character that was left is bad, and what the encoding has to add comes now. As weir_decoder_finish. */
WEIR_API ssize_t weir_encoder_finish(weir_encoder *encoder, void *bytes, size_t size);

/* Forgets what it had kept: the next byte begins a text, with its mark where the encoding has one. */
WEIR_API void weir_encoder_reset(weir_encoder *encoder);

/* NULL is fine. May park, of an encoding of iconv's. */
WEIR_API void weir_encoder_free(weir_encoder *encoder);

/* --- taking apart --- */

/* A part of a text, which stays where it is: no NUL follows it. */
typedef struct weir_part {
    const char *text;
    size_t length;
} weir_part;

/*
 * Splits text at every `separator`, or where that is NULL at white space (Unicode's, as Python has it: no part is
 * empty then), at most `most` times, the last part being the rest; -1: no bound. Puts the parts in `parts`, which has
 * room for `room`. Python's str.split. Returns how many there are; -1 of kind USAGE with EINVAL (an empty separator),
 * of kind LIMIT with E2BIG (more than `room`, of which that many were put).
 */
WEIR_API ssize_t weir_split(const char *text, size_t length, const char *separator, int64_t most, weir_part *parts,
                            size_t room);

/* The same, one part after the other, however many there are. A splitter is a value; nothing need be freed. */
typedef struct weir_splitter {
    const char *text; /* what is left, with its length */
    size_t length;
    const char *separator;
    int64_t most;
    bool ended;
} weir_splitter;

/* An empty separator never occurs. */
WEIR_API weir_splitter weir_splitter_begin(const char *text, size_t length, const char *separator, int64_t most);

/* Puts the next part in *part. False: there is none. */
WEIR_API bool weir_splitter_next(weir_splitter *splitter, weir_part *part);

/* --- numbers --- */

/*
 * Reads a whole number: white space around it, a sign, digits of any script with single underscores between them;
 * `base` is 2 to 36, where 2, 8 and 16 may have their prefix, or 0: as the prefix 0b, 0o or 0x says, else 10.
 * Python's int. Returns 0; or -1 of kind USAGE with EINVAL (no number, or no base), ERANGE (not in an int64_t).
 */
WEIR_API int weir_parse_int(const char *text, size_t length, int base, int64_t *number);

/*
 * Reads a number with white space, a sign, underscores, a fraction and an exponent, inf, infinity or nan in any case;
 * always with a point, whatever the locale. What is too large is infinite, as in Python's float. Returns 0; or -1 of
 * kind USAGE with EINVAL, of kind MEMORY with ENOMEM (only of more than 100 characters).
 */
WEIR_API int weir_parse_float(const char *text, size_t length, double *number);

enum { WEIR_INT_TEXT = 21, WEIR_FLOAT_TEXT = 25 }; /* room for any, with the NUL */

/* The number in decimal digits, cut where `size` is too small. Returns `text`. Python's str. */
WEIR_API char *weir_int_text(int64_t number, char *text, size_t size);

/* The shortest text that reads back as the same number: "3.145", "1.0", "1e+16", "-0.0", "inf", "nan". Likewise. */
WEIR_API char *weir_float_text(double number, char *text, size_t size);

WEIR_END

#endif
