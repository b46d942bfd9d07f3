/*
 * Gates: accepting, pausing at limits, going on.
 *
 * While there is room, the acceptor pushes clients as they come. At the limit, or for want of descriptors or memory, the
 * gate pauses. It goes on by taking clients from the queue one by one, as many as there is room for; only when the queue is
 * empty the acceptor is started again: so no more clients are accepted than may be served, however many wait.
 */
#include "server/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/backend.h"
#include "server/client.h"

enum { CLIENTS_A_TURN = 64 };

#define SHORTEST_PAUSE WEIR_MS(10)
#define LONGEST_PAUSE  WEIR_S(1)

/* A successor looks after so long, and after twice as long, and so on. */
#define FIRST_LOOK WEIR_MS(250)
#define LAST_LOOK  WEIR_S(4)

static void pause_gate(struct weir__gate *gate, int64_t resume_at)
{
    gate->resume_at = resume_at;
    gate->connections = atomic_load(&gate->worker->server->connections);
    if (!gate->paused)
        weir__paused(gate->worker->server, 1);
    gate->paused = true;
    if (gate->state == WEIR__GATE_ACCEPTING) {
        gate->state = WEIR__GATE_ENDING;
        weir__acceptor_stop(&gate->acceptor);
    }
}

static void unpause(struct weir__gate *gate)
{
    if (gate->paused)
        weir__paused(gate->worker->server, -1);
    gate->paused = false;
    gate->resume_at = WEIR_FOREVER;
}

static void pause_at_limit(struct weir__gate *gate)
{
    bool iterative = gate->worker->server->options.model == WEIR_MODEL_ITERATIVE;
    if (!gate->paused && !iterative) {
        weir__count(gate->worker->counters, refused_limit, 1);
        weir__log_limit(gate->worker->server);
    }
    pause_gate(gate, WEIR_FOREVER);
    if (weir__slot_free(gate->worker))
        weir__worker_wake(gate->worker); /* one was given back just before we counted ourselves as paused */
}

static void pause_for_resources(struct weir__gate *gate, int error)
{
    weir__count(gate->worker->counters, refused_resources, 1);
    weir__log_resources(gate->worker->server, "accepting pauses", error);
    pause_gate(gate, weir__now() + gate->backoff);
    gate->backoff = gate->backoff * 2 < LONGEST_PAUSE ? gate->backoff * 2 : LONGEST_PAUSE;
}

/* --- one client --- */

/* Counts a client by its address. 0 and its key, which is 0 where it is not counted; or -1. */
static int count_address(struct weir__gate *gate, int fd, uint64_t *key)
{
    weir_server *server = gate->worker->server;
    weir_address address = {.length = sizeof address - offsetof(weir_address, any)};
    *key = 0;
    if (gate->place->trusted || server->options.max_per_address < 0)
        return 0;
    if (weir__system()->getpeername(fd, &address.any, &address.length) < 0)
        return 0; /* it has gone already, as its handler will learn */
    *key = weir__address_key(&address);
    if (weir__addresses_take(&server->addresses, *key, server->options.max_per_address) == 0)
        return 0;
    if (errno == EUSERS) {
        weir__count(gate->worker->counters, refused_address, 1);
        weir__log_address(server, &address);
    } else {
        weir__count(gate->worker->counters, refused_resources, 1);
    }
    return -1;
}

/* Whether the rules refuse a client who has just come, and is closed then: nothing is allocated or kept for it. */
static bool turn_away(struct weir__gate *gate, int fd)
{
    weir_address address = {.length = sizeof address - offsetof(weir_address, any)};
    if (!gate->worker->server->rules || gate->place->scheme == WEIR_SCHEME_UNIX)
        return false;
    if (weir__system()->getpeername(fd, &address.any, &address.length) < 0)
        address.length = 0; /* it has gone already: nobody knows whose it was */
    if (!weir__refused_by_rule(gate->worker, gate->place, &address))
        return false;
    weir__system()->close(fd);
    return true;
}

