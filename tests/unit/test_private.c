/*
 * Which endpoints this machine alone can reach. The resolver is the test's own, so that it can fail in every way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netdb.h>
#include <netinet/in.h>

#include "services/private.h"

static int result;
static uint32_t hosts[2]; /* 0: no more */

/* In place of the C library's. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    (void)name, (void)service, (void)hints;
    *found = NULL;
    for (size_t i = 0; result == 0 && i < sizeof hosts / sizeof *hosts && hosts[i]; i++) {
        struct addrinfo *one = calloc(1, sizeof *one);
        struct sockaddr_in *address = calloc(1, sizeof *address);
        address->sin_family = AF_INET;
        address->sin_addr.s_addr = htonl(hosts[i]);
        *one =
            (struct addrinfo){.ai_addr = (struct sockaddr *)address, .ai_addrlen = sizeof *address, .ai_next = *found};
        *found = one;
    }
    return result;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
void freeaddrinfo(struct addrinfo *found)
{
    while (found) {
        struct addrinfo *next = found->ai_next;
        free(found->ai_addr);
        free(found);
        found = next;
    }
}

static bool is_private(const char *text)
{
    weir_endpoint endpoint;
    assert_int_equal(weir_parse_endpoint(text, NULL, &endpoint), 0);
    return endpoint_is_private(&endpoint);
}

static void a_name_is_when_all_its_addresses_are(void **state)
{
    (void)state;
    hosts[0] = INADDR_LOOPBACK;
    assert_true(is_private("tcp://name:1"));
    hosts[1] = 0xc0000201; /* 192.0.2.1 */
    assert_false(is_private("tcp://name:1"));
    hosts[0] = hosts[1];
    assert_false(is_private("tcp://name:1"));
}

/* A resolver that is out of order now may find an address when the server binds it. */
static void a_name_that_could_not_be_looked_up_is_not(void **state)
{
    (void)state;
    static const int failures[] = {EAI_AGAIN, EAI_FAIL, EAI_SYSTEM, EAI_MEMORY};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        result = failures[i];
        assert_false(is_private("tcp://name:1"));
    }
    result = EAI_NONAME;
    assert_true(is_private("tcp://name:1"));
}

static void without_a_name(void **state)
{
    (void)state;
    result = EAI_FAIL;
    assert_true(is_private("tcp://:1"));
    assert_true(is_private("unix:/a/socket"));
    assert_false(is_private("tcp://*:1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_when_all_its_addresses_are),
        cmocka_unit_test(a_name_that_could_not_be_looked_up_is_not),
        cmocka_unit_test(without_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
