/*
 * A server's inside.
 *
 * A server has places (the addresses it serves) and workers (threads, each with a loop). Each worker has of each place a
 * socket of its own: for streams a gate, which accepts and admits clients, for datagrams an inlet, which receives them.
 * A fiber of each worker, its keeper, starts and resumes accepting and sees to the stop; clients run beside it.
 */
#ifndef WEIR_SERVER_SERVER_H
#define WEIR_SERVER_SERVER_H

#include <pthread.h>
#include <weir/server.h>

#include "base/list.h"
#include "base/system.h"
#include "engine/engine.h"
#include "net/conn.h"
#include "net/listen.h"
#include "net/tls.h"
#include "server/addresses.h"
#include "server/budget.h"
#include "server/counters.h"
#include "server/rules.h"
#include "server/seldom.h"

struct weir__gate;
struct weir__inlet;

/* An address that is served. Made by weir_server_add; its sockets for workers beyond the first at the start. */
struct weir__place {
    weir_stream_handler *stream; /* one of the two */
    weir_datagram_handler *datagram;
    void *arg;
    weir_address address;
    weir_scheme scheme;
    bool trusted;                /* on loopback or a Unix socket: nobody is counted by address */
    bool shared;                 /* its sockets are one, duplicated: Unix sockets, and those handed over by systemd */
    bool own;                    /* is in the table of own.h */
    bool unlinks;                /* its file is this process' to remove, when its last socket is closed */
    struct weir__unix_file file; /* of a Unix socket */
    int *sockets; /* one for each worker (of each process); -1 where a worker has taken it or closed it */
    size_t socket_count;
    char text[WEIR_ADDRESS_TEXT + 16]; /* in full notation */
};

/* How far a server has come. It only moves down, but for a start that failed. */
enum weir__server_state { WEIR__NOT_STARTED, WEIR__STARTING, WEIR__RUNNING_SERVER, WEIR__STOPPED };

/* Somebody who waits for a server to have stopped. */
struct weir__server_wait {
    struct weir__list link;
    weir__slot slot;
};

struct weir_server {
    const struct weir__system *system; /* of who made it; its threads go through it too */
    weir_server_options options;       /* with every default resolved but workers and max_connections */
    char *name, *scheme;
    struct weir__place **places;
    size_t place_count;

    struct weir__worker **workers;
    size_t worker_count;
    size_t workers_wanted;           /* by whoever starts several processes; 0: as the options say */
    size_t first_socket;             /* of its places' sockets: a process of several takes a slice */
    bool successor;                  /* of a process that died, with the same sockets */
    struct weir__counters *counters; /* a worker's each; in a supervising parent, those of all processes */
    size_t counter_count;
    void *mapping; /* where they lie if other processes share them; NULL: they are allocated */
    size_t mapping_size;

    int64_t max_connections;       /* resolved at the start; negative: none */
    _Atomic int64_t connections;   /* slots that are taken; the limit is on these */
    atomic_uint paused;            /* gates that wait for a connection to end */
    struct weir__rules *rules;     /* NULL: everybody is let in */
    struct weir__tls_context *tls; /* NULL: it has no certificate, and serves no tls:// endpoint */
    struct weir__addresses addresses;
    struct weir__budget *budget; /* NULL until there are datagrams */
    struct weir__seldom limit_line, resources_line, address_line, rule_line, handshake_line;

    _Atomic int64_t deadline; /* of the stop; WEIR_FOREVER before it */
    atomic_bool stopping;

    pthread_mutex_t lock;   /* of all below, and of places' sockets once it runs */
    pthread_cond_t changed; /* of `ready` and `opened`: for threads that start */
    enum weir__server_state state;
    size_t ready;    /* workers that have their loops, or failed to get them */
    int start_error; /* the errno of the first that failed */
    weir_error_kind start_kind;
    char start_reason[200];             /* what the worker said that failed first; "" where none had begun */
    int opened;                         /* whether workers may begin: 0 not yet, 1 yes, -1 no */
    size_t running;                     /* workers that have not ended */
    struct weir__list waits;            /* of weir_server_wait */
    struct weir__server_wait last_wait; /* of who frees it, which needs no memory */
};

/* A worker: a thread and its loop. */
struct weir__worker {
    weir_server *server;
    size_t index;
    pthread_t thread;
    weir_fiber *keeper; /* in place of the thread where there are none */
    struct weir__counters *counters;
    struct weir__conn_limits limits;        /* of its connections */
    struct weir__conn_limits shared_limits; /* of those that handlers make on behalf of theirs */
    weir__slot news;                        /* the keeper waits here */
    atomic_bool woken;                      /* and this tells it why it need not */
    bool done;                              /* the keeper has ended, or is not to begin */
    size_t turn;                            /* of the gates: which is the first to be worked */
    struct weir__gate *gates;
    size_t gate_count;
    struct weir__inlet **inlets;
    size_t inlet_count;

