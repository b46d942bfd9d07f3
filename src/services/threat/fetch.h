/* Fetching a feed by https: verified, bounded in time and size, and never by anything less than https. */
#ifndef SERVICES_THREAT_FETCH_H
#define SERVICES_THREAT_FETCH_H

#include <pthread.h>
#include <stdbool.h>

#include "alerts.h"

/* Where the feed is, and how it is fetched. The texts are the caller's. */
struct threat_origin {
    const char *url;
    const char *ca;  /* a file of certificates that are trusted in place of the system's; NULL: the system's */
    int64_t timeout; /* for all of it */
};

/* By which another thread ends a fetch. */
struct threat_brake {
    pthread_mutex_t lock;
    void *transfer; /* that there is one to be woken; under the lock */
    bool pulled;
};

/* To be called once before there are threads. 0, or -1 with an error. */
int threat_fetch_prepare(void);

/* Whether it can be fetched from there: an https URL, a file that can be read. 0, or -1 of kind USAGE. */
int threat_fetch_check(const struct threat_origin *origin);

void threat_brake_init(struct threat_brake *brake);
/* Ends the fetch that it was given to, if there is one, and every later one. */
void threat_brake_pull(struct threat_brake *brake);

/*
 * Fetches and reads the feed; the alerts are the caller's. Blocks the thread: not for fibers. One at a time for a
 * brake. 0; or -1 with ETIMEDOUT of kind DEADLINE, ECANCELED (the brake), or what is wrong with the origin, the way
 * to it, or what came.
 */
int threat_fetch(const struct threat_origin *origin, struct threat_brake *brake, struct threat_alerts *alerts);

#endif
