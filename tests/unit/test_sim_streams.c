/* Streams in the simulator: nobody who answers, faults, and that no byte is lost that was not said to be. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <weir/sim.h>
#include <weir/weir.h>

#include <cmocka.h>

#include "base/system.h"

#define CHECK WEIR_SIM_CHECK

enum { BYTES = 100000 };

/* --- running --- */

static int (*here)(void *arg), (*there)(void *arg);
static int seen[4]; /* how often what a test looks for was seen; its own numbers */

static void two_hosts(void)
{
    weir_sim_program(weir_sim_host_new("here"), "here", here, NULL);
    weir_sim_host *other = weir_sim_host_new("there");
    if (there)
        weir_sim_program(other, "there", there, NULL);
}

static weir_sim_result play(int (*one)(void *arg), int (*other)(void *arg), unsigned faults, uint64_t seed)
{
    const weir_sim_scenario scenario = {.name = "streams",
                                        .set_up = two_hosts,
                                        .without = WEIR_SIM_ALL_FAULTS & ~faults,
                                        .faults_for = WEIR_MINUTES(1)};
    weir_sim_result result;
    here = one;
    there = other;
    if (weir_sim_run(&scenario, seed, -1, &result) < 0)
        fail_msg("seed %llu: %s", (unsigned long long)seed, result.reason);
    return result;
}

static void play_seeds(int (*one)(void *arg), int (*other)(void *arg), unsigned faults, uint64_t seeds)
{
    memset(seen, 0, sizeof seen);
    for (uint64_t seed = 1; seed <= seeds; seed++)
        play(one, other, faults, seed);
}

/* --- nobody answers --- */

static int64_t failed_after(const char *endpoint, int number)
{
    int64_t begun = weir_now();
    weir_conn *conn = weir_connect(endpoint, WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_FOREVER));
    CHECK(!conn && errno == number);
    return weir_now() - begun;
}

static int asks_nobody(void *arg)
{
    (void)arg;
    weir_sim_name("silent", "dead");
    weir_sim_name("closed", "refusing");
    int64_t silence = failed_after("tcp://silent:7", ETIMEDOUT);
    CHECK(silence >= WEIR_S(127) && silence < WEIR_S(128));
    silence = failed_after("tcp://10.200.1.1:7", ETIMEDOUT);
    CHECK(silence >= WEIR_S(127) && silence < WEIR_S(128));
    CHECK(failed_after("tcp://closed:7", ECONNREFUSED) < WEIR_S(1));
    CHECK(failed_after("tcp://there:7", ECONNREFUSED) < WEIR_S(1));
    CHECK(failed_after("tcp://192.0.2.1:7", ENETUNREACH) < WEIR_S(1));
    return 0;
}

static void nobody_answers(void **state)
{
    (void)state;
    play_seeds(asks_nobody, NULL, 0, 3);
}

/* --- a queue that is full --- */

static int has_a_short_queue(void *arg)
{
    (void)arg;
    weir_listener *listener = weir_listen("tcp://*:7", WEIR_OPTIONS(weir_listen_options, .backlog = 1));
    weir_sleep(WEIR_S(2));
    for (int i = 0; i < 4; i++) {
        weir_conn *conn = weir_accept(listener);
        CHECK(conn && weir_send_all(conn, "x", 1) == 0);
        weir_close(conn);
    }
    return weir_listener_close(listener), 0;
}

static int comes_as_fourth(void *arg)
{
    weir_conn *conns[4];
    char byte;
    (void)arg;
    weir_sleep(WEIR_S(1));
    for (int i = 0; i < 4; i++) {
        int64_t begun = weir_now();
        conns[i] = weir_connect("tcp://there:7", WEIR_OPTIONS(weir_connect_options, .family = AF_INET));
        CHECK(conns[i]);
        CHECK(i < 2 ? weir_now() - begun < WEIR_MS(500) : weir_now() - begun >= WEIR_MS(500) || i == 3);
    }
    for (int i = 0; i < 4; i++) {
        CHECK(weir_recv(conns[i], &byte, 1) == 1 && weir_recv(conns[i], &byte, 1) == 0);
        weir_close(conns[i]);
    }
    return 0;
}

