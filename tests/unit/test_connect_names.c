/* Connecting: names that are resolved, several addresses of one, and fibers that are cancelled. */
#include "dialled.h"

/* --- resolving --- */

static void the_resolvers_words_are_told(void)
{
    resolve_to(NULL);
    fake_result = EAI_NONAME;
    check(!weir_connect("tcp://nosuch.example:80", NULL));
    check_error(ENOENT, WEIR_ERROR_RESOLVE);
    check_text(weir_error()->sentence, "resolve tcp://nosuch.example:80: name or service not known");
    fake_result = EAI_AGAIN;
    check(!weir_connect("nosuch.example:80", NULL));
    check_error(ENOENT, WEIR_ERROR_RESOLVE);
    check_text(weir_error()->reason, "temporary failure in name resolution");
    fake_result = EAI_MEMORY;
    check(!weir_connect("nosuch.example:80", NULL));
    check_error(ENOMEM, WEIR_ERROR_MEMORY);
    fake_result = 0; /* no address at all */
    check(!weir_connect("nosuch.example:80", NULL));
    check_error(ENOENT, WEIR_ERROR_RESOLVE);
    restore_system();
}

static void a_slow_resolver_is_left_at_the_deadline(void)
{
    resolve_to(NULL);
    fake_hangs = true;
    check(!weir_connect("slow.example:80", WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_MS(20))));
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check_text(weir_error()->sentence, "resolve tcp://slow.example:80: timed out");
    check(fakes_running == 1);
    fake_hangs = false;
    eventually(fakes_running == 0);
    restore_system();
}

/* --- several addresses --- */

static void the_next_is_tried_when_one_does_not_answer(void)
{
    struct full full;
    fill(&full, "127.0.0.2:0");
    const char *other = own_loopback();
    int listener = plain_listening(text("%s:%u", other, full.port), 5);
    resolve_to((const char *const[]){"127.0.0.2:0", text("%s:0", other), NULL});
    int before = open_descriptors();
    int64_t begin = weir_now();
    weir_conn *conn = weir_connect(text("two.example:%u", full.port), NULL);
    check(conn);
    check(weir_now() - begin >= WEIR_MS(249)); /* RFC 8305's step */
    char peer[100];
    check_text(weir_peer_endpoint(conn, peer, sizeof peer), text("tcp://%s:%u", other, full.port));
    converse(conn, accept(listener, NULL, NULL));
    eventually(open_descriptors() <= before + (weir_self() ? 0 : 1)); /* a thread's own, made at its first wait */
    check(drain(&full) <= 8);                                         /* ours was given up, it does not connect late */
    close(listener);
    restore_system();
}

static void the_next_is_tried_at_once_when_one_refuses(void)
{
    int listener = plain_listening("127.0.0.9:0", 5);
    resolve_to((const char *const[]){"127.0.0.2:0", "[::1]:0", "127.0.0.3:0", "127.0.0.4:0", "127.0.0.5:0",
                                     "127.0.0.6:0", "127.0.0.9:0", NULL});
    int64_t begin = weir_now();
    weir_conn *conn = weir_connect(text("seven.example:%u", port_of(listener)), NULL);
    check(conn);
    check(weir_now() - begin < WEIR_MS(1400)); /* six times the step would be 1,500 */
    converse(conn, accept(listener, NULL, NULL));
    close(listener);
    restore_system();
}

static char asked[400];
static int refusal;

static int record_and_refuse(int fd, const struct sockaddr *address, socklen_t length)
{
    weir_address copy = {.length = length};
    char name[WEIR_ADDRESS_TEXT];
    (void)fd;
    memcpy(&copy.any, address, length);
    strcat(strcat(asked, weir_address_text(&copy, name, sizeof name)), " ");
    errno = copy.any.sa_family == AF_INET6 ? ENETUNREACH : refusal;
    return -1;
}

