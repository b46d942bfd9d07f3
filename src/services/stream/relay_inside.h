/* What a relay is: its table is in relay.c, how it is fetched in relay_run.c. */
#ifndef STREAM_RELAY_INSIDE_H
#define STREAM_RELAY_INSIDE_H

#include <pthread.h>

#include "paths.h"
#include "relay.h"

enum { RELAY_URLS_MOST = 16 };

struct relay {
    struct relays *relays;
    struct relay *next;
    char path[PATH_MOST];
    char *urls[RELAY_URLS_MOST];
    size_t url_count;
    struct mount *mount;

    pthread_mutex_t lock;
    uint64_t listeners;
    bool running; /* a fiber fetches it */
};

struct relays {
    struct stream *stream;
    struct relay *first;
};

/* A fiber that fetches the relay `arg` until nobody listens any more. */
weir_fiber_function relay_run;

/* Whether somebody listens. Where not the fiber is to end: it is not counted as running any more. */
bool relay_is_wanted(struct relay *relay);

/* The fiber has to end, whoever listens. */
void relay_ended(struct relay *relay);

#endif
