/* Whoever waits in a call is woken: by a cancel, an abort, a shutdown, from a thread, a fiber and a fiber of another loop. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "live.h"

/* What a call waits on, and what came of it. */
struct scene {
    const struct call *call;
    weir_conn *pair[2];  /* the calls are on the first */
    weir_conn *other[2]; /* for weir_copy */
    void (*act)(struct scene *scene);
    atomic_bool entered, done;
    int result, number;
    weir_error_kind kind;
    weir_fiber *fiber; /* who is in the call, where that is to be cancelled */
};

struct call {
    const char *name;
    int (*run)(struct scene *scene);
    bool writes;
    bool datagrams;
    int at_shutdown; /* the errno after weir_shutdown; 0: the call says that the stream has ended */
};

/* --- the calls: 0 at an end, 1 otherwise, -1 --- */

static int outcome(ssize_t result)
{
    return result < 0 ? -1 : result > 0;
}

static int call_recv(struct scene *scene)
{
    char buffer[100];
    return outcome(weir_recv(scene->pair[0], buffer, sizeof buffer));
}

static int call_recv_all(struct scene *scene)
{
    char buffer[100];
    return outcome(weir_recv_flags(scene->pair[0], buffer, sizeof buffer, MSG_WAITALL));
}

static int call_peek(struct scene *scene)
{
    char buffer[100];
    return outcome(weir_recv_flags(scene->pair[0], buffer, sizeof buffer, MSG_PEEK));
}

static int call_recvfrom(struct scene *scene)
{
    char buffer[100];
    weir_address from;
    return outcome(weir_recvfrom(scene->pair[0], buffer, sizeof buffer, 0, &from));
}

static int call_recv_vector(struct scene *scene)
{
    char a[10], b[10];
    struct iovec vector[] = {{a, sizeof a}, {b, sizeof b}};
    return outcome(weir_recv_vector(scene->pair[0], vector, 2));
}

static int call_recv_batch(struct scene *scene)
{
    char buffer[100];
    weir_datagram datagram = {.data = buffer, .capacity = sizeof buffer};
    return outcome(weir_recv_batch(scene->pair[0], &datagram, 1));
}

static int call_receive(struct scene *scene)
{
    char *data;
    return outcome(weir_receive(scene->pair[0], &data));
}

static int call_read_line(struct scene *scene)
{
    char *line;
    size_t length;
    return outcome(weir_read_line(scene->pair[0], &line, &length, 100));
}

static int call_read_until(struct scene *scene)
{
    char *data;
    size_t length;
    return outcome(weir_read_until(scene->pair[0], "--", 2, &data, &length, 100));
}

static int call_read_exactly(struct scene *scene)
{
    char buffer[100];
    return outcome(weir_read_exactly(scene->pair[0], buffer, sizeof buffer));
}

static char payload[4 << 20];

static int call_send(struct scene *scene)
{
    return outcome(weir_send(scene->pair[0], payload, 1000));
}

static int call_send_all(struct scene *scene)
{
    return outcome(weir_send_all(scene->pair[0], payload, sizeof payload));
}

static int call_send_vector_all(struct scene *scene)
{
    struct iovec vector[] = {{payload, 1000}, {payload, sizeof payload}};
    return outcome(weir_send_vector_all(scene->pair[0], vector, 2));
}

static int call_sendto(struct scene *scene)
{
    return outcome(weir_sendto(scene->pair[0], payload, 1000, 0, NULL));
}

static int call_send_batch(struct scene *scene)
{
    weir_datagram datagrams[2] = {{.data = payload, .length = 1000}, {.data = payload, .length = 1000}};
    return outcome(weir_send_batch(scene->pair[0], datagrams, 2));
}

static int call_sendfile(struct scene *scene)
{
    int file = memfd_create("sendfile", MFD_CLOEXEC);
    int64_t offset = 0;
    check(file >= 0 && ftruncate(file, sizeof payload) == 0);
    int64_t sent = weir_sendfile(scene->pair[0], file, &offset, sizeof payload);
    int number = errno;
    close(file);
    errno = number;
    return outcome(sent);
}