static void families_take_turns(void)
{
    struct weir__system *system =
        resolve_to((const char *const[]){"[2001:db8::1]:0", "[2001:db8::2]:0", "[2001:db8::3]:0", "192.0.2.1:0",
                                         "192.0.2.2:0", "192.0.2.1:0", "192.0.2.3:0", "192.0.2.4:0", NULL});
    system->connect = record_and_refuse;
    refusal = ECONNREFUSED;
    asked[0] = '\0';
    check(!weir_connect("many.example:9", NULL));
    check_error(ECONNREFUSED, WEIR_ERROR_CONNECT); /* that tells more than that IPv6 goes nowhere */
    check_text(asked, "[2001:db8::1]:9 192.0.2.1:9 [2001:db8::2]:9 192.0.2.2:9 [2001:db8::3]:9 192.0.2.3:9 "
                      "192.0.2.4:9 ");
    asked[0] = '\0';
    refusal = EHOSTUNREACH;
    check(!weir_connect("many.example:9", WEIR_OPTIONS(weir_connect_options, .family = AF_INET)));
    check_error(EHOSTUNREACH, WEIR_ERROR_CONNECT);
    check_text(asked, "192.0.2.1:9 192.0.2.2:9 192.0.2.3:9 192.0.2.4:9 ");
    restore_system();
}

static void nobody_answering_is_a_time_out(void)
{
    struct full full;
    fill(&full, "127.0.0.2:0");
    resolve_to((const char *const[]){"127.0.0.2:0", NULL});
    for (int round = 0; round < 3; round++) {
        int64_t begin = weir_now();
        check(!weir_connect(text("one.example:%u", full.port),
                            WEIR_OPTIONS(weir_connect_options, .timeout = round == 2 ? WEIR_NOW : WEIR_MS(30))));
        check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
        check(weir_error_exit_status(weir_error()) == 3);
        check(weir_now() - begin >= (round == 2 ? 0 : WEIR_MS(29)));
    }
    drain(&full);
    restore_system();
}

static void nothing_is_left_open(void)
{
    int listener = plain_listening("127.0.0.1:0", 100);
    struct full full;
    fill(&full, "127.0.0.2:0");
    weir_sleep(WEIR_MS(1));
    weir_connect(text("127.0.0.2:%u", full.port), WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_US(10)));
    int before = open_descriptors();
    for (int round = 0; round < 20; round++) {
        weir_conn *conn = weir_connect(text(":%u", port_of(listener)), NULL);
        check(conn);
        weir_close(conn);
        check(
            !weir_connect(text("127.0.0.2:%u", full.port), WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_MS(1))));
        check(!weir_connect("127.0.0.1:1", NULL));
        check(!weir_connect(own("unix:", "nobody", ""), NULL));
    }
    eventually(open_descriptors() <= before);
    drain(&full);
    close(listener);
}

/* --- fibers alone --- */

static int connect_and_be_cancelled(void *endpoint)
{
    check(!weir_connect(endpoint, NULL));
    check_error(ECANCELED, WEIR_ERROR_CANCELLED);
    return 7;
}

static void cancel_while_connecting_to(const char *endpoint)
{
    weir_fiber *fiber = weir_spawn(connect_and_be_cancelled, (void *)(uintptr_t)endpoint, NULL);
    check(fiber);
    weir_sleep(WEIR_MS(20));
    weir_cancel_fiber(fiber);
    int result;
    check(weir_join(fiber, &result, SOON) == 0);
    check(result == 7);
}

static void a_cancelled_fiber_stops_connecting(void)
{
    struct full full;
    fill(&full, "127.0.0.2:0");
    resolve_to((const char *const[]){"127.0.0.2:0", "127.0.0.2:0", NULL});
    int before = open_descriptors();
    cancel_while_connecting_to(text("127.0.0.2:%u", full.port));
    cancel_while_connecting_to(text("two.example:%u", full.port));
    eventually(open_descriptors() <= before);
    drain(&full);

    fake_hangs = true;
    cancel_while_connecting_to("slow.example:80");
    fake_hangs = false;
    eventually(fakes_running == 0);

    int listener = plain_listening(own("", "full", ""), 0);
    int client = plain_connected(SOCK_STREAM, own("", "full", ""));
    cancel_while_connecting_to(own("unix:", "full", ""));
    close(client);
    close(listener);
    restore_system();
}

static struct full crowded;

static int connect_for_a_while(void *arg)
{
    (void)arg;
    weir_conn *conn = weir_connect(text("127.0.0.2:%u", crowded.port), NULL);
    check(!conn);
    check_error(ECANCELED, WEIR_ERROR_CANCELLED);
    return 0;
}

