/* Addresses as text and back, compared, and told apart. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <weir/endpoint.h>

static weir_address parsed(const char *text)
{
    weir_address address;
    assert_int_equal(weir_parse_address(text, &address), 0);
    return address;
}

static void text_survives_parsing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "127.0.0.1:80",
        "0.0.0.0:0",
        "255.255.255.255:65535",
        "[::1]:80",
        "[::]:0",
        "[2001:db8::1]:443",
        "[2001:db8:0:1:1:1:1:1]:443", /* RFC 5952 4.2.2: one zero group is not shortened */
        "[2001:0:0:1::1]:1",          /* 4.2.3: the longest run is */
        "[2001:db8::1:0:0:1]:1",      /* of two equal ones, the first */
        "[1:2:3:4:5:6:7:8]:9",
        "[1::]:9",
        "[::ffff:192.0.2.1]:7",
        "[fe80::1%2]:22",
        "/run/socket",
        "/tmp/with\\x20space\\x5cand\\x0anewline",
        "./relative",
        "../relative",
        "@abstract",
        "@\\x00\\xff",
        "@@",
        "@", /* an abstract name of no bytes, which a peer may have */
        "unnamed",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[WEIR_ADDRESS_TEXT];
        weir_address address = parsed(texts[i]);
        assert_string_equal(weir_address_text(&address, text, sizeof text), texts[i]);
        weir_address again = parsed(text);
        assert_true(weir_address_equal(&address, &again));
    }
}

static void every_ipv6_address_is_written_as_the_system_does(void **state)
{
    (void)state;
    uint32_t chance = 12345;
    for (int round = 0; round < 20000; round++) {
        weir_address address = {.length = sizeof address.ipv6, .ipv6.sin6_family = AF_INET6};
        for (int group = 0; group < 8; group++) {
            chance = chance * 1664525 + 1013904223;
            if (chance >> 31)
                continue; /* half of the groups are zero */
            address.ipv6.sin6_addr.s6_addr[2 * group] = (uint8_t)(chance >> 8 & (chance >> 24));
            address.ipv6.sin6_addr.s6_addr[2 * group + 1] = (uint8_t)(chance >> 16);
        }
        char system[INET6_ADDRSTRLEN], expected[80], text[WEIR_ADDRESS_TEXT];
        inet_ntop(AF_INET6, &address.ipv6.sin6_addr, system, sizeof system);
        if (strchr(system, '.') != NULL && strncmp(system, "::ffff:", 7) != 0)
            continue; /* IPv4-compatible, long deprecated: we write it as any other */
        snprintf(expected, sizeof expected, "[%s]:0", system);
        assert_string_equal(weir_address_text(&address, text, sizeof text), expected);
    }
}

static void malformed_text_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        ":",
        ":80",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:99999999999999999999",
        "127.0.0:1",
        "127.1:1",
        "localhost:1",
        "[::1]",
        "[::1]:",
        "::1:80",
        "[127.0.0.1]:80",
        "[::1:80",
        "[]:1",
        "[:::]:1",
        "127.0.0.1:x",
        "127.0.0.1:-1",
        "127.0.0.1: 1",
        "[fe80::1%]:1",
        "[::1%x]:1",
        "[::1%4294967296]:1",
        "/a\\x",
        "/a\\xg0",
        "/a\\x0g",
        "/a\\",
        "/a\\x00b",
        "]:1",
        "[",
        "000127.0.0.1:1",
        "[1:2:3:4:5:6:7:8:9]:1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        weir_address address = {.length = 77};
        errno = 0;
        assert_int_equal(weir_parse_address(texts[i], &address), -1);
        assert_int_equal(errno, EINVAL);
        assert_int_equal(address.length, 77); /* left alone */
    }
}

static void names_are_at_most_what_a_socket_takes(void **state)
{
    (void)state;
    char path[110] = "/";
    memset(path + 1, 'x', 106);
    weir_address address = parsed(path);
    assert_int_equal(address.length, sizeof address.local);
    path[107] = 'x';
    assert_int_equal(weir_parse_address(path, &address), -1);
    path[0] = '@';
    path[108] = '\0';
    address = parsed(path);
    assert_int_equal(address.length, sizeof address.local);
    path[108] = 'x';
    assert_int_equal(weir_parse_address(path, &address), -1);
}

