/* The simulated network: what becomes of datagrams on their way, how long that is, and the names of hosts. */
#include "simulated.h"

#include <netdb.h>
#include <netinet/in.h>

#include "engine/sim/sim.h"

/* --- on the way --- */

enum { NUMBERED = 300, ALL_SENT = 60 };

static struct {
    unsigned received, out_of_order, cut;
} seen;

static int sends_numbered(void *arg)
{
    (void)arg;
    weir_sleep(WEIR_S(1));
    weir_conn *conn = weir_connect("udp://there:7", NULL);
    for (unsigned i = 1; i <= NUMBERED; i++) {
        CHECK(weir_send(conn, &i, sizeof i) == sizeof i);
        weir_sleep(WEIR_MS(10));
    }
    return weir_close(conn);
}

static int receives_numbered(void *arg)
{
    unsigned number = 0, last = 0;
    (void)arg;
    memset(&seen, 0, sizeof seen);
    weir_conn *conn = weir_bind("udp://*:7", NULL);
    weir_set_deadline(conn, WEIR_READ, weir_deadline(WEIR_S(ALL_SENT)));
    for (ssize_t size; (size = weir_recv(conn, &number, sizeof number)) >= 0; last = number) {
        seen.received++;
        seen.cut += size < (ssize_t)sizeof number;
        seen.out_of_order += size == sizeof number && number < last;
    }
    CHECK(errno == ETIMEDOUT);
    return weir_close(conn);
}

static void what_is_lost_and_doubled_adds_up(void **state)
{
    unsigned lost = 0, doubled = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        weir_sim_result result =
            play(sends_numbered, receives_numbered, WEIR_SIM_LOSS | WEIR_SIM_DUPLICATE | WEIR_SIM_DELAY, seed);
        lost += count_of(&result, WEIR_SIM_LOSS);
        doubled += count_of(&result, WEIR_SIM_DUPLICATE);
        assert_int_equal(seen.received,
                         NUMBERED - count_of(&result, WEIR_SIM_LOSS) + count_of(&result, WEIR_SIM_DUPLICATE));
        assert_int_equal(seen.out_of_order, 0);
        assert_int_equal(seen.cut, 0);
    }
    assert_true(lost > 0);
    assert_true(doubled > 0);
}

static void what_is_cut_is_counted(void **state)
{
    unsigned cut = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        weir_sim_result result = play(sends_numbered, receives_numbered, WEIR_SIM_TRUNCATE, seed);
        assert_int_equal(seen.received, NUMBERED);
        assert_int_equal(seen.cut, count_of(&result, WEIR_SIM_TRUNCATE));
        cut += seen.cut;
    }
    assert_true(cut > 0);
}

static void some_overtake_others(void **state)
{
    unsigned out_of_order = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        weir_sim_result result = play(sends_numbered, receives_numbered, WEIR_SIM_REORDER, seed);
        assert_int_equal(seen.received, NUMBERED);
        assert_true(count_of(&result, WEIR_SIM_REORDER) > 0 || seen.out_of_order == 0);
        out_of_order += seen.out_of_order;
    }
    assert_true(out_of_order > 0);
}

static int echoes_one(void *arg)
{
    char data[16];
    weir_address from;
    (void)arg;
    weir_conn *conn = weir_bind("udp://*:7", NULL);
    CHECK(weir_recvfrom(conn, data, sizeof data, 0, &from) == 4);
    CHECK(weir_sendto(conn, data, 4, 0, &from) == 4);
    return weir_close(conn);
}

static int measures(void *arg)
{
    char data[16];
    (void)arg;
    weir_sleep(WEIR_S(1));
    weir_conn *conn = weir_connect("udp://far:7", NULL);
    int64_t begin = weir_now();
    CHECK(weir_send(conn, "ping", 4) == 4 && weir_recv(conn, data, sizeof data) == 4);
    CHECK(weir_now() - begin >= WEIR_S(4) && weir_now() - begin < WEIR_S(5));
    return weir_close(conn);
}

static void far_hosts(void)
{
    weir_sim_host *one = weir_sim_host_new("near"), *other = weir_sim_host_new("far");
    weir_sim_latency(other, one, WEIR_S(2));
    weir_sim_program(one, "measure", measures, NULL);
    weir_sim_program(other, "echo", echoes_one, NULL);
}

static void a_way_is_as_long_as_it_was_made(void **state)
{
    const weir_sim_scenario scenario = {.name = "far", .set_up = far_hosts, .without = WEIR_SIM_ALL_FAULTS};
    (void)state;
    play_scenario(&scenario, 1);
}

