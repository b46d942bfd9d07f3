/*
 * A coder turns bytes of an encoding into text, or text into bytes of an encoding: UTF-8 stands on one of its two
 * sides. It takes its input in pieces and keeps what a piece ends with that is no whole character.
 */
#ifndef WEIR_TEXT_CODER_H
#define WEIR_TEXT_CODER_H

#include <iconv.h>
#include <stdbool.h>
#include <weir/text.h>

#include "text/codec.h"

enum {
    WEIR__CODER_HELD = 16, /* the longest beginning of a character; iconv's need at most 8 */
    WEIR__SUBSTITUTE = 64, /* room for what stands for something bad: a \UNNNNNNNN in UTF-32, 16 times \xNN in ASCII */
    WEIR__CODER_NAME = 40, /* of the encoding, as errors show it */
};

enum weir__coded {
    WEIR__CODED,      /* all of the input */
    WEIR__CODED_FULL, /* as much as there was room for */
    WEIR__CODED_PART, /* all but what begins a character */
    WEIR__CODED_BAD,  /* what comes next is bad, and strict */
};

struct weir__coder {
    const struct weir__encoding *encoding; /* NULL: one that only iconv knows */
    const struct weir__codec *from, *to;   /* `from` of a decoder, `to` of an encoder is NULL where iconv does it */
    iconv_t foreign;                       /* where one of them is NULL */
    weir_text_errors errors;
    bool encodes;
    bool begun;   /* the mark at the beginning is behind it */
    uint8_t unit; /* of a decoder of iconv's: how many bytes are bad at a time */
    uint8_t held_length;
    unsigned char held[WEIR__CODER_HELD];
    uint64_t offset;   /* of what comes next in all of the input */
    uint32_t culprit;  /* what was bad: a byte, or a character */
    bool is_character; /* that it was */
    bool is_cut;       /* it was the end that was bad */
    char name[WEIR__CODER_NAME];
};

/* Returns 0; -1 with EINVAL, ENOMEM, or what iconv_open(3) says. May park. */
int weir__coder_open(struct weir__coder *coder, const char *encoding, weir_text_errors errors, bool encodes);
/* May park. */
void weir__coder_close(struct weir__coder *coder);
void weir__coder_reset(struct weir__coder *coder);

/*
 * Codes a piece. `last`: nothing follows it. Never PART, since that is kept; FULL with at least 2 * WEIR__SUBSTITUTE
 * of room means that some of it was used, by half an input or by the end.
 */
enum weir__coded weir__coder_code(struct weir__coder *coder, struct weir__flow *flow, bool last);

/* Says what is bad and where. Returns -1. */
int weir__coder_fail(const struct weir__coder *coder);

/* --- the coder's parts --- */

/* Notes what is bad, the first `count` bytes of the input or the character that they are. Returns BAD. */
enum weir__coded weir__coder_blame(struct weir__coder *coder, const struct weir__flow *flow, bool is_character,
                                   uint32_t culprit, bool is_cut);

/*
 * What stands for `count` bad bytes of the input, or for a character, as ASCII (decoding, replace: as UTF-8). Returns
 * its length.
 */
size_t weir__substitute(const struct weir__coder *coder, const unsigned char *bytes, size_t count, char *text);
size_t weir__substitute_character(const struct weir__coder *coder, uint32_t character, char *text);

/* --- iconv's: as weir__coder_code of bytes in one piece --- */
int weir__foreign_open(struct weir__coder *coder, const char *name);
void weir__foreign_close(struct weir__coder *coder);
void weir__foreign_reset(struct weir__coder *coder);
enum weir__coded weir__foreign_code(struct weir__coder *coder, struct weir__flow *flow, bool last);
/* Writes what brings an encoding's state back at the end. CODED or FULL. */
enum weir__coded weir__foreign_end(struct weir__coder *coder, struct weir__flow *flow);

#endif
