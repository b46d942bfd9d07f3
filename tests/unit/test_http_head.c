/* The heads of HTTP's messages: what is taken, and what is refused and how. */
#include "httped.h"

#include "http/head.h"

#define GET  "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

/* --- requests --- */

/* The status with which a request is refused; 0: it is not; -1: without an answer. */
static int status_of(const void *bytes, size_t length)
{
    struct http_head head;
    int got = http_read_request(said_bytes(bytes, length), &head);
    int status = head.status;
    assert_true(got < 0 || status == 0);
    http_head_free(&head);
    unsay();
    return got >= 0 ? 0 : status ? status : -1;
}

static void check_status(const char *request, int expected)
{
    int status = status_of(request, strlen(request));
    if (status != expected)
        fail_msg("%d and not %d: %.100s", status, expected, request);
}

static void a_request_is_taken_apart(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(
        http_read_request(said("\r\nPUT /a%20b?c=d HTTP/1.1\r\nHost: h:80\r\nX-A: \t one two \t\r\nEmpty:\r\n"
                               "Next: z\r\nx-a: three\r\nContent-Length: 12\r\nExpect: 100-Continue\r\n\r\nbody"),
                          &head),
        1);
    assert_string_equal(head.method, "PUT");
    assert_string_equal(head.target, "/a%20b?c=d");
    assert_int_equal(head.count, 7);
    assert_string_equal(http_field(&head, "next"), "z");
    assert_string_equal(http_field(&head, "x-A"), "one two");
    assert_string_equal(http_field(&head, "empty"), "");
    assert_null(http_field(&head, "x"));
    assert_true(head.body == HTTP_LENGTH && head.length == 12);
    assert_true(head.keep_alive && head.expects_continue && !head.upgrade && head.status == 0);
    char body[8];
    assert_int_equal(weir_recv(pair[1], body, sizeof body), 4);
    http_head_free(&head);
    unsay();
}

static void lists_have_words(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(
        http_read_request(said(GET "Connection: x,Upgrade ,\ty\r\nConnection: Close\r\nUpgrade: z\r\n\r\n"), &head), 1);
    assert_true(http_field_has(&head, "connection", "upgrade"));
    assert_true(http_field_has(&head, "Connection", "y"));
    assert_true(http_field_has(&head, "Connection", "close"));
    assert_false(http_field_has(&head, "Connection", "clos"));
    assert_false(http_field_has(&head, "Connection", "x,Upgrade"));
    assert_true(head.upgrade && !head.keep_alive);
    http_head_free(&head);
    unsay();
}

static void check_target(const char *line, const char *expected)
{
    char text[200];
    struct http_head head;
    snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: a\r\n\r\n", line);
    assert_int_equal(http_read_request(said(text), &head), 1);
    assert_string_equal(head.target, expected);
    http_head_free(&head);
    unsay();
}

