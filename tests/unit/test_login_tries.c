/*
 * Tries to log in: how long each address waits, how many it may have at once, and that what is remembered is bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <weir/weir.h>

#include "services/login/tries.h"

#define START WEIR_S(1000)

static const struct tries_limits limits = {WEIR_MS(500), WEIR_S(10), 4};
static struct tries *tries;

/* What was told of sources that were forgotten. */
static uint64_t told;
static char teller[TRIES_SOURCE_TEXT];

static void note(struct tries_source source, uint64_t count)
{
    told += count;
    tries_source_text(source, teller);
}

static int make(void **state)
{
    (void)state;
    told = 0;
    tries = tries_new(&limits, note);
    return tries ? 0 : -1;
}

static int unmake(void **state)
{
    (void)state;
    tries_free(tries);
    return 0;
}

static struct tries_source at(const char *host)
{
    char text[100];
    weir_address address;
    snprintf(text, sizeof text, "%s:1", host);
    assert_int_equal(weir_parse_address(text, &address), 0);
    return tries_source_of(&address, 0);
}

/* How long a try at `now` has to wait. It stays under way. */
static int64_t begin(struct tries_source source, int64_t now)
{
    int64_t when = -1;
    assert_int_equal(tries_begin(tries, source, now, &when), 0);
    assert_true(when >= now);
    return when - now;
}

static void is_refused(struct tries_source source)
{
    int64_t when;
    assert_int_equal(tries_begin(tries, source, START, &when), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_LIMIT);
}

/* A try that fails as soon as it is judged. When that was. */
static int64_t fail_at(struct tries_source source, int64_t now)
{
    now += begin(source, now);
    tries_end(tries, source, TRIES_FAILED, now);
    return now;
}

static void each_failure_doubles_the_wait(void **state)
{
    (void)state;
    struct tries_source source = at("192.0.2.1");
    static const int64_t waits[] = {0, 500, 1000, 2000, 4000, 8000, 10000, 10000, 10000};
    int64_t now = START;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        int64_t before = now;
        now = fail_at(source, now);
        assert_int_equal(now - before, WEIR_MS(waits[i]));
    }
    assert_int_equal(begin(at("192.0.2.2"), now), 0);
}

static void who_comes_later_anyway_does_not_wait(void **state)
{
    (void)state;
    struct tries_source source = at("192.0.2.1");
    fail_at(source, START);
    assert_int_equal(begin(source, START + WEIR_MS(400)), WEIR_MS(100));
    tries_end(tries, source, TRIES_UNTRIED, START + WEIR_MS(400));
    assert_int_equal(begin(source, START + WEIR_S(30)), 0);
}

static void who_never_fails_never_waits(void **state)
{
    (void)state;
    struct tries_source source = at("192.0.2.1");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(begin(source, START), 0);
        assert_int_equal(tries_end(tries, source, TRIES_PASSED, START), 0);
    }
}

/* Or whoever has an account of his own could guess others' passwords at full speed. */
static void a_right_password_forgets_no_failure(void **state)
{
    (void)state;
    struct tries_source source = at("192.0.2.1");
    int64_t now = fail_at(source, fail_at(source, START));
    now += begin(source, now);
    tries_end(tries, source, TRIES_PASSED, now);
    assert_int_equal(begin(source, now), WEIR_S(1));
}

static void those_at_once_are_judged_one_delay_apart(void **state)
{
    (void)state;
    struct tries_source source = at("192.0.2.1");
    fail_at(source, START);
    for (int i = 1; i <= 4; i++)
        assert_int_equal(begin(source, START), i * WEIR_MS(500));
}

static void an_address_has_so_many_at_once(void **state)
{
    (void)state;
    struct tries_source source = at("192.0.2.1");
    for (int i = 0; i < 4; i++)
        begin(source, START);
    is_refused(source);
    begin(at("192.0.2.2"), START);
    tries_end(tries, source, TRIES_UNTRIED, START);
    begin(source, START);
    is_refused(source);
}

static void failures_are_forgotten_after_ten_quiet_minutes(void **state)
{
    (void)state;
    struct tries_source source = at("192.0.2.1");
    int64_t now = fail_at(source, fail_at(source, START));
    fail_at(source, now + WEIR_MINUTES(9));
    now += WEIR_MINUTES(9);
    assert_int_equal(fail_at(source, now), now + WEIR_S(2));
    now = fail_at(source, now + WEIR_MINUTES(10) + WEIR_S(6));
    assert_int_equal(begin(source, now), WEIR_MS(500));
}