static void a_partition_cuts_some_off(void **state)
{
    unsigned divided = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        weir_sim_result result = play(sends_numbered, receives_numbered, WEIR_SIM_PARTITION, seed);
        assert_int_equal(seen.received<NUMBERED, count_of(&result, WEIR_SIM_PARTITION)> 0);
        divided += seen.received < NUMBERED;
    }
    assert_true(divided > 0);
}

static void the_same_seed_is_the_same_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        weir_sim_result one = play(sends_numbered, receives_numbered, WEIR_SIM_LOSS | WEIR_SIM_REORDER, seed);
        weir_sim_result other = play(sends_numbered, receives_numbered, WEIR_SIM_LOSS | WEIR_SIM_REORDER, seed);
        assert_true(one.digest == other.digest);
    }
}

/* --- names --- */

static void named(void)
{
    two_hosts();
    weir_sim_name("both", "there here");
    weir_sim_name("mixed", "there/4  dead refusing/6");
    weir_sim_name("there.example", "there/6");
}

static weir_sim_result play_named(int (*function)(void *arg), unsigned faults, uint64_t seed)
{
    const weir_sim_scenario scenario = {
        .name = "names", .set_up = named, .without = WEIR_SIM_ALL_FAULTS & ~faults, .faults_for = WEIR_MINUTES(1)};
    here = function;
    there = NULL;
    return play_scenario(&scenario, seed);
}

/* The addresses of a name as text, one behind the other. */
static const char *addresses_of(const char *name, int family)
{
    static char text[512];
    const struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int result = weir__system()->resolve(name, "80", &hints, &found);
    *text = '\0';
    if (result != 0)
        return gai_strerror(result);
    for (const struct addrinfo *one = found; one; one = one->ai_next) {
        CHECK(one->ai_socktype == SOCK_STREAM && one->ai_family == one->ai_addr->sa_family);
        weir__sim_address_text(one->ai_addr, one->ai_addrlen, text + strlen(text), sizeof text - strlen(text));
        strcat(text, one->ai_next ? " " : "");
    }
    weir__system()->resolve_free(found);
    return text;
}

static bool is(const char *found, const char *expected)
{
    if (strcmp(found, expected) != 0)
        weir_sim_note("found %s, not %s", found, expected);
    return strcmp(found, expected) == 0;
}

static int resolves(void *arg)
{
    (void)arg;
    CHECK(is(addresses_of("there", 0), "[fd00::2]:80 10.0.0.2:80"));
    CHECK(is(addresses_of("there", AF_INET), "10.0.0.2:80"));
    CHECK(is(addresses_of("both", 0), "[fd00::2]:80 10.0.0.2:80 [fd00::1]:80 10.0.0.1:80"));
    CHECK(is(addresses_of("mixed", 0), "10.0.0.2:80 [fdff::1]:80 10.255.0.1:80 [fd00::3]:80"));
    CHECK(is(addresses_of("mixed", AF_INET6), "[fdff::1]:80 [fd00::3]:80"));
    CHECK(is(addresses_of("there.example", AF_INET), gai_strerror(EAI_ADDRFAMILY)));
    CHECK(is(addresses_of("nowhere", 0), gai_strerror(EAI_NONAME)));
    CHECK(is(addresses_of("10.1.2.3", 0), "10.1.2.3:80") && is(addresses_of("::1", 0), "[::1]:80"));
    CHECK(is(addresses_of("localhost", AF_INET), "127.0.0.1:80"));
    return 0;
}

static void names_have_the_addresses_that_were_given(void **state)
{
    (void)state;
    play_named(resolves, 0, 1);
}

static int resolves_until_it_works(void *arg)
{
    const char *found;
    (void)arg;
    while (!is(found = addresses_of("there", AF_INET), "10.0.0.2:80"))
        CHECK(is(found, gai_strerror(EAI_AGAIN)));
    return 0;
}

static void a_resolver_may_fail_for_a_while(void **state)
{
    unsigned faults = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        weir_sim_result result = play_named(resolves_until_it_works, WEIR_SIM_CONNECT, seed);
        faults += count_of(&result, WEIR_SIM_CONNECT);
    }
    assert_true(faults > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_lost_and_doubled_adds_up),
        cmocka_unit_test(what_is_cut_is_counted),
        cmocka_unit_test(some_overtake_others),
        cmocka_unit_test(a_way_is_as_long_as_it_was_made),
        cmocka_unit_test(a_partition_cuts_some_off),
        cmocka_unit_test(the_same_seed_is_the_same_run),
        cmocka_unit_test(names_have_the_addresses_that_were_given),
        cmocka_unit_test(a_resolver_may_fail_for_a_while),
    };
    return cmocka_run_group_tests_name("sim network", tests, NULL, NULL);
}
