/* Connecting to the first of several addresses that answers: RFC 8305, "Happy Eyeballs". */
#include "net/happy_eyeballs.h"

#include <errno.h>
#include <stdlib.h>
#include <weir/time.h>

#include "base/error.h"
#include "base/system.h"
#include "engine/several.h"
#include "net/address.h"
#include "net/conn.h"

/* RFC 8305, 5: the recommended Connection Attempt Delay. */
#define ATTEMPT_DELAY WEIR_MS(250)

/* An address that has been asked and has not answered. */
struct attempt {
    int fd;
    const weir_address *address;
};

struct race {
    const struct weir__dialling *dialling;
    struct weir__resolved order;
    size_t next;     /* of `order`: not yet tried */
    int64_t next_at; /* when it may be, even if none has failed */
    struct attempt attempts[WEIR__RESOLVED_MOST];
    size_t attempt_count;
    struct weir__several *several; /* of the attempts' descriptors; NULL before the first wait */
    int number;                    /* the errno to be reported if nobody answers */
    bool at_bind;                  /* it is about our own address */
};

/* --- the order --- */

/* RFC 8305, 4: the families take turns, as far as there are addresses of both. */
static void interleave(const struct weir__resolved *resolved, struct weir__resolved *order)
{
    bool taken[WEIR__RESOLVED_MOST] = {false};
    int family = resolved->list[0].any.sa_family;
    for (order->count = 0; order->count < resolved->count; order->count++) {
        size_t pick = resolved->count, other = resolved->count;
        for (size_t i = resolved->count; i-- > 0;)
            if (!taken[i])
                *(resolved->list[i].any.sa_family == family ? &pick : &other) = i;
        if (pick == resolved->count)
            pick = other;
        taken[pick] = true;
        order->list[order->count] = resolved->list[pick];
        family = resolved->list[pick].any.sa_family == AF_INET ? AF_INET6 : AF_INET;
    }
}

/* --- an attempt --- */

/*
 * What an address's error tells of why nobody answered. Least that this machine cannot reach addresses of the kind; most that
 * it had not what it takes to ask: the address might have answered.
 */
static int worth(int number)
{
    switch (number) {
    case 0:
        return 0;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return 1;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return 3;
    default:
        return 2;
    }
}

/* Of errors that tell as much the first holds. */
static void note_failure(struct race *race, int number, bool at_bind)
{
    if (worth(number) <= worth(race->number))
        return;
    race->number = number;
    race->at_bind = at_bind;
}

static void set_option(int fd, int level, int name)
{
    int on = 1;
    weir__system()->setsockopt(fd, level, name, &on, sizeof on);
}

/* Where no port is asked for, it is chosen when it is known who is to be reached: ports may then be used for several. */
static int bind_from(int fd, const struct weir__dialling *dialling, int family)
{
    for (size_t i = 0; i < dialling->from->count; i++) {
        const weir_address *from = &dialling->from->list[i];
        if (from->any.sa_family != family)
            continue;
        if (family == AF_INET6)
            set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
        if (weir_address_port(from) == 0)
            set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
        else if (!dialling->endpoint->datagram)
            set_option(fd, SOL_SOCKET, SO_REUSEADDR);
        return weir__system()->bind(fd, &from->any, from->length);
    }
    errno = EAFNOSUPPORT;
    return -1;
}

/* A socket that is about to connect to the address; -1 if that has failed, which is noted. */
static int new_socket(struct race *race, const weir_address *address)
{
    const struct weir__dialling *dialling = race->dialling;
    bool datagram = dialling->endpoint->datagram;
    int family = address->any.sa_family, type = datagram ? SOCK_DGRAM : SOCK_STREAM;
    int fd = weir__system()->socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        note_failure(race, errno, false);
        return -1;
    }
    weir__socket_setup(fd, !datagram, &dialling->options->socket);
    if (dialling->from == NULL || bind_from(fd, dialling, family) == 0)
        return fd;
    note_failure(race, errno, true);
    weir__system()->close(fd);
    return -1;
}

/*
 * Nobody listens on a port of this machine, and the system chose that very port for our end: then TCP connects to itself.
 */
static bool connected_to_itself(int fd, const weir_address *address)
{
    weir_address own = {.length = sizeof own.local};
    return weir_address_is_loopback(address) && weir__system()->getsockname(fd, &own.any, &own.length) == 0 &&
           weir_address_equal(&own, address);
}

/*
 * Asks, or asks how it stands: connect(2) of a socket that is connecting says so, and of one that has failed why.
 * Returns 1 if it stands, 0 if there is no answer yet, -1 and errno if it has failed.
 */
