/* The places that a server serves: bound when they are added, with a socket for each worker once it starts. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <weir/fiber.h>

#include "base/error.h"
#include "base/text.h"
#include "server/inherited.h"
#include "server/own.h"
#include "server/server.h"

#define LONGEST_PAUSE WEIR_MS(80)

/* --- one place --- */

static struct weir__place *place_new(const weir_endpoint *endpoint, const struct weir__listen_socket *socket,
                                     const struct weir__place *like)
{
    struct weir__place *place = calloc(1, sizeof *place);
    if (!place || !(place->sockets = malloc(sizeof *place->sockets)))
        goto no_memory;
    place->stream = like->stream;
    place->datagram = like->datagram;
    place->arg = like->arg;
    place->address = socket->address;
    place->scheme = endpoint->scheme;
    place->file = socket->file;
    place->unlinks = socket->file.inode != 0;
    place->trusted = weir_address_is_loopback(&socket->address);
    place->shared = socket->address.any.sa_family == AF_UNIX;
    place->sockets[0] = socket->fd;
    place->socket_count = 1;
    weir__listen_text(endpoint, socket, place->text, sizeof place->text);
    if (endpoint->datagram && weir__own_add(&place->address) < 0)
        goto no_memory;
    place->own = endpoint->datagram;
    return place;

no_memory:
    if (place)
        free(place->sockets);
    free(place);
    weir__fail_memory("add");
    return NULL;
}

/* The kernel's count of what it had to drop at a datagram socket. */
static uint64_t dropped(int fd)
{
    uint32_t numbers[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof numbers;
    if (weir__system()->getsockopt(fd, SOL_SOCKET, SO_MEMINFO, numbers, &length) < 0)
        return 0;
    return numbers[SK_MEMINFO_DROPS];
}

static bool all_closed(const struct weir__place *place)
{
    for (size_t i = 0; i < place->socket_count; i++)
        if (place->sockets[i] >= 0)
            return false;
    return true;
}

/* What goes with the last socket of a place. */
static void end_place(struct weir__place *place)
{
    if (place->own)
        weir__own_remove(&place->address);
    place->own = false;
    if (place->unlinks)
        weir__unix_unlink(&place->address, &place->file);
    place->unlinks = false;
}

static void close_socket(struct weir__place *place, size_t i)
{
    if (place->sockets[i] >= 0)
        weir__system()->close(place->sockets[i]);
    place->sockets[i] = -1;
}

static void place_free(struct weir__place *place)
{
    for (size_t i = 0; i < place->socket_count; i++)
        close_socket(place, i);
    end_place(place);
    free(place->sockets);
    free(place);
}

/* --- adding --- */

static int append(weir_server *server, struct weir__place *place)
{
    struct weir__place **larger = realloc(server->places, (server->place_count + 1) * sizeof(struct weir__place *));
    if (!larger)
        return weir__fail_memory("add");
    server->places = larger;
    server->places[server->place_count++] = place;
    return 0;
}

static void drop_behind(weir_server *server, size_t count)
{
    while (server->place_count > count)
        place_free(server->places[--server->place_count]);
}

/* Adds a place a socket, all or none; the sockets are taken over either way. */
static int add_sockets(weir_server *server, const weir_endpoint *endpoint, struct weir__listen_socket *sockets,
                       size_t count, const struct weir__place *like)
{
    size_t before = server->place_count;
    for (size_t i = 0; i < count; i++) {
        struct weir__place *place = place_new(endpoint, &sockets[i], like);
        if (place && append(server, place) == 0)
            continue;
        drop_behind(server, before);
        if (place)
            place_free(place);
        weir__listen_close(sockets + i + (place != NULL), count - i - (place != NULL));
        return -1;
    }
    return 0;
}

static int check_kind(const weir_endpoint *endpoint, const struct weir__place *like)
{
    if (endpoint->datagram == (like->datagram != NULL))
        return 0;
    return weir_fail(WEIR_ERROR_USAGE, EPROTOTYPE, NULL, endpoint->text,
                     endpoint->datagram ? "the handler is one for streams" : "the handler is one for datagrams");
}

static int check_tls(const weir_server *server, const weir_endpoint *endpoint)
{
    if (!weir_scheme_is_secure(endpoint->scheme) || server->tls)
        return 0;
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, NULL, endpoint->text,
                     "a TLS server must have a certificate and its key (--cert, --key)");
}

/*
 * The kernel takes apart the rings of a process that was killed after its end, and its sockets with them: for some
 * milliseconds they are still there. Whoever is started in its place waits for that; what is held for longer is held.
 */