static void *cancel_all(void *arg)
{
    weir_fiber **fibers = arg;
    for (int i = 0; i < 100; i++) {
        if (i % 3 == 0)
            breathe();
        weir_cancel_fiber(fibers[i]);
    }
    return NULL;
}

/* Cancels come from another thread, at every moment of connecting. */
static void cancels_come_at_any_moment(void)
{
    weir_fiber *fibers[100];
    fill(&crowded, "127.0.0.2:0");
    for (int i = 0; i < 100; i++)
        check((fibers[i] = weir_spawn(connect_for_a_while, NULL, NULL)));
    pthread_t other = beside(cancel_all, fibers);
    for (int i = 0; i < 100; i++)
        check(weir_join(fibers[i], NULL, SOON) == 0);
    join_beside(other);
    drain(&crowded);
}

static int connect_once(void *endpoint)
{
    weir_conn *conn = weir_connect(endpoint, NULL);
    check(conn);
    weir_close(conn);
    return 0;
}

static void many_fibers_connect_at_once(void)
{
    enum { MANY = 200 };
    weir_fiber *fibers[MANY];
    int listener = plain_listening("127.0.0.1:0", MANY);
    const char *endpoint = text(":%u", port_of(listener));
    for (int i = 0; i < MANY; i++)
        check((fibers[i] = weir_spawn(connect_once, (void *)(uintptr_t)endpoint, NULL)));
    for (int i = 0; i < MANY; i++)
        check(weir_join(fibers[i], NULL, SOON) == 0);
    close(listener);
}

/* --- the addresses alone --- */

static void check_addresses(const char *endpoint, int family, const char *const *expected)
{
    weir_address addresses[4];
    int count = weir_resolve(endpoint, family, addresses, 4, SOON);
    for (int i = 0; expected[i]; i++) {
        char name[WEIR_ADDRESS_TEXT];
        check(i < count);
        check_text(weir_address_text(&addresses[i], name, sizeof name), expected[i]);
    }
}

static void the_addresses_of_an_endpoint_can_be_asked_for(void)
{
    static const char *const fakes[] = {"[2001:db8::1]:0", "192.0.2.1:0", "192.0.2.2:0", NULL};
    weir_address one;
    resolve_to(fakes);
    check_addresses("somewhere:80", 0, (const char *[]){"[2001:db8::1]:80", "192.0.2.1:80", "192.0.2.2:80", NULL});
    check_addresses("somewhere:80", AF_INET, (const char *[]){"192.0.2.1:80", "192.0.2.2:80", NULL});
    check_addresses("udp://127.0.0.9:5", 0, (const char *[]){"127.0.0.9:5", NULL});
    check_addresses("localhost:5", 0, (const char *[]){"127.0.0.1:5", "[::1]:5", NULL});
    check_addresses("unix:/run/a", 0, (const char *[]){"/run/a", NULL});
    check(weir_resolve("somewhere:80", 0, &one, 1, SOON) == 3); /* more than there is room for */
    check(weir_resolve("somewhere", 0, &one, 1, SOON) == -1 && errno == EINVAL);
    check(weir_resolve("*:80", 0, &one, 1, SOON) == -1 && errno == EINVAL);
    fake_result = EAI_NONAME;
    check(weir_resolve("nowhere:80", 0, &one, 1, SOON) == -1);
    check_error(ENOENT, WEIR_ERROR_RESOLVE);
    restore_system();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(the_addresses_of_an_endpoint_can_be_asked_for),
        EVERYWHERE(the_resolvers_words_are_told),
        EVERYWHERE(a_slow_resolver_is_left_at_the_deadline),
        EVERYWHERE(the_next_is_tried_when_one_does_not_answer),
        EVERYWHERE(the_next_is_tried_at_once_when_one_refuses),
        EVERYWHERE(families_take_turns),
        EVERYWHERE(nobody_answering_is_a_time_out),
        EVERYWHERE(nothing_is_left_open),
        IN_FIBERS(a_cancelled_fiber_stops_connecting),
        IN_FIBERS(cancels_come_at_any_moment),
        IN_FIBERS(many_fibers_connect_at_once),
    };
    return cmocka_run_group_tests_name("connect_names", tests, NULL, NULL);
}
