/* What the tests of servers share: a server in each model on each backend, and plain sockets as its clients. */
#ifndef WEIR_TESTS_SERVERS_H
#define WEIR_TESTS_SERVERS_H

#include <poll.h>
#include <stdatomic.h>
#include <weir/server.h>

#include "sockets.h"

struct mode {
    weir_model model;
    weir_backend backend;
};

static struct mode modes[] __attribute__((unused)) = {
    {WEIR_MODEL_FIBER, WEIR_BACKEND_URING},     {WEIR_MODEL_FIBER, WEIR_BACKEND_EPOLL},
    {WEIR_MODEL_THREAD, WEIR_BACKEND_URING},    {WEIR_MODEL_THREAD, WEIR_BACKEND_EPOLL},
    {WEIR_MODEL_ITERATIVE, WEIR_BACKEND_URING}, {WEIR_MODEL_ITERATIVE, WEIR_BACKEND_EPOLL},
};

#define IN_MODE(test, name, index)                                                                                     \
    {                                                                                                                  \
#test " " name, test, NULL, NULL, &modes[index]                                                                \
    }
#define WITH_FIBERS(test)  IN_MODE(test, "in fibers on uring", 0), IN_MODE(test, "in fibers on epoll", 1)
#define WITH_THREADS(test) IN_MODE(test, "in threads on uring", 2), IN_MODE(test, "in threads on epoll", 3)
#define ONE_BY_ONE(test)   IN_MODE(test, "one by one on uring", 4), IN_MODE(test, "one by one on epoll", 5)
/* Those in which clients are served at once; and all. */
#define AT_ONCE(test)       WITH_FIBERS(test), WITH_THREADS(test)
#define IN_EVERY_MODE(test) AT_ONCE(test), ONE_BY_ONE(test)

static inline int try_uring(void *works)
{
    *(bool *)works = uring_works();
    return 0;
}

/* In a thread of its own: when a ring has ended, the kernel interrupts what its thread does next. */
static inline bool has_uring(void)
{
    static bool tried, works;
    struct other thread;
    if (!tried) {
        start_thread(&thread, try_uring, &works);
        finish_other(&thread);
    }
    tried = true;
    return works;
}

/* The options of a test's mode. */
static inline weir_server_options options_of(void **state)
{
    const struct mode *mode = *state;
    weir_server_options options = {.size = sizeof options, .name = "test"};
    options.model = mode->model;
    options.backend = mode->backend == WEIR_BACKEND_URING && !has_uring() ? WEIR_BACKEND_EPOLL : mode->backend;
    return options;
}

static inline weir_server *server_with(const weir_server_options *options, const char *endpoint,
                                       weir_stream_handler *handler, void *arg)
{
    weir_server *server = weir_server_new(options);
    check(server);
    check(weir_server_add(server, endpoint, handler, arg) == 0);
    check(weir_server_start(server) == 0);
    return server;
}

/* The address in an endpoint: what follows its scheme. */
static inline const char *address_in(const char *endpoint)
{
    const char *end = strstr(endpoint, "://");
    return end ? end + 3 : strchr(endpoint, ':') + 1;
}

/* A client of a server's first address; its calls end after 10 s. */
static inline int client_of(const weir_server *server)
{
    int fd = plain_connected(SOCK_STREAM, address_in(weir_server_endpoint(server, 0)));
    check(fd >= 0);
    return fd;
}

/* Sends a text and receives as much. False where the connection ends before, or nothing comes. */
static inline bool is_echoed(int fd, const char *text)
{
    char answer[64] = "";
    size_t length = strlen(text), got = 0;
    if (send(fd, text, length, MSG_NOSIGNAL) != (ssize_t)length)
        return false;
    while (got < length) {
        ssize_t more = recv(fd, answer + got, sizeof answer - 1 - got, 0);
        if (more <= 0)
            return false;
        got += (size_t)more;
    }
    return strcmp(answer, text) == 0;
}

/* Whether the other side has ended or cut the connection: nothing else comes. */
static inline bool has_ended(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) <= 0 && errno != EAGAIN;
}

static inline weir_counters counters_of(const weir_server *server)
{
    weir_counters counters;
    weir_server_counters(server, &counters);
    return counters;
}

/* Stops it without hurry, waits for its end and frees it. */
static inline void end_server(weir_server *server)
{
    weir_server_stop(server, weir_deadline(WEIR_S(20)));
    check(weir_server_wait(server, weir_deadline(WEIR_S(30))) == 0);
    weir_server_free(server);
}

static inline void echo(weir_conn *conn, void *arg)
{
    char *data;
    ssize_t size;
    (void)arg;
    while ((size = weir_receive(conn, &data)) > 0)
        if (weir_send_all(conn, data, (size_t)size) < 0)
            return;
}

#endif
