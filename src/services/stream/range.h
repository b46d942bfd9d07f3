/* Ranges of bytes and what a request makes them depend on (RFC 9110, 13 and 14): pure functions over a head. */
#ifndef STREAM_RANGE_H
#define STREAM_RANGE_H

#include "../../http/server.h"

/* More of them, or ranges that lie over each other, are no way to read a file: then it is sent whole. */
enum { RANGES_MOST = 16 };

struct range {
    uint64_t first, length;
};

enum ranges_found {
    RANGES_NONE, /* none is asked for, or what is asked is not understood: the whole */
    RANGES_SOME,
    RANGES_BEYOND, /* all lie behind the end: 416 */
};

/* Reads a value of the field Range for something of `size` bytes. */
enum ranges_found range_parse(const char *value, uint64_t size, struct range ranges[RANGES_MOST], size_t *count);

/* What is known of a file by its validators. */
struct validators {
    char tag[80];     /* with its quotes; strong */
    int64_t modified; /* wall-clock seconds; -1: not known */
    int64_t now;      /* likewise */
};

/* What the conditions of a GET or HEAD come to: 0: it is to be answered; 304 or 412. */
int conditions_check(const struct http_head *request, const struct validators *validators);

/* Whether its range counts: If-Range is not there, or is of what the file is now. */
bool conditions_allow_range(const struct http_head *request, const struct validators *validators);

#endif
