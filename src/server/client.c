/* Clients: their beginning, their end and what is counted at it. */
#include "server/client.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "net/conn.h"

/* --- the worker's list --- */

static void enlist(struct weir__client *client)
{
    struct weir__worker *worker = client->worker;
    pthread_mutex_lock(&worker->lock);
    weir__list_push_back(&worker->clients, &client->link);
    worker->active++;
    pthread_mutex_unlock(&worker->lock);
}

/* With the worker's lock held. */
static void leave(struct weir__client *client)
{
    struct weir__worker *worker = client->worker;
    weir__list_remove(&client->link);
    worker->active--;
    if (worker->draining && worker->active == 0)
        weir__worker_wake(worker); /* before the lock is let go: the keeper may end then */
}

/* The calling thread is the one to be joined from now on; returns whether there was one before it. Under the lock. */
static bool leave_as_thread(struct weir__worker *worker, pthread_t *before)
{
    bool any = worker->has_ended_thread;
    *before = worker->ended_thread;
    worker->ended_thread = pthread_self();
    worker->has_ended_thread = true;
    return any;
}

static void unlist(struct weir__client *client)
{
    struct weir__worker *worker = client->worker;
    bool is_thread = weir__server_has_threads(worker->server), join = false;
    pthread_t before;
    pthread_mutex_lock(&worker->lock);
    leave(client);
    if (is_thread)
        join = leave_as_thread(worker, &before);
    pthread_mutex_unlock(&worker->lock);
    if (join)
        pthread_join(before, NULL);
}

bool weir__clients_gone(struct weir__worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->draining = true;
    bool gone = worker->active == 0;
    pthread_mutex_unlock(&worker->lock);
    return gone;
}

static void cancel(const struct weir__client *client)
{
    if (weir__server_has_threads(client->worker->server))
        weir__cancel_thread(client->self);
    else
        weir_cancel_fiber((weir_fiber *)client->self); /* a fiber's waiter is its beginning */
}

void weir__clients_cut(struct weir__worker *worker)
{
    struct weir__list *link;
    pthread_mutex_lock(&worker->lock);
    worker->cut = true;
    weir__list_each(link, &worker->clients)
    {
        const struct weir__client *client = weir__list_entry(link, struct weir__client, link);
        if (!client->conn)
            continue; /* its handler has returned */
        weir__count(worker->counters, cancelled, 1);
        if (client->self)
            cancel(client);
    }
    pthread_mutex_unlock(&worker->lock);
}

void weir__clients_abort(struct weir__worker *worker)
{
    struct weir__list *link;
    pthread_mutex_lock(&worker->lock);
    weir__list_each(link, &worker->clients)
    {
        const struct weir__client *client = weir__list_entry(link, struct weir__client, link);
        if (client->conn)
            weir_abort(client->conn);
    }
    pthread_mutex_unlock(&worker->lock);
}

/* --- the end --- */

static void count_failure(struct weir__counters *counters, enum weir__conn_failure failure)
{
    switch (failure) {
    case WEIR__FAILURE_RESET:
        weir__count(counters, errors_reset, 1);
        break;
    case WEIR__FAILURE_IDLE:
        weir__count(counters, errors_idle, 1);
        break;
    case WEIR__FAILURE_WRITE:
        weir__count(counters, errors_write_timeout, 1);
        break;
    case WEIR__FAILURE_MESSAGE:
        weir__count(counters, errors_message_timeout, 1);
        break;
    case WEIR__FAILURE_LIFETIME:
        weir__count(counters, errors_lifetime, 1);
        break;
    case WEIR__FAILURE_TLS:
        weir__count(counters, errors_tls, 1);
        break;
    case WEIR__FAILURE_OTHER:
        weir__count(counters, errors_other, 1);
        break;
    default: /* a deadline or cancel of the handler's own is its affair */
        break;
    }
}

/* Takes the connection back from a client whose handler has returned: from here on nobody cuts it. */
static weir_conn *take_back(struct weir__client *client)
{
    struct weir__worker *worker = client->worker;
    weir_conn *conn = client->conn;
    pthread_mutex_lock(&worker->lock);
    client->conn = NULL;
    bool was_cut = worker->cut;
    pthread_mutex_unlock(&worker->lock);
    if (!was_cut)
        count_failure(worker->counters, conn->failure);
    return conn;
}

