/* Who sends to which mount; see seats.h. */
#include "seats.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A source that lives is heard of many times a second. */
#define SILENT WEIR_S(2)

struct seats {
    pthread_mutex_t lock;
    struct seat *first;
};

struct seats *seats_new(void)
{
    struct seats *seats = calloc(1, sizeof *seats);
    if (seats)
        pthread_mutex_init(&seats->lock, NULL);
    else
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "stream", NULL);
    return seats;
}

void seats_free(struct seats *seats)
{
    if (!seats)
        return;
    pthread_mutex_destroy(&seats->lock);
    free(seats);
}

/* Whichever port: a source that comes back has another one. */
static bool same_host(const weir_address *a, const weir_address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->ipv4.sin_addr.s_addr == b->ipv4.sin_addr.s_addr;
    return a->any.sa_family == AF_INET6 && memcmp(&a->ipv6.sin6_addr, &b->ipv6.sin6_addr, 16) == 0;
}

static bool is_ghost(const struct seat *seat, const struct seat *of)
{
    return same_host(&seat->who, &of->who) || weir_now() - atomic_load(&seat->heard) > SILENT;
}

/* It finds its place taken, and leaves; its connection stands as long as it is in the list. */
static void cut(struct seat *seat)
{
    atomic_store(&seat->replaced, true);
    weir_abort(seat->conn);
}

int seat_take(struct seats *seats, struct seat *seat)
{
    int result = 0;
    atomic_store(&seat->heard, weir_now());
    pthread_mutex_lock(&seats->lock);
    for (struct seat *other = seats->first; other && result == 0; other = other->next)
        if (strcmp(other->path, seat->path) == 0 && !is_ghost(other, seat))
            result = -1;
    for (struct seat *other = seats->first; other && result == 0; other = other->next)
        if (strcmp(other->path, seat->path) == 0)
            cut(other);
    if (result == 0) {
        seat->next = seats->first;
        seats->first = seat;
    }
    pthread_mutex_unlock(&seats->lock);
    return result == 0 ? 0 : weir_fail(WEIR_ERROR_BUSY, EBUSY, "receive", seat->path, "another source sends to it");
}

void seat_leave(struct seats *seats, struct seat *seat)
{
    pthread_mutex_lock(&seats->lock);
    struct seat **at = &seats->first;
    while (*at && *at != seat)
        at = &(*at)->next;
    if (*at)
        *at = seat->next;
    pthread_mutex_unlock(&seats->lock);
}

/* What they have sent so far is on; who comes now finds that mounts take no more. */
void seats_stop(struct seats *seats)
{
    pthread_mutex_lock(&seats->lock);
    for (struct seat *seat = seats->first; seat; seat = seat->next)
        weir_set_deadline(seat->conn, WEIR_READ, WEIR_NOW);
    pthread_mutex_unlock(&seats->lock);
}
