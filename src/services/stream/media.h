/* The media: the files that --media names, in their order. */
#ifndef STREAM_MEDIA_H
#define STREAM_MEDIA_H

#include <weir/weir.h>

struct media;

/* A file of it. Valid as long as the list is held. */
struct media_file {
    const char *path; /* to open it */
    const char *name; /* as /files/ shows it, with its folders: "album/01.mp3"; no two are the same */
    const char *root; /* the folder that was named, which it must not leave, whatever links say; a file's own folder */
    const char *type; /* its Content-Type: "audio/mpeg" */
};

/* A list of files as it was at one time, shared and counted. */
struct media_list {
    size_t count;
    const struct media_file *files;
};

/*
 * Looks through files and folders (recursively, sorted by name as people count, hidden ones left out, at most 100,000 files); "-" is standard input, once. Blocks. NULL with an
 * error that names what cannot be read.
 */
struct media *media_open(const weir_option_list *paths);
void media_close(struct media *media);

/* The list now; to be dropped. SIGHUP looks again: 0, or -1 with an error, and all stays as it was. Any thread. */
const struct media_list *media_hold(struct media *media);
void media_drop(const struct media_list *list);
int media_reload(struct media *media);
bool media_has_stdin(const struct media *media);

/*
 * Opens a file of the list for reading, on the pool: a regular one, that is still within its root, every link resolved (openat2, RESOLVE_BENEATH where
 * the kernel has it). NULL with an error. Parks.
 */
weir_file *media_open_file(const struct media_file *file);

#endif
