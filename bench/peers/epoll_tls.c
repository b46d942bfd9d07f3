/*
 * TLS echo by hand: OpenSSL on its own descriptors, level-triggered epoll. Reads ahead, so that a short message is
 * one receive; one answer a record; buffers are released while nothing is in them. A client that does not take its
 * answers is not read.
 *
 * peer_epoll_tls PORT CERTIFICATE-AND-KEY
 */
#include "common.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 1024 };

struct conn {
    SSL *ssl;
    int fd;
    char *unsent; /* NULL while the client keeps up */
    int length;
};

static char buffer[PEER_BUFFER];
static SSL_CTX *context;

static void watch(int epoll, int op, struct conn *c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll, op, c->fd, &event) < 0)
        peer_fail("epoll_ctl");
}

static void drop(struct conn *c, bool well)
{
    if (well)
        SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    close(c->fd);
    free(c->unsent);
    free(c);
}

static void accept_all(int epoll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = calloc(1, sizeof *c);
        if (!c || !(c->ssl = SSL_new(context)))
            peer_fail("calloc");
        c->fd = fd;
        SSL_set_fd(c->ssl, fd);
        SSL_set_accept_state(c->ssl);
        watch(epoll, EPOLL_CTL_ADD, c, EPOLLIN);
    }
}

/* Whether the call only has to wait. */
static bool waits(const struct conn *c, int result)
{
    int error = SSL_get_error(c->ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* Copies what could not be sent and waits for room instead of input. */
static void keep_unsent(int epoll, struct conn *c, int length)
{
    c->unsent = malloc((size_t)length);
    if (!c->unsent)
        peer_fail("malloc");
    memcpy(c->unsent, buffer, (size_t)length);
    c->length = length;
    watch(epoll, EPOLL_CTL_MOD, c, EPOLLOUT);
}

static void on_readable(int epoll, struct conn *c)
{
    do {
        int got = SSL_read(c->ssl, buffer, sizeof buffer);
        if (got <= 0) {
            if (!waits(c, got))
                drop(c, SSL_get_error(c->ssl, got) == SSL_ERROR_ZERO_RETURN);
            return;
        }
        int sent = SSL_write(c->ssl, buffer, got);
        if (sent <= 0) {
            if (waits(c, sent))
                keep_unsent(epoll, c, got);
            else
                drop(c, false);
            return;
        }
    } while (SSL_has_pending(c->ssl));
}

static void on_writable(int epoll, struct conn *c)
{
    int sent = SSL_write(c->ssl, c->unsent, c->length);
    if (sent <= 0) {
        if (!waits(c, sent))
            drop(c, false);
        return;
    }
    free(c->unsent);
    c->unsent = NULL;
    watch(epoll, EPOLL_CTL_MOD, c, EPOLLIN);
    if (SSL_has_pending(c->ssl))
        on_readable(epoll, c);
}

static void dispatch(int epoll, int listener, struct conn *c)
{
    if (!c)
        accept_all(epoll, listener);
    else if (c->unsent)
        on_writable(epoll, c);
    else
        on_readable(epoll, c);
}

static void make_context(const char *file)
{
    context = SSL_CTX_new(TLS_server_method());
    if (!context || SSL_CTX_use_certificate_chain_file(context, file) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, file, SSL_FILETYPE_PEM) != 1)
        peer_fail(file);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN}};
    if (argc < 3)
        peer_fail("no certificate");
    make_context(argv[2]);
    int listener = peer_listen(2, argv, SOCK_NONBLOCK);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &events[0]) < 0)
        peer_fail("epoll");
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++)
            dispatch(epoll, listener, events[i].data.ptr);
    }
}
