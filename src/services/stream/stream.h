/* The stream service: its settings, and what its parts share. */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include <weir/weir.h>

#include "../../http/server.h"
#include "media.h"
#include "mount.h"

struct stream_settings {
    weir_option_list media;
    bool shuffle, no_loop;
    const char *source_password_file;             /* NULL: no live sources */
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
    struct sources *sources; /* who may send: source.h */
    struct relays *relays;   /* relay.h */
};

/* Answers one request: the table of paths is in routes.c. */
http_handler stream_answer;

#endif
