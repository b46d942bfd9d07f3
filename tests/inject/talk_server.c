/* Conversations with servers of every model: clients in the main thread, workers in theirs. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "talks.h"

static weir_server *make_server(weir_server_options options)
{
    options.size = sizeof options;
    options.backend = talk_backend;
    weir_server *server = weir_server_new(&options);
    if (!server)
        failed("weir_server_new");
    return server;
}

/* Whoever came has gone: counted while it served, and looked at when it has stopped. */
static bool stop(weir_server *server, uint64_t clients, bool well)
{
    weir_counters counters;
    weir_server_stop(server, SOON);
    if (weir_server_wait(server, SOON) < 0)
        return failed("weir_server_wait");
    weir_server_counters(server, &counters);
    if (counters.active)
        return wrong("%d connections are active after the end", (int)counters.active);
    if (well && counters.accepted < clients)
        return wrong("%d clients were served, %d counted", (int)clients, (int)counters.accepted);
    return well;
}

static bool serve_clients(weir_server *server, int clients)
{
    TRY(weir_server_add(server, "tcp://127.0.0.1:0", echo_handler, NULL));
    TRY(weir_server_start(server));
    bool well = true;
    for (int i = 0; i < clients && well; i++)
        well = converse(weir_server_endpoint(server, 0));
    return stop(server, (uint64_t)clients, well);
}

static bool serve(weir_model model, int workers, int clients)
{
    weir_server *server = make_server((weir_server_options){.model = model, .workers = workers});
    bool well = server && serve_clients(server, clients);
    weir_server_free(server);
    return well;
}

static bool fiber_server(void)
{
    return serve(WEIR_MODEL_FIBER, 1, 2);
}

static bool fiber_server_of_two(void)
{
    return serve(WEIR_MODEL_FIBER, 2, 2);
}

static bool thread_server(void)
{
    return serve(WEIR_MODEL_THREAD, 1, 2);
}

static bool iterative_server(void)
{
    return serve(WEIR_MODEL_ITERATIVE, 1, 2);
}

/* --- several endpoints, limits --- */

static bool serve_several(weir_server *server)
{
    TRY(weir_server_add(server, "tcp://:0", echo_handler, NULL));
    TRY(weir_server_add(server, "unix:server", echo_handler, NULL));
    TRY(weir_server_start(server));
    bool well = true;
    for (size_t i = 0; i < weir_server_count(server) && well; i++)
        well = converse(weir_server_endpoint(server, i));
    return stop(server, weir_server_count(server), well);
}

static bool several_endpoints(void)
{
    unlink("server");
    weir_server *server = make_server((weir_server_options){.workers = 1, .name = "several", .scheme = "tcp"});
    bool well = server && serve_several(server);
    weir_server_free(server);
    return well;
}

/* One at a time: the gate pauses with the first, and goes on after it. */
static bool serve_at_limit(weir_server *server)
{
    TRY(weir_server_add(server, "tcp://127.0.0.1:0", echo_handler, NULL));
    TRY(weir_server_start(server));
    weir_conn *first = connect_to(weir_server_endpoint(server, 0));
    weir_conn *second = first ? connect_to(weir_server_endpoint(server, 0)) : NULL;
    bool well = second && converse_on(first);
    weir_close(first);
    well = well && converse_on(second);
    weir_close(second);
    return stop(server, 2, well);
}

static bool at_limit(void)
{
    weir_server *server = make_server((weir_server_options){.workers = 1, .max_connections = 1});
    bool well = server && serve_at_limit(server);
    weir_server_free(server);
    return well;
}

/* --- drained while busy --- */

/* A client in the middle of a message when the server is stopped says the rest of it, and is answered. */
static bool drain_with(weir_server *server, weir_conn *conn)
{
    if (!send_text(conn, "half ") || !read_text(conn, "half "))
        return false;
    weir_server_stop(server, SOON);
    return send_text(conn, "whole") && read_text(conn, "whole") && end_writing(conn) && read_end(conn);
}

static bool serve_and_drain(weir_server *server)
{
    TRY(weir_server_add(server, "tcp://127.0.0.1:0", echo_handler, NULL));
    TRY(weir_server_start(server));
    weir_conn *conn = connect_to(weir_server_endpoint(server, 0));
    bool well = conn && drain_with(server, conn);
    weir_close(conn);
    return stop(server, 1, well);
}