static int call_copy(struct scene *scene)
{
    check(weir_pair(SOCK_STREAM, scene->other) == 0);
    int result = weir_copy(scene->pair[0], scene->other[0], NULL);
    int number = errno;
    close_pair(scene->other);
    errno = number;
    return outcome(result);
}

static const struct call calls[] = {
    {"recv", call_recv, false, false, 0},
    {"recv MSG_WAITALL", call_recv_all, false, false, 0},
    {"recv MSG_PEEK", call_peek, false, false, 0},
    {"recvfrom", call_recvfrom, false, true, 0},
    {"recv_vector", call_recv_vector, false, false, 0},
    {"recv_batch", call_recv_batch, false, true, 0},
    {"receive", call_receive, false, false, 0},
    {"read_line", call_read_line, false, false, 0},
    {"read_until", call_read_until, false, false, 0},
    {"read_exactly", call_read_exactly, false, false, ENODATA},
    {"send", call_send, true, false, EPIPE},
    {"send_all", call_send_all, true, false, EPIPE},
    {"send_vector_all", call_send_vector_all, true, false, EPIPE},
    {"sendto", call_sendto, true, true, 0},
    {"send_batch", call_send_batch, true, true, 0},
    {"sendfile", call_sendfile, true, false, EPIPE},
    {"copy", call_copy, false, false, 0},
};
enum { CALLS = sizeof calls / sizeof *calls };

/* --- a scene --- */

static void fill_datagrams(weir_conn *conn)
{
    while (weir_send_flags(conn, payload, 1000, MSG_DONTWAIT) > 0)
        ;
    check(errno == EAGAIN);
}

static void set_scene(struct scene *scene, const struct call *call)
{
    *scene = (struct scene){.call = call};
    if (call->datagrams)
        check(weir_pair(SOCK_DGRAM, scene->pair) == 0);
    else
        tcp_pair(scene->pair);
    if (call->writes && call->datagrams)
        fill_datagrams(scene->pair[0]);
    else if (call->writes)
        fill(scene->pair[0]);
}

/* A full connection may turn out to have some room: then whoever writes goes on until it waits. */
static void play(struct scene *scene)
{
    scene->entered = true;
    do
        scene->result = scene->call->run(scene);
    while (scene->call->writes && scene->result >= 0);
    scene->number = errno;
    scene->kind = weir_error()->kind;
    scene->done = true;
}

/* Acts, and again until the call has returned: the first time it may not have begun to wait. */
static int actor(void *arg)
{
    struct scene *scene = arg;
    while (!scene->entered)
        weir_sleep(WEIR_MS(1));
    while (!scene->done) {
        weir_sleep(WEIR_MS(3));
        if (!scene->done)
            scene->act(scene);
    }
    return 0;
}

static void act_by(struct scene *scene, enum beside_kind kind, void (*act)(struct scene *scene))
{
    struct beside beside;
    scene->act = act;
    begin_beside(&beside, kind, actor, scene);
    play(scene);
    end_beside(&beside);
}

static void check_outcome(const struct scene *scene, int result, int number, weir_error_kind kind)
{
    if (scene->result == result && (result >= 0 || (scene->number == number && scene->kind == kind)))
        return;
    fprintf(stderr, "%s: %d, errno %d, kind %s\n", scene->call->name, scene->result, scene->number,
            weir_error_kind_name(scene->kind));
    abort();
}

static void for_each_call(void (*body)(const struct call *call, enum beside_kind kind))
{
    for (enum beside_kind kind = 0; kind < BESIDE_KINDS; kind++)
        for (int i = 0; i < CALLS && beside_works(kind); i++)
            body(&calls[i], kind);
}

/* --- cancel --- */

static void do_cancel(struct scene *scene)
{
    weir_cancel(scene->pair[0]);
}

/* The call in progress alone fails; the connection goes on. */
static void cancel_one(const struct call *call, enum beside_kind kind)
{
    struct scene scene;
    set_scene(&scene, call);
    act_by(&scene, kind, do_cancel);
    check_outcome(&scene, -1, ECANCELED, WEIR_ERROR_CANCELLED);
    if (call->run != call_copy)
        check_usable(scene.pair[1], scene.pair[0]);
    close_pair(scene.pair);
}

