/*
 * Lines that wait to be written: in pieces of a fixed size, up to a bound. One caller at a time.
 *
 * A piece begins with a line and ends with one. Who writes takes all pieces there are, while others are filled.
 */
#ifndef SERVICES_LOG_LINES_H
#define SERVICES_LOG_LINES_H

#include <stddef.h>

enum {
    LINES_PIECE = 1 << 20, /* more than the longest line */
    LINES_PIECES = 16,     /* at most, those that are being written included */
};

struct lines_piece {
    struct lines_piece *next;
    size_t length; /* of the text */
    size_t done;   /* of it, written */
    char text[LINES_PIECE];
};

/* Empty at first: all zero. */
struct lines {
    struct lines_piece *first, *last; /* to be written; the last is filled */
    struct lines_piece *spare;
    size_t count; /* of the pieces there are, but the spare one */
};

/* Where `size` bytes (at most LINES_PIECE) may be written; NULL: there is no more room, or no memory. */
char *lines_room(struct lines *lines, size_t size);

/* Adds the line of `length` bytes that was written there. */
void lines_add(struct lines *lines, size_t length);

/* Takes out all pieces. */
struct lines_piece *lines_take(struct lines *lines);

/* Gives one back that has been written. */
void lines_give(struct lines *lines, struct lines_piece *piece);

/* Puts pieces back, in front, that have not been. */
void lines_return(struct lines *lines, struct lines_piece *first);

/* How many lines have not been written whole. */
size_t lines_count(const struct lines *lines);

/* Frees all. */
void lines_free(struct lines *lines);

/* Where in its text the first line of a piece begins that was not written whole. */
size_t lines_begin(const struct lines_piece *piece);

#endif