/* Lets a client in, who has a slot. */
static void admit(struct weir__gate *gate, int fd)
{
    uint64_t key;
    if (count_address(gate, fd, &key) < 0) {
        weir__system()->close(fd);
        weir__slot_give(gate->worker->server);
        return;
    }
    if (weir__client_begin(gate->worker, gate->place, fd, key) == 0)
        return;
    weir__count(gate->worker->counters, refused_resources, 1);
    weir__log_resources(gate->worker->server, "a client was closed", errno);
    weir__addresses_give(&gate->worker->server->addresses, key);
    weir__slot_give(gate->worker->server);
}

/* --- clients that came in after the limit was reached --- */

static void hold(struct weir__gate *gate, int fd)
{
    if (gate->held_count == gate->held_room) {
        size_t room = gate->held_room ? gate->held_room * 2 : 8;
        int *larger = realloc(gate->held, room * sizeof *larger);
        if (!larger) {
            weir__count(gate->worker->counters, refused_resources, 1);
            weir__system()->close(fd);
            return;
        }
        gate->held = larger;
        gate->held_room = room;
    }
    gate->held[gate->held_count++] = fd;
}

static int next_held(struct weir__gate *gate)
{
    int fd = gate->held[0];
    memmove(gate->held, gate->held + 1, --gate->held_count * sizeof *gate->held);
    return fd;
}

/* --- as clients come --- */

static void accepted(struct weir__acceptor *acceptor, int fd_or_error)
{
    struct weir__gate *gate = (struct weir__gate *)acceptor;
    if (fd_or_error < 0) {
        gate->state = WEIR__GATE_IDLE;
        pause_for_resources(gate, -fd_or_error);
        weir__worker_wake(gate->worker); /* the keeper has a new time to look */
        return;
    }
    gate->backoff = SHORTEST_PAUSE;
    if (turn_away(gate, fd_or_error))
        return;
    if (gate->state == WEIR__GATE_ACCEPTING && !gate->held_count && weir__slot_take(gate->worker)) {
        admit(gate, fd_or_error);
        return;
    }
    hold(gate, fd_or_error);
    if (gate->state == WEIR__GATE_ACCEPTING)
        pause_at_limit(gate);
}

static void stopped(struct weir__acceptor *acceptor)
{
    struct weir__gate *gate = (struct weir__gate *)acceptor;
    gate->state = WEIR__GATE_IDLE;
    weir__worker_wake(gate->worker);
}

/* --- in the keeper --- */

/* The next client of the queue; -1 with EAGAIN if there is none, or what accept says. */
static int accept_one(struct weir__gate *gate)
{
    for (;;) {
        int fd = weir__system()->accept4(gate->acceptor.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 || errno == EAGAIN || !weir__accept_error_passes(errno))
            return fd;
    }
}

enum taken { TAKEN, NONE_LEFT, PAUSED };

static enum taken take_one(struct weir__gate *gate)
{
    if (!weir__slot_take(gate->worker)) {
        pause_at_limit(gate);
        return PAUSED;
    }
    bool is_new = !gate->held_count; /* others have been looked at */
    int fd = is_new ? accept_one(gate) : next_held(gate);
    if (fd >= 0) {
        gate->backoff = SHORTEST_PAUSE;
        if (is_new && turn_away(gate, fd))
            weir__slot_give(gate->worker->server);
        else
            admit(gate, fd);
        return TAKEN;
    }
    int error = errno;
    weir__slot_give(gate->worker->server);
    if (error == EAGAIN)
        return NONE_LEFT;
    pause_for_resources(gate, error);
    return PAUSED;
}

static enum taken take_queue(struct weir__gate *gate)
{
    enum taken taken;
    for (int count = 1; (taken = take_one(gate)) == TAKEN; count++)
        if (count % CLIENTS_A_TURN == 0)
            weir_yield();
    return taken;
}

/* Clients that come from now on are pushed. */
static void start(struct weir__gate *gate)
{
    gate->state = WEIR__GATE_ACCEPTING;
    gate->look_at = gate->look_pause ? weir__now() + gate->look_pause : WEIR_FOREVER;
    if (weir__acceptor_start(&gate->acceptor) == 0)
        return;
    gate->state = WEIR__GATE_IDLE;
    pause_for_resources(gate, errno);
}

/*
 * The kernel takes a ring down some time after its process has ended. An accept of its own that waits there until then is woken
 * by the next client, in place of its successor's on the same socket, and that client stays in the queue, unless somebody looks.
 */
