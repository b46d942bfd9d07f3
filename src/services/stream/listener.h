/*
 * A listener: one who hears a mount, and how far it has come. Lives in memory of its own, not on its fiber's stack,
 * which is to stay small.
 */
#ifndef STREAM_LISTENER_H
#define STREAM_LISTENER_H

#include "mount_inside.h"

/* After so many bytes of audio comes metadata, where it is asked for. */
enum { LISTENER_INTERVAL = 16000 };

/* Metadata between the audio. */
struct metadata {
    bool wanted;
    uint32_t until; /* bytes of audio until the next */
    uint64_t title; /* the number of the last that was sent */
};

struct listener {
    weir_conn *conn;
    weir_server *server;
    struct mount *mount; /* that it asked for */
    struct reel *reel;   /* that it hears, held; NULL: none at the moment */
    uint64_t position;   /* in it: what comes next. Between two frames, but for `rest` */
    bool joined;         /* it has a position */
    uint64_t generation; /* of the mounts, when it last looked what there is to hear */
    struct metadata metadata;
    char *rest; /* of the bytes up to `position`, what the socket did not take; owned; NULL: nothing */
    size_t rest_size, rest_sent;
    int64_t phase;      /* when it looks: in steps, within a period */
    int64_t period;     /* between two looks, in steps */
    int64_t pause;      /* until the next, in steps: a period, or less */
    int64_t moved;      /* when something was last taken, or there was nothing to take */
    int64_t heard;      /* when there was last something to hear */
    int64_t ends;       /* the end of its lifetime */
    uint64_t sent;      /* bytes */
    bool failed, given; /* its connection has; it has been given up */
};

enum sending { SENT_ALL, SENT_SOME, SENT_FAILED };

/* Sends what is left of earlier bytes. Does not park. */
enum sending listener_send_rest(struct listener *listener);

/*
 * Sends what has come since, a batch of it: all that the socket takes. SENT_ALL with nothing sent: there was nothing.
 * Does not park.
 */
enum sending listener_send_batch(struct listener *listener);

/* Runs it until the listener goes, is given up, or there is nothing more to hear. Parks. */
void listener_run(struct listener *listener);

#endif
