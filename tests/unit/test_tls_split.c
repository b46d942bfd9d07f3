/*
 * What TLS says to itself after the handshake, in parts: the peer is OpenSSL between buffers in memory, so that a test
 * decides which bytes come when. And handshakes beside each other.
 */
#include "secured.h"

#include <openssl/err.h>
#include <poll.h>
#include <weir/channel.h>
#include <weir/fiber.h>

/* --- a peer by hand --- */

struct peer {
    int listening, fd;
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out;           /* the SSL object's */
    weir_conn *_Atomic conn; /* the other end, where the test is told */
};

static SSL_CTX *peer_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    check(context);
    check(SSL_CTX_use_certificate_chain_file(context, in_folder("server.pem")) == 1);
    check(SSL_CTX_use_PrivateKey_file(context, in_folder("server.key"), SSL_FILETYPE_PEM) == 1);
    check(SSL_CTX_load_verify_locations(context, in_folder("ca.pem"), NULL) == 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL); /* a client's certificate makes a ticket longer than a record */
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"test", 4);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_max_send_fragment(context, 512);
    return context;
}

static void send_plain(const struct peer *peer, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(peer->fd, data, size, MSG_NOSIGNAL);
        check(sent > 0);
        data += sent;
        size -= (size_t)sent;
    }
}

/* What the SSL object has said, to the socket, but for the first `kept` bytes that were sent already. */
static void pass_on(const struct peer *peer, size_t kept)
{
    char *data;
    size_t size = (size_t)BIO_get_mem_data(peer->out, &data);
    send_plain(peer, data + kept, size - kept);
    BIO_reset(peer->out);
}

static void hear(const struct peer *peer)
{
    char data[20000];
    ssize_t length = recv(peer->fd, data, sizeof data, 0);
    check(length > 0 && BIO_write(peer->in, data, (int)length) == length);
}

static void *shake(void *arg)
{
    struct peer *peer = arg;
    peer->fd = accept4(peer->listening, NULL, NULL, SOCK_CLOEXEC);
    check(peer->fd >= 0);
    while (SSL_accept(peer->ssl) != 1) {
        ERR_clear_error();
        pass_on(peer, 0);
        hear(peer);
    }
    pass_on(peer, 0);
    return NULL;
}

/* A client of ours that has shaken hands with the peer. */
static weir_conn *meet_peer(struct peer *peer)
{
    weir_tls_options tls = server_options("client");
    tls.ca = in_folder("ca.pem");
    peer->listening = plain_listening("127.0.0.1:0", 5);
    peer->context = peer_context();
    peer->ssl = SSL_new(peer->context);
    peer->in = BIO_new(BIO_s_mem());
    peer->out = BIO_new(BIO_s_mem());
    check(peer->ssl && peer->in && peer->out);
    SSL_set_bio(peer->ssl, peer->in, peer->out);
    pthread_t thread = beside(shake, peer);
    weir_conn *conn = weir_connect(text("tls://127.0.0.1:%u", port_of(peer->listening)),
                                   WEIR_OPTIONS(weir_connect_options, .tls = tls, .timeout = WEIR_S(20)));
    check(conn);
    join_beside(thread);
    return conn;
}

static void forget_peer(const struct peer *peer)
{
    SSL_free(peer->ssl);
    SSL_CTX_free(peer->context);
    close(peer->fd);
    close(peer->listening);
}

/* --- a ticket in two records --- */

