/* What servers remember: connections by address, answers by source, our own sockets, counters, lines that come seldom. */
#include "sockets.h"

#include <weir/server.h>

#include "server/addresses.h"
#include "server/budget.h"
#include "server/counters.h"
#include "server/own.h"
#include "server/seldom.h"

static uint64_t key_of(const char *text)
{
    weir_address address = address_of(text);
    return weir__address_key(&address);
}

/* --- keys --- */

static void loopback_is_not_counted(void **state)
{
    (void)state;
    assert_int_equal(key_of("127.0.0.1:80"), 0);
    assert_int_equal(key_of("127.9.9.9:80"), 0);
    assert_int_equal(key_of("[::1]:80"), 0);
    assert_int_equal(key_of("[::ffff:127.0.0.1]:80"), 0);
    assert_int_equal(key_of("/run/socket"), 0);
    assert_int_equal(key_of("@abstract"), 0);
}

static void an_ipv6_network_is_one_client(void **state)
{
    (void)state;
    assert_int_equal(key_of("[2001:db8:1:2::1]:1"), key_of("[2001:db8:1:2:ffff:ffff:ffff:ffff]:2"));
    assert_int_not_equal(key_of("[2001:db8:1:2::1]:1"), key_of("[2001:db8:1:3::1]:1"));
    assert_int_not_equal(key_of("[2001:db8:1:2::1]:1"), key_of("[2001:db8:2:2::1]:1"));
    assert_int_not_equal(key_of("[::2]:1"), 0);
}

static void an_ipv4_address_is_itself_however_it_is_written(void **state)
{
    (void)state;
    assert_int_equal(key_of("192.0.2.1:1"), key_of("192.0.2.1:2"));
    assert_int_equal(key_of("192.0.2.1:1"), key_of("[::ffff:192.0.2.1]:1"));
    assert_int_not_equal(key_of("192.0.2.1:1"), key_of("192.0.2.2:1"));
    assert_int_not_equal(key_of("[::ffff:192.0.2.1]:1"), key_of("[::ffff:192.0.2.2]:1"));
}

/* --- connections by address --- */

