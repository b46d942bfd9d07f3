/*
 * Mounts: what people listen to over HTTP. A mount has at most one source at a time (the radio's player, a live
 * source, a relay), one copy of the latest audio in blocks that listeners share and count, a title, and another mount
 * to which its listeners fall back while it has no source. Any thread may call all of it.
 */
#ifndef STREAM_MOUNT_H
#define STREAM_MOUNT_H

#include <weir/weir.h>

struct mounts;
struct mount;

enum mount_kind { MOUNT_RADIO, MOUNT_LIVE, MOUNT_RELAY };

/* How a source describes what it sends; copied. Texts are UTF-8 without control characters; NULL: not known. */
struct mount_description {
    const char *type; /* "audio/mpeg", "application/ogg", "audio/aac" */
    const char *name, *genre, *description, *url;
    int bitrate; /* kbit/s, 0: not known */
    bool public_;
};

/* A copy of what a mount is at the moment, for status, page and playlists. */
struct mount_status {
    char path[256];
    enum mount_kind kind;
    bool live; /* it has a source */
    char type[64], name[256], genre[256], description[512], url[256], title[1024];
    int bitrate;
    bool public_;
    uint64_t listeners, listeners_peak, listeners_total;
    uint64_t skipped, dropped; /* listeners that fell behind: times that one was set forward, and given up */
    uint64_t bytes_in, bytes_out;
    int64_t started; /* wall clock, seconds: of the source */
};

struct mounts_options {
    size_t most;      /* mounts at once; default 100 */
    size_t burst;     /* bytes of the latest audio that a listener is sent at once; default 64 KiB */
    size_t queue;     /* bytes behind which a listener is set forward; default 512 KiB, at least the burst and 64 KiB */
    int64_t patience; /* a listener that takes nothing for so long is given up (write_timeout); default 1 min */
    int64_t grace;    /* how long listeners wait for a source where there is nothing to fall back to; default 10 s */
    int64_t lifetime; /* after which an answer ends (the server's); default WEIR_FOREVER */
};

/* NULL with ENOMEM. Every zero is the default. */
struct mounts *mounts_new(const struct mounts_options *options);
void mounts_free(struct mounts *mounts);

/*
 * What listeners of all other mounts hear while those have no source, if it is of the same type. NULL: nothing, as at
 * first.
 */
void mounts_set_fallback(struct mounts *mounts, struct mount *fallback);

/*
 * The service ends: listeners have their answers end soon, whoever comes is refused with 503, sources fail with
 * ECANCELED. Any thread. Does not park.
 */
void mounts_stop(struct mounts *mounts);

/*
 * The mount of that path ("/radio"), or NULL; made where there is none (`kind`), NULL with ENOSPC of kind LIMIT above
 * `most`. Held: mount_drop.
 */
struct mount *mounts_find(struct mounts *mounts, const char *path);
struct mount *mounts_make(struct mounts *mounts, const char *path, enum mount_kind kind);
void mount_drop(struct mount *mount);

/* Copies the status of at most `most`; returns how many there are. */
size_t mounts_status(struct mounts *mounts, struct mount_status *status, size_t most);

/* The status of one. */
void mount_look(struct mount *mount, struct mount_status *status);

/* --- a source --- */

struct mount_source;

/*
 * Becomes the mount's source. One that was there is ended (its next write fails with ECANCELED) where `replace`: a
 * ghost never blocks its own reconnect; else EBUSY. NULL with an error.
 */
struct mount_source *mount_begin(struct mount *mount, const struct mount_description *description, bool replace);

/*
 * Adds audio: of mp3 whole frames, so that listeners can begin at its start (`start`: a listener may begin here; Ogg:
 * pages). Never waits. 0, or -1 with ECANCELED (another source has come), ENOMEM.
 */
int mount_write(struct mount_source *source, const void *data, size_t size, bool start);

/* Ogg: the header pages, which every listener gets first. */
int mount_set_header(struct mount_source *source, const void *data, size_t size);

void mount_set_title(struct mount *mount, const char *text);

/* Its end. Listeners fall back, and come back when there is a source again. */
void mount_end(struct mount_source *source);

/* --- listeners --- */

struct http_exchange;

/* How many have asked for this mount and listen, or wait, at the moment: for relays on demand. */
uint64_t mount_listeners(struct mount *mount);

/*
 * Answers a request for a mount, whatever its method: GET (until the listener goes), HEAD, and a web player's
 * preflight, OPTIONS. Frees the head of the request before it streams. Parks.
 */
void mount_listen(struct mount *mount, struct http_exchange *exchange);

#endif
