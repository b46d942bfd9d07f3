/* TLS on a connection: that every call does what it does without, and what is TLS' alone. */
#include "certificates.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <weir/channel.h>
#include <weir/file.h>
#include <weir/log.h>

#include "net/tls.h"

/* --- two ends --- */

struct meeting {
    weir_listener *listener;
    weir_conn *accepted;
    bool shakes; /* in weir_accept's thread, not at the first call */
};

static void *accept_one(void *arg)
{
    struct meeting *meeting = arg;
    meeting->accepted = weir_accept(meeting->listener);
    if (meeting->accepted && meeting->shakes)
        check(weir_handshake(meeting->accepted) == 0);
    return NULL;
}

static weir_tls_options server_options(const char *name)
{
    return (weir_tls_options){.cert = in_folder(text("%s.pem", name)), .key = in_folder(text("%s.key", name))};
}

static weir_listener *listener_of(const weir_tls_options *tls)
{
    weir_listener *listener = weir_listen("tls://127.0.0.1:0", WEIR_OPTIONS(weir_listen_options, .tls = *tls));
    check(listener);
    return listener;
}

static weir_tls_options trusting(void)
{
    return (weir_tls_options){.ca = in_folder("ca.pem")};
}

/* [0] the client, [1] the server, both having shaken hands. */
static void meet_as(weir_conn *pair[2], const weir_tls_options *server, const weir_tls_options *client)
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

static void meet(weir_conn *pair[2])
{
    weir_tls_options server = server_options("server"), client = trusting();
    meet_as(pair, &server, &client);
}

static void part(weir_conn *pair[2])
{
    weir_close(pair[0]);
    weir_close(pair[1]);
}

static unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 31 + at / 251);
}

struct sending {
    weir_conn *conn;
    size_t size;
    int result;
};

static void *send_pattern(void *arg)
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

static void receive_pattern(weir_conn *conn, size_t size, size_t at_most)
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

/* --- the calls --- */

static void bytes_of_every_size_arrive(void)
{
    static const size_t sizes[] = {1, 64, 16383, 16384, 16385, 65536, 65537, 3000000};
    weir_conn *pair[2];
    meet(pair);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int from = 0; from < 2; from++) {
            struct sending sending = {pair[from], sizes[i], -1};
            pthread_t thread = beside(send_pattern, &sending);
            receive_pattern(pair[!from], sizes[i], 70000);
            join_beside(thread);
            check(sending.result == 0);
        }
    part(pair);
}

