/* What the scenarios share: bytes that tell where they belong, tries repeated while faults come, servers that are services. */
#ifndef WEIR_TESTS_SIM_COMMON_H
#define WEIR_TESTS_SIM_COMMON_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/sim.h>
#include <weir/weir.h>

/* --- chance --- */

/* From low to high, both included. */
int64_t between(int64_t low, int64_t high);
bool one_in(unsigned times);

/* --- bytes that are told by their position --- */

void pattern(uint64_t seed, uint64_t position, void *data, size_t size);
/* Fails the run where they are others. Whether they are right. */
bool check_pattern(uint64_t seed, uint64_t position, const void *data, size_t size);

/* --- tries --- */

/* What the last faults may still spoil, after they have stopped. */
#define SHORTLY WEIR_S(20)

/* Whether faults stopped at least that long ago. */
bool quiet_for(int64_t time);

/*
 * Calls attempt(arg) until it returns 0, with pauses; one that was begun `grace` after the faults must. Returns 0; -1 where
 * the caller was cancelled, or where it has failed the run.
 */
int until_done(const char *what, int (*attempt)(void *arg), void *arg, int64_t grace);

/* A call that had to end at `due` has ended now: not earlier, and not more than `slack` later. */
void check_due(const char *what, int64_t due, int64_t slack);

/* As WEIR_SIM_CHECK, with what the last error was. Whether it holds. */
bool holds(bool condition, const char *what);

/* Connects with a timeout for that, and one for each call then. NULL where it failed. */
weir_conn *reach(const char *endpoint, int64_t timeout);

/* Ends a connection so that the other side learns it was not as meant. Returns -1, errno kept. */
int cut(weir_conn *conn);

/* --- stories: a header, bytes of a pattern, and then the end --- */

struct story {
    uint64_t seed, length;
    bool untold; /* it may end early without a word: Unix sockets know no reset, and an abort looks like an end */
};

enum { STORY_HEADER = 16 };

/* One of a new seed, of at most that length. */
struct story story_new(uint64_t most);

/* That part of its bytes, the header included. */
void story_bytes(const struct story *story, uint64_t position, char *data, size_t size);
/* Sends that part of a story, the header being its first bytes, by calls and in pieces of all kinds. 0 or -1. */
int story_send(weir_conn *conn, const struct story *story, uint64_t from, uint64_t to);
/* Receives that part likewise and compares it. 0; -1 with an error, 1 at a clean end where more was expected. */
int story_receive(weir_conn *conn, const struct story *story, uint64_t from, uint64_t to);
/* All of it, and the half-close. */
int story_tell(weir_conn *conn, const struct story *story, int64_t pause);
/* All of it to its end. An end before it fails the run: who cannot go on has to say so. */
int story_hear(weir_conn *conn, const struct story *story, int64_t pause);
/* Likewise, of a story that only its teller knows. `empty_is_fine`: an end before the first byte is -1 alone. */
int story_hear_new(weir_conn *conn, struct story *story, int64_t pause, bool empty_is_fine);

/* --- both directions at once --- */

/*
 * Tells one story in a fiber of its own and hears another (NULL: one that only its teller knows), each with its pauses; the
 * connection is aborted where one fails. For fibers that nobody cancels. 0 or -1.
 */
int exchange(weir_conn *conn, const struct story *told, const struct story *heard, int64_t pauses[2]);

/* --- servers --- */

/* A service that serves until it is told to end, as a program with weir_serve does, or with a server of its own. */
struct serving {
    const char *endpoint;
    weir_stream_handler *handler; /* of streams, or */
    weir_datagram_handler *datagram;
    void *arg;
    weir_server_options options;
    bool by_hand;
    /* by_hand: looks at what was counted when all clients have gone. May be NULL. */
    void (*counted)(const weir_counters *counters);
};

int serve(void *serving);

/* Sends back all that comes, by plain or lent receives (a bool *, whether lent). Aborts where it cannot. */
void echo_handler(weir_conn *conn, void *lent);

#endif
