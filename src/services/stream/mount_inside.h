/* What mounts share with their listeners. */
#ifndef STREAM_MOUNT_INSIDE_H
#define STREAM_MOUNT_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "../../http/icy.h"
#include "block.h"
#include "mount.h"

/* A title as ICY sends it. Counted; never changes. */
struct title {
    atomic_uint holders;
    uint64_t number; /* of all titles of all mounts, so that a listener knows whether it has had this one; from 1 on */
    char text[ICY_TITLE_MOST];
    size_t size;
    char block[ICY_BLOCK_MOST];
};

struct mounts {
    struct mounts_options options; /* no zeros */
    pthread_mutex_t lock;          /* of the list, of who holds its mounts, and of the fallback */
    struct mount *first;
    size_t count;
    struct mount *fallback;    /* held */
    atomic_ullong generation;  /* changes when a source comes or goes, or the fallback is another */
    atomic_ullong last_title;  /* its number */
    atomic_uint last_listener; /* likewise */
    atomic_bool stopped;
};

struct mount {
    struct mounts *mounts;
    struct mount *next;
    size_t holders;              /* under the lock of mounts; nobody's is freed */
    pthread_mutex_t lock;        /* of what follows */
    struct mount_status status;  /* but for what is counted below */
    struct reel *reel;           /* of its source, held; NULL: there is none */
    struct mount_source *source; /* likewise */
    struct title *title;         /* held; NULL: none */
    atomic_ullong listeners, listeners_peak, listeners_total, skipped, dropped, bytes_in, bytes_out;
};

struct mount *mount_hold(struct mount *mount);
const char *mount_path(const struct mount *mount);

/* The title at the moment, held; NULL: none. */
struct title *mount_title(struct mount *mount);
void title_drop(struct title *title);

/*
 * What those hear who asked for a mount: its own source, else that of the fallback, either only where it is of `type`
 * (NULL: of any) and has a place to begin at. Held. NULL: nothing at the moment.
 */
struct reel *mount_heard(struct mount *mount, const char *type);

/*
 * Whether something of its own may be heard of it soon: it has a source, of which nothing has come yet, or is a relay,
 * which a listener brings about.
 */
bool mount_is_coming(struct mount *mount);

/* Counts one who listens, or has gone. */
void mount_enter(struct mount *mount);
void mount_leave(struct mount *mount);

#endif
