/* A thread for which no descriptor was left to wait with: it waits less well, but all that it does works. */
#include <weir/channel.h>
#include <weir/fiber.h>

#include "sockets.h"

/* In the thread that is blind; what it found out. */
struct blind {
    weir_channel *channel;
    weir_conn *conn;
    void (*function)(struct blind *blind);
    int error;
    char word[16];
    _Atomic bool waits;
};

static int no_descriptor(unsigned initial, int flags)
{
    (void)initial;
    (void)flags;
    errno = EMFILE;
    return -1;
}

static void *run_blind(void *arg)
{
    struct blind *blind = arg;
    struct weir__system blind_system = weir__kernel;
    blind_system.eventfd = no_descriptor;
    weir__system_here = &blind_system;
    blind->waits = true;
    blind->function(blind);
    blind->error = errno;
    weir__system_here = &weir__kernel;
    return NULL;
}

static pthread_t begin(struct blind *blind, void (*function)(struct blind *blind))
{
    blind->function = function;
    pthread_t thread = beside(run_blind, blind);
    EVENTUALLY(blind->waits);
    weir_sleep(WEIR_MS(5)); /* so that it mostly waits by then: both ways are right */
    return thread;
}

static void receive_from_channel(struct blind *blind)
{
    check(weir_channel_receive(blind->channel, blind->word, WEIR_FOREVER) == 0);
    check(weir_channel_receive(blind->channel, blind->word + 1, WEIR_FOREVER) == 0);
}

static void it_is_woken(void)
{
    struct blind blind = {.channel = weir_channel_new(1, 0)};
    pthread_t thread = begin(&blind, receive_from_channel);
    check(weir_channel_send(blind.channel, "a", SOON) == 0);
    check(weir_channel_send(blind.channel, "b", SOON) == 0);
    join_beside(thread);
    check_text(blind.word, "ab");
    weir_channel_free(blind.channel);
}

static void wait_for_nothing(struct blind *blind)
{
    int64_t deadline = weir_deadline(WEIR_MS(30));
    check(weir_channel_receive(blind->channel, blind->word, deadline) == -1);
    check(weir_now() >= deadline);
}

static void it_has_deadlines(void)
{
    struct blind blind = {.channel = weir_channel_new(1, 0)};
    join_beside(begin(&blind, wait_for_nothing));
    check(blind.error == ETIMEDOUT);
    weir_channel_free(blind.channel);
}

static void receive_from_socket(struct blind *blind)
{
    ssize_t size = weir_recv(blind->conn, blind->word, sizeof blind->word - 1);
    check(size == 5);
}

static void its_sockets_wake_it(void)
{
    struct blind blind = {0};
    weir_conn *pair[2];
    check(weir_pair(SOCK_STREAM, pair) == 0);
    blind.conn = pair[0];
    pthread_t thread = begin(&blind, receive_from_socket);
    check(weir_send_all(pair[1], "hello", 5) == 0);
    join_beside(thread);
    check_text(blind.word, "hello");
    weir_close(pair[0]);
    weir_close(pair[1]);
}

static void fail_to_receive(struct blind *blind)
{
    check(weir_recv(blind->conn, blind->word, 1) == -1);
}

static void its_calls_are_cancelled(void)
{
    struct blind blind = {0};
    weir_conn *pair[2];
    check(weir_pair(SOCK_STREAM, pair) == 0);
    blind.conn = pair[0];
    pthread_t thread = begin(&blind, fail_to_receive);
    weir_abort(pair[0]);
    join_beside(thread);
    check(blind.error == ECONNABORTED);
    weir_close(pair[0]);
    weir_close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(it_is_woken),
        EVERYWHERE(it_has_deadlines),
        EVERYWHERE(its_sockets_wake_it),
        EVERYWHERE(its_calls_are_cancelled),
    };
    return cmocka_run_group_tests_name("blind", tests, NULL, NULL);
}
