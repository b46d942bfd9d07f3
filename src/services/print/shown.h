/*
 * What arrives as text that may be shown: UTF-8 in pieces, however it was cut on its way.
 *
 * Bytes that are no UTF-8 become U+FFFD, one for each maximal part of a character (Unicode, 3.9, "substitution of maximal
 * subparts"). Tabs and newlines stay, a CR before a newline goes; other control characters, and what else weir_escape takes for
 * unsafe, become \xHH a byte, so that nobody can steer a terminal. A backslash stays what it is.
 */
#ifndef SERVICES_PRINT_SHOWN_H
#define SERVICES_PRINT_SHOWN_H

#include <stdbool.h>
#include <stddef.h>

/* What is kept between two pieces. All zero is the beginning. */
struct shown {
    unsigned char kept[4]; /* of a character that is not complete */
    unsigned char length;
    unsigned char missing;         /* how many bytes it still lacks */
    unsigned char lowest, highest; /* what the next of them may be */
    bool carriage;                 /* a CR was the last byte */
};

enum { SHOWN_ROOM = 32 }; /* the least room for text: what one byte may bring about */

/* Shows as many of the `length` bytes as `size` (at least SHOWN_ROOM) has room for; *used is how many. Returns the text's length. */
size_t shown_add(struct shown *shown, const char *bytes, size_t length, size_t *used, char *text, size_t size);

/* The end: what was kept. It then is at the beginning again. Returns the text's length. */
size_t shown_end(struct shown *shown, char *text, size_t size);

#endif
