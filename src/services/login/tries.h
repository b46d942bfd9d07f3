/*
 * Who tries to log in, and how often in vain: an address that fails waits longer each time, and has only so many
 * tries at once. The memory is fixed, whoever comes. Times are the caller's (weir_now), and nothing parks or blocks
 * for long; from any thread.
 */
#ifndef SERVICES_LOGIN_TRIES_H
#define SERVICES_LOGIN_TRIES_H

#include <weir/endpoint.h>

struct tries;

struct tries_limits {
    int64_t delay;   /* behind the first failure; doubled by each that follows; WEIR_FOREVER: none */
    int64_t longest; /* that a delay grows to */
    int64_t at_once; /* tries of one address; negative: any number */
};

/* Who tries: an IPv4 address, an IPv6 network of /64, or a user of this machine behind a Unix socket. */
struct tries_source {
    uint64_t kind, number;
};

struct tries_source tries_source_of(const weir_address *address, uid_t user);

/* "192.0.2.1", "2001:db8:1:2::/64", "user 1000". Returns `text`. */
enum { TRIES_SOURCE_TEXT = 64 };
char *tries_source_text(struct tries_source source, char text[TRIES_SOURCE_TEXT]);

/* Told the failures of a source that tries_end has not told, when it is forgotten; by tries_begin and tries_free. */
typedef void tries_tell(struct tries_source source, uint64_t count);

/* The caller's, by tries_free. NULL with ENOMEM. */
struct tries *tries_new(const struct tries_limits *limits, tries_tell *tell);
void tries_free(struct tries *tries);

/*
 * A try begins: *when it may be judged, now or later; tries_end is then due. 0; or -1 with EAGAIN of kind LIMIT: the
 * source has as many under way as it may, or there is no room to remember one more.
 */
int tries_begin(struct tries *tries, struct tries_source source, int64_t now, int64_t *when);

/* How it ended. TRIES_UNTRIED: it was not judged after all. */
enum tries_outcome { TRIES_UNTRIED, TRIES_PASSED, TRIES_FAILED };

/*
 * Returns how many failures of the source are to be told, now that it has failed again: 0 most of the time, since it is
 * told at the first and then at most once a minute.
 */
uint64_t tries_end(struct tries *tries, struct tries_source source, enum tries_outcome outcome, int64_t now);

#endif
