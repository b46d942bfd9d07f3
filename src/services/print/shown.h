/*
 * What arrives as text that may be shown: decoded in pieces, however they were cut on their way.
 *
 * Bytes that are no text become U+FFFD, of UTF-8 one for each maximal part of a character, or what else is to become
 * of them. Tabs and newlines stay, a CR before a newline goes; other control characters, and what else weir_escape
 * takes for unsafe, become \xHH a byte, so that nobody can steer a terminal. A backslash stays what it is. Where the
 * text goes on to a program rather than to people it may be `plain`: nothing but decoded.
 */
#ifndef SERVICES_PRINT_SHOWN_H
#define SERVICES_PRINT_SHOWN_H

#include <weir/weir.h>

/* What is kept between two pieces. */
struct shown {
    weir_decoder *decoder;
    bool plain;    /* whoever began it may set that */
    bool carriage; /* a CR was the last character */
    bool begun;    /* the last byte ended no line */
    bool refused;  /* bytes were no text, and strict: weir_error says which; nothing more is shown */
};

enum {
    SHOWN_ROOM = 1024, /* the least room for text, and enough for what an end brings about */
    SHOWN_MOST = 16,   /* the most bytes of text that one byte becomes */
};

/*
 * Whether an encoding can be shown in pieces that end with lines: its newline must be one byte, a LF. 0, or -1 of
 * kind USAGE.
 */
int shown_check(const char *encoding);

/* 0, or -1 as weir_decoder_new. shown_free is due either way. May park. */
int shown_begin(struct shown *shown, const char *encoding, weir_text_errors errors);
void shown_free(struct shown *shown);

/*
 * Shows as many of the `length` bytes as `size` (at least SHOWN_ROOM) has room for; *used is how many. Returns the
 * text's length.
 */
size_t shown_add(struct shown *shown, const char *bytes, size_t length, size_t *used, char *text, size_t size);

/* The end: what was kept. It then is at the beginning again. Returns the text's length. */
size_t shown_end(struct shown *shown, char *text, size_t size);

#endif