/* Whoever finds no room asks again a second later, as Linux does. */
static void a_full_queue_lets_clients_wait(void **state)
{
    (void)state;
    play_seeds(comes_as_fourth, has_a_short_queue, 0, 10);
}

/* --- bytes --- */

static char byte_at(size_t position)
{
    return (char)(position * 7 + position / 251);
}

static void fill(char *data, size_t from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = byte_at(from + i);
}

static bool right(const char *data, size_t from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] != byte_at(from + i))
            return false;
    return true;
}

/* Sends all, in pieces of all sizes. 0, or -1 where the connection fails. */
static int tell(weir_conn *conn)
{
    char data[5000];
    for (size_t done = 0, size; done < BYTES; done += size) {
        size = 1 + weir_sim_below(sizeof data);
        if (size > BYTES - done)
            size = BYTES - done;
        fill(data, done, size);
        if (weir_send_all(conn, data, size) < 0)
            return -1;
    }
    return weir_shutdown(conn, SHUT_WR);
}

/* Receives to the end, slowly at times. All of it came: 0; a failure: -1. An end too early is none of the two. */
static int hear(weir_conn *conn)
{
    char data[5000];
    size_t done = 0;
    for (;;) {
        ssize_t size = weir_recv(conn, data, 1 + weir_sim_below(sizeof data));
        if (size < 0)
            return -1;
        if (size == 0)
            break;
        CHECK(right(data, done, (size_t)size));
        done += (size_t)size;
        if (weir_sim_below(20) == 0)
            weir_sleep((int64_t)weir_sim_below(WEIR_MS(20)));
    }
    CHECK(done == BYTES);
    return 0;
}

static int listens_and_hears(void *arg)
{
    (void)arg;
    weir_listener *listener = weir_listen("tcp://*:7", NULL);
    CHECK(listener);
    weir_listener_set_timeout(listener, WEIR_S(10));
    weir_conn *conn = weir_accept(listener);
    if (conn)
        weir_set_timeout(conn, WEIR_MINUTES(2));
    seen[conn && hear(conn) == 0]++;
    weir_close(conn);
    return weir_listener_close(listener), 0;
}

static int connects_and_tells(void *arg)
{
    (void)arg;
    weir_sleep(WEIR_S(1));
    weir_conn *conn = weir_connect("tcp://there:7", NULL);
    if (conn)
        weir_set_timeout(conn, WEIR_MINUTES(2));
    seen[2 + (conn && tell(conn) == 0)]++;
    weir_close(conn);
    return 0;
}

static const unsigned gentle = WEIR_SIM_SHORT | WEIR_SIM_DELAY | WEIR_SIM_STALL | WEIR_SIM_EVENTS | WEIR_SIM_PARTITION;

static void all_arrives_where_nothing_breaks(void **state)
{
    (void)state;
    play_seeds(connects_and_tells, listens_and_hears, gentle, 200);
    assert_int_equal(seen[1], 200);
    assert_int_equal(seen[3], 200);
}

/* Some break, some do not; both are told, and what was told to be whole is (see hear). */
static void resets_are_told(void **state)
{
    (void)state;
    play_seeds(connects_and_tells, listens_and_hears, gentle | WEIR_SIM_RESET, 200);
    assert_true(seen[0] > 10 && seen[1] > 10 && seen[2] > 10 && seen[3] > 10);
}

static void equal_seeds_are_equal_runs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        weir_sim_result one = play(connects_and_tells, listens_and_hears, gentle | WEIR_SIM_RESET, seed);
        weir_sim_result other = play(connects_and_tells, listens_and_hears, gentle | WEIR_SIM_RESET, seed);
        assert_true(one.digest == other.digest && one.steps == other.steps && one.duration == other.duration);
    }
}

