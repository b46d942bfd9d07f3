/* Sessions that clients go on with: with whom, how often, how many, and with whom never. */
#include "secured.h"

#include <weir/log.h>
#include <weir/server.h>

#include "net/tls_context.h"

/* Sends back what comes. */
static void answer(weir_conn *conn, void *arg)
{
    char byte;
    (void)arg;
    check(weir_conn_scheme(conn) == WEIR_SCHEME_HTTPS);
    while (weir_recv(conn, &byte, 1) == 1 && weir_send_all(conn, &byte, 1) == 0)
        continue;
}

/* Trust of its own: what earlier tests have kept is another context's. */
static weir_tls_options trusting_anew(void)
{
    static char files[8][300];
    static unsigned number;
    char *file = files[++number % 8];
    snprintf(file, sizeof files[0], "%s/anew-%u.pem", certificates_folder, number);
    check(system(text("cp %s/ca.pem %s", certificates_folder, file)) == 0);
    return (weir_tls_options){.ca = file};
}

static weir_server *answering(void)
{
    weir_tls_options tls = server_options("server");
    weir_server_options options = {.size = sizeof options, .workers = 1, .listen = {.tls = tls}};
    weir_server *server = weir_server_new(&options);
    check(server && weir_server_add(server, "https://127.0.0.1:0", answer, NULL) == 0);
    check(weir_server_start(server) == 0);
    return server;
}

/* One more client, which reads, and so learns of a ticket. Left open. */
static weir_conn *come(const weir_server *to, const weir_tls_options *tls)
{
    weir_conn *conn = weir_connect(weir_server_endpoint(to, 0),
                                   WEIR_OPTIONS(weir_connect_options, .tls = *tls, .timeout = WEIR_S(20)));
    char byte;
    check(conn && weir_conn_scheme(conn) == WEIR_SCHEME_HTTPS);
    check(weir_send_all(conn, "x", 1) == 0 && weir_recv(conn, &byte, 1) == 1);
    return conn;
}

static size_t kept_with(weir_conn *conn)
{
    return weir__tls_of(conn)->context->session_count;
}

static bool resumed(weir_conn *conn)
{
    char spoken[100];
    return strstr(weir_tls_text(conn, spoken, sizeof spoken), " resumed");
}

static bool goes_on(const weir_server *to, const weir_tls_options *tls)
{
    weir_conn *conn = come(to, tls);
    bool again = resumed(conn);
    check_text(weir_peer_name(conn), "server");
    weir_close(conn);
    return again;
}

static void the_next_client_goes_on(void)
{
    weir_tls_options tls = trusting_anew();
    weir_server *to = answering();
    check(!goes_on(to, &tls));
    for (int i = 0; i < 6; i++)
        check(goes_on(to, &tls));
    weir_server_free(to);
}

/* The name decides what was verified, the endpoint who it is, and other files are other contexts. */
static void nobody_goes_on_with_what_was_verified_otherwise(void)
{
    weir_tls_options tls = trusting_anew();
    weir_server *to = answering(), *other = answering();
    check(!goes_on(to, &tls) && goes_on(to, &tls));
    check(!goes_on(other, &tls));
    tls.server_name = "localhost";
    check(!goes_on(to, &tls) && goes_on(to, &tls));
    tls.server_name = "elsewhere.test";
    check(!weir_connect(weir_server_endpoint(to, 0), WEIR_OPTIONS(weir_connect_options, .tls = tls)));
    check_text(weir_error()->reason, "its certificate is for another host");
    tls = server_options("client");
    tls.ca = in_folder("ca.pem");
    check(!goes_on(to, &tls) && goes_on(to, &tls));
    tls = trusting_anew();
    check(!goes_on(to, &tls) && goes_on(to, &tls));
    check(system(text("cat %s/stranger.pem >>%s", certificates_folder, tls.ca)) == 0);
    check(!goes_on(to, &tls));
    weir_server_free(to);
    weir_server_free(other);
}

static void who_wants_to_shakes_hands_in_full(void)
{
    weir_tls_options tls = trusting_anew(), fresh = tls;
    fresh.fresh = true;
    weir_server *to = answering();
    check(!goes_on(to, &tls) && goes_on(to, &tls));
    check(!goes_on(to, &fresh));
    check(goes_on(to, &tls)); /* and what another has kept is still there */
    check(!goes_on(to, &fresh));
    weir_server_free(to);
}

static weir_conn *connected(const weir_server *to, const weir_tls_options *tls)
{
    weir_conn *conn = weir_connect(weir_server_endpoint(to, 0), WEIR_OPTIONS(weir_connect_options, .tls = *tls));
    check(conn);
    return conn;
}

/* A ticket of TLS 1.3: of two clients that have one between them, the second shakes hands in full. */
static void a_ticket_is_used_once(void)
{
    weir_tls_options tls = trusting_anew();
    weir_server *to = answering();
    weir_conn *first = come(to, &tls);
    check(!resumed(first) && kept_with(first) == 1);
    struct weir__tls_context *context = weir__tls_take(weir__tls_of(first)->context);
    weir_close(first);
    weir_conn *second = connected(to, &tls);
    check(resumed(second) && context->session_count == 0);
    weir_conn *third = come(to, &tls);
    check(!resumed(third) && context->session_count == 1);
    weir_close(second);
    weir_close(third);
    weir__tls_drop(context);
    weir_server_free(to);
}

static void a_few_are_kept_of_each_peer(void)
{
    enum { CLIENTS = 6, KEPT = 4 };
    weir_tls_options tls = trusting_anew();
    weir_server *to = answering();
    weir_conn *held[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        held[i] = connected(to, &tls);
    for (int i = 0; i < CLIENTS; i++) {
        char byte;
        check(weir_send_all(held[i], "x", 1) == 0 && weir_recv(held[i], &byte, 1) == 1);
        check(kept_with(held[i]) == (size_t)(i < KEPT ? i + 1 : KEPT));
    }
    for (int i = 0; i < CLIENTS; i++)
        weir_close(held[i]);
    weir_server_free(to);
}

/* Many names: the oldest gives way to the newest. */
static void what_is_kept_of_all_is_bounded(void)
{
    enum { NAMES = WEIR__TLS_SESSIONS + 3 };
    char name[16];
    weir_tls_options tls = {.insecure = true, .server_name = name};
    weir_server *to = answering();
    weir_log_set(WEIR_LOG_NONE, WEIR_LOG_TEXT);
    for (int i = 0; i <= NAMES + 1; i++) {
        snprintf(name, sizeof name, "name-%d", i < NAMES ? i : i == NAMES ? NAMES - 1 : 0);
        weir_conn *conn = come(to, &tls);
        check(kept_with(conn) <= WEIR__TLS_SESSIONS);
        check(resumed(conn) == (i == NAMES));
        weir_close(conn);
    }
    weir_log_set(WEIR_LOG_INFO, WEIR_LOG_TEXT);
    weir_server_free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(the_next_client_goes_on),           EVERYWHERE(nobody_goes_on_with_what_was_verified_otherwise),
        EVERYWHERE(who_wants_to_shakes_hands_in_full), EVERYWHERE(a_ticket_is_used_once),
        EVERYWHERE(a_few_are_kept_of_each_peer),       EVERYWHERE(what_is_kept_of_all_is_bounded),
    };
    return cmocka_run_group_tests_name("tls_sessions", tests, make_certificates, remove_certificates);
}
