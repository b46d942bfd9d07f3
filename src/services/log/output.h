/*
 * Where lines go: standard output, or a file that is opened by name, may be moved away and opened again, and is replaced when it
 * has grown.
 *
 * What is in a file are whole lines, however a write ended: one that the disk cut short is continued where it ended, or begun
 * again on a line of its own where others have written meanwhile.
 */
#ifndef SERVICES_LOG_OUTPUT_H
#define SERVICES_LOG_OUTPUT_H

#include <stdint.h>

#include "lines.h"

struct output;

struct output_options {
    const char *path; /* NULL: standard output. Must live as long */
    int64_t rotate;   /* how large the file becomes before it is PATH.1 and a new one begins; 0: as large as may be */
    int64_t keep;     /* how many of those there are */
};

/*
 * Sees that the file can be opened, and creates it; a line that was left unfinished in it, by a process that was killed or a
 * machine that was, is ended. It is opened in earnest by the process that first writes. May park. The caller's, by
 * output_free. NULL with an error.
 */
struct output *output_new(const struct output_options *options);

/* NULL is fine. */
void output_free(struct output *output);

/* What it is called in messages. */
const char *output_name(const struct output *output);

/* Writes the rest of a piece. Parks; one caller at a time. 0, or -1 with an error, and piece->done tells how far it came. */
int output_write(struct output *output, struct lines_piece *piece);

/* From now on nothing is waited for longer than that. */
void output_hurry(struct output *output, int64_t deadline);

/* Opens the file again, in case it has been moved away. Parks, but not for a write that is in progress. Any thread. 0 or -1. */
int output_reopen(struct output *output);

#endif