static void a_path_without_a_terminator_is_read_to_its_end(void **state)
{
    (void)state;
    weir_address address = {.length = sizeof address.local, .local.sun_family = AF_UNIX};
    memset(address.local.sun_path, '/', sizeof address.local.sun_path); /* as the kernel may return it */
    char text[WEIR_ADDRESS_TEXT];
    assert_int_equal(strlen(weir_address_text(&address, text, sizeof text)), sizeof address.local.sun_path);
}

static void text_is_cut_and_never_overrun(void **state)
{
    (void)state;
    weir_address address = {.length = sizeof address.local, .local.sun_family = AF_UNIX};
    memset(address.local.sun_path + 1, 0x1b, sizeof address.local.sun_path - 1);
    for (size_t size = 1; size < WEIR_ADDRESS_TEXT; size++) {
        char text[WEIR_ADDRESS_TEXT];
        memset(text, 'u', sizeof text);
        weir_address_text(&address, text, size);
        assert_in_range(strlen(text), 0, size - 1);
        assert_int_equal(text[size], 'u');
    }
}

static void different_addresses_are_not_equal(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "127.0.0.1:80",  "127.0.0.1:81",  "127.0.0.2:80", "[::1]:80", "[::1]:81", "[::2]:80", "[::ffff:127.0.0.1]:80",
        "[fe80::1%1]:1", "[fe80::1%2]:1", "/a",           "/ab",      "@/a",      "@a",       "unnamed",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (size_t j = 0; j < sizeof texts / sizeof *texts; j++) {
            weir_address a = parsed(texts[i]), b = parsed(texts[j]);
            assert_int_equal(weir_address_equal(&a, &b), i == j);
        }
    }
    weir_address none = {0}, some = parsed("@a");
    assert_true(weir_address_equal(&none, &none));
    assert_false(weir_address_equal(&none, &some));
    char text[WEIR_ADDRESS_TEXT];
    assert_string_equal(weir_address_text(&none, text, sizeof text), "none");
}

static void loopback_is_told_apart(void **state)
{
    (void)state;
    static const char *const near[] = {"127.0.0.1:1", "127.255.1.2:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "/a",
                                       "@a",          "unnamed"};
    static const char *const far[] = {"126.0.0.1:1", "128.0.0.1:1",         "0.0.0.0:1",       "[::]:1",
                                      "[::2]:1",     "[::ffff:10.0.0.1]:1", "[::127.0.0.1]:1", "[fe80::1%1]:1"};
    for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
        weir_address address = parsed(near[i]);
        assert_true(weir_address_is_loopback(&address));
    }
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        weir_address address = parsed(far[i]);
        assert_false(weir_address_is_loopback(&address));
    }
    weir_address none = {0};
    assert_false(weir_address_is_loopback(&none));
}

static void ports_are_in_our_order(void **state)
{
    (void)state;
    weir_address ipv4 = parsed("1.2.3.4:513"), ipv6 = parsed("[::1]:513"), local = parsed("/513");
    assert_int_equal(weir_address_port(&ipv4), 513);
    assert_int_equal(weir_address_port(&ipv6), 513);
    assert_int_equal(weir_address_port(&local), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_survives_parsing),
        cmocka_unit_test(every_ipv6_address_is_written_as_the_system_does),
        cmocka_unit_test(malformed_text_is_refused),
        cmocka_unit_test(names_are_at_most_what_a_socket_takes),
        cmocka_unit_test(a_path_without_a_terminator_is_read_to_its_end),
        cmocka_unit_test(text_is_cut_and_never_overrun),
        cmocka_unit_test(different_addresses_are_not_equal),
        cmocka_unit_test(loopback_is_told_apart),
        cmocka_unit_test(ports_are_in_our_order),
    };
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
