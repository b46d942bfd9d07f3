/*
 * What the parts of the media share: the list (media.c), how it comes about (media_look.c), how a file is opened
 * (media_file.c).
 */
#ifndef STREAM_MEDIA_INSIDE_H
#define STREAM_MEDIA_INSIDE_H

#include <stdatomic.h>

#include "media.h"

/*
 * A list while it is made, and then shared. The name of a file is a block of its own, its other texts are one that
 * begins with `root`.
 */
struct media_files {
    struct media_list list; /* its `files` are those below: what others are shown */
    atomic_size_t holders;
    size_t room;
    struct media_file *files;
};

/*
 * Why something on the pool failed: errors belong to the thread that they happened in. A subject that is too long for
 * an error is cut there.
 */
struct media_trouble {
    weir_error_kind kind;
    int number;
    char subject[401];
    const char *reason; /* NULL: the system's */
};

/* Returns -1, so that `return media_trouble(...)` reads well. */
int media_trouble(struct media_trouble *trouble, weir_error_kind kind, int number, const char *subject,
                  const char *reason);

/* Makes it the caller's error. -1. */
int media_fail(const struct media_trouble *trouble, const char *step);

/* Adds a file: `root` and the name that it has there. 0, or -1 with the trouble. */
int media_add(struct media_files *files, const char *root, const char *name, bool named, struct media_trouble *trouble);

/* Looks through all paths but "-". Blocks. */
int media_look(struct media_files *files, const weir_option_list *paths, struct media_trouble *trouble);

/*
 * Opens what lies below a folder, or links lead to below it. Blocks. A descriptor, or -1 with errno: EXDEV where it
 * leads out.
 */
int media_open_beneath(int folder, const char *name, int flags);

/* How people sort names: numbers by their value, letters whatever their case, what is in a folder together. */
int media_compare(const char *one, const char *other);

#endif
