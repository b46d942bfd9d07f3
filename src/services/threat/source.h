/*
 * The level as it is known: fetched when somebody asks and what is known is too old, once for all who ask meanwhile,
 * and kept. While the source fails the last good answer is given with its age, and where there is none it is said to
 * be unknown.
 */
#ifndef SERVICES_THREAT_SOURCE_H
#define SERVICES_THREAT_SOURCE_H

#include "alerts.h"

struct threat_source;

struct threat_source_options {
    /*
     * Fetches the alerts, on the pool, never two at a time; what it puts there is the source's, also where it fails.
     * 0, or -1 with an error.
     */
    int (*fetch)(void *arg, struct threat_alerts *alerts);
    void *arg;
    int64_t keep;     /* how long an answer is as good as new; WEIR_FOREVER */
    int64_t patience; /* how long an asker waits at most */
    int64_t retry;    /* how long after a failure nothing is fetched */
};

enum { THREAT_ANSWER = 400 };

/* The caller's, by threat_source_free. NULL with ENOMEM. */
struct threat_source *threat_source_new(const struct threat_source_options *options);

/* Waits until nothing is fetched any more, which its owner has seen to: not from fibers. NULL is fine. */
void threat_source_free(struct threat_source *source);

/*
 * Puts the answer in `text`: "elevated"; "elevated, 35 min old: REASON" where it could not be fetched anew; "unknown:
 * REASON". From any fiber or thread. Parks, for `patience` at most. Returns the level, or -1 with ECANCELED.
 */
int threat_source_ask(struct threat_source *source, char text[THREAT_ANSWER]);

#endif
