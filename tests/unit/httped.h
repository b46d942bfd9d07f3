/* Connections for the tests of HTTP: one end says all that a test gives it and ends, the other is what is tested. */
#ifndef WEIR_TESTS_HTTPED_H
#define WEIR_TESTS_HTTPED_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <weir/weir.h>

static weir_conn *pair[2]; /* [0] is the test's */

static inline weir_conn *said_bytes(const void *bytes, size_t length)
{
    assert_int_equal(weir_pair(SOCK_STREAM, pair), 0);
    weir_set_timeout(pair[0], WEIR_S(20));
    weir_set_timeout(pair[1], WEIR_S(20));
    assert_int_equal(weir_send_all(pair[0], bytes, length), 0);
    assert_int_equal(weir_shutdown(pair[0], SHUT_WR), 0);
    return pair[1];
}

static inline weir_conn *said(const char *text)
{
    return said_bytes(text, strlen(text));
}

static inline void unsay(void)
{
    weir_close(pair[0]);
    weir_close(pair[1]);
}

#endif