/* Many users behind one proxy, of whom one mistyped: the others' right passwords, always one of them under way. */
static void right_passwords_do_not_keep_failures_from_being_forgotten(void **state)
{
    (void)state;
    struct tries_source source = at("192.0.2.1");
    int64_t now = fail_at(source, fail_at(source, START));
    begin(source, now);
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(begin(source, now + WEIR_MINUTES(i)), 0);
        tries_end(tries, source, TRIES_PASSED, now + WEIR_MINUTES(i));
    }
    now = fail_at(source, now + WEIR_MINUTES(10) + WEIR_S(1));
    assert_int_equal(begin(source, now), WEIR_MS(500));
}

static void a_delay_of_an_hour_is_not_forgotten_before(void **state)
{
    (void)state;
    static const struct tries_limits slow = {WEIR_MINUTES(60), WEIR_MINUTES(60), 4};
    struct tries_source source = at("192.0.2.1");
    tries_free(tries);
    assert_non_null(tries = tries_new(&slow, note));
    fail_at(source, START);
    assert_int_equal(begin(source, START + WEIR_MINUTES(20)), WEIR_MINUTES(40));
}

static void a_network_of_64_bits_is_one_address(void **state)
{
    (void)state;
    fail_at(at("[2001:db8:1:2::1]"), START);
    assert_int_equal(begin(at("[2001:db8:1:2:ffff::7]"), START), WEIR_MS(500));
    assert_int_equal(begin(at("[2001:db8:1:3::1]"), START), 0);
}

static void a_mapped_address_is_the_one_that_it_maps(void **state)
{
    (void)state;
    fail_at(at("192.0.2.1"), START);
    assert_int_equal(begin(at("[::ffff:192.0.2.1]"), START), WEIR_MS(500));
    assert_int_equal(begin(at("[::ffff:192.0.2.2]"), START), 0);
}

static void users_of_a_unix_socket_are_told_apart(void **state)
{
    (void)state;
    weir_address address;
    assert_int_equal(weir_parse_address("@name", &address), 0);
    fail_at(tries_source_of(&address, 1000), START);
    assert_int_equal(begin(tries_source_of(&address, 1000), START), WEIR_MS(500));
    assert_int_equal(begin(tries_source_of(&address, 1001), START), 0);
}

static void failures_are_told_at_first_and_then_once_a_minute(void **state)
{
    (void)state;
    struct tries_source source = at("192.0.2.1");
    begin(source, START);
    assert_int_equal(tries_end(tries, source, TRIES_FAILED, START), 1);
    for (int i = 1; i <= 5; i++) {
        begin(source, START);
        assert_int_equal(tries_end(tries, source, TRIES_FAILED, START + i * WEIR_S(10)), 0);
    }
    begin(source, START);
    assert_int_equal(tries_end(tries, source, TRIES_FAILED, START + WEIR_S(60)), 6);
}

static void the_rest_of_them_is_told_at_the_end(void **state)
{
    (void)state;
    fail_at(at("192.0.2.2"), START);
    int64_t now = START;
    for (int i = 0; i < 4; i++)
        now = fail_at(at("[2001:db8:1:2::7]"), now);
    assert_int_equal(told, 0);
    tries_free(tries);
    tries = NULL;
    assert_int_equal(told, 3);
    assert_string_equal(teller, "2001:db8:1:2::/64");
}

static void the_rest_of_them_is_told_when_they_are_forgotten(void **state)
{
    (void)state;
    struct tries_source source = at("192.0.2.1");
    int64_t now = fail_at(source, fail_at(source, fail_at(source, START)));
    begin(source, now + WEIR_MINUTES(10));
    assert_int_equal(told, 0);
    begin(source, now + WEIR_MINUTES(11));
    begin(source, now + WEIR_MINUTES(11));
    assert_int_equal(told, 2);
    assert_string_equal(teller, "192.0.2.1");
}

static struct tries_source numbered(uint32_t number)
{
    weir_address address = {.length = sizeof address.ipv4, .ipv4 = {.sin_family = AF_INET, .sin_addr.s_addr = number}};
    return tries_source_of(&address, 0);
}