static void an_absolute_target_is_its_path(void **state)
{
    (void)state;
    check_target("GET http://a/b?c", "/b?c");
    check_target("GET HTTP://a:80?c", "/?c");
    check_target("GET https://a", "/");
    check_target("OPTIONS *", "*");
    check_status("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_status("GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_status("GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_status("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_status("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501);
}

static void which_versions_are_known(void **state)
{
    (void)state;
    check_status(GET "\r\n", 0);
    check_status("GET / HTTP/1.0\r\n\r\n", 0);
    check_status("SOURCE /live ICE/1.0\r\n\r\n", 0);
    check_status("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
    check_status("GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505);
    check_status("GET / HTTQ/1.1\r\nHost: a\r\n\r\n", 400);
    check_status("GET /\r\n\r\n", 400);
    check_status("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 501);
    check_status("FETCH / HTTP/1.1\r\nHost: a\r\n\r\n", 501);
}

static void whether_the_connection_goes_on(void **state)
{
    static const struct {
        const char *text;
        bool goes_on;
    } cases[] = {
        {GET "\r\n", true},
        {GET "Connection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_head head;
        assert_int_equal(http_read_request(said(cases[i].text), &head), 1);
        assert_true(head.keep_alive == cases[i].goes_on);
        http_head_free(&head);
        unsay();
    }
}

/* What two readers might take for different messages. */
static void smuggling_is_refused(void **state)
{
    (void)state;
    check_status(POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    check_status(POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400);
    check_status(POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400);
    check_status(POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400);
    check_status(POST "Content-Length: 3, 3\r\n\r\n", 400);
    check_status(POST "Content-Length: +3\r\n\r\n", 400);
    check_status(POST "Content-Length: -3\r\n\r\n", 400);
    check_status(POST "Content-Length: 0x3\r\n\r\n", 400);
    check_status(POST "Content-Length:\r\n\r\n", 400);
    check_status(POST "Content-Length: 99999999999999999999\r\n\r\n", 400);
    check_status(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    check_status(POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 501);
    check_status(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501);
    check_status(POST "Transfer-Encoding: xchunked\r\n\r\n", 501);
    check_status(POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 501);
    check_status(POST "Transfer-Encoding : chunked\r\n\r\n", 400);
    check_status(POST "Transfer-Encoding\t: chunked\r\n\r\n", 400);
    check_status(POST "Transfer-Encoding:\vchunked\r\n\r\n", 400);
    check_status(POST "X: y\r\n Transfer-Encoding: chunked\r\n\r\n", 400);
    check_status(POST " X: y\r\n\r\n", 400);
    check_status("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    check_status(POST "Transfer-Encoding: Chunked\r\n\r\n", 0);
}

static void what_no_head_may_hold(void **state)
{
    (void)state;
    static const char with_nul[] = GET "X: a\0b\r\n\r\n", with_nul_name[] = GET "X\0: b\r\n\r\n";
    check_status("GET / HTTP/1.1\nHost: a\r\n\r\n", 400);
    check_status(GET "X: y\nZ: y\r\n\r\n", 400);
    check_status(GET "X: y\rZ: y\r\n\r\n", 400);
    check_status("GET / HTTP/1.1\nHost: a\n\n", 400);
    check_status(GET "X: \x01\r\n\r\n", 400);
    check_status(GET "X: \x7f\r\n\r\n", 400);
    check_status(GET ": y\r\n\r\n", 400);
    check_status(GET "X\r\n\r\n", 400);
    check_status(GET "X y: z\r\n\r\n", 400);
    check_status(GET "X(: z\r\n\r\n", 400);
    check_status("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_status("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400);
    check_status(" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_status("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_status("GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_status(GET "X: \xc3\xa4\xff\r\n\r\n", 0);
    assert_int_equal(status_of(with_nul, sizeof with_nul - 1), 400);
    assert_int_equal(status_of(with_nul_name, sizeof with_nul_name - 1), 400);
}

static void one_host_is_due(void **state)
{
    (void)state;
    check_status("GET / HTTP/1.1\r\n\r\n", 400);
    check_status(GET "Host: b\r\n\r\n", 400);
    check_status("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400);
    check_status("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400);
    check_status("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400);
    check_status("GET / HTTP/1.1\r\nHost: <a>\r\n\r\n", 400);
    check_status("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 0);
    check_status("GET / HTTP/1.1\r\nHost:\r\n\r\n", 0);
}

static void what_is_expected_is_known(void **state)
{
    (void)state;
    check_status(POST "Expect: 200-ok\r\n\r\n", 417);
    check_status("POST / HTTP/1.0\r\nExpect: x\r\n\r\n", 0);
}

/* A request with a line of `length` bytes: the first, or a field's. */
static int status_of_long(size_t length, bool first)
{
    char *text = malloc(length + 100);
    assert_non_null(text);
    strcpy(text, first ? "" : GET);
    size_t start = strlen(text);
    const char *line = first ? "GET /" : "X: ", *end = first ? " HTTP/1.1\r\nHost: a\r\n\r\n" : "\r\n\r\n";
    size_t after = first ? strlen(" HTTP/1.1") : 0;
    strcat(text, line);
    memset(text + start + strlen(line), 'x', length - strlen(line) - after);
    strcpy(text + start + length - after, end);
    int status = status_of(text, strlen(text));
    free(text);
    return status;
}

static void lines_have_a_measure(void **state)
{
    (void)state;
    assert_int_equal(status_of_long(HTTP_LINE_MOST, true), 0);
    assert_int_equal(status_of_long(HTTP_LINE_MOST + 1, true), 414);
    assert_int_equal(status_of_long(HTTP_HEAD_MOST + 100, true), 414);
    assert_int_equal(status_of_long(HTTP_LINE_MOST, false), 0);
    assert_int_equal(status_of_long(HTTP_LINE_MOST + 1, false), 431);
    assert_int_equal(status_of_long(HTTP_HEAD_MOST + 100, false), 431);
}

static void fields_have_a_number(void **state)
{
    (void)state;
    char text[4096] = GET;
    for (int i = 1; i < HTTP_FIELDS_MOST; i++)
        strcat(text, "A: b\r\n");
    size_t length = strlen(text);
    strcpy(text + length, "\r\n");
    check_status(text, 0);
    strcpy(text + length, "C: d\r\n\r\n");
    check_status(text, 431);
}

static void a_stream_that_ends(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(http_read_request(said(""), &head), 0);
    unsay();
    check_status("GET / HT", 400);
    check_status(GET, 400);
    check_status("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", 400);
}

/* Only who has begun is told that it took too long. */
static void a_deadline_is_told(void **state)
{
    (void)state;
    for (int begun = 0; begun <= 1; begun++) {
        struct http_head head;
        assert_int_equal(weir_pair(SOCK_STREAM, pair), 0);
        if (begun)
            assert_int_equal(weir_send_all(pair[0], "GET /", 5), 0);
        weir_set_timeout(pair[1], WEIR_MS(1));
        assert_int_equal(http_read_request(pair[1], &head), -1);
        assert_int_equal(errno, ETIMEDOUT);
        assert_int_equal(weir_error()->kind, WEIR_ERROR_DEADLINE);
        assert_int_equal(head.status, begun ? 408 : 0);
        http_head_free(&head);
        unsay();
    }
}

/* --- responses --- */

static int response_to(const char *text, const char *to, struct http_head *head)
{
    int got = http_read_response(said(text), to, WEIR_FOREVER, head);
    unsay();
    return got;
}

static void check_response(const char *text, const char *to, enum http_body_kind body, bool keep_alive)
{
    struct http_head head;
    assert_int_equal(response_to(text, to, &head), 1);
    if (head.body != body || head.keep_alive != keep_alive)
        fail_msg("body %d, keep alive %d: %s", (int)head.body, head.keep_alive, text);
    http_head_free(&head);
}

static void how_responses_end(void **state)
{
    (void)state;
    check_response("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "GET", HTTP_LENGTH, true);
    check_response("HTTP/1.1 200\r\nContent-Length: 3\r\n\r\n", "HEAD", HTTP_NO_BODY, true);
    check_response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET", HTTP_NO_BODY, true);
    check_response("HTTP/1.1 204 \r\n\r\n", "GET", HTTP_NO_BODY, true);
    check_response("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", "GET", HTTP_NO_BODY, true);
    check_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", HTTP_CHUNKED, true);
    check_response("HTTP/1.1 200 OK\r\n\r\n", "GET", HTTP_UNTIL_CLOSE, false);
    check_response("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", "GET", HTTP_LENGTH, false);
    check_response("HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "PUT",
                   HTTP_LENGTH, true);
}

static void a_shoutcast_server_is_understood(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(response_to("ICY 200 OK\r\nicy-name:R\xe4"
                                 "dio\r\nicy-metaint:8192\r\n\r\n",
                                 "GET", &head),
                     1);
    assert_true(head.icy && head.status == 200 && head.major == 1 && head.minor == 0);
    assert_string_equal(head.reason, "OK");
    assert_string_equal(http_field(&head, "icy-name"), "R\xe4"
                                                       "dio");
    assert_true(head.body == HTTP_UNTIL_CLOSE && !head.keep_alive);
    http_head_free(&head);
}

static void responses_that_are_none(void **state)
{
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 101 Switching\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 OK\r\n\r\n",
        "HTTP/1.1 200 OK\nX: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "SSH-2.0-x\r\n\r\n",
        "HTTQ/1.1 200 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "ICYY 200 OK\r\n\r\n",
    };
    (void)state;
    struct http_head head;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(response_to(texts[i], "GET", &head), -1);
        if (errno != EPROTO || weir_error()->number != EPROTO)
            fail_msg("%s: %s", texts[i], weir_error()->sentence);
        http_head_free(&head);
    }
    assert_int_equal(response_to("", "GET", &head), -1);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_CLOSED);
    assert_string_equal(weir_error()->reason, "closed without an answer");
    assert_int_equal(response_to("HTTP/1.1 200 OK\r\n", "GET", &head), -1);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_CLOSED);
}

/* Its client waits for an answer, and need not wait until ours has lost its patience. */
static void who_speaks_tls_is_told_at_once(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(weir_pair(SOCK_STREAM, pair), 0);
    assert_int_equal(weir_send_all(pair[0], "\x16\x03\x01\x02\x00\x01", 6), 0);
    assert_int_equal(http_read_request(pair[1], &head), -1);
    assert_int_equal(head.status, 400);
    assert_string_equal(weir_error()->reason, "TLS where http:// is spoken");
    http_head_free(&head);
    unsay();
}

/* Whatever sends on and on, music perhaps, is no reason to speak of marks. */
static void a_stream_that_is_none_is_told(void **state)
{
    (void)state;
    static char bytes[HTTP_HEAD_MOST + 1000];
    struct http_head head;
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(http_read_response(said_bytes(bytes, sizeof bytes), "GET", WEIR_FOREVER, &head), -1);
    assert_int_equal(weir_error()->number, EPROTO);
    assert_string_equal(weir_error()->reason, "its head is too long, or is none of HTTP");
    unsay();
}

/* Each of them is as good as nothing: a server that has no other ends some time. */
static void informational_ones_have_a_number(void **state)
{
    (void)state;
    char text[2048] = "";
    struct http_head head;
    for (int i = 0; i < 50; i++)
        strcat(text, "HTTP/1.1 103 Early\r\n\r\n");
    assert_int_equal(response_to(text, "GET", &head), -1);
    assert_int_equal(errno, EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_taken_apart),
        cmocka_unit_test(lists_have_words),
        cmocka_unit_test(an_absolute_target_is_its_path),
        cmocka_unit_test(which_versions_are_known),
        cmocka_unit_test(whether_the_connection_goes_on),
        cmocka_unit_test(smuggling_is_refused),
        cmocka_unit_test(what_no_head_may_hold),
        cmocka_unit_test(one_host_is_due),
        cmocka_unit_test(what_is_expected_is_known),
        cmocka_unit_test(lines_have_a_measure),
        cmocka_unit_test(fields_have_a_number),
        cmocka_unit_test(a_stream_that_ends),
        cmocka_unit_test(a_deadline_is_told),
        cmocka_unit_test(how_responses_end),
        cmocka_unit_test(a_shoutcast_server_is_understood),
        cmocka_unit_test(responses_that_are_none),
        cmocka_unit_test(who_speaks_tls_is_told_at_once),
        cmocka_unit_test(a_stream_that_is_none_is_told),
        cmocka_unit_test(informational_ones_have_a_number),
    };
    return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