static void look_again(struct weir__gate *gate)
{
    if (gate->state != WEIR__GATE_ACCEPTING || weir__now() < gate->look_at)
        return;
    gate->look_pause = gate->look_pause < LAST_LOOK ? gate->look_pause * 2 : 0;
    pause_gate(gate, weir__now());
}

static bool may_go_on(struct weir__gate *gate)
{
    const weir_server *server = gate->worker->server;
    bool queue_is_left = atomic_load(&server->stopping) && gate->acceptor.fd >= 0;
    if (gate->state != WEIR__GATE_IDLE)
        return false;
    if (!gate->paused)
        return true;
    if (gate->resume_at == WEIR_FOREVER)
        return queue_is_left || weir__slot_free(gate->worker);
    return weir__now() >= gate->resume_at || atomic_load(&server->connections) < gate->connections;
}

/* --- the end --- */

void weir__gate_drain(struct weir__gate *gate)
{
    gate->left_to_drain = (int)gate->worker->server->options.listen.backlog; /* not for ever, however many come */
    if (gate->state == WEIR__GATE_ACCEPTING) {
        gate->state = WEIR__GATE_ENDING;
        weir__acceptor_stop(&gate->acceptor);
    }
}

static void close_socket(struct weir__gate *gate)
{
    gate->acceptor.fd = -1;
    weir__place_close_socket(gate->worker, gate->place);
}

/* Takes in all who were in the queue, so that the socket can close and others are refused. False if it has to be tried again. */
static bool empty_queue(struct weir__gate *gate)
{
    while (gate->acceptor.fd >= 0 && gate->left_to_drain-- > 0) {
        int fd = accept_one(gate);
        if (fd >= 0) {
            if (!turn_away(gate, fd))
                hold(gate, fd);
        } else if (errno == EAGAIN) {
            break;
        } else {
            gate->left_to_drain++;
            pause_for_resources(gate, errno);
            return false;
        }
    }
    if (gate->acceptor.fd >= 0)
        close_socket(gate);
    return true;
}

static void work_to_the_end(struct weir__gate *gate)
{
    bool emptied = empty_queue(gate);
    while (gate->held_count) {
        if (!weir__slot_take(gate->worker)) {
            pause_at_limit(gate);
            return;
        }
        admit(gate, next_held(gate));
    }
    if (emptied)
        weir__gate_close(gate);
}

bool weir__gate_close(struct weir__gate *gate)
{
    if (gate->state == WEIR__GATE_ENDING)
        return false;
    if (gate->state == WEIR__GATE_CLOSED)
        return true;
    unpause(gate);
    while (gate->held_count)
        weir__system()->close(gate->held[--gate->held_count]);
    free(gate->held);
    gate->held = NULL;
    if (gate->acceptor.fd >= 0)
        close_socket(gate);
    gate->state = WEIR__GATE_CLOSED;
    return true;
}

/* --- what the keeper asks for --- */

void weir__gate_work(struct weir__gate *gate)
{
    look_again(gate);
    if (!may_go_on(gate))
        return;
    unpause(gate);
    if (atomic_load(&gate->worker->server->stopping))
        work_to_the_end(gate);
    else if (take_queue(gate) == NONE_LEFT)
        start(gate);
}

int64_t weir__gate_due(const struct weir__gate *gate)
{
    if (gate->state == WEIR__GATE_ACCEPTING)
        return gate->look_at;
    return gate->paused && gate->state == WEIR__GATE_IDLE ? gate->resume_at : WEIR_FOREVER;
}

void weir__gate_init(struct weir__gate *gate, struct weir__worker *worker, struct weir__place *place)
{
    const weir_server *server = worker->server;
    *gate = (struct weir__gate){
        .acceptor = {.fd = place->sockets[server->first_socket + worker->index],
                     .accepted = accepted,
                     .stopped = stopped},
        .worker = worker,
        .place = place,
        .resume_at = WEIR_FOREVER,
        .backoff = SHORTEST_PAUSE,
        .look_at = WEIR_FOREVER,
        .look_pause = server->successor ? FIRST_LOOK : 0,
    };
}