static int try_connect(int fd, const weir_address *address, bool datagram)
{
    if (weir__system()->connect(fd, &address->any, address->length) < 0 && errno != EISCONN)
        return errno == EINPROGRESS || errno == EALREADY || errno == EINTR ? 0 : -1;
    if (datagram || !connected_to_itself(fd, address))
        return 1;
    errno = ECONNREFUSED;
    return -1;
}

/* Tries the next address. Returns the descriptor if it is connected at once, else -1. */
static int begin_attempt(struct race *race)
{
    const weir_address *address = &race->order.list[race->next++];
    bool datagram = race->dialling->endpoint->datagram;
    int fd = new_socket(race, address);
    if (fd < 0)
        return -1;
    int state = try_connect(fd, address, datagram);
    if (state == 0) /* on loopback it is connected by now */
        state = try_connect(fd, address, datagram);
    if (state > 0)
        return fd;
    if (state < 0) {
        note_failure(race, errno, false);
        weir__system()->close(fd);
        return -1;
    }
    race->attempts[race->attempt_count++] = (struct attempt){fd, address};
    if (race->several != NULL)
        weir__several_add(race->several, fd);
    race->next_at = weir_deadline(ATTEMPT_DELAY);
    return -1;
}

/* --- the race --- */

static void leave_several(struct race *race, int fd, bool close_fd)
{
    if (race->several != NULL)
        weir__several_remove(race->several, fd, close_fd);
    else if (close_fd)
        weir__system()->close(fd);
}

/* How the attempts stand. Returns the descriptor of one that is connected, else -1; those that failed are gone. */
static int look_at_attempts(struct race *race)
{
    for (size_t i = race->attempt_count; i-- > 0;) {
        struct attempt attempt = race->attempts[i];
        int state = try_connect(attempt.fd, attempt.address, false);
        if (state == 0)
            continue;
        int number = errno;
        race->attempts[i] = race->attempts[--race->attempt_count];
        leave_several(race, attempt.fd, state < 0);
        if (state > 0)
            return attempt.fd;
        note_failure(race, number, false);
        race->next_at = WEIR_NOW;
    }
    return -1;
}

/* Waits for news of an attempt, or the time of the next. 0, or -1 with an error. */
static int wait_for_news(struct race *race)
{
    const struct weir__dialling *dialling = race->dialling;
    if (race->several == NULL) {
        race->several = weir__several_new(race->order.count);
        if (race->several == NULL)
            return weir__fail_memory("connect");
        for (size_t i = 0; i < race->attempt_count; i++)
            weir__several_add(race->several, race->attempts[i].fd);
    }
    bool more = race->next < race->order.count && race->next_at < dialling->deadline;
    int64_t deadline = more ? race->next_at : dialling->deadline;
    if (weir__several_wait(race->several, WEIR__WRITABLE, deadline, NULL, NULL) == 0 || (errno == ETIMEDOUT && more))
        return 0;
    if (errno == ETIMEDOUT)
        return weir__fail_deadline("connect", dialling->endpoint->text);
    if (errno == ECANCELED)
        return weir__fail_cancelled("connect", dialling->endpoint->text);
    return weir__fail_system(errno, "connect", dialling->endpoint->text);
}

/* Returns -1. */
static int nobody_answered(const struct race *race)
{
    if (race->at_bind)
        return weir_fail(WEIR_ERROR_CONNECT, race->number, "bind", race->dialling->options->bind, NULL);
    return weir__fail_system(race->number, "connect", race->dialling->endpoint->text);
}

static int run_race(struct race *race)
{
    for (;;) {
        while (race->next < race->order.count && (race->attempt_count == 0 || race->next_at <= weir__now())) {
            int fd = begin_attempt(race);
            if (fd >= 0)
                return fd;
        }
        if (race->attempt_count == 0)
            return nobody_answered(race);
        if (wait_for_news(race) < 0)
            return -1;
        int fd = look_at_attempts(race);
        if (fd >= 0)
            return fd;
    }
}

/* Shut down first: a backend may hold on to a descriptor for a while, and nobody is to be connected meanwhile. */
static void give_up_others(struct race *race)
{
    for (size_t i = 0; i < race->attempt_count; i++) {
        weir__system()->shutdown(race->attempts[i].fd, SHUT_RDWR);
        leave_several(race, race->attempts[i].fd, true);
    }
    weir__several_close(race->several);
}

int weir__connect_first(const struct weir__dialling *dialling, const struct weir__resolved *resolved)
{
    struct race *race = calloc(1, sizeof *race);
    if (race == NULL)
        return weir__fail_memory("connect");
    race->dialling = dialling;
    interleave(resolved, &race->order);
    int fd = run_race(race);
    int number = errno;
    give_up_others(race);
    free(race);
    errno = number;
    return fd;
}
