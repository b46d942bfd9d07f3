/*
 * What a loop needs of the kernel (or of the simulator): to be told when descriptors are ready and clients have come,
 * and to sleep until then. The rest are direct calls through the system table.
 *
 * All but `wake` are called on the loop's thread.
 */
#ifndef WEIR_ENGINE_BACKEND_H
#define WEIR_ENGINE_BACKEND_H

#include "engine/engine.h"

struct weir__backend {
    const char *name;

    /* Sets up loop->backend_state. 0, or -1 and errno. */
    int (*open)(weir_loop *loop);

    /* Gives up every registration and sets loop->backend_state to NULL; nothing is reported after it. */
    void (*close)(weir_loop *loop);

    /* A descriptor that is readable when `wait` would not sleep, unless something is pending. */
    int (*descriptor)(const weir_loop *loop);

    /* Whether something was registered that only the next `wait` hands in. */
    bool (*pending)(const weir_loop *loop);

    /*
     * Registers a watch for a direction: from now on weir__watch_event is called at every edge, and soon if it is ready
     * already. Called before every wait, and cheap where it is registered. 0, or -1 and errno.
     */
    int (*watch)(weir_loop *loop, struct weir__watch *watch, int direction);

    /* Ends what is registered. Returns true if it is over at once; else weir__watch_released is called when it is. */
    bool (*unwatch)(weir_loop *loop, struct weir__watch *watch);

    /*
     * Has the kernel let go of what was unwatched, as far as that needs no waiting: until then it would hold a socket that
     * was closed, with its address. NULL where unwatching is always over at once.
     */
    void (*let_go)(weir_loop *loop);

    int (*accept)(weir_loop *loop, struct weir__acceptor *acceptor);
    void (*accept_stop)(weir_loop *loop, struct weir__acceptor *acceptor);

    /* Hands in what was registered, sleeps until there are events, `wake` is called or the deadline, and reports the events. 0 or -1. */
    int (*wait)(weir_loop *loop, int64_t deadline);

    /* Makes `wait` return soon. Any thread. */
    void (*wake)(weir_loop *loop);

    /* The simulator's, NULL elsewhere: puts what is in the run queue into another order; and what a new fiber's `host` is. */
    void (*arrange)(weir_loop *loop);
    void *(*host)(weir_loop *loop);
};

extern const struct weir__backend weir__backend_uring;
extern const struct weir__backend weir__backend_epoll;

/* Events of a watch: directions as bits, and whether an end or an error was among them. Wakes who waits. */
void weir__watch_event(struct weir__watch *watch, int directions, bool hangup);

/* Puts something between every loop that is made from now on and its backend: a test's. NULL: nothing. */
extern const struct weir__backend *(*weir__backend_wrap)(const struct weir__backend *backend);

/* Opens the backend that was asked for, or the best there is. 0, or -1 with an error. */
int weir__backend_choose(weir_loop *loop, weir_backend backend);

/* In the simulator's place of the above; see engine/sim. */
extern const struct weir__backend weir__backend_sim;

/* The fallback to epoll is not logged in this process: another one of the family has done so. */
void weir__backend_tell_no_fallback(void);

/* The last of an acceptor that is stopping. */
void weir__acceptor_stopped(struct weir__acceptor *acceptor);

/* Whether an error of accept(2) concerns one client only, so that accepting simply goes on. */
bool weir__accept_error_passes(int number);

/* The backend holds a watch no more, after an unwatch that returned false. */
void weir__watch_released(struct weir__watch *watch);

#endif