    pthread_mutex_t lock;      /* of what follows */
    struct weir__list clients; /* that have begun and not ended */
    size_t active;             /* their number */
    bool draining;             /* the keeper waits for the last */
    bool cut;                  /* the deadline has passed: who is still there was cancelled */
    bool has_ended_thread;     /* model thread: the last that ended, to be joined */
    pthread_t ended_thread;
};

/* The server that the calling thread works for, or in a simulation the calling fiber; NULL for others. */
weir_server *weir__server_here(void);
void weir__server_enter(weir_server *server);

/* Whether a thread serves each of its clients: in a simulation the model is fibers. */
static inline bool weir__server_has_threads(const weir_server *server)
{
    return server->options.model == WEIR_MODEL_THREAD && !server->system->offload;
}

/* --- server.c --- */

/* The number of workers a process has, where there are several processes or one. */
size_t weir__server_workers(const weir_server *server, size_t processes);

/* Copies an options struct of whoever's size, and puts every default in its place. 0, or -1 with EINVAL. */
int weir__server_defaults(weir_server_options *resolved, const weir_server_options *given);

/* --- life.c --- */

/* As weir_server_wait; `cancellable` or not. */
int weir__server_wait(weir_server *server, int64_t deadline, bool cancellable);

/* The same for who frees it: waits whatever happens. */
void weir__server_await_end(weir_server *server);

/* A worker has ended: the last tells those who wait for the server. */
void weir__server_worker_ended(weir_server *server);

/* Forgets the workers of a server that has stopped, or never started. */
void weir__server_free_workers(weir_server *server);

/* --- places.c --- */

/* Binds what an endpoint stands for and adds its places, with the handler of `like`. 0 or -1. */
int weir__places_add(weir_server *server, const char *text, const struct weir__place *like);

/* Opens sockets for `count` workers in all on every place; those that exist stay. 0, or -1: those that were opened stay too. */
int weir__places_open(weir_server *server, size_t count);

/* Closes the sockets of all places but `count` from `first` on: the rest of a process of several. */
void weir__places_keep(weir_server *server, size_t first, size_t count);

/* Closes and frees all places. */
void weir__places_free(weir_server *server);

/* Closes a worker's socket of a place; the kernel's count of dropped datagrams goes to the worker's counters. */
void weir__place_close_socket(struct weir__worker *worker, struct weir__place *place);

/* How many datagrams the kernel has dropped at the sockets that are open; with the server's lock held. */
uint64_t weir__places_dropped(const weir_server *server);

/* --- totals.c --- */

/* Makes a server's counters, for so many workers. 0, or -1 without memory. */
int weir__counters_make(weir_server *server, size_t count);
void weir__counters_free(weir_server *server);

/* --- worker.c --- */

/* A worker's thread: starts its loop, waits for the server to be opened, works until it stops. */
void *weir__worker_run(void *arg);

/* The same without a thread of its own, as a fiber of the caller's loop: worker->keeper, to be joined. 0 or -1. */
int weir__worker_spawn(struct weir__worker *worker);

/* Wakes a worker's keeper. Any thread. */
void weir__worker_wake(struct weir__worker *worker);

/* In the keeper: waits until it was woken since worker->woken was cleared, or the deadline. */
void weir__worker_wait(struct weir__worker *worker, int64_t deadline);

/* --- limits.c --- */

/* The limit on connections where the caller set none: 90 % of the descriptor limit, or of half of it with threads. */
int64_t weir__default_max_connections(weir_model model);

/* Takes one of the slots for a worker's connections. False at the limit; iterative servers have one a worker. Its thread. */
bool weir__slot_take(struct weir__worker *worker);

/* Whether weir__slot_take would have one. */
bool weir__slot_free(struct weir__worker *worker);

/* Gives it back, and has paused gates look again. Any thread. */
void weir__slot_give(weir_server *server);

/* Counts a gate that waits for a connection to end, and one that no longer does. */
void weir__paused(weir_server *server, int change);

/* One line, rarely: what a limit has led to. */
void weir__log_limit(weir_server *server);
void weir__log_resources(weir_server *server, const char *consequence, int error);

/*
 * After a loop could not wait, with errno: where it was for want of memory, which may pass, blocks the thread for a moment and
 * returns true: a server does not end because the machine is short of it. Else false, and errno is kept.
 */
bool weir__pause_for_want(weir_server *server);
void weir__log_address(weir_server *server, const weir_address *address);
void weir__log_rule(weir_server *server, const weir_address *address);

/* That no handshake came about: the caller's error. */
void weir__log_handshake(weir_server *server);

/* Whether the rules refuse somebody who comes to a place; counted and logged then. */
bool weir__refused_by_rule(struct weir__worker *worker, const struct weir__place *place, const weir_address *address);

#endif