/* Sends the first record of a ticket, and has the client read it. Returns how many bytes have gone. */
static size_t send_part(const struct peer *peer, weir_conn *conn)
{
    char *data, byte;
    check(SSL_new_session_ticket(peer->ssl) == 1 && SSL_do_handshake(peer->ssl) == 1);
    size_t size = (size_t)BIO_get_mem_data(peer->out, &data);
    size_t first = 5 + ((size_t)(unsigned char)data[3] << 8 | (unsigned char)data[4]);
    check(first < size);
    send_plain(peer, data, first);
    while (!SSL_in_init(weir__tls_of(conn)->ssl)) {
        check(weir_recv_flags(conn, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
        weir_sleep(WEIR_MS(1));
    }
    return first;
}

static void expect_bytes(const struct peer *peer, size_t size)
{
    unsigned char data[1000];
    for (size_t done = 0; done < size;) {
        int length = SSL_read(peer->ssl, data, sizeof data);
        if (length <= 0) {
            check(SSL_get_error(peer->ssl, length) == SSL_ERROR_WANT_READ);
            hear(peer);
            continue;
        }
        for (int i = 0; i < length; i++)
            check(data[i] == pattern(done + (size_t)i));
        done += (size_t)length;
    }
}

static void expect_end(const struct peer *peer)
{
    char byte;
    int length;
    while ((length = SSL_read(peer->ssl, &byte, 1)) <= 0 && SSL_get_error(peer->ssl, length) == SSL_ERROR_WANT_READ)
        hear(peer);
    check(length <= 0 && SSL_get_error(peer->ssl, length) == SSL_ERROR_ZERO_RETURN);
}

static void await_stuck(weir_conn *conn)
{
    while (!weir__tls_of(conn)->stuck)
        weir_sleep(WEIR_MS(1));
}

/* The writer gets the rest itself, and the connection goes on. */
static void a_writer_waits_for_the_rest_of_a_ticket(void)
{
    struct peer peer;
    weir_conn *conn = meet_peer(&peer);
    size_t sent = send_part(&peer, conn);
    struct sending sending = {conn, 5000, -1};
    pthread_t thread = beside(send_pattern, &sending);
    await_stuck(conn);
    pass_on(&peer, sent);
    expect_bytes(&peer, 5000);
    join_beside(thread);
    check(sending.result == 0);
    weir_close(conn);
    expect_end(&peer);
    forget_peer(&peer);
}

static void *read_one(void *arg)
{
    char byte;
    check(weir_recv(arg, &byte, 1) == 1 && byte == 'y');
    return NULL;
}

/* Whatever of it the writer receives, what came behind is the reader's. */
static void a_reader_beside_it_misses_nothing(void)
{
    struct peer peer;
    weir_conn *conn = meet_peer(&peer);
    for (int i = 0; i < 5; i++) {
        size_t sent = send_part(&peer, conn);
        struct sending sending = {conn, 100, -1};
        pthread_t reader = beside(read_one, conn), writer = beside(send_pattern, &sending);
        await_stuck(conn);
        check(SSL_write(peer.ssl, "y", 1) == 1);
        pass_on(&peer, sent);
        join_beside(reader);
        expect_bytes(&peer, 100);
        join_beside(writer);
        check(sending.result == 0);
    }
    weir_close(conn);
    forget_peer(&peer);
}

static void a_writer_that_waits_has_its_deadline(void)
{
    struct peer peer;
    weir_conn *conn = meet_peer(&peer);
    size_t sent = send_part(&peer, conn);
    weir_set_timeout(conn, WEIR_MS(30));
    check(weir_send_all(conn, "x", 1) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check(weir_send_flags(conn, "x", 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    weir_set_timeout(conn, WEIR_FOREVER);
    pass_on(&peer, sent);
    struct sending sending = {conn, 10, -1};
    pthread_t thread = beside(send_pattern, &sending);
    expect_bytes(&peer, 10);
    join_beside(thread);
    weir_close(conn);
    forget_peer(&peer);
}

static void *copy_both(void *arg)
{
    weir_conn **ends = arg;
    weir_copy(ends[0], ends[1], NULL);
    return NULL;
}

static void a_copy_goes_on_after_it(void)
{
    struct peer peer;
    weir_conn *right[2], *conn = meet_peer(&peer);
    check(weir_pair(SOCK_STREAM, right) == 0);
    size_t sent = send_part(&peer, conn);
    weir_conn *ends[2] = {conn, right[0]};
    pthread_t copying = beside(copy_both, ends);
    struct sending sending = {right[1], 5000, -1};
    pthread_t thread = beside(send_pattern, &sending);
    await_stuck(conn);
    pass_on(&peer, sent);
    expect_bytes(&peer, 5000);
    join_beside(thread);
    check(weir_shutdown(right[1], SHUT_WR) == 0);
    expect_end(&peer);
    check(SSL_shutdown(peer.ssl) == 1);
    pass_on(&peer, 0);
    join_beside(copying);
    part(right);
    weir_close(conn);
    forget_peer(&peer);
}

static void *copy_in_vain(void *arg)
{
    weir_conn **ends = arg;
    check(weir_copy(ends[0], ends[1], NULL) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    return NULL;
}

/* Nobody can hold it up by half a message: a write that does not go on has its limit. */
static void a_copy_does_not_wait_for_it_for_ever(void)
{
    struct peer peer;
    weir_conn *right[2], *conn = meet_peer(&peer);
    static const struct weir__conn_limits limits = {
        .idle = WEIR_FOREVER, .write = WEIR_MS(50), .message = WEIR_FOREVER};
    weir__conn_set_limits(conn, &limits, WEIR_FOREVER);
    check(weir_pair(SOCK_STREAM, right) == 0);
    send_part(&peer, conn);
    weir_conn *ends[2] = {conn, right[0]};
    pthread_t copying = beside(copy_in_vain, ends);
    check(weir_send_all(right[1], "x", 1) == 0);
    join_beside(copying);
    part(right);
    weir_close(conn);
    forget_peer(&peer);
}

static void an_end_is_said_after_it(void)
{
    struct peer peer;
    weir_conn *conn = meet_peer(&peer);
    size_t sent = send_part(&peer, conn);
    pass_on(&peer, sent);
    struct pollfd arrived = {.fd = weir_fd(conn), .events = POLLIN};
    check(poll(&arrived, 1, 10000) == 1);
    weir_close(conn);
    expect_end(&peer);
    forget_peer(&peer);
}

/* It receives on the way: a reader that is about to wait is told, since the socket no longer does. */
static void a_reader_is_told_of_what_the_end_has_received(void)
{
    struct peer peer;
    char byte;
    weir_conn *conn = meet_peer(&peer);
    size_t sent = send_part(&peer, conn);
    check(SSL_write(peer.ssl, "y", 1) == 1);
    pass_on(&peer, sent);
    struct pollfd arrived = {.fd = weir_fd(conn), .events = POLLIN};
    check(poll(&arrived, 1, 10000) == 1);
    check(weir_shutdown(conn, SHUT_WR) == 0);
    check(weir__tls_of(conn)->told);
    check(weir_recv(conn, &byte, 1) == 1 && byte == 'y');
    expect_end(&peer);
    weir_close(conn);
    forget_peer(&peer);
}

static void a_cut_in_the_middle_of_it_is_told(void)
{
    struct peer peer;
    weir_conn *conn = meet_peer(&peer);
    send_part(&peer, conn);
    check(shutdown(peer.fd, SHUT_WR) == 0);
    check(weir_send_all(conn, "x", 1) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    weir_close(conn);
    forget_peer(&peer);
}

/* --- an answer that finds no room --- */

/* Nobody writes here any more, and still the peer gets the answer to its key update. */
static void an_answer_does_not_wait_for_the_next_writer(void)
{
    struct peer peer;
    weir_conn *conn = meet_peer(&peer);
    check(weir_set_buffers(conn, 0, 4096) == 0);
    static char data[4096];
    ssize_t length;
    size_t size = 0;
    while ((length = weir_send_flags(conn, data, sizeof data, MSG_DONTWAIT)) > 0)
        size += (size_t)length;
    check(errno == EAGAIN && weir__tls_of(conn)->owes);
    pthread_t reader = beside(read_one, conn);
    check(SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(peer.ssl) == 1);
    pass_on(&peer, 0);
    while (size > 0) {
        int got = SSL_read(peer.ssl, data, sizeof data);
        if (got <= 0)
            hear(&peer);
        else
            size -= (size_t)got;
    }
    while (weir__tls_of(conn)->owes)
        weir_sleep(WEIR_MS(1));
    check(SSL_write(peer.ssl, "y", 1) == 1);
    pass_on(&peer, 0);
    join_beside(reader);
    weir_close(conn);
    forget_peer(&peer);
}

/* --- a handshake that finds no room --- */

/* With a chain that no small buffer holds. */
static weir_listener *long_listener(void)
{
    weir_tls_options tls = server_options("server");
    tls.cert = in_folder("long.pem");
    check(system(text("cd %s && (cat server.pem; for i in $(seq 100); do cat ca.pem; done) >long.pem",
                      certificates_folder)) == 0);
    weir_listener *listener = weir_listen(
        "tls://127.0.0.1:0", WEIR_OPTIONS(weir_listen_options, .tls = tls, .socket = {.send_buffer = 4096}));
    check(listener);
    return listener;
}

/* Says hello, and takes nothing until the server cannot go on. */
static void *take_late(void *arg)
{
    struct peer *peer = arg;
    SSL_connect(peer->ssl);
    ERR_clear_error();
    pass_on(peer, 0);
    while (!peer->conn || !weir__tls_of(peer->conn)->owes)
        weir_sleep(WEIR_MS(1));
    while (SSL_do_handshake(peer->ssl) != 1) {
        ERR_clear_error();
        pass_on(peer, 0);
        hear(peer);
    }
    pass_on(peer, 0);
    return NULL;
}

static void a_handshake_waits_for_room(void)
{
    struct peer peer = {
        .context = SSL_CTX_new(TLS_client_method()), .in = BIO_new(BIO_s_mem()), .out = BIO_new(BIO_s_mem())};
    weir_listener *listener = long_listener();
    check(peer.context && peer.in && peer.out && (peer.ssl = SSL_new(peer.context)));
    SSL_set_bio(peer.ssl, peer.in, peer.out);
    peer.listening = plain_listening("127.0.0.1:0", 1);
    peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int room = 4096;
    weir_address address = address_of(weir_listener_endpoint(listener, 0) + strlen("tls://"));
    check(peer.fd >= 0 && setsockopt(peer.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room) == 0);
    check(connect(peer.fd, &address.any, address.length) == 0);
    pthread_t thread = beside(take_late, &peer);
    weir_conn *conn = weir_accept(listener);
    check(conn);
    peer.conn = conn;
    check(weir_handshake(conn) == 0);
    join_beside(thread);
    weir_close(conn);
    forget_peer(&peer);
    weir_listener_close(listener);
}

/* --- what TLS does not have --- */

static void urgent_data_is_refused(void)
{
    struct peer peer;
    weir_conn *conn = meet_peer(&peer);
    char byte;
    check(weir_send_flags(conn, "x", 1, MSG_OOB) == -1);
    check_error(EOPNOTSUPP, WEIR_ERROR_USAGE);
    check_text(weir_error()->reason, "TLS has no urgent data (MSG_OOB)");
    struct iovec vector = {&byte, 1};
    check(weir_send_vector_flags(conn, &vector, 1, MSG_OOB) == -1 && errno == EOPNOTSUPP);
    check(weir_recv_flags(conn, &byte, 1, MSG_OOB) == -1 && errno == EOPNOTSUPP);
    weir_close(conn);
    forget_peer(&peer);
}

/* --- select --- */

static void *connect_and_send(void *arg)
{
    weir_tls_options tls = trusting();
    weir_conn *conn = weir_connect(weir_listener_endpoint(arg, 0), WEIR_OPTIONS(weir_connect_options, .tls = tls));
    check(conn && weir_send_all(conn, "y", 1) == 0);
    char byte;
    check(weir_recv(conn, &byte, 1) == 0);
    weir_close(conn);
    return NULL;
}

/* One that never begins its handshake keeps nobody from the other, whose handshake is made within the select. */
static void select_makes_handshakes_beside_each_other(void)
{
    weir_tls_options tls = server_options("server");
    weir_listener *listener = listener_of(&tls);
    char byte;
    int silent = plain_connected(SOCK_STREAM, weir_listener_endpoint(listener, 0) + strlen("tls://"));
    weir_conn *first = weir_accept(listener);
    pthread_t thread = beside(connect_and_send, listener);
    weir_conn *second = weir_accept(listener);
    check(first && second);
    weir_case cases[] = {{.kind = WEIR_CASE_READABLE, .conn = first}, {.kind = WEIR_CASE_READABLE, .conn = second}};
    check(weir_select(cases, 2, WEIR_FOREVER) == 1);
    check(weir_recv(second, &byte, 1) == 1 && byte == 'y');
    check(weir_select(cases, 1, weir_deadline(WEIR_MS(5))) == -1 && errno == ETIMEDOUT);
    check(weir__tls_of(first)->state == WEIR__TLS_NEW);
    check(send(silent, "no TLS at all", 13, MSG_NOSIGNAL) == 13);
    check(weir_select(cases, 1, WEIR_FOREVER) == 0);
    check(weir_recv(first, &byte, 1) == -1);
    check_error(EPROTO, WEIR_ERROR_TLS);
    weir_close(first);
    weir_close(second);
    join_beside(thread);
    close(silent);
    weir_listener_close(listener);
}

/* One that may be written to has shaken hands, and both directions of one may be waited for. */
static void select_for_writing_shakes_hands_first(void)
{
    weir_tls_options tls = server_options("server");
    weir_listener *listener = listener_of(&tls);
    char byte;
    pthread_t thread = beside(connect_and_send, listener);
    weir_conn *conn = weir_accept(listener);
    check(conn);
    weir_case cases[] = {{.kind = WEIR_CASE_WRITABLE, .conn = conn}, {.kind = WEIR_CASE_READABLE, .conn = conn}};
    check(weir_select(cases, 1, WEIR_FOREVER) == 0);
    check(weir__tls_of(conn)->state == WEIR__TLS_READY);
    check(weir_select(cases, 2, WEIR_FOREVER) >= 0);
    check(weir_recv(conn, &byte, 1) == 1 && byte == 'y');
    weir_close(conn);
    join_beside(thread);
    weir_listener_close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(a_writer_waits_for_the_rest_of_a_ticket),
        EVERYWHERE(a_reader_beside_it_misses_nothing),
        EVERYWHERE(a_writer_that_waits_has_its_deadline),
        EVERYWHERE(a_copy_goes_on_after_it),
        EVERYWHERE(a_copy_does_not_wait_for_it_for_ever),
        EVERYWHERE(an_end_is_said_after_it),
        EVERYWHERE(a_reader_is_told_of_what_the_end_has_received),
        EVERYWHERE(a_cut_in_the_middle_of_it_is_told),
        EVERYWHERE(an_answer_does_not_wait_for_the_next_writer),
        EVERYWHERE(a_handshake_waits_for_room),
        EVERYWHERE(urgent_data_is_refused),
        EVERYWHERE(select_makes_handshakes_beside_each_other),
        EVERYWHERE(select_for_writing_shakes_hands_first),
    };
    return cmocka_run_group_tests_name("tls_split", tests, make_certificates, remove_certificates);
}
