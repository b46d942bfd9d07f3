/* The stream service: its settings, what its parts share, and where each part is entered. */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include <stdatomic.h>
#include <weir/weir.h>

#include "../../http/server.h"
#include "media.h"
#include "mount.h"

struct stream_settings {
    weir_option_list media;
    bool shuffle, no_loop;
    const char *source_password_file;             /* NULL: no live sources */
    int64_t source_timeout;                       /* how long a source may be silent */
    weir_option_list relays;                      /* "URL=/MOUNT", URLs of one mount are tried in their order */
    const char *name, *genre, *description, *url; /* of the radio */
    int64_t burst;                                /* bytes that a listener is sent at once */
    int64_t queue;                                /* bytes behind which a listener is set forward */
    int64_t max_mounts;
};

struct stream {
    const struct stream_settings *settings;
    struct media *media; /* NULL: the tone */
    struct mounts *mounts;
    struct mount *radio;
    struct senders *senders; /* who may send: source.h */
    struct relays *relays;   /* relay.h */
    int64_t started;         /* wall clock, seconds */
    atomic_bool playing;     /* the radio's player was spawned */
};

/* Answers one request; its `arg` is the stream, as that of all below. The table of paths is in routes.c. */
http_handler stream_answer;

/* page.c: GET and HEAD of "/". files.c: of "/files/" and all below it. */
http_handler page_answer;
http_handler files_answer;

/*
 * player.c: the radio, a fiber of the first worker that is asked for something by HTTP; `arg` is the stream. It plays
 * until it is cancelled, when its worker ends, or with --no-loop until all was played; then the mount's source has
 * ended.
 */
weir_fiber_function player_run;

/* raw.c: a client of tcp, tls and Unix sockets gets the media, from its beginning. Parks. */
void raw_serve(weir_conn *conn, struct stream *stream);

#endif
