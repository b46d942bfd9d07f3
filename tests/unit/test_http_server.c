/* Bodies, whichever way their length is told, and a server of several requests. */
#include <pthread.h>

#include "httped.h"

#include "http/server.h"

/* --- bodies --- */

/* Reads a whole body in pieces of `piece` bytes. Its length, or -1. */
static ssize_t read_all(struct http_body *body, char *to, size_t most, size_t piece)
{
    size_t length = 0;
    for (;;) {
        size_t room = most - length < piece ? most - length : piece;
        ssize_t got = http_body_read(body, to + length, room);
        if (got <= 0)
            return got < 0 ? -1 : (ssize_t)length;
        length += (size_t)got;
    }
}

/* What a chunked body gives, "!" where it is malformed, "~" where it was cut; and what follows it. */
static void check_chunks(const char *text, const char *expected, const char *after)
{
    for (size_t piece = 1; piece <= 64; piece *= 8) {
        char data[256] = "", rest[256] = "";
        struct http_head head = {.body = HTTP_CHUNKED};
        struct http_body body;
        http_body_begin(&body, said(text), &head);
        ssize_t length = read_all(&body, data, sizeof data - 1, piece);
        if (length < 0)
            strcpy(data, errno == EPROTO ? "!" : errno == ENODATA ? "~" : "?");
        if (length < 0)
            assert_int_equal(http_body_read(&body, rest, 1), -1);
        else
            assert_true(body.ended && weir_recv(pair[1], rest, sizeof rest - 1) >= 0);
        if (strcmp(data, expected) != 0 || (length >= 0 && strcmp(rest, after) != 0))
            fail_msg("'%s' and '%s' of '%s'", data, rest, text);
        unsay();
    }
}

static void chunks_are_put_together(void **state)
{
    (void)state;
    check_chunks("0\r\n\r\n", "", "");
    check_chunks("3\r\nabc\r\n0\r\n\r\nGET", "abc", "GET");
    check_chunks("1\r\na\r\n00A;x=\"y\"\r\n0123456789\r\n000\r\nT: x\r\nU:\r\n\r\nnext", "a0123456789", "next");
    check_chunks("a \t;x\r\n0123456789\r\n0\r\n\r\n", "0123456789", "");
}

static void chunks_that_are_none(void **state)
{
    static const char *const texts[] = {
        "\r\n",
        "x\r\n",
        "-1\r\n",
        "+1\r\na\r\n0\r\n\r\n",
        " 1\r\na\r\n0\r\n\r\n",
        "1 \r\na\r\n0\r\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        "1\na\r\n0\r\n\r\n",
        "1;\n\r\na\r\n0\r\n\r\n",
        "1;a\rb\r\na\r\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "2\r\nab0\r\n\r\n",
        "fffffffffffffffff\r\n",
        "1000000000000000\r\n",
        "0\r\nX\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\n X: y\r\n\r\n",
        "0\r\nX: y\n\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_chunks(texts[i], "!", "");
    check_chunks("", "~", "");
    check_chunks("5", "~", "");
    check_chunks("5\r\nabc", "~", "");
    check_chunks("5\r\nabcde", "~", "");
    check_chunks("5\r\nabcde\r\n0\r\n", "~", "");
}

static void extensions_have_a_measure(void **state)
{
    (void)state;
    char text[2048] = "1;";
    memset(text + 2, 'x', 1000);
    strcpy(text + 1002, "\r\na\r\n0\r\n\r\n");
    check_chunks(text, "!", "");
}

static void a_length_is_kept_to(void **state)
{
    (void)state;
    char data[64] = "";
    struct http_head head = {.body = HTTP_LENGTH, .length = 5};
    struct http_body body;
    http_body_begin(&body, said("12345more"), &head);
    assert_int_equal(read_all(&body, data, sizeof data, 64), 5);
    assert_int_equal(weir_recv(pair[1], data, sizeof data), 4);
    unsay();
    http_body_begin(&body, said("1234"), &head);
    assert_int_equal(read_all(&body, data, sizeof data, 64), -1);
    assert_int_equal(errno, ENODATA);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_CLOSED);
    unsay();
}

static void a_body_lasts_to_the_end(void **state)
{
    (void)state;
    char data[64] = "";
    struct http_head head = {.body = HTTP_UNTIL_CLOSE};
    struct http_body body;
    http_body_begin(&body, said("12345more"), &head);
    assert_int_equal(read_all(&body, data, sizeof data, 64), 9);
    assert_true(body.ended);
    unsay();
}

static bool skips(const char *text, struct http_head head, uint64_t most)
{
    struct http_body body;
    http_body_begin(&body, said(text), &head);
    bool skipped = http_body_skip(&body, most);
    unsay();
    return skipped;
}

