/* A client that is being served: from its connection to the end of its handler. */
#ifndef WEIR_SERVER_CLIENT_H
#define WEIR_SERVER_CLIENT_H

#include "server/server.h"

/* Small, since it is there for every idle connection. */
struct weir__client {
    struct weir__list link; /* in its worker's clients */
    struct weir__worker *worker;
    struct weir__place *place;
    weir_conn *conn;
    struct weir__waiter *self; /* its fiber or thread, to be cancelled; NULL until a thread has begun */
    uint64_t address_key;
};

/*
 * Begins to serve a connection, in a fiber or a thread as the model has it. The slot it has taken and the count of its
 * address are then the client's. On the worker's thread; does not park. 0; or -1 with errno, and the descriptor is closed.
 */
int weir__client_begin(struct weir__worker *worker, struct weir__place *place, int fd, uint64_t address_key);

/* Runs the handler, closes, counts and forgets the client. In its fiber or thread. */
void weir__client_serve(struct weir__client *client);

/* Cancels all clients of a worker: whatever they wait for fails from now on. */
void weir__clients_cut(struct weir__worker *worker);

/* Cuts the connections of those who go on all the same, because they never had to wait. */
void weir__clients_abort(struct weir__worker *worker);

/* Whether a worker has no clients any more. */
bool weir__clients_gone(struct weir__worker *worker);

/* Starts a thread that serves a client. 0, or -1 with EAGAIN or ENOMEM. */
int weir__client_thread(struct weir__client *client);

/* In that thread, first: it can be cancelled from then on. */
void weir__client_thread_begins(struct weir__client *client);

/* Waits for the last thread of a client to be gone for good. */
void weir__client_threads_join(struct weir__worker *worker);

#endif
