/* What the tests of TLS share: two ends that have shaken hands, and bytes that are known again. */
#ifndef WEIR_TESTS_SECURED_H
#define WEIR_TESTS_SECURED_H

#include "certificates.h"

#include <openssl/ssl.h>

#include "net/tls.h"

/* --- two ends --- */

struct meeting {
    weir_listener *listener;
    weir_conn *accepted;
    bool shakes; /* in weir_accept's thread, not at the first call */
};

static inline void *accept_one(void *arg)
{
    struct meeting *meeting = arg;
    meeting->accepted = weir_accept(meeting->listener);
    if (meeting->accepted && meeting->shakes)
        check(weir_handshake(meeting->accepted) == 0);
    return NULL;
}

static inline weir_tls_options server_options(const char *name)
{
    return (weir_tls_options){.cert = in_folder(text("%s.pem", name)), .key = in_folder(text("%s.key", name))};
}

static inline weir_listener *listener_of(const weir_tls_options *tls)
{
    weir_listener *listener = weir_listen("tls://127.0.0.1:0", WEIR_OPTIONS(weir_listen_options, .tls = *tls));
    check(listener);
    return listener;
}

static inline weir_tls_options trusting(void)
{
    return (weir_tls_options){.ca = in_folder("ca.pem")};
}

/* [0] the client, [1] the server, both having shaken hands. */
static inline void meet_as(weir_conn *pair[2], const weir_tls_options *server, const weir_tls_options *client)
{
    struct meeting meeting = {listener_of(server), NULL, true};
    pthread_t thread = beside(accept_one, &meeting);
    pair[0] =
        weir_connect(weir_listener_endpoint(meeting.listener, 0), WEIR_OPTIONS(weir_connect_options, .tls = *client));
    check(pair[0]);
    join_beside(thread);
    pair[1] = meeting.accepted;
    check(pair[1]);
    weir_listener_close(meeting.listener);
}

static inline void meet(weir_conn *pair[2])
{
    weir_tls_options server = server_options("server"), client = trusting();
    meet_as(pair, &server, &client);
}

static inline void part(weir_conn *pair[2])
{
    weir_close(pair[0]);
    weir_close(pair[1]);
}

static inline unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 31 + at / 251);
}

struct sending {
    weir_conn *conn;
    size_t size;
    int result;
};

static inline void *send_pattern(void *arg)
{
    struct sending *sending = arg;
    unsigned char *data = malloc(sending->size);
    check(data);
    for (size_t i = 0; i < sending->size; i++)
        data[i] = pattern(i);
    sending->result = weir_send_all(sending->conn, data, sending->size);
    free(data);
    return NULL;
}

static inline void receive_pattern(weir_conn *conn, size_t size, size_t at_most)
{
    unsigned char *data = malloc(at_most);
    check(data);
    for (size_t done = 0; done < size;) {
        ssize_t length = weir_recv(conn, data, size - done < at_most ? size - done : at_most);
        check(length > 0);
        for (ssize_t i = 0; i < length; i++)
            check(data[i] == pattern(done + (size_t)i));
        done += (size_t)length;
    }
    free(data);
}

#endif