static void a_rest_is_read_over_in_bounds(void **state)
{
    (void)state;
    assert_true(skips("", (struct http_head){.body = HTTP_NO_BODY}, 0));
    assert_true(skips("12345", (struct http_head){.body = HTTP_LENGTH, .length = 5}, 5));
    assert_false(skips("12345", (struct http_head){.body = HTTP_LENGTH, .length = 5}, 4));
    assert_false(skips("1234", (struct http_head){.body = HTTP_LENGTH, .length = 5}, 5));
    assert_false(skips("x", (struct http_head){.body = HTTP_UNTIL_CLOSE}, 100));
    assert_true(skips("2\r\nab\r\n0\r\n\r\n", (struct http_head){.body = HTTP_CHUNKED}, 2));
    assert_false(skips("2\r\nab\r\n2\r\nab\r\n0\r\n\r\n", (struct http_head){.body = HTTP_CHUNKED}, 1));
}

/* --- a server --- */

/* Answers with what was asked and sent. */
static void echo(struct http_exchange *exchange)
{
    char body[256] = "", text[512];
    const char *target = exchange->request.target;
    if (strcmp(target, "/silent") == 0 || strcmp(target, "/unread") == 0) {
        if (target[1] == 'u')
            http_answer(exchange, 200, NULL, NULL, "u", 1);
        return;
    }
    if (strcmp(target, "/stream") == 0) {
        http_begin(exchange, 200, &(struct http_answer){.length = -1, .raw = true});
        weir_send_all(exchange->conn, "sound", 5);
        return;
    }
    if (strcmp(target, "/refused") == 0) {
        http_refuse(exchange, 403, "X: y\r\n", "not <%s>\n", "you");
        return;
    }
    http_continue(exchange);
    ssize_t length = read_all(&exchange->body, body, sizeof body - 1, 10);
    if (length < 0)
        exchange->keep = false;
    int size = snprintf(text, sizeof text, "%s %s %zd:%s", exchange->request.method, target, length, body);
    http_answer(exchange, 200, "text/plain", NULL, text, (size_t)size);
}

static char heard[65536];

/* All that is answered to `text`, without the dates. */
static const char *answers_to(const char *text)
{
    size_t length = 0;
    http_serve(said(text), "test", echo, NULL);
    weir_close(pair[1]);
    pair[1] = NULL;
    for (ssize_t got; (got = weir_recv(pair[0], heard + length, sizeof heard - 1 - length)) > 0;)
        length += (size_t)got;
    heard[length] = '\0';
    unsay();
    for (char *date; (date = strstr(heard, "Date: "));)
        memmove(date, strstr(date, "\r\n") + 2, strlen(strstr(date, "\r\n") + 2) + 1);
    return heard;
}

#define OK   "HTTP/1.1 200 OK\r\nServer: test\r\n"
#define TEXT "Content-Type: text/plain\r\n"

