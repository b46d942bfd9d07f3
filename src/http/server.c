/* Serving requests, one after the other. */
#include "server.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

enum {
    REQUESTS_MOST = 1000, /* on one connection: then it ends, so that none is kept for ever */
    BODY_LEFT_MOST = 65536,
    LINGER_MOST = 256 << 10,
};

#define LINGER_TIME WEIR_S(2)
#define LAST_TIME   WEIR_S(1)

/* --- those who wait for a request --- */

/* Lives on the stack of its fiber or thread. */
struct waiting {
    weir_conn *conn;
    const void *arg; /* whose it is */
    struct waiting *before, *after;
};

static pthread_mutex_t waiting_lock = PTHREAD_MUTEX_INITIALIZER;
static struct waiting *all_waiting;

static void begin_waiting(struct waiting *waiting)
{
    pthread_mutex_lock(&waiting_lock);
    waiting->before = NULL;
    waiting->after = all_waiting;
    if (all_waiting)
        all_waiting->before = waiting;
    all_waiting = waiting;
    pthread_mutex_unlock(&waiting_lock);
}

static void end_waiting(struct waiting *waiting)
{
    pthread_mutex_lock(&waiting_lock);
    if (waiting->after)
        waiting->after->before = waiting->before;
    if (waiting->before)
        waiting->before->after = waiting->after;
    else
        all_waiting = waiting->after;
    pthread_mutex_unlock(&waiting_lock);
}

/* A deadline and no cancel: whoever is only about to read is meant too. */
void http_stop(const void *arg)
{
    pthread_mutex_lock(&waiting_lock);
    for (struct waiting *waiting = all_waiting; waiting; waiting = waiting->after)
        if (waiting->arg == arg)
            weir_set_deadline(waiting->conn, WEIR_READ, weir_now());
    pthread_mutex_unlock(&waiting_lock);
}

/* Who comes when the server stops already, or was queued, is served if its request comes at once. */
static int read_request(struct http_exchange *exchange)
{
    struct waiting waiting = {.conn = exchange->conn, .arg = exchange->arg};
    begin_waiting(&waiting);
    if (weir_server_stopping(weir_server_self()))
        weir_set_deadline(exchange->conn, WEIR_READ, weir_deadline(LAST_TIME));
    int got = http_read_request(exchange->conn, &exchange->request);
    end_waiting(&waiting);
    weir_set_deadline(exchange->conn, WEIR_READ, WEIR_FOREVER);
    return got;
}

/* --- the end of a connection --- */

/*
 * After an answer that ends a connection: what the client goes on sending must not reset it before the answer is read.
 */
static void linger(weir_conn *conn)
{
    char *data;
    ssize_t length;
    weir_set_deadline(conn, WEIR_READ_WRITE, weir_deadline(LINGER_TIME)); /* by TLS the end is said, to who reads */
    if (weir_shutdown(conn, SHUT_WR) < 0)
        return;
    for (size_t taken = 0; taken < LINGER_MOST && (length = weir_receive(conn, &data)) > 0;)
        taken += (size_t)length;
    weir_release(conn);
}

/* Answers what is no request. */
static void answer_failure(weir_conn *conn, struct http_exchange *exchange)
{
    int status = exchange->request.status;
    if (status == 0)
        return;
    const weir_error_info *error = weir_error();
    bool ours = error->number == EPROTO || error->number == EMSGSIZE;
    exchange->keep = false;
    if (http_refuse(exchange, status, NULL, "%s", ours ? error->reason : "the request was not completed") == 0)
        linger(conn);
}

/* Whether the next request may follow: the body of this one is read over, where a handler has left it. */
static bool may_go_on(struct http_exchange *exchange)
{
    if (!exchange->keep || weir_server_stopping(weir_server_self()))
        return false;
    if (exchange->request.expects_continue && !exchange->body.ended)
        return false; /* it was told no 100, so that nobody knows whether the body comes */
    return http_body_skip(&exchange->body, BODY_LEFT_MOST);
}

/* --- requests --- */

/* One request. Whether another may follow. */
static bool serve_one(struct http_exchange *exchange, http_handler *handler, bool last)
{
    int got = read_request(exchange);
    if (got <= 0) {
        if (got < 0)
            answer_failure(exchange->conn, exchange);
        return false;
    }
    exchange->head_only = strcmp(exchange->request.method, "HEAD") == 0;
    exchange->keep = exchange->request.keep_alive && !last && !weir_server_stopping(weir_server_self());
    http_body_begin(&exchange->body, exchange->conn, &exchange->request);
    handler(exchange);
    if (exchange->status == 0)
        http_refuse(exchange, 500, NULL, NULL);
    if (may_go_on(exchange))
        return true;
    linger(exchange->conn);
    return false;
}

void http_serve(weir_conn *conn, const char *name, http_handler *handler, void *arg)
{
    bool more = true;
    for (int count = 1; more; count++) {
        struct http_exchange exchange = {.conn = conn, .name = name, .arg = arg};
        more = serve_one(&exchange, handler, count == REQUESTS_MOST);
        http_head_free(&exchange.request);
    }
}