static void every_reading_call_reads(void)
{
    weir_conn *pair[2];
    char buffer[32], *data, *line;
    size_t length;
    meet(pair);
    check(weir_send_all(pair[0], "one\r\ntwo#abcdefghijklmnop", 25) == 0);
    check(weir_recv_flags(pair[1], buffer, 2, MSG_PEEK) == 2);
    check(memcmp(buffer, "on", 2) == 0);
    check(weir_read_line(pair[1], &line, &length, 100) == 1);
    check_text(line, "one");
    check(weir_read_until(pair[1], "#", 1, &data, &length, 100) == 1 && length == 4);
    check(weir_read_exactly(pair[1], buffer, 3) == 0 && memcmp(buffer, "abc", 3) == 0);
    struct iovec vector[2] = {{buffer, 2}, {buffer + 10, 3}};
    check(weir_recv_vector(pair[1], vector, 2) == 5);
    check(memcmp(buffer, "de", 2) == 0 && memcmp(buffer + 10, "fgh", 3) == 0);
    check(weir_receive(pair[1], &data) == 8 && memcmp(data, "ijklmnop", 8) == 0);
    weir_release(pair[1]);
    check(weir_recv_flags(pair[1], buffer, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    char a[] = "a", bc[] = "bc";
    struct iovec pieces[3] = {{a, 1}, {NULL, 0}, {bc, 2}};
    check(weir_send_vector_all(pair[1], pieces, 3) == 0);
    check(weir_recv_flags(pair[0], buffer, 3, MSG_WAITALL) == 3 && memcmp(buffer, "abc", 3) == 0);
    part(pair);
}

/* Vectors read what lies in OpenSSL without waiting for more than there is. */
static void vectors_take_what_is_there(void)
{
    weir_conn *pair[2];
    char a[4], b[100];
    struct iovec vector[2] = {{a, sizeof a}, {b, sizeof b}};
    meet(pair);
    check(weir_send_all(pair[0], "0123456789", 10) == 0);
    check(weir_recv_vector(pair[1], vector, 2) == 10);
    check(memcmp(a, "0123", 4) == 0 && memcmp(b, "456789", 6) == 0);
    part(pair);
}

static void a_file_is_sent(void)
{
    weir_conn *pair[2];
    char buffer[300], path[300];
    snprintf(path, sizeof path, "%s", in_folder("ca.pem"));
    int fd = open(path, O_RDONLY | O_CLOEXEC), whole = (int)read(fd, buffer, sizeof buffer);
    int64_t offset = 3;
    meet(pair);
    check(whole == (int)sizeof buffer);
    check(weir_sendfile(pair[0], fd, &offset, 200) == 200 && offset == 203);
    char got[200];
    check(weir_read_exactly(pair[1], got, sizeof got) == 0);
    check(memcmp(got, buffer + 3, sizeof got) == 0);
    close(fd);
    part(pair);
}

/* --- ends --- */

static void a_half_close_is_an_end_and_the_other_way_goes_on(void)
{
    weir_conn *pair[2];
    char buffer[10];
    meet(pair);
    check(weir_send_all(pair[0], "bye", 3) == 0);
    check(weir_shutdown(pair[0], SHUT_WR) == 0);
    check(weir_recv(pair[1], buffer, sizeof buffer) == 3);
    check(weir_recv(pair[1], buffer, sizeof buffer) == 0);
    check(weir_at_end(pair[1]));
    check(weir_recv(pair[1], buffer, sizeof buffer) == 0);
    check(weir_send_all(pair[1], "and you", 7) == 0);
    check(weir_read_exactly(pair[0], buffer, 7) == 0);
    check(weir_send_all(pair[0], "more", 4) == -1);
    check_error(EPIPE, WEIR_ERROR_CLOSED);
    part(pair);
}

static void a_close_is_an_end(void)
{
    weir_conn *pair[2];
    char buffer[10];
    meet(pair);
    check(weir_send_all(pair[1], "last", 4) == 0);
    check(weir_close(pair[1]) == 0);
    check(weir_read_exactly(pair[0], buffer, 4) == 0);
    check(weir_recv(pair[0], buffer, sizeof buffer) == 0);
    weir_close(pair[0]);
}

/* Who sits in between can end TCP, and not TLS. */
static void an_end_without_close_notify_is_a_cut(void)
{
    weir_conn *pair[2];
    char buffer[10], *line;
    meet(pair);
    check(weir_send_all(pair[0], "half", 4) == 0);
    check(shutdown(weir_fd(pair[0]), SHUT_WR) == 0);
    check(weir_read_line(pair[1], &line, NULL, 100) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    check_text(weir_error()->reason, "cut off: the stream ended without a close_notify");
    check(weir_read_exactly(pair[1], buffer, 4) == 0);
    check(weir_recv(pair[1], buffer, sizeof buffer) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    check(!weir_at_end(pair[1]));
    part(pair);
}

static void bytes_that_were_changed_are_an_error(void)
{
    weir_conn *pair[2];
    char buffer[10];
    meet(pair);
    check(send(weir_fd(pair[0]), "\x17\x03\x03\x00\x14this is no cipher...", 25, 0) == 25);
    check(weir_recv(pair[1], buffer, sizeof buffer) == -1);
    check_error(EPROTO, WEIR_ERROR_TLS);
    check(weir_send_all(pair[1], "x", 1) == -1);
    part(pair);
}

static void flush_waits_until_all_is_acknowledged(void)
{
    weir_conn *pair[2];
    meet(pair);
    struct sending sending = {pair[0], 1000000, -1};
    pthread_t thread = beside(send_pattern, &sending);
    receive_pattern(pair[1], 1000000, 5000);
    join_beside(thread);
    check(weir_flush(pair[0], WEIR_S(20)) == 0);
    part(pair);
}

static void the_descriptor_is_not_given_away(void)
{
    weir_conn *pair[2];
    meet(pair);
    check(weir_yield_fd(pair[0]) == -1);
    check_error(EOPNOTSUPP, WEIR_ERROR_USAGE);
    part(pair);
}

/* --- times, cancels --- */

static void a_deadline_ends_a_call_and_not_the_connection(void)
{
    weir_conn *pair[2];
    char buffer[4];
    meet(pair);
    weir_set_timeout(pair[1], WEIR_MS(5));
    check(weir_recv(pair[1], buffer, 4) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    weir_set_timeout(pair[1], WEIR_FOREVER);
    check(weir_send_all(pair[0], "here", 4) == 0);
    check(weir_read_exactly(pair[1], buffer, 4) == 0);
    part(pair);
}

static void *cancel_later(void *conn)
{
    weir_sleep(WEIR_MS(20));
    weir_cancel(conn);
    return NULL;
}

static void *abort_later(void *conn)
{
    weir_sleep(WEIR_MS(20));
    weir_abort(conn);
    return NULL;
}

static void a_call_is_cancelled(void)
{
    weir_conn *pair[2];
    char buffer[4];
    meet(pair);
    pthread_t thread = beside(cancel_later, pair[1]);
    ssize_t length;
    do /* a cancel before the call has begun is none of its */
        length = weir_recv(pair[1], buffer, 4);
    while (length >= 0);
    check_error(ECANCELED, WEIR_ERROR_CANCELLED);
    join_beside(thread);
    part(pair);
}

static void an_abort_ends_both_ends(void)
{
    weir_conn *pair[2];
    char buffer[4];
    meet(pair);
    pthread_t thread = beside(abort_later, pair[1]);
    check(weir_recv(pair[1], buffer, 4) == -1);
    check_error(ECONNABORTED, WEIR_ERROR_CLOSED);
    join_beside(thread);
    check(weir_recv(pair[0], buffer, 4) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    part(pair);
}

/* What a send that ran out of time has taken arrives, and transferred says how much that is. */
static void a_send_that_is_late_says_how_much_went(void)
{
    weir_conn *pair[2];
    meet(pair);
    check(weir_set_buffers(pair[0], 0, 4096) == 0);
    weir_set_timeout(pair[0], WEIR_MS(50));
    struct sending sending = {pair[0], 30000000, 0};
    unsigned char *data = malloc(sending.size);
    check(data);
    for (size_t i = 0; i < sending.size; i++)
        data[i] = pattern(i);
    check(weir_send_all(pair[0], data, sending.size) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    size_t went = (size_t)weir_error()->transferred;
    check(went > 0 && went < sending.size);
    weir_set_timeout(pair[0], WEIR_FOREVER);
    pthread_t thread = beside(send_pattern, &(struct sending){pair[0], 100, 0});
    receive_pattern(pair[1], went, 65536);
    char rest[100];
    check(weir_read_exactly(pair[1], rest, sizeof rest) == 0);
    join_beside(thread);
    free(data);
    part(pair);
}

/* --- select, copy, both at once --- */

static void select_sees_what_was_deciphered(void)
{
    weir_conn *pair[2];
    char byte;
    meet(pair);
    weir_case cases[] = {{.kind = WEIR_CASE_READABLE, .conn = pair[1]}};
    check(weir_select(cases, 1, weir_deadline(WEIR_MS(5))) == -1 && errno == ETIMEDOUT);
    check(weir_send_all(pair[0], "ab", 2) == 0);
    check(weir_select(cases, 1, SOON) == 0);
    check(weir_recv(pair[1], &byte, 1) == 1 && byte == 'a');
    check(weir_select(cases, 1, SOON) == 0);
    check(weir_recv(pair[1], &byte, 1) == 1 && byte == 'b');
    check(weir_select(cases, 1, weir_deadline(WEIR_MS(5))) == -1 && errno == ETIMEDOUT);
    check(weir_shutdown(pair[0], SHUT_WR) == 0);
    check(weir_select(cases, 1, SOON) == 0);
    part(pair);
}

/* Neither the beginning of a record nor what TLS says to itself is something to read. */
static void select_waits_for_a_whole_record(void)
{
    weir_conn *pair[2];
    meet(pair);
    weir_case cases[] = {{.kind = WEIR_CASE_READABLE, .conn = pair[1]}};
    check(send(weir_fd(pair[0]), "\x17\x03\x03", 3, 0) == 3);
    check(weir_select(cases, 1, weir_deadline(WEIR_MS(30))) == -1 && errno == ETIMEDOUT);
    SSL *ssl = weir__tls_of(pair[1])->ssl;
    check(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1);
    cases[0].conn = pair[0];
    check(weir_select(cases, 1, weir_deadline(WEIR_MS(30))) == -1 && errno == ETIMEDOUT);
    part(pair);
}

static void *copy_both(void *arg)
{
    weir_conn **ends = arg;
    weir_copy(ends[0], ends[1], NULL);
    return NULL;
}

static void a_copy_passes_bytes_and_ends(void)
{
    weir_conn *left[2], *right[2];
    meet(left);
    check(weir_pair(SOCK_STREAM, right) == 0);
    weir_conn *ends[2] = {left[1], right[0]};
    pthread_t copying = beside(copy_both, ends);
    for (int way = 0; way < 2; way++) {
        struct sending sending = {way ? right[1] : left[0], 2000000, -1};
        pthread_t thread = beside(send_pattern, &sending);
        receive_pattern(way ? left[0] : right[1], 2000000, 60000);
        join_beside(thread);
        check(sending.result == 0);
    }
    char byte;
    check(weir_shutdown(left[0], SHUT_WR) == 0);
    check(weir_recv(right[1], &byte, 1) == 0);
    check(weir_send_all(right[1], "x", 1) == 0);
    check(weir_recv(left[0], &byte, 1) == 1);
    check(weir_shutdown(right[1], SHUT_WR) == 0);
    check(weir_recv(left[0], &byte, 1) == 0);
    join_beside(copying);
    part(left);
    part(right);
}

/* A reader and a writer of each end at once, with key updates under way that readers answer. */
static void both_directions_go_at_once(void)
{
    weir_conn *pair[2];
    meet(pair);
    check(weir_set_buffers(pair[0], 0, 4096) == 0);
    struct sending sendings[2] = {{pair[0], 2000000, -1}, {pair[1], 2000000, -1}};
    for (int i = 0; i < 2; i++) {
        SSL *ssl = weir__tls_of(pair[i])->ssl;
        check(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
    }
    pthread_t threads[2] = {beside(send_pattern, &sendings[0]), beside(send_pattern, &sendings[1])};
    receive_pattern(pair[1], 1000000, 500);
    receive_pattern(pair[0], 2000000, 60000);
    char *data = malloc(1000000);
    check(data && weir_read_exactly(pair[1], data, 1000000) == 0);
    for (size_t i = 0; i < 1000000; i++)
        check((unsigned char)data[i] == pattern(1000000 + i));
    free(data);
    join_beside(threads[0]);
    join_beside(threads[1]);
    check(sendings[0].result == 0 && sendings[1].result == 0);
    part(pair);
}

/* --- the handshake --- */

static weir_conn *connect_to(const weir_listener *listener, const weir_tls_options *tls)
{
    return weir_connect(weir_listener_endpoint(listener, 0),
                        WEIR_OPTIONS(weir_connect_options, .tls = *tls, .timeout = WEIR_S(20)));
}

static void *read_lazily(void *arg)
{
    struct meeting *meeting = arg;
    char byte;
    meeting->accepted = weir_accept(meeting->listener);
    check(meeting->accepted);
    struct sending sending = {meeting->accepted, 50000, -1};
    pthread_t writer = beside(send_pattern, &sending);
    check(weir_recv(meeting->accepted, &byte, 1) == 1 && byte == 'x');
    join_beside(writer);
    check(sending.result == 0);
    return NULL;
}

/* The first of a reader and a writer makes it, and the other waits for that. */
static void the_first_call_shakes_hands(void)
{
    weir_tls_options server = server_options("server"), client = trusting();
    struct meeting meeting = {.listener = listener_of(&server)};
    pthread_t thread = beside(read_lazily, &meeting);
    weir_conn *conn = connect_to(meeting.listener, &client);
    check(conn);
    check(weir_send_all(conn, "x", 1) == 0);
    receive_pattern(conn, 50000, 1000);
    join_beside(thread);
    weir_close(conn);
    weir_close(meeting.accepted);
    weir_listener_close(meeting.listener);
}

/* A server's failing handshake is the client's affair here. */
static void *accept_in_vain(void *arg)
{
    struct meeting *meeting = arg;
    meeting->accepted = weir_accept(meeting->listener);
    if (meeting->accepted)
        weir_handshake(meeting->accepted);
    return NULL;
}

static void fails(const char *server_name, const weir_tls_options *client, const char *reason)
{
    weir_tls_options server = server_options(server_name);
    struct meeting meeting = {.listener = listener_of(&server)};
    pthread_t thread = beside(accept_in_vain, &meeting);
    check(connect_to(meeting.listener, client) == NULL);
    check_error(EPROTO, WEIR_ERROR_TLS);
    check_text(weir_error()->reason, reason);
    join_beside(thread);
    weir_close(meeting.accepted);
    weir_listener_close(meeting.listener);
}

static void certificates_are_verified(void)
{
    weir_tls_options client = trusting();
    fails("elsewhere", &client, "its certificate is for another host");
    fails("stranger", &client, "its certificate is of an unknown CA, self-signed");
    client.server_name = "example.test";
    fails("server", &client, "its certificate is for another host");
    client = (weir_tls_options){0};
    fails("server", &client, "its certificate is of an unknown CA");
}

static void insecure_takes_any(void)
{
    weir_conn *pair[2];
    weir_tls_options server = server_options("stranger"), client = {.insecure = true};
    weir_log_set(WEIR_LOG_NONE, WEIR_LOG_TEXT);
    meet_as(pair, &server, &client);
    weir_log_set(WEIR_LOG_INFO, WEIR_LOG_TEXT);
    check(weir_peer_name(pair[0]) == NULL);
    part(pair);
}

static void both_ends_are_told_who_the_other_is(void)
{
    weir_conn *pair[2];
    char spoken[100];
    weir_tls_options server = server_options("server"), client = server_options("client");
    server.ca = client.ca = in_folder("ca.pem");
    server.alpn = "weir/2,weir/1";
    client.alpn = "weir/1,other";
    meet_as(pair, &server, &client);
    check_text(weir_peer_name(pair[0]), "server");
    check_text(weir_peer_name(pair[1]), "client");
    check_text(weir_alpn(pair[0]), "weir/1");
    check_text(weir_alpn(pair[1]), "weir/1");
    check(strncmp(weir_tls_text(pair[1], spoken, sizeof spoken), "TLSv1.3 ", 8) == 0);
    part(pair);
}

static void who_has_no_certificate_is_not_let_in(void)
{
    char byte;
    weir_tls_options server = server_options("server"), client = trusting();
    server.ca = in_folder("ca.pem");
    struct meeting meeting = {.listener = listener_of(&server)};
    pthread_t thread = beside(accept_in_vain, &meeting);
    weir_conn *conn = connect_to(meeting.listener, &client);
    check(conn && weir_recv(conn, &byte, 1) == -1);
    check_error(EPROTO, WEIR_ERROR_TLS);
    check_text(weir_error()->reason, "it wants a certificate of us");
    join_beside(thread);
    check(weir_recv(meeting.accepted, &byte, 1) == -1);
    check_text(weir_error()->reason, "it has shown no certificate");
    weir_close(conn);
    weir_close(meeting.accepted);
    weir_listener_close(meeting.listener);
}

static void who_says_nothing_is_not_waited_for(void)
{
    int silent = plain_listening("127.0.0.1:0", 5);
    weir_tls_options client = trusting();
    check(weir_connect(text("tls://127.0.0.1:%u", port_of(silent)),
                       WEIR_OPTIONS(weir_connect_options, .tls = client, .timeout = WEIR_MS(30))) == NULL);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    close(silent);
}

static void *answer_in_plain_text(void *arg)
{
    int fd = accept4(*(int *)arg, NULL, NULL, SOCK_CLOEXEC);
    check(fd >= 0 && send(fd, "220 hello, this is no TLS\r\n", 27, MSG_NOSIGNAL) == 27);
    char buffer[4096];
    while (recv(fd, buffer, sizeof buffer, 0) > 0)
        continue;
    close(fd);
    return NULL;
}

static void *hang_up(void *arg)
{
    char byte;
    int fd = accept4(*(int *)arg, NULL, NULL, SOCK_CLOEXEC);
    check(fd >= 0 && recv(fd, &byte, 1, MSG_PEEK) == 1);
    shutdown(fd, SHUT_WR);
    while (recv(fd, &byte, 1, 0) > 0)
        continue;
    close(fd);
    return NULL;
}

static void what_is_no_tls_is_told(void)
{
    weir_tls_options client = trusting();
    int listening = plain_listening("127.0.0.1:0", 5);
    const char *endpoint = text("tls://127.0.0.1:%u", port_of(listening));
    pthread_t thread = beside(answer_in_plain_text, &listening);
    check(weir_connect(endpoint, WEIR_OPTIONS(weir_connect_options, .tls = client)) == NULL);
    check_error(EPROTO, WEIR_ERROR_TLS);
    check_text(weir_error()->reason, "it does not speak TLS");
    join_beside(thread);
    thread = beside(hang_up, &listening);
    check(weir_connect(endpoint, WEIR_OPTIONS(weir_connect_options, .tls = client)) == NULL);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    join_beside(thread);
    close(listening);
}

static void files_that_are_wrong_are_told(void)
{
    weir_tls_options tls = {.ca = in_folder("missing.pem")};
    check(weir_connect("tls://127.0.0.1:1", WEIR_OPTIONS(weir_connect_options, .tls = tls)) == NULL);
    check(weir_error()->kind == WEIR_ERROR_USAGE && errno == ENOENT);
    tls = (weir_tls_options){.cert = in_folder("server.pem"), .key = in_folder("client.key")};
    check(weir_listen("tls://127.0.0.1:0", WEIR_OPTIONS(weir_listen_options, .tls = tls)) == NULL);
    check(weir_error()->kind == WEIR_ERROR_USAGE);
    check(weir_listen("tls://127.0.0.1:0", NULL) == NULL);
    check(weir_error()->kind == WEIR_ERROR_USAGE);
    tls = server_options("server");
    tls.alpn = "a,,b";
    check(weir_listen("tls://127.0.0.1:0", WEIR_OPTIONS(weir_listen_options, .tls = tls)) == NULL);
    check(weir_error()->kind == WEIR_ERROR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(bytes_of_every_size_arrive),
        EVERYWHERE(every_reading_call_reads),
        EVERYWHERE(vectors_take_what_is_there),
        EVERYWHERE(a_file_is_sent),
        EVERYWHERE(a_half_close_is_an_end_and_the_other_way_goes_on),
        EVERYWHERE(a_close_is_an_end),
        EVERYWHERE(an_end_without_close_notify_is_a_cut),
        EVERYWHERE(bytes_that_were_changed_are_an_error),
        EVERYWHERE(flush_waits_until_all_is_acknowledged),
        EVERYWHERE(the_descriptor_is_not_given_away),
        EVERYWHERE(a_deadline_ends_a_call_and_not_the_connection),
        EVERYWHERE(a_call_is_cancelled),
        EVERYWHERE(an_abort_ends_both_ends),
        EVERYWHERE(a_send_that_is_late_says_how_much_went),
        EVERYWHERE(select_sees_what_was_deciphered),
        EVERYWHERE(select_waits_for_a_whole_record),
        EVERYWHERE(a_copy_passes_bytes_and_ends),
        EVERYWHERE(both_directions_go_at_once),
        EVERYWHERE(the_first_call_shakes_hands),
        EVERYWHERE(certificates_are_verified),
        EVERYWHERE(insecure_takes_any),
        EVERYWHERE(both_ends_are_told_who_the_other_is),
        EVERYWHERE(who_has_no_certificate_is_not_let_in),
        EVERYWHERE(who_says_nothing_is_not_waited_for),
        EVERYWHERE(what_is_no_tls_is_told),
        EVERYWHERE(files_that_are_wrong_are_told),
    };
    return cmocka_run_group_tests_name("tls", tests, make_certificates, remove_certificates);
}
