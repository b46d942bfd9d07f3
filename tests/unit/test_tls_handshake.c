/* The handshake of TLS: who makes it and when, whose certificates are taken, and what is said of those that are not. */
#include "secured.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <weir/log.h>

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
    client = trusting();
    client.server_name = "localhost";
    fails("subject", &client, "its certificate is for another host");
    client = trusting();
    client.server_name = "below.test";
    fails("below", &client, "its certificate is for another host");
    client = (weir_tls_options){0};
    fails("server", &client, "its certificate is of an unknown CA");
}

/* A dot in front is OpenSSL's way to ask for any name below. */
static void a_name_that_is_none_is_refused(void)
{
    static const char *const names[] = {"", ".", ".below.test", "%lo"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        weir_tls_options server = server_options("below"), client = trusting();
        struct meeting meeting = {.listener = listener_of(&server)};
        client.server_name = names[i];
        pthread_t thread = beside(accept_in_vain, &meeting);
        check(connect_to(meeting.listener, &client) == NULL);
        check_error(EINVAL, WEIR_ERROR_USAGE);
        join_beside(thread);
        weir_close(meeting.accepted);
        weir_listener_close(meeting.listener);
    }
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

/* Without a common name the first DNS name is told; and nothing in a name steers a terminal. */
static void names_are_told_as_they_can_be(void)
{
    weir_conn *pair[2];
    weir_tls_options server = server_options("server"), client = server_options("nameless");
    server.ca = client.ca = in_folder("ca.pem");
    meet_as(pair, &server, &client);
    check_text(weir_peer_name(pair[1]), "first.test");
    part(pair);
    client = server_options("odd");
    client.ca = in_folder("ca.pem");
    meet_as(pair, &server, &client);
    check_text(weir_peer_name(pair[1]), "odd\\xc3\\xa9\\x5cx");
    part(pair);
}

/* Many clients of different options: what is kept of them is bounded, and none gets another's. */
static void clients_of_different_options_do_not_mix(void)
{
    weir_conn *pair[2];
    weir_tls_options server = server_options("server"), client = trusting();
    char protocol[16];
    for (int i = 0; i < 12; i++) {
        snprintf(protocol, sizeof protocol, "weir/%d", i);
        server.alpn = client.alpn = protocol;
        meet_as(pair, &server, &client);
        check_text(weir_alpn(pair[0]), protocol);
        part(pair);
    }
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
    tls = (weir_tls_options){.cert = in_folder("server.pem"), .key = in_folder("locked.key")};
    check(weir_listen("tls://127.0.0.1:0", WEIR_OPTIONS(weir_listen_options, .tls = tls)) == NULL);
    check(weir_error()->kind == WEIR_ERROR_USAGE); /* and nobody was asked for its password */
    check_text(weir_error()->reason, "the key has a password, which nobody is there to type");
    tls = (weir_tls_options){.cert = in_folder("ca.pem")};
    check(weir_listen("tls://127.0.0.1:0", WEIR_OPTIONS(weir_listen_options, .tls = tls)) == NULL);
    check_text(weir_error()->reason, "there is no private key in it, or none of a kind that is known");
    tls = server_options("server");
    tls.alpn = "a,,b";
    check(weir_listen("tls://127.0.0.1:0", WEIR_OPTIONS(weir_listen_options, .tls = tls)) == NULL);
    check(weir_error()->kind == WEIR_ERROR_USAGE);
}

static void *send_in_vain(void *conn)
{
    check(weir_send_all(conn, "x", 1) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    return NULL;
}

/* The writer makes the handshake, in the reader's place; the reader, which waits for that, goes when its time has come. */
static void each_call_has_its_own_time_in_a_handshake(void)
{
    weir_tls_options server = server_options("server");
    weir_listener *listener = listener_of(&server);
    int silent = plain_connected(SOCK_STREAM, weir_listener_endpoint(listener, 0) + strlen("tls://"));
    weir_conn *conn = weir_accept(listener);
    char byte;
    check(conn);
    pthread_t thread = beside(send_in_vain, conn);
    while (weir__tls_of(conn)->state != WEIR__TLS_SHAKING)
        weir_sleep(WEIR_MS(1));
    weir_set_timeout(conn, WEIR_MS(30));
    check(weir_recv(conn, &byte, 1) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check(weir__tls_of(conn)->state == WEIR__TLS_SHAKING);
    close(silent);
    join_beside(thread);
    weir_close(conn);
    weir_listener_close(listener);
}

/* A pipe that nobody writes to, where the CA's certificate is to be. */
static void a_file_that_does_not_come_holds_up_nobody(void)
{
    const char *pipe = text("%s/pipe.pem", certificates_folder);
    weir_tls_options tls = {.ca = pipe};
    check(mkfifo(pipe, 0600) == 0);
    check(weir_connect("tls://127.0.0.1:1", WEIR_OPTIONS(weir_connect_options, .tls = tls, .timeout = WEIR_MS(30))) ==
          NULL);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    int fd = open(pipe, O_RDWR | O_CLOEXEC); /* whoever of the pool is at it comes to an end */
    check(fd >= 0 && write(fd, "none\n", 5) == 5);
    close(fd);
    check(unlink(pipe) == 0);
}

static void protocols_are_agreed_on_or_there_is_no_connection(void)
{
    weir_conn *pair[2];
    weir_tls_options server = server_options("server"), client = trusting();
    client.alpn = "h2";
    meet_as(pair, &server, &client); /* who speaks of none takes all */
    check(weir_alpn(pair[0]) == NULL && weir_alpn(pair[1]) == NULL);
    part(pair);
    server.alpn = "http/1.1";
    struct meeting meeting = {.listener = listener_of(&server)};
    pthread_t thread = beside(accept_in_vain, &meeting);
    check(connect_to(meeting.listener, &client) == NULL);
    check_error(EPROTO, WEIR_ERROR_TLS);
    check_text(weir_error()->reason, "it has no protocol in common with us (ALPN)");
    join_beside(thread);
    weir_close(meeting.accepted);
    weir_listener_close(meeting.listener);
}

static void *handshake_of(void *arg)
{
    check(weir_handshake(arg) == 0);
    return NULL;
}

static void *connect_and_wait(void *arg)
{
    weir_tls_options client = trusting();
    weir_conn *conn = connect_to(arg, &client);
    char byte;
    check(conn && weir_recv(conn, &byte, 1) == 0);
    weir_close(conn);
    return NULL;
}

/* A select is at it for a moment only: who waited for it then goes on with the handshake. */
static void a_call_goes_on_with_what_a_select_has_left(void)
{
    weir_tls_options server = server_options("server");
    weir_listener *listener = listener_of(&server);
    pthread_t client = beside(connect_and_wait, listener);
    weir_conn *conn = weir_accept(listener);
    check(conn);
    weir__tls_of(conn)->state = WEIR__TLS_SHAKING;
    pthread_t caller = beside(handshake_of, conn);
    while (!conn->side[0].busy)
        weir_sleep(WEIR_MS(1));
    weir_sleep(WEIR_MS(3));
    weir__tls_of(conn)->state = WEIR__TLS_NEW;
    join_beside(caller);
    weir_close(conn);
    join_beside(client);
    weir_listener_close(listener);
}

/* Where nobody says otherwise: who offers HTTP/2 too is told at once which it is to be. */
static void https_speaks_http(void)
{
    weir_tls_options server = server_options("server"), client = trusting();
    struct meeting meeting = {.listener =
                                  weir_listen("https://127.0.0.1:0", WEIR_OPTIONS(weir_listen_options, .tls = server)),
                              .shakes = true};
    check(meeting.listener);
    client.alpn = "h2,http/1.1";
    pthread_t thread = beside(accept_one, &meeting);
    weir_conn *conn = connect_to(meeting.listener, &client);
    check(conn);
    join_beside(thread);
    check_text(weir_alpn(conn), "http/1.1");
    check_text(weir_alpn(meeting.accepted), "http/1.1");
    weir_close(conn);
    weir_close(meeting.accepted);
    client.alpn = "h2";
    meeting.shakes = false;
    thread = beside(accept_in_vain, &meeting);
    check(connect_to(meeting.listener, &client) == NULL);
    check_text(weir_error()->reason, "it has no protocol in common with us (ALPN)");
    join_beside(thread);
    weir_close(meeting.accepted);
    weir_listener_close(meeting.listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(the_first_call_shakes_hands),
        EVERYWHERE(certificates_are_verified),
        EVERYWHERE(a_name_that_is_none_is_refused),
        EVERYWHERE(insecure_takes_any),
        EVERYWHERE(both_ends_are_told_who_the_other_is),
        EVERYWHERE(names_are_told_as_they_can_be),
        EVERYWHERE(clients_of_different_options_do_not_mix),
        EVERYWHERE(who_has_no_certificate_is_not_let_in),
        EVERYWHERE(who_says_nothing_is_not_waited_for),
        EVERYWHERE(what_is_no_tls_is_told),
        EVERYWHERE(files_that_are_wrong_are_told),
        EVERYWHERE(each_call_has_its_own_time_in_a_handshake),
        EVERYWHERE(a_file_that_does_not_come_holds_up_nobody),
        EVERYWHERE(protocols_are_agreed_on_or_there_is_no_connection),
        EVERYWHERE(a_call_goes_on_with_what_a_select_has_left),
        EVERYWHERE(https_speaks_http),
    };
    return cmocka_run_group_tests_name("tls_handshake", tests, make_certificates, remove_certificates);
}