static void cancelled_in_each_call(void)
{
    for_each_call(cancel_one);
}

/* --- abort --- */

static void do_abort(struct scene *scene)
{
    weir_abort(scene->pair[0]);
}

static void abort_one(const struct call *call, enum beside_kind kind)
{
    struct scene scene;
    char byte;
    set_scene(&scene, call);
    act_by(&scene, kind, do_abort);
    check_outcome(&scene, -1, ECONNABORTED, WEIR_ERROR_CLOSED);
    check(weir_recv(scene.pair[0], &byte, 1) < 0);
    check_error(ECONNABORTED, WEIR_ERROR_CLOSED);
    check(weir_send(scene.pair[0], &byte, 1) < 0);
    check_error(ECONNABORTED, WEIR_ERROR_CLOSED);
    close_pair(scene.pair);
}

static void aborted_in_each_call(void)
{
    for_each_call(abort_one);
}

/* --- shutdown --- */

static void do_shutdown(struct scene *scene)
{
    weir_shutdown(scene->pair[0], SHUT_RDWR);
}

/* Readers get the end of the stream, writers EPIPE. A copy would go on with the other direction. */
static void shut_down_one(const struct call *call, enum beside_kind kind)
{
    struct scene scene;
    if (call->datagrams || call->run == call_copy)
        return;
    set_scene(&scene, call);
    act_by(&scene, kind, do_shutdown);
    if (call->at_shutdown)
        check_outcome(&scene, -1, call->at_shutdown, WEIR_ERROR_CLOSED);
    else
        check_outcome(&scene, 0, 0, 0);
    close_pair(scene.pair);
}

static void shut_down_in_each_call(void)
{
    for_each_call(shut_down_one);
}

/* --- a fiber is cancelled --- */

static int play_in_fiber(void *arg)
{
    play(arg);
    return 0;
}

static void do_cancel_fiber(struct scene *scene)
{
    weir_cancel_fiber(scene->fiber);
}

static void cancel_fiber_in(struct scene *scene, enum beside_kind kind)
{
    struct beside beside;
    scene->act = do_cancel_fiber;
    check(scene->fiber = weir_spawn(play_in_fiber, scene, NULL));
    begin_beside(&beside, kind, actor, scene);
    end_beside(&beside);
    check(weir_join(scene->fiber, NULL, SOON) == 0);
}

static void cancel_fiber_one(const struct call *call, enum beside_kind kind)
{
    struct scene scene;
    set_scene(&scene, call);
    cancel_fiber_in(&scene, kind);
    check_outcome(&scene, -1, ECANCELED, WEIR_ERROR_CANCELLED);
    if (call->run != call_copy)
        check_usable(scene.pair[1], scene.pair[0]);
    close_pair(scene.pair);
}

static void fibers_are_cancelled_in_each_call(void)
{
    for_each_call(cancel_fiber_one);
}

/* --- accepting, connecting, closing --- */

static weir_listener *listener;

static int call_accept(struct scene *scene)
{
    (void)scene;
    weir_conn *conn = weir_accept(listener);
    weir_close(conn);
    return conn ? 1 : -1;
}

static void do_cancel_listener(struct scene *scene)
{
    (void)scene;
    weir_listener_cancel(listener);
}

static const struct call accept_call = {"accept", call_accept, false, false, 0};

/* On one socket and on two, on the same port. */
static void cancelled_while_accepting(void)
{
    static const char *const endpoints[] = {"tcp://127.0.0.1:0", "tcp://:0"};
    for (int i = 0; i < 2; i++)
        for (enum beside_kind kind = 0; kind < BESIDE_KINDS && beside_works(kind); kind++) {
            struct scene scene = {.call = &accept_call};
            check(listener = weir_listen(endpoints[i], NULL));
            act_by(&scene, kind, do_cancel_listener);
            check_outcome(&scene, -1, ECANCELED, WEIR_ERROR_CANCELLED);
            weir_conn *client = weir_connect(weir_listener_endpoint(listener, 0), NULL);
            weir_conn *accepted = weir_accept(listener);
            check(client && accepted);
            check_usable(client, accepted);
            weir_close(client);
            weir_close(accepted);
            weir_listener_close(listener);
        }
}

