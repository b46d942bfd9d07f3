/* The media: the files that --media names, in their order, and standard input. */
#ifndef STREAM_MEDIA_H
#define STREAM_MEDIA_H

#include <weir/weir.h>

struct media;

/* A file of it. Valid as long as the list is held. */
struct media_file {
    const char *path; /* to open it, and for messages */
    const char *name; /* as /files/ shows it, with its folders: "album/01.mp3"; no two are the same */
    const char *root; /* the folder that was named, which it must not leave, whatever links say; a file's own folder */
    const char *type; /* its Content-Type: "audio/mpeg" */
    bool named;       /* it was named itself, and not its folder */
};

/* A list of files as it was at one time, shared and counted. */
struct media_list {
    size_t count;
    const struct media_file *files;
};

/* Whether it is for the radio and the raw stream: MPEG audio, by its name, or what was named itself. */
bool media_is_played(const struct media_file *file);

enum { MEDIA_FILES_MOST = 100000 };

/*
 * Looks through files and folders (recursively, sorted by name as people count, hidden ones left out, and links to
 * folders, which may lead in circles, and to what lies outside); "-" is standard input, which comes first. Parks.
 * NULL with an error that names what cannot be read, or is empty. `paths` is read again at each media_reload; the
 * caller's, media_close.
 */
struct media *media_open(const weir_option_list *paths);
void media_close(struct media *media);

/*
 * The list now; to be dropped. SIGHUP looks again: 0, or -1 with an error, and all stays as it was. Any thread;
 * media_reload parks.
 */
const struct media_list *media_hold(struct media *media);
void media_drop(const struct media_list *list);
int media_reload(struct media *media);

/* How often the list was read anew: who plays it looks whether it still is the one that he holds. */
uint64_t media_generation(struct media *media);

/*
 * Standard input, if it is one of the media, belongs to one reader at a time, who gives it back when he can read no
 * more of it or has no more use for it; the next goes on where he stopped. False: it is no medium, or another's.
 */
bool media_has_stdin(const struct media *media);
bool media_take_stdin(struct media *media);
void media_give_stdin(struct media *media);

/*
 * Opens a file of the list for reading, on the pool: a regular one, that is still within its root, every link
 * resolved (openat2, RESOLVE_BENEATH where the kernel has it). NULL with an error. Parks.
 */
weir_file *media_open_file(const struct media_file *file);

#endif
