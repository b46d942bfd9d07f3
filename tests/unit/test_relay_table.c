/* The table of a relay's sessions: one for each client, so many in all and of one machine; and what waits in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/relay_table.h"

static struct relay_counters counters;
static struct relay relay;

static int make(void **state)
{
    (void)state;
    memset(&counters, 0, sizeof counters);
    relay = (struct relay){.most_sessions = 10, .most_per_address = 3, .counters = &counters};
    relay.sessions = relay_sessions_new();
    return relay.sessions ? 0 : -1;
}

static int unmake(void **state)
{
    (void)state;
    relay_sessions_free(relay.sessions);
    return 0;
}

static weir_address client(const char *host, int port)
{
    char text[100];
    weir_address address;
    snprintf(text, sizeof text, "%s:%d", host, port);
    assert_int_equal(weir_parse_address(text, &address), 0);
    return address;
}

static struct relay_session *take(const char *host, int port, bool is_new)
{
    weir_address peer = client(host, port);
    bool made;
    struct relay_session *session = relay_session_take(&relay, &peer, &made);
    if (session)
        assert_int_equal(made, is_new);
    return session;
}

static void a_client_has_one_session_until_it_is_over(void **state)
{
    (void)state;
    struct relay_session *session = take("192.0.2.1", 1, true);
    assert_ptr_equal(take("192.0.2.1", 1, false), session);
    relay_session_give(&relay, session, false);
    struct relay_session *other = take("192.0.2.1", 2, true);
    assert_ptr_not_equal(other, session);
    relay_session_give(&relay, other, true);
    assert_ptr_equal(take("192.0.2.1", 1, false), session);
    relay_session_give(&relay, session, true); /* over, but still known to the one above */
    struct relay_session *next = take("192.0.2.1", 1, true);
    assert_ptr_not_equal(next, session);
    relay_session_give(&relay, session, false);
    relay_session_give(&relay, next, true);
}

static void there_are_so_many_in_all(void **state)
{
    (void)state;
    struct relay_session *sessions[10];
    for (int i = 0; i < 10; i++)
        sessions[i] = take("127.0.0.1", i + 1, true); /* loopback: all are one machine's */
    assert_null(take("127.0.0.1", 11, true));
    assert_non_null(take("127.0.0.1", 10, false));
    relay_session_give(&relay, sessions[9], false);
    relay_session_give(&relay, sessions[0], true);
    sessions[0] = take("127.0.0.1", 11, true);
    assert_non_null(sessions[0]);
    for (int i = 0; i < 10; i++)
        relay_session_give(&relay, sessions[i], true);
}

static void check_share(const char *const hosts[4])
{
    struct relay_session *sessions[3];
    for (int i = 0; i < 3; i++)
        assert_non_null(sessions[i] = take(hosts[i], 7, true));
    assert_null(take(hosts[3], 8, true));
    struct relay_session *other = take("198.51.100.1", 7, true);
    assert_non_null(other);
    relay_session_give(&relay, other, true);
    relay_session_give(&relay, sessions[1], true);
    assert_non_null(sessions[1] = take(hosts[3], 8, true));
    for (int i = 0; i < 3; i++)
        relay_session_give(&relay, sessions[i], true);
}

static void and_so_many_of_one_machine(void **state)
{
    (void)state;
    struct relay_session *sessions[3];
    for (int i = 0; i < 3; i++)
        assert_non_null(sessions[i] = take("192.0.2.1", i + 1, true));
    assert_null(take("192.0.2.1", 4, true));
    for (int i = 0; i < 3; i++)
        relay_session_give(&relay, sessions[i], true);
    check_share((const char *const[]){"[2001:db8::1]", "[2001:db8::2]", "[2001:db8::3:4]", "[2001:db8::5]"});
    check_share(
        (const char *const[]){"[2001:db8:0:1::1]", "[2001:db8:0:1:2::]", "[2001:db8:0:1::3]", "[2001:db8:0:1:ffff::]"});
    relay.most_per_address = -1;
    assert_non_null(sessions[0] = take("192.0.2.1", 1, true));
    relay_session_give(&relay, sessions[0], true);
}

/* --- what waits --- */

static void leave(struct relay_session *session, const char *text, bool no_room)
{
    weir_datagram datagram = {.data = (char *)(uintptr_t)text, .length = strlen(text)};
    assert_true(relay_session_leave_waiting(&relay, session, &datagram, no_room));
}

static void check_next(struct waiting **next, const char *text)
{
    struct waiting *one = *next;
    assert_non_null(one);
    assert_int_equal(one->length, strlen(text));
    assert_memory_equal(one->data, text, one->length);
    *next = one->next;
    free(one);
}

static void what_waits_keeps_its_order(void **state)
{
    (void)state;
    weir_datagram datagram = {.data = (char *)(uintptr_t) "x", .length = 1};
    struct relay_session *session = take("192.0.2.1", 1, true);
    assert_false(relay_session_is_direct(&relay, session));
    leave(session, "one", false);
    leave(session, "two", false);
    struct waiting *next = relay_session_take_waiting(&relay, session);
    check_next(&next, "one");
    leave(session, "three", false);
    relay_session_put_back(&relay, session, next); /* there was no room for the second */
    next = relay_session_take_waiting(&relay, session);
    check_next(&next, "two");
    check_next(&next, "three");
    assert_null(next);
    assert_null(relay_session_take_waiting(&relay, session));
    assert_true(relay_session_is_direct(&relay, session));
    assert_false(relay_session_leave_waiting(&relay, session, &datagram, false));
    leave(session, "no room", true);
    assert_false(relay_session_is_direct(&relay, session));
    relay_session_give(&relay, session, true); /* and what waits with it */
    assert_int_equal(counters.overrun, 0);
}

static void so_much_may_wait(void **state)
{
    (void)state;
    static char much[100000];
    weir_datagram datagram = {.data = much, .length = sizeof much};
    struct relay_session *session = take("192.0.2.1", 1, true);
    for (int i = 0; i < 4; i++)
        assert_true(relay_session_leave_waiting(&relay, session, &datagram, false));
    assert_int_equal(counters.overrun, 2);
    relay_session_give(&relay, session, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_client_has_one_session_until_it_is_over, make, unmake),
        cmocka_unit_test_setup_teardown(there_are_so_many_in_all, make, unmake),
        cmocka_unit_test_setup_teardown(and_so_many_of_one_machine, make, unmake),
        cmocka_unit_test_setup_teardown(what_waits_keeps_its_order, make, unmake),
        cmocka_unit_test_setup_teardown(so_much_may_wait, make, unmake),
    };
    return cmocka_run_group_tests_name("relay_table", tests, NULL, NULL);
}