static void fibers_are_cancelled_while_accepting(void)
{
    for (enum beside_kind kind = 0; kind < BESIDE_KINDS; kind++) {
        struct scene scene = {.call = &accept_call};
        check(listener = weir_listen("tcp://:0", NULL));
        cancel_fiber_in(&scene, kind);
        check_outcome(&scene, -1, ECANCELED, WEIR_ERROR_CANCELLED);
        weir_listener_close(listener);
    }
}

/* A listener whose queue is full: whoever connects waits. */
struct full {
    int listening, waiting[8];
    char endpoint[64];
};

static void make_full(struct full *full)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    full->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(full->listening, (struct sockaddr *)&address, sizeof address) == 0);
    check(listen(full->listening, 0) == 0);
    check(getsockname(full->listening, (struct sockaddr *)&address, &length) == 0);
    snprintf(full->endpoint, sizeof full->endpoint, "tcp://127.0.0.1:%d", ntohs(address.sin_port));
    for (int i = 0; i < 8; i++) {
        full->waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(full->waiting[i], (struct sockaddr *)&address, sizeof address);
    }
}

static void free_full(struct full *full)
{
    for (int i = 0; i < 8; i++)
        close(full->waiting[i]);
    close(full->listening);
}

static struct full full;

static int call_connect(struct scene *scene)
{
    (void)scene;
    weir_conn *conn = weir_connect(full.endpoint, WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_S(20)));
    weir_close(conn);
    return conn ? 1 : -1;
}

static const struct call connect_call = {"connect", call_connect, false, false, 0};

static void fibers_are_cancelled_while_connecting(void)
{
    make_full(&full);
    for (enum beside_kind kind = 0; kind < BESIDE_KINDS; kind++) {
        struct scene scene = {.call = &connect_call};
        cancel_fiber_in(&scene, kind);
        check_outcome(&scene, -1, ECANCELED, WEIR_ERROR_CANCELLED);
    }
    free_full(&full);
}

static void connecting_meets_its_deadline(void)
{
    make_full(&full);
    check(!weir_connect(full.endpoint, WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_MS(50))));
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check(!weir_connect(full.endpoint, WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_NOW)));
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    free_full(&full);
}

/* --- whoever is not waiting --- */

/* A cancel concerns the calls in progress, not those that come. */
static void a_cancel_too_early_is_nothing(void)
{
    weir_conn *pair[2];
    tcp_pair(pair);
    weir_cancel(pair[0]);
    check_usable(pair[1], pair[0]);
    weir_cancel(pair[0]);
    check_usable(pair[0], pair[1]);
    close_pair(pair);
}

/* What had arrived before the peer's end, or its reset, is still there to be read. */
static void what_came_before_the_end_is_read(void)
{
    for (int resets = 0; resets < 2; resets++) {
        weir_conn *pair[2];
        char word[16];
        tcp_pair(pair);
        check(weir_send_all(pair[1], "last words", 10) == 0);
        weir_sleep(WEIR_MS(5));
        if (resets)
            weir_abort(pair[1]);
        weir_close(pair[1]);
        weir_sleep(WEIR_MS(5));
        check(weir_recv(pair[0], word, sizeof word) == 10);
        check(weir_recv(pair[0], word, sizeof word) == (resets ? -1 : 0));
        if (resets)
            check_error(ECONNRESET, WEIR_ERROR_CLOSED);
        else
            check(weir_at_end(pair[0]));
        weir_close(pair[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(cancelled_in_each_call),
        EVERYWHERE(aborted_in_each_call),
        EVERYWHERE(shut_down_in_each_call),
        IN_FIBERS(fibers_are_cancelled_in_each_call),
        EVERYWHERE(cancelled_while_accepting),
        IN_FIBERS(fibers_are_cancelled_while_accepting),
        IN_FIBERS(fibers_are_cancelled_while_connecting),
        EVERYWHERE(connecting_meets_its_deadline),
        EVERYWHERE(a_cancel_too_early_is_nothing),
        EVERYWHERE(what_came_before_the_end_is_read),
    };
    return cmocka_run_group_tests_name("wakes", tests, NULL, NULL);
}