static void an_address_gets_so_many_and_no_more(void **state)
{
    struct weir__addresses addresses;
    uint64_t key = key_of("192.0.2.1:1"), other = key_of("192.0.2.2:1");
    (void)state;
    assert_int_equal(weir__addresses_init(&addresses), 0);
    assert_int_equal(weir__addresses_take(&addresses, key, 2), 0);
    assert_int_equal(weir__addresses_take(&addresses, key, 2), 0);
    assert_int_equal(weir__addresses_take(&addresses, key, 2), -1);
    assert_int_equal(errno, EUSERS);
    assert_int_equal(weir__addresses_take(&addresses, other, 2), 0);
    weir__addresses_give(&addresses, key);
    assert_int_equal(weir__addresses_take(&addresses, key, 2), 0);
    assert_int_equal(weir__addresses_take(&addresses, key, -1), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(weir__addresses_take(&addresses, 0, 1), 0);
    weir__addresses_free(&addresses);
}

enum { KEYS = 2000, STEPS = 200000 };

/* Against a plain array, in every order that chance makes: nobody is lost, forgotten ones leave no trace. */
static void the_table_is_right_whatever_comes_and_goes(void **state)
{
    static int64_t expected[KEYS];
    struct weir__addresses addresses;
    size_t living = 0;
    uint64_t random = 42;
    (void)state;
    weir__addresses_init(&addresses);
    for (int step = 0; step < STEPS; step++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        size_t i = (random >> 33) % KEYS;
        uint64_t key = (i + 1) << 32 | (i % 7);
        if (random >> 63 && expected[i] > 0) {
            weir__addresses_give(&addresses, key);
            living -= --expected[i] == 0;
        } else {
            assert_int_equal(weir__addresses_take(&addresses, key, 3), expected[i] < 3 ? 0 : -1);
            living += expected[i] == 0;
            expected[i] += expected[i] < 3;
        }
        assert_int_equal(addresses.used, living);
    }
    for (size_t i = 0; i < KEYS; i++)
        while (expected[i]-- > 0)
            weir__addresses_give(&addresses, (i + 1) << 32 | (i % 7));
    assert_int_equal(addresses.used, 0);
    assert_true(addresses.size <= 4096);
    weir__addresses_free(&addresses);
}

/* --- answers by source --- */

static void a_source_gets_so_many_answers_a_second(void **state)
{
    struct weir__budget *budget = weir__budget_new();
    uint64_t key = key_of("192.0.2.1:1");
    int64_t to_log;
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_true(weir__budget_take(budget, key, WEIR_S(10), 5, &to_log));
    assert_false(weir__budget_take(budget, key, WEIR_S(10) + 5, 5, &to_log));
    assert_int_equal(to_log, 1);
    for (int i = 0; i < 100; i++) {
        assert_false(weir__budget_take(budget, key, WEIR_S(10) + 6, 5, &to_log));
        assert_int_equal(to_log, 0);
    }
    assert_true(weir__budget_take(budget, key_of("192.0.2.2:1"), WEIR_S(10) + 7, 5, &to_log));
    for (int i = 0; i < 5; i++)
        assert_true(weir__budget_take(budget, key, WEIR_S(70), 5, &to_log));
    assert_false(weir__budget_take(budget, key, WEIR_S(70), 5, &to_log));
    assert_int_equal(to_log, 101);
    for (int i = 0; i < 100; i++)
        assert_true(weir__budget_take(budget, 0, WEIR_S(70), 5, &to_log));
    for (int i = 0; i < 100; i++)
        assert_true(weir__budget_take(budget, key, WEIR_S(70), -1, &to_log));
    weir__budget_free(budget);
}

/* Whoever makes up sources does not get rid of what he is held to by filling the table. */
static void many_sources_do_not_wash_one_clean(void **state)
{
    struct weir__budget *budget = weir__budget_new();
    uint64_t heavy = key_of("192.0.2.1:1");
    int64_t to_log, answered = 0;
    (void)state;
    for (uint64_t i = 1; i <= 100000; i++) {
        weir__budget_take(budget, i << 40, WEIR_S(1), 100, &to_log);
        answered += weir__budget_take(budget, heavy, WEIR_S(1), 100, &to_log);
    }
    assert_true(answered <= 100);
    weir__budget_free(budget);
}

/* --- our own sockets --- */

static void our_own_sockets_are_known(void **state)
{
    weir_address one = address_of("127.0.0.1:7777"), all = address_of("0.0.0.0:7778"), six = address_of("[::]:7779");
    weir_address asked;
    (void)state;
    assert_false(weir__own_has(&one));
    assert_int_equal(weir__own_add(&one), 0);
    assert_int_equal(weir__own_add(&all), 0);
    assert_int_equal(weir__own_add(&six), 0);
    assert_true(weir__own_has(&one));
    asked = address_of("[::ffff:127.0.0.1]:7777");
    assert_true(weir__own_has(&asked));
    asked = address_of("127.0.0.2:7777");
    assert_false(weir__own_has(&asked));
    asked = address_of("127.0.0.2:7778");
    assert_true(weir__own_has(&asked));
    asked = address_of("192.0.2.1:7778");
    assert_false(weir__own_has(&asked));
    asked = address_of("127.0.0.1:7779");
    assert_true(weir__own_has(&asked));
    asked = address_of("[2001:db8::1]:7779");
    assert_false(weir__own_has(&asked));
    asked = address_of("127.0.0.1:7780");
    assert_false(weir__own_has(&asked));
    weir__own_remove(&one);
    weir__own_remove(&all);
    weir__own_remove(&six);
    assert_false(weir__own_has(&one));
}

/* --- counters --- */

static void counters_are_summed_and_told(void **state)
{
    struct weir__counters workers[2] = {0};
    weir_counters sum;
    char text[1000], small[20];
    (void)state;
    weir__counters_sum(workers, 2, &sum);
    assert_string_equal(weir_counters_text(&sum, false, text, sizeof text), "");
    weir__count(&workers[0], accepted, 3);
    weir__count(&workers[1], accepted, 4);
    weir__count(&workers[0], active, 2);
    weir__count(&workers[1], active, -1);
    weir__count(&workers[1], replies_failed, 1);
    weir__counters_sum(workers, 2, &sum);
    assert_int_equal(sum.accepted, 7);
    assert_string_equal(weir_counters_text(&sum, false, text, sizeof text), "accepted=7 active=1 replies_failed=1");
    weir_counters_text(&sum, true, text, sizeof text);
    assert_memory_equal(text, "{\"accepted\":7,\"active\":1,\"refused_limit\":0,", 43);
    assert_string_equal(text + strlen(text) - 20, ",\"replies_failed\":1}");
    assert_int_equal(strlen(weir_counters_text(&sum, false, small, sizeof small)), sizeof small - 1);
    weir__counters_died(&workers[0]);
    weir__counters_sum(workers, 1, &sum);
    assert_int_equal(sum.active, 0);
    assert_int_equal(sum.accepted, 3);
}

static void a_line_comes_once_in_a_while(void **state)
{
    struct weir__seldom line = {0};
    int64_t times;
    (void)state;
    assert_true(weir__seldom(&line, WEIR_S(1), WEIR_S(60), &times));
    assert_int_equal(times, 1);
    for (int i = 2; i < 60; i++)
        assert_false(weir__seldom(&line, WEIR_S(i), WEIR_S(60), &times));
    assert_true(weir__seldom(&line, WEIR_S(61), WEIR_S(60), &times));
    assert_int_equal(times, 59);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_not_counted),
        cmocka_unit_test(an_ipv6_network_is_one_client),
        cmocka_unit_test(an_ipv4_address_is_itself_however_it_is_written),
        cmocka_unit_test(an_address_gets_so_many_and_no_more),
        cmocka_unit_test(the_table_is_right_whatever_comes_and_goes),
        cmocka_unit_test(a_source_gets_so_many_answers_a_second),
        cmocka_unit_test(many_sources_do_not_wash_one_clean),
        cmocka_unit_test(our_own_sockets_are_known),
        cmocka_unit_test(counters_are_summed_and_told),
        cmocka_unit_test(a_line_comes_once_in_a_while),
    };
    return cmocka_run_group_tests_name("server_tables", tests, NULL, NULL);
}
