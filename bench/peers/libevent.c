/*
 * TCP echo on libevent's bufferevents, as its manual has it: what arrives is moved from the input
 * to the output buffer without a copy. A watermark stops reading from a client that does not read.
 */
#include "common.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>

enum { MOST_UNSENT = 1024 * 1024 };

static void on_read(struct bufferevent *client, void *argument)
{
    (void)argument;
    struct evbuffer *output = bufferevent_get_output(client);
    evbuffer_add_buffer(output, bufferevent_get_input(client));
    if (evbuffer_get_length(output) > MOST_UNSENT)
        bufferevent_disable(client, EV_READ);
}

/* Called when the output has drained. */
static void on_written(struct bufferevent *client, void *argument)
{
    (void)argument;
    bufferevent_enable(client, EV_READ);
}

static void on_last_written(struct bufferevent *client, void *argument)
{
    (void)argument;
    bufferevent_free(client);
}

/* A client that has only stopped sending still gets what it is owed. */
static void on_event(struct bufferevent *client, short events, void *argument)
{
    (void)argument;
    bool owed = evbuffer_get_length(bufferevent_get_output(client)) > 0;
    if (events & BEV_EVENT_EOF && owed)
        bufferevent_setcb(client, NULL, on_last_written, on_event, NULL);
    else if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        bufferevent_free(client);
}

static void on_accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int length,
                        void *argument)
{
    (void)address;
    (void)length;
    (void)argument;
    int on = 1;
    struct event_base *base = evconnlistener_get_base(listener);
    struct bufferevent *client = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!client) {
        evutil_closesocket(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    bufferevent_set_max_single_read(client, PEER_BUFFER);
    bufferevent_set_max_single_write(client, PEER_BUFFER);
    bufferevent_setcb(client, on_read, on_written, on_event, NULL);
    bufferevent_enable(client, EV_READ | EV_WRITE);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = peer_address(argc, argv);
    struct event_base *base = event_base_new();
    struct evconnlistener *listener =
        base ? evconnlistener_new_bind(base, on_accepted, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, PEER_BACKLOG,
                                       (struct sockaddr *)&address, sizeof address)
             : NULL;
    if (!listener)
        peer_fail("evconnlistener_new_bind");
    peer_ready(evconnlistener_get_fd(listener));
    return event_base_dispatch(base);
}