/* --- connecting, struck by faults --- */

static int serves_all(void *arg)
{
    char byte;
    (void)arg;
    weir_listener *listener = weir_listen("tcp://*:7", NULL);
    weir_listener_set_timeout(listener, WEIR_MINUTES(3));
    for (weir_conn *conn; (conn = weir_accept(listener)); weir_close(conn)) {
        weir_set_timeout(conn, WEIR_S(5));
        if (weir_recv(conn, &byte, 1) == 1)
            weir_send_all(conn, &byte, 1);
    }
    return weir_listener_close(listener), 0;
}

static int asks_one(void)
{
    char byte = 'x';
    weir_conn *conn = weir_connect("tcp://there:7", WEIR_OPTIONS(weir_connect_options, .family = AF_INET));
    if (!conn)
        return errno == ECONNREFUSED ? 1 : 2;
    int result = weir_send_all(conn, &byte, 1) == 0 && weir_recv(conn, &byte, 1) == 1 ? 0 : 3;
    weir_close(conn);
    return result;
}

static int asks_often(void *arg)
{
    (void)arg;
    weir_sleep(WEIR_S(1));
    for (int result = -1; result != 0 || weir_sim_faulty(); weir_sleep(WEIR_S(1))) {
        result = asks_one();
        seen[result]++;
        CHECK(result == 0 || weir_now() < weir_sim_faults_end() + WEIR_S(60));
    }
    return 0;
}

/* Answered; refused; never answered; answered on one side alone, which the first byte finds out. */
static void every_way_to_fail_to_connect(void **state)
{
    (void)state;
    play_seeds(asks_often, serves_all, WEIR_SIM_CONNECT, 100);
    assert_true(seen[0] > 100 && seen[1] > 5 && seen[2] > 5 && seen[3] > 5);
}

/* --- reset before they were accepted --- */

static int accepts_late(void *arg)
{
    (void)arg;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7)};
    int fd = weir__system()->socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(weir__system()->bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(weir__system()->listen(fd, 100) == 0);
    weir_sleep(WEIR_S(10));
    for (;;) {
        char byte;
        int end = weir__system()->accept4(fd, NULL, NULL, SOCK_NONBLOCK);
        if (end < 0 && errno == EAGAIN)
            break;
        CHECK(end >= 0 || errno == ECONNABORTED);
        seen[end >= 0]++;
        if (end < 0)
            continue;
        CHECK(weir__system()->recv(end, &byte, 1, MSG_DONTWAIT) == -1 && errno == ECONNRESET);
        weir__system()->close(end);
    }
    return weir__system()->close(fd);
}

static int goes_at_once(void *arg)
{
    (void)arg;
    weir_sleep(WEIR_S(1));
    for (int i = 0; i < 10; i++) {
        weir_conn *conn = weir_connect("tcp://there:7", WEIR_OPTIONS(weir_connect_options, .family = AF_INET));
        CHECK(conn);
        weir_sleep(WEIR_MS(200));
        weir_abort(conn);
        weir_close(conn);
    }
    return 0;
}

static void clients_that_went_before_they_were_accepted(void **state)
{
    (void)state;
    play_seeds(goes_at_once, accepts_late, 0, 10);
    assert_true(seen[0] > 10 && seen[1] > 10 && seen[0] + seen[1] == 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_answers),
        cmocka_unit_test(a_full_queue_lets_clients_wait),
        cmocka_unit_test(all_arrives_where_nothing_breaks),
        cmocka_unit_test(resets_are_told),
        cmocka_unit_test(equal_seeds_are_equal_runs),
        cmocka_unit_test(every_way_to_fail_to_connect),
        cmocka_unit_test(clients_that_went_before_they_were_accepted),
    };
    return cmocka_run_group_tests_name("sim_streams", tests, NULL, NULL);
}
