/* For tests of connecting: a resolver of the test's own, and a listener that is full. */
#ifndef WEIR_TESTS_DIALLED_H
#define WEIR_TESTS_DIALLED_H

#include "sockets.h"

#include <netdb.h>

/* --- a resolver of the test's own --- */

static const char *fake_addresses[40]; /* as weir_parse_address reads them, port 0; NULL-terminated */
static int fake_result;
static atomic_bool fake_hangs;
static atomic_int fakes_running;

static inline int fake_resolve(const char *host, const char *port, const struct addrinfo *hints,
                               struct addrinfo **result)
{
    (void)host, (void)port;
    fakes_running++;
    while (fake_hangs)
        usleep(1000);
    *result = NULL;
    if (fake_result) {
        fakes_running--;
        return fake_result;
    }
    struct addrinfo **end = result;
    for (int i = 0; fake_addresses[i]; i++) {
        weir_address address = address_of(fake_addresses[i]);
        if (hints->ai_family && hints->ai_family != address.any.sa_family)
            continue;
        *end = calloc(1, sizeof **end);
        (*end)->ai_family = address.any.sa_family;
        (*end)->ai_addr = malloc(address.length);
        (*end)->ai_addrlen = address.length;
        memcpy((*end)->ai_addr, &address.any, address.length);
        end = &(*end)->ai_next;
    }
    return 0;
}

static inline void fake_resolve_free(struct addrinfo *result)
{
    while (result) {
        struct addrinfo *next = result->ai_next;
        free(result->ai_addr);
        free(result);
        result = next;
    }
    fakes_running--;
}

static inline struct weir__system *resolve_to(const char *const *addresses)
{
    struct weir__system *system = replace_system();
    system->resolve = fake_resolve;
    system->resolve_free = fake_resolve_free;
    fake_result = 0;
    fake_hangs = false;
    memset(fake_addresses, 0, sizeof fake_addresses);
    for (int i = 0; addresses && addresses[i]; i++)
        fake_addresses[i] = addresses[i];
    return system;
}

/* A listener of 127.0.0.x whose queue is full: who connects waits, until somebody makes room. */
struct full {
    int fd, clients[8];
    unsigned port;
};

static inline void fill(struct full *full, const char *address)
{
    full->fd = plain_listening(address, 0);
    full->port = port_of(full->fd);
    for (int i = 0; i < 8; i++) {
        weir_address to = {.length = sizeof to.local};
        getsockname(full->fd, &to.any, &to.length);
        full->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(full->clients[i], &to.any, to.length);
    }
}

/* Empties it, and returns how many had connected. */
static inline int drain(struct full *full)
{
    for (int i = 0; i < 8; i++)
        close(full->clients[i]);
    int count = 0, client;
    struct timeval moment = {.tv_usec = 50000};
    setsockopt(full->fd, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof moment);
    while ((client = accept(full->fd, NULL, NULL)) >= 0) {
        close(client);
        count++;
    }
    close(full->fd);
    return count;
}

static inline void converse(weir_conn *conn, int peer)
{
    char buffer[8] = "";
    check(weir_send_all(conn, "hello", 5) == 0);
    check(recv(peer, buffer, 5, MSG_WAITALL) == 5);
    check_text(buffer, "hello");
    check(send(peer, "world", 5, 0) == 5);
    check(weir_recv(conn, buffer, sizeof buffer) == 5);
    check_text(buffer, "world");
    close(peer);
    check(weir_close(conn) == 0);
}

#endif