/* In the client's own fiber: who is slow at it, or never begins, holds up nobody. */
static bool shakes_hands(const struct weir__client *client)
{
    if (!client->conn->secure || weir_handshake(client->conn) == 0)
        return true;
    if (client->conn->failure == WEIR__FAILURE_TLS)
        weir__log_handshake(client->worker->server);
    return false;
}

void weir__client_serve(struct weir__client *client)
{
    weir_server *server = client->worker->server;
    struct weir__counters *counters = client->worker->counters;
    uint64_t address_key = client->address_key;
    if (shakes_hands(client))
        client->place->stream(client->conn, client->place->arg);
    if (client->conn->secure) /* while a stop can still cut it */
        weir__conn_end_secure(client->conn);
    weir_close(take_back(client));
    weir__count(counters, active, -1);
    weir__addresses_give(&server->addresses, address_key);
    unlist(client);
    free(client);
    weir__slot_give(server);
}

/* --- the beginning --- */

static int client_fiber(void *arg)
{
    weir__server_enter(((struct weir__client *)arg)->worker->server);
    weir__client_serve(arg);
    return 0;
}

void weir__client_thread_begins(struct weir__client *client)
{
    struct weir__worker *worker = client->worker;
    struct weir__waiter *self = weir__waiter_self();
    pthread_mutex_lock(&worker->lock);
    client->self = self;
    if (worker->cut && self)
        cancel(client);
    pthread_mutex_unlock(&worker->lock);
}

static int run(struct weir__client *client)
{
    const weir_server *server = client->worker->server;
    if (weir__server_has_threads(server))
        return weir__client_thread(client);
    weir_fiber_options options = {.size = sizeof options, .name = server->name, .detached = true};
    client->self = (struct weir__waiter *)weir_spawn(client_fiber, client, &options);
    return client->self ? 0 : -1;
}

/* Takes the descriptor, and closes it if there is no memory. */
static weir_conn *new_conn(const struct weir__worker *worker, const struct weir__place *place, int fd)
{
    weir_conn *conn = weir__conn_new(fd, place->scheme, false);
    if (!conn) {
        weir__system()->close(fd);
        return NULL;
    }
    if (place->scheme == WEIR_SCHEME_UNIX) /* which does not take over its listener's, as TCP does */
        weir__socket_setup(fd, false, &worker->server->options.listen.socket);
    if (!weir_scheme_is_secure(place->scheme) || weir__tls_attach(conn, worker->server->tls, true) == 0)
        return conn;
    weir_close(conn);
    return NULL;
}

static struct weir__client *client_new(struct weir__worker *worker, struct weir__place *place, int fd)
{
    struct weir__client *client = calloc(1, sizeof *client);
    if (!client) {
        weir__system()->close(fd);
        return NULL;
    }
    client->conn = new_conn(worker, place, fd);
    if (!client->conn) {
        free(client);
        return NULL;
    }
    client->worker = worker;
    client->place = place;
    weir__conn_set_limits(client->conn, &worker->limits, worker->server->options.lifetime);
    return client;
}

/* Closes and frees a client that never began. */
static void client_drop(struct weir__client *client)
{
    int saved = errno;
    pthread_mutex_lock(&client->worker->lock);
    leave(client);
    pthread_mutex_unlock(&client->worker->lock);
    weir_close(client->conn);
    free(client);
    errno = saved;
}

int weir__client_begin(struct weir__worker *worker, struct weir__place *place, int fd, uint64_t address_key)
{
    struct weir__client *client = client_new(worker, place, fd);
    if (!client)
        return -1;
    client->address_key = address_key;
    enlist(client);
    weir__count(worker->counters, accepted, 1);
    weir__count(worker->counters, active, 1);
    if (run(client) == 0)
        return 0;
    weir__count(worker->counters, accepted, -1);
    weir__count(worker->counters, active, -1);
    client_drop(client);
    return -1;
}
