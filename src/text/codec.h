/* Encodings: the table of them, and weir's own. */
#ifndef WEIR_TEXT_CODEC_H
#define WEIR_TEXT_CODEC_H

#include <stddef.h>
#include <stdint.h>

/* What is left of an input, and of the room for its output. */
struct weir__flow {
    const unsigned char *in;
    size_t in_length;
    unsigned char *out;
    size_t room;
};

/* One of weir's own encodings, a character at a time. */
struct weir__codec {
    /* How many of the bytes, from the first on, are in this encoding what they are in UTF-8. NULL: hardly any. */
    size_t (*same)(const void *bytes, size_t length);
    /*
     * Reads the character that bytes (at least one) begin with. Returns its length; 0 where more is needed; -n where
     * the first n are none.
     */
    int (*decode)(const unsigned char *bytes, size_t length, uint32_t *character);
    /* Writes a character, at most 4 bytes. Returns its length, 0 where the encoding has it not. */
    size_t (*encode)(uint32_t character, unsigned char *bytes);
    /* The same for as many as are usual, to text and from text; they stop where they like. NULL: there is none. */
    void (*decode_run)(struct weir__flow *flow);
    void (*encode_run)(struct weir__flow *flow);
};

extern const struct weir__codec weir__utf8_codec, weir__ascii_codec, weir__latin1_codec;
extern const struct weir__codec weir__utf16le_codec, weir__utf16be_codec, weir__utf32le_codec, weir__utf32be_codec;

/* How many bytes, from the first on, are ASCII. */
size_t weir__ascii_span(const void *bytes, size_t length);

/* A mark at the beginning of text: bytes, and the codec of what follows them. */
struct weir__mark {
    unsigned char bytes[4];
    uint8_t length;
    const struct weir__codec *codec;
};

struct weir__encoding {
    const char *name;    /* Python's */
    const char *aliases; /* in lower case, with _ for whatever else is no letter and no digit; a space between */
    const struct weir__codec *codec; /* NULL: iconv's. Of encodings with marks, that of text without one. */
    const char *iconv;               /* its name there; NULL: the same */
    const struct weir__mark *marks;  /* to be looked for, two of them, the one to be written first; NULL: none */
};

/* The encoding of a name as a user writes it; NULL: it is not in the table. */
const struct weir__encoding *weir__encoding_find(const char *name);

#endif