/* Its clients are cut, which is no failure of theirs. */
static void cut_handler(weir_conn *conn, void *arg)
{
    char *data;
    ssize_t length;
    (void)arg;
    while ((length = weir_receive(conn, &data)) > 0)
        if (weir_send_all(conn, data, (size_t)length) < 0)
            break;
    if (length < 0 && errno != ECANCELED && errno != ECONNABORTED) /* aborted: a thread that nobody can wake */
        failed("weir_receive");
}

/* One that says nothing is cut. */
static bool serve_and_cut(weir_server *server)
{
    char got[8];
    TRY(weir_server_add(server, "tcp://127.0.0.1:0", cut_handler, NULL));
    TRY(weir_server_start(server));
    weir_auto weir_conn *conn = connect_to(weir_server_endpoint(server, 0));
    bool well = conn && send_text(conn, "x") && read_text(conn, "x");
    weir_server_stop(server, WEIR_NOW);
    if (well && weir_recv(conn, got, sizeof got) > 0)
        return wrong("a client that was cut reads something");
    return stop(server, 1, well);
}

static bool drained_in(weir_model model, bool (*drain)(weir_server *server))
{
    weir_server *server = make_server((weir_server_options){.workers = 1, .model = model});
    bool well = server && drain(server);
    weir_server_free(server);
    return well;
}

static bool drained(void)
{
    return drained_in(WEIR_MODEL_FIBER, serve_and_drain);
}

static bool cut(void)
{
    return drained_in(WEIR_MODEL_FIBER, serve_and_cut);
}

static bool cut_threads(void)
{
    return drained_in(WEIR_MODEL_THREAD, serve_and_cut);
}

/* --- datagrams --- */

static void answer(const weir_datagram *datagram, void *arg)
{
    (void)arg;
    if (weir_reply(datagram, datagram->data, datagram->length) < 0)
        failed("weir_reply");
}

/* What is not answered is asked again: a datagram may be lost wherever something was injected. */
static bool ask(weir_conn *conn)
{
    char got[16];
    TRY(weir_send(conn, "question", 8));
    ssize_t length = weir_recv(conn, got, sizeof got);
    TRY(length);
    return is_text("weir_recv", got, (size_t)length, "question");
}

static bool serve_datagrams(weir_server *server)
{
    TRY(weir_server_add_datagrams(server, "udp://127.0.0.1:0", answer, NULL));
    TRY(weir_server_start(server));
    weir_conn *conn = connect_to(weir_server_endpoint(server, 0));
    bool well = conn && ask(conn) && ask(conn);
    weir_close(conn);
    return stop(server, 0, well);
}

static bool datagram_server(void)
{
    weir_server *server = make_server((weir_server_options){.workers = 2});
    bool well = server && serve_datagrams(server);
    weir_server_free(server);
    return well;
}

/* --- a whole program --- */

struct program {
    weir_server *server;
    pthread_t client;
    bool started, well;
};

static void *client_of_program(void *arg)
{
    struct program *program = arg;
    program->well = converse(weir_server_endpoint(program->server, 0));
    kill(getpid(), SIGTERM);
    if (weir_server_wait(program->server, SOON) < 0)
        weir_server_stop(program->server, SOON); /* who cannot read signals is deaf */
    return NULL;
}

static void program_is_ready(void *arg)
{
    struct program *program = arg;
    program->started = start_with_system(&program->client, client_of_program, program);
    if (!program->started)
        weir_server_stop(program->server, SOON);
}

static bool run_program(weir_server *server)
{
    struct program program = {.server = server};
    TRY(weir_server_add(server, "tcp://127.0.0.1:0", echo_handler, NULL));
    int result = weir_run_servers(
        &server, 1,
        WEIR_OPTIONS(weir_run_options, .drain_timeout = PATIENCE, .ready = program_is_ready, .arg = &program));
    bool well = result == 0 || failed("weir_run_servers");
    if (program.started)
        pthread_join(program.client, NULL);
    return well && program.well;
}

/* The signal that ends it is not to end this process where the program has failed meanwhile. */
static bool whole_program(void)
{
    sigset_t term, before;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, &before);
    weir_server *server = make_server((weir_server_options){.workers = 1});
    bool well = server && run_program(server);
    weir_server_free(server);
    sigtimedwait(&term, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return well;
}

const struct conversation server_talks[] = {
    {"fiber_server", fiber_server},
    {"fiber_server_of_two", fiber_server_of_two},
    {"thread_server", thread_server},
    {"iterative_server", iterative_server},
    {"several_endpoints", several_endpoints},
    {"at_limit", at_limit},
    {"drained", drained},
    {"cut", cut},
    {"cut_threads", cut_threads},
    {"datagram_server", datagram_server},
    {"whole_program", whole_program},
    {0},
};