static int listen_at(const weir_server *server, const weir_endpoint *endpoint, struct weir__listen_socket *sockets)
{
    for (int64_t pause = WEIR_MS(10);; pause *= 2) {
        int count = weir__listen_sockets(endpoint, &server->options.listen, sockets, WEIR__LISTEN_MOST);
        if (count >= 0 || errno != EADDRINUSE || pause > LONGEST_PAUSE)
            return count;
        if (weir_sleep(pause) < 0)
            return weir__fail_cancelled("listen", endpoint->text);
    }
}

int weir__places_add(weir_server *server, const char *text, const struct weir__place *like)
{
    const char *scheme = server->scheme ? server->scheme : like->datagram ? "udp" : "tcp";
    struct weir__listen_socket sockets[WEIR__LISTEN_MOST];
    weir_endpoint endpoint;
    if (weir_parse_endpoint(text, scheme, &endpoint) < 0 || check_kind(&endpoint, like) < 0 ||
        check_tls(server, &endpoint) < 0)
        return -1;
    int count = weir__inherited_take(&endpoint, sockets, WEIR__LISTEN_MOST);
    bool inherited = count > 0;
    for (int i = 0; i < count; i++)
        weir__socket_setup(sockets[i].fd, !endpoint.datagram && endpoint.scheme != WEIR_SCHEME_UNIX,
                           &server->options.listen.socket);
    if (!inherited)
        count = listen_at(server, &endpoint, sockets);
    if (count < 0)
        return -1;
    size_t before = server->place_count;
    if (add_sockets(server, &endpoint, sockets, (size_t)count, like) < 0)
        return -1;
    for (size_t i = before; inherited && i < server->place_count; i++)
        server->places[i]->shared = true;
    return 0;
}

/* --- sockets for workers --- */

static int another(const weir_server *server, const struct weir__place *place)
{
    int fd = place->shared ? weir__system()->fcntl(place->sockets[0], F_DUPFD_CLOEXEC, 3)
                           : weir__listen_sibling(place->sockets[0], &server->options.listen);
    return fd < 0 ? weir__fail_system(errno, "listen", place->text) : fd;
}

static int open_place(const weir_server *server, struct weir__place *place, size_t count)
{
    int *larger = realloc(place->sockets, count * sizeof *larger);
    if (!larger)
        return weir__fail_memory("listen");
    place->sockets = larger;
    while (place->socket_count < count) {
        int fd = another(server, place);
        if (fd < 0)
            return -1;
        place->sockets[place->socket_count++] = fd;
    }
    return 0;
}

int weir__places_open(weir_server *server, size_t count)
{
    for (size_t i = 0; i < server->place_count; i++)
        if (server->places[i]->socket_count < count && open_place(server, server->places[i], count) < 0)
            return -1;
    return 0;
}

/* --- closing --- */

void weir__places_keep(weir_server *server, size_t first, size_t count)
{
    for (size_t i = 0; i < server->place_count; i++)
        for (size_t k = 0; k < server->places[i]->socket_count; k++)
            if (k < first || k >= first + count)
                close_socket(server->places[i], k);
}

void weir__places_free(weir_server *server)
{
    drop_behind(server, 0);
    free(server->places);
    server->places = NULL;
}

/*
 * Where the sockets are one, duplicated, the kernel counts for all of them: so it is asked of the last to be closed, and among
 * several processes, of the first one's.
 */
static bool counts_drops(const weir_server *server, const struct weir__place *place)
{
    return place->datagram && (!place->shared || (all_closed(place) && server->first_socket == 0));
}

void weir__place_close_socket(struct weir__worker *worker, struct weir__place *place)
{
    weir_server *server = worker->server;
    size_t mine = server->first_socket + worker->index;
    pthread_mutex_lock(&server->lock);
    uint64_t drops = place->datagram ? dropped(place->sockets[mine]) : 0;
    close_socket(place, mine);
    if (counts_drops(server, place))
        weir__count(worker->counters, datagrams_dropped, drops);
    if (all_closed(place))
        end_place(place);
    pthread_mutex_unlock(&server->lock);
}

/* At the open sockets of a place. */
static uint64_t place_dropped(const weir_server *server, const struct weir__place *place)
{
    uint64_t sum = 0;
    if (!place->datagram || (place->shared && server->first_socket != 0))
        return 0;
    for (size_t i = 0; i < place->socket_count; i++) {
        if (place->sockets[i] < 0)
            continue;
        sum += dropped(place->sockets[i]);
        if (place->shared)
            break;
    }
    return sum;
}

uint64_t weir__places_dropped(const weir_server *server)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < server->place_count; i++)
        sum += place_dropped(server, server->places[i]);
    return sum;
}