/* Whoever comes from a hundred thousand addresses is judged, and pushes nobody out whose try is under way. */
static void a_crowd_pushes_out_nobody_who_is_being_judged(void **state)
{
    (void)state;
    struct tries_source source = at("192.0.2.1");
    for (int i = 0; i < 3; i++)
        begin(source, START);
    for (uint32_t i = 1; i <= 100000; i++)
        fail_at(numbered(i), START + WEIR_US(i));
    begin(source, START);
    is_refused(source);
    for (int i = 0; i < 4; i++)
        tries_end(tries, source, TRIES_FAILED, START + WEIR_S(1));
    assert_true(begin(source, START + WEIR_S(1)) > 0);
}

static void the_rest_of_them_is_told_when_a_crowd_pushes_it_out(void **state)
{
    (void)state;
    int64_t now = fail_at(at("192.0.2.1"), fail_at(at("192.0.2.1"), START));
    for (uint32_t i = 1; i <= 100000; i++)
        fail_at(numbered(i), now + WEIR_US(i));
    assert_int_equal(told, 1);
    assert_string_equal(teller, "192.0.2.1");
}

/* With more addresses under way than there is memory for, further ones are refused. */
static void a_crowd_under_way_is_bounded(void **state)
{
    (void)state;
    uint32_t taken = 0, offered = 20000;
    int64_t when;
    for (uint32_t i = 1; i <= offered; i++)
        taken += tries_begin(tries, numbered(i), START, &when) == 0;
    assert_in_range(taken, 7000, 8192);
    for (uint32_t i = 1; i <= offered; i++)
        tries_end(tries, numbered(i), TRIES_UNTRIED, START);
    fail_at(numbered(offered + 1), START);
}

static void limits_can_be_switched_off(void **state)
{
    (void)state;
    struct tries_limits none = {WEIR_FOREVER, WEIR_S(10), -1};
    struct tries_source source = at("192.0.2.1");
    tries_free(tries);
    tries = tries_new(&none, note);
    assert_non_null(tries);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(begin(source, START), 0);
    for (int i = 0; i < 1000; i++)
        tries_end(tries, source, TRIES_FAILED, START);
    assert_int_equal(begin(source, START), 0);
}

/* They come to the end of all times, and stay there. */
static void delays_may_grow_without_a_bound(void **state)
{
    (void)state;
    struct tries_limits endless = {WEIR_S(1), WEIR_FOREVER, -1};
    struct tries_source source = at("192.0.2.1");
    tries_free(tries);
    tries = tries_new(&endless, note);
    assert_non_null(tries);
    assert_int_equal(fail_at(source, fail_at(source, fail_at(source, START))), START + WEIR_S(3));
    for (int i = 0; i < 100; i++) {
        begin(source, START);
        tries_end(tries, source, TRIES_FAILED, START);
    }
    assert_int_equal(begin(source, START), INT64_MAX - START);
    assert_int_equal(begin(source, START), INT64_MAX - START);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_failure_doubles_the_wait),
        CASE(who_comes_later_anyway_does_not_wait),
        CASE(who_never_fails_never_waits),
        CASE(a_right_password_forgets_no_failure),
        CASE(those_at_once_are_judged_one_delay_apart),
        CASE(an_address_has_so_many_at_once),
        CASE(failures_are_forgotten_after_ten_quiet_minutes),
        CASE(right_passwords_do_not_keep_failures_from_being_forgotten),
        CASE(a_delay_of_an_hour_is_not_forgotten_before),
        CASE(a_network_of_64_bits_is_one_address),
        CASE(a_mapped_address_is_the_one_that_it_maps),
        CASE(users_of_a_unix_socket_are_told_apart),
        CASE(failures_are_told_at_first_and_then_once_a_minute),
        CASE(a_crowd_pushes_out_nobody_who_is_being_judged),
        CASE(the_rest_of_them_is_told_at_the_end),
        CASE(the_rest_of_them_is_told_when_they_are_forgotten),
        CASE(the_rest_of_them_is_told_when_a_crowd_pushes_it_out),
        CASE(a_crowd_under_way_is_bounded),
        CASE(limits_can_be_switched_off),
        CASE(delays_may_grow_without_a_bound),
    };
    return cmocka_run_group_tests_name("login_tries", tests, NULL, NULL);
}