static void requests_follow_each_other(void **state)
{
    (void)state;
    assert_string_equal(
        answers_to("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                   "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                   "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nd\r\n0\r\n\r\n"
                   "HEAD /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                   "GET /5 HTTP/1.1\r\nHost: a\r\n\r\n"),
        OK TEXT "Content-Length: 9\r\n\r\nGET /1 0:" OK TEXT "Content-Length: 13\r\n\r\nPOST /2 3:abc" OK TEXT
                "Content-Length: 11\r\n\r\nPOST /3 1:d" OK "Connection: close\r\n" TEXT "Content-Length: 10\r\n\r\n");
}

static void old_clients_are_told_what_becomes_of_the_connection(void **state)
{
    (void)state;
    assert_string_equal(answers_to("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n"),
                        OK "Connection: keep-alive\r\n" TEXT "Content-Length: 9\r\n\r\nGET /1 0:" OK
                           "Connection: close\r\n" TEXT "Content-Length: 9\r\n\r\nGET /2 0:");
    assert_string_equal(answers_to("GET /stream HTTP/1.0\r\n\r\n"),
                        "HTTP/1.0 200 OK\r\nServer: test\r\nConnection: close\r\n\r\nsound");
}

static void what_is_not_answered_is_an_error_of_ours(void **state)
{
    (void)state;
    assert_memory_equal(answers_to("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 500 Internal Server Error\r\n",
                        36);
    const char *refused = answers_to("GET /refused HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_memory_equal(refused, "HTTP/1.1 403 Forbidden\r\n", 24);
    assert_non_null(strstr(refused, "\r\nX: y\r\n"));
    assert_non_null(strstr(refused, "\r\n\r\n403 Forbidden: not <you>\\x0a\n"));
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

/* What a handler leaves of a body is no request. */
static void a_body_that_nobody_wants(void **state)
{
    (void)state;
    const char *after = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    char text[1024];
    snprintf(text, sizeof text, "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd%s", after);
    assert_int_equal(count_of(answers_to(text), "200 OK"), 2);
    snprintf(text, sizeof text, "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n%s", after);
    assert_int_equal(count_of(answers_to(text), "200 OK"), 1);
    snprintf(text, sizeof text, "POST /unread HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n%s", after);
    assert_int_equal(count_of(answers_to(text), "200 OK"), 1);
    snprintf(text, sizeof text,
             "POST /unread HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %zu\r\n\r\n%s", strlen(after),
             after);
    assert_int_equal(count_of(answers_to(text), "200 OK"), 1);
}

static void who_waits_is_told_to_go_on(void **state)
{
    (void)state;
    const char *answers = answers_to(
        "POST /1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
    assert_string_equal(answers, "HTTP/1.1 100 Continue\r\n\r\n" OK "Connection: close\r\n" TEXT
                                 "Content-Length: 12\r\n\r\nPOST /1 2:hi");
}

static void what_is_no_request_ends_the_connection(void **state)
{
    (void)state;
    const char *answers = answers_to("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost : a\r\n\r\n"
                                     "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(count_of(answers, "HTTP/1.1 "), 2);
    assert_int_equal(count_of(answers, "200 OK"), 1);
    assert_non_null(strstr(answers, "HTTP/1.1 400 Bad Request\r\nServer: test\r\nConnection: close\r\n"));
}

/* --- in a thread --- */

static char whose[] = "the server";

static void *serve(void *arg)
{
    http_serve(pair[1], "t", echo, arg);
    weir_close(pair[1]);
    return NULL;
}

/* All that comes until the connection ends. */
static size_t read_to_end(char *to, size_t most)
{
    size_t length = 0;
    for (ssize_t got; (got = weir_recv(pair[0], to + length, most - length)) > 0;)
        length += (size_t)got;
    to[length] = '\0';
    return length;
}

/* It ends behind the thousandth, and says so. */
static void a_connection_has_its_number_of_requests(void **state)
{
    (void)state;
    static char text[32 * 1010 + 1], answers[300000];
    static const char request[] = "GET / HTTP/1.1\r\nHost:a\r\n\r\n";
    pthread_t thread;
    for (size_t i = 0; i < 1010; i++)
        strcpy(text + i * strlen(request), request);
    said(text);
    assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
    read_to_end(answers, sizeof answers - 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    weir_close(pair[0]);
    assert_int_equal(count_of(answers, "200 OK"), 1000);
    assert_int_equal(count_of(answers, "Connection: close"), 1);
}

/* Asks, and reads an answer that is as short as that of echo. */
static void ask(void)
{
    char answer[512] = "";
    assert_int_equal(weir_send_all(pair[0], "GET / HTTP/1.1\r\nHost:a\r\n\r\n", 26), 0);
    for (size_t length = 0; !strstr(answer, "GET / 0:"); answer[length] = '\0') {
        ssize_t got = weir_recv(pair[0], answer + length, sizeof answer - 1 - length);
        assert_true(got > 0);
        length += (size_t)got;
    }
}

/* Whoever waits for a request of a server that stops; those of others stay. */
static void who_waits_ends_with_the_server(void **state)
{
    (void)state;
    pthread_t thread;
    char rest[64];
    assert_int_equal(weir_pair(SOCK_STREAM, pair), 0);
    weir_set_timeout(pair[0], WEIR_S(20));
    assert_int_equal(pthread_create(&thread, NULL, serve, whose), 0);
    ask();
    http_stop("another");
    ask();
    weir_set_timeout(pair[0], WEIR_MS(1)); /* it may not have come to wait yet: told again, until it has ended */
    while (weir_recv(pair[0], rest, sizeof rest) != 0)
        http_stop(whose);
    assert_int_equal(pthread_join(thread, NULL), 0);
    weir_close(pair[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_put_together),
        cmocka_unit_test(chunks_that_are_none),
        cmocka_unit_test(extensions_have_a_measure),
        cmocka_unit_test(a_length_is_kept_to),
        cmocka_unit_test(a_body_lasts_to_the_end),
        cmocka_unit_test(a_rest_is_read_over_in_bounds),
        cmocka_unit_test(requests_follow_each_other),
        cmocka_unit_test(old_clients_are_told_what_becomes_of_the_connection),
        cmocka_unit_test(what_is_not_answered_is_an_error_of_ours),
        cmocka_unit_test(a_body_that_nobody_wants),
        cmocka_unit_test(who_waits_is_told_to_go_on),
        cmocka_unit_test(what_is_no_request_ends_the_connection),
        cmocka_unit_test(a_connection_has_its_number_of_requests),
        cmocka_unit_test(who_waits_ends_with_the_server),
    };
    return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
