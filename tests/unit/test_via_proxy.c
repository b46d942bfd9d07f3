/* SOCKS and HTTP proxies: what is asked of them, byte for byte, and what is made of every answer, hostile ones too. */
#include "sockets.h"

#include "net/via.h"

/* What the proxy has to say lies in the socket before it is asked: so no test waits for anybody. */
struct proxied {
    weir_conn *conn;
    int proxy; /* its end */
};

static struct proxied proxied_by(const void *answer, size_t size)
{
    struct proxied proxied;
    weir_conn *pair[2];
    check(weir_pair(SOCK_STREAM, pair) == 0);
    proxied.conn = pair[0];
    proxied.proxy = weir_yield_fd(pair[1]);
    check(proxied.proxy >= 0);
    check(send(proxied.proxy, answer, size, 0) == (ssize_t)size);
    return proxied;
}

static void done_with(struct proxied *proxied)
{
    close(proxied->proxy);
    weir_close(proxied->conn);
}

/* What was asked so far. */
static const char *asked(const struct proxied *proxied, size_t *size)
{
    static _Thread_local char question[4096];
    ssize_t length = recv(proxied->proxy, question, sizeof question - 1, MSG_DONTWAIT);
    *size = length < 0 ? 0 : (size_t)length;
    question[*size] = '\0';
    return question;
}

static void check_asked(const struct proxied *proxied, const void *expected, size_t size)
{
    size_t length;
    const char *question = asked(proxied, &length);
    check(length == size);
    check(memcmp(question, expected, size) == 0);
}

static struct weir__via proxy_of(const char *url)
{
    const char *const urls[] = {url, NULL};
    struct weir__via_list *list = weir__via_parse(urls);
    check(list);
    struct weir__via proxy = list->hops[0];
    weir__via_free(list);
    return proxy;
}

static weir_endpoint target(const char *text)
{
    weir_endpoint endpoint;
    check(weir_parse_endpoint(text, NULL, &endpoint) == 0);
    return endpoint;
}

/* Soon enough for a test, late enough for a slow machine: it is met where an answer lacks something. */
#define A_MOMENT    weir_deadline(WEIR_MS(50))

#define BYTES(text) (text), sizeof(text) - 1

/* --- SOCKS --- */

static int through_socks(struct proxied *proxied, const char *url, const char *to)
{
    struct weir__via proxy = proxy_of(url);
    weir_endpoint endpoint = target(to);
    return weir__via_socks5(proxied->conn, &proxy, &endpoint, weir_deadline(WEIR_S(30)));
}

static void names_and_addresses_go_to_a_socks_proxy_as_they_are(void)
{
    static const struct {
        const char *to, *question;
        size_t size;
    } cases[] = {
        {"tcp://example.org:8000", BYTES("\5\1\0\5\1\0\3\13example.org\x1f\x40")},
        {"tls://127.0.0.1:443", BYTES("\5\1\0\5\1\0\1\x7f\0\0\1\1\xbb")},
        {"tcp://[2001:db8::7]:22", BYTES("\5\1\0\5\1\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\0\x16")},
        {"tcp://:80", BYTES("\5\1\0\5\1\0\3\11localhost\0\x50")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proxied proxied = proxied_by(BYTES("\5\0"
                                                  "\5\0\0\1\1\2\3\4\5\6"
                                                  "tail"));
        char rest[8] = "";
        check(through_socks(&proxied, "socks5://proxy", cases[i].to) == 0);
        check_asked(&proxied, cases[i].question, cases[i].size);
        check(weir_recv(proxied.conn, rest, sizeof rest) == 4);
        check_text(rest, "tail");
        done_with(&proxied);
    }
}

static void a_socks_reply_may_have_an_address_of_any_kind(void)
{
    static const struct {
        const char *answer;
        size_t size;
    } cases[] = {
        {BYTES("\5\0"
               "\5\0\0\4"
               "0123456789abcdef"
               "\5\6"
               "x")},
        {BYTES("\5\0"
               "\5\0\0\3\4"
               "host"
               "\5\6"
               "x")},
        {BYTES("\5\0"
               "\5\0\0\3\0"
               "\5\6"
               "x")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proxied proxied = proxied_by(cases[i].answer, cases[i].size);
        char rest[8] = "";
        check(through_socks(&proxied, "socks5://proxy", "tcp://a:1") == 0);
        check(weir_recv(proxied.conn, rest, sizeof rest) == 1 && rest[0] == 'x');
        done_with(&proxied);
    }
}

static void a_user_and_a_password_are_shown_to_a_socks_proxy_that_asks(void)
{
    struct proxied proxied = proxied_by(BYTES("\5\2"
                                              "\1\0"
                                              "\5\0\0\1\1\2\3\4\5\6"));
    check(through_socks(&proxied, "socks5://me:my%20secret@proxy", "tcp://a:1") == 0);
    check_asked(&proxied, BYTES("\5\2\0\2"
                                "\1\2me\11my secret"
                                "\5\1\0\3\1a\0\1"));
    done_with(&proxied);

    proxied = proxied_by(BYTES("\5\0"
                               "\5\0\0\1\1\2\3\4\5\6")); /* which does not care for them */
    check(through_socks(&proxied, "socks5://me:my%20secret@proxy", "tcp://a:1") == 0);
    check_asked(&proxied, BYTES("\5\2\0\2"
                                "\5\1\0\3\1a\0\1"));
    done_with(&proxied);

    proxied = proxied_by(BYTES("\5\2"
                               "\1\1"));
    check(through_socks(&proxied, "socks5://me:my%20secret@proxy", "tcp://a:1") < 0);
    check_error(EACCES, WEIR_ERROR_PROXY);
    check_text(weir_error()->sentence, "connect tcp://a:1: socks5://proxy:1080 does not take this user and password");
    done_with(&proxied);
}

static void each_socks_refusal_has_its_words(void)
{
    static const struct {
        uint8_t reply;
        int number;
        const char *words;
    } cases[] = {
        {1, EIO, "says: general failure"},
        {2, EACCES, "says: its rules do not allow this connection"},
        {3, ENETUNREACH, "says: network unreachable"},
        {4, EHOSTUNREACH, "says: host unreachable"},
        {5, ECONNREFUSED, "says: connection refused"},
        {6, EHOSTUNREACH, "says: the way there is too long (TTL expired)"},
        {7, EOPNOTSUPP, "says: it makes no connections (command not supported)"},
        {8, EAFNOSUPPORT, "says: it does not know this kind of address"},
        {9, EPROTO, "refuses with 9, which SOCKS does not know"},
        {255, EPROTO, "refuses with 255, which SOCKS does not know"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint8_t answer[] = {5, 0, 5, cases[i].reply}; /* and no address behind it */
        struct proxied proxied = proxied_by(answer, sizeof answer);
        check(through_socks(&proxied, "socks5://proxy:9", "tcp://a:1") < 0);
        check_error(cases[i].number, WEIR_ERROR_PROXY);
        check_text(weir_error()->reason, text("socks5://proxy:9 %s", cases[i].words));
        done_with(&proxied);
    }
}

static void what_is_no_socks_is_told(void)
{
    static const struct {
        const char *url, *answer;
        size_t size;
        const char *words;
    } cases[] = {
        {"socks5://proxy", BYTES("HTTP/1.1 400"), "does not speak SOCKS 5: it may be an http:// proxy"},
        {"socks5://proxy", BYTES("\0\x5b"), "does not speak SOCKS 5: it answers with version 0"},
        {"socks5://proxy", BYTES("\5\xff"), "wants a user and a password, or another proof of who we are"},
        {"socks5://me@proxy", BYTES("\5\xff"), "takes neither this user and password nor nobody's"},
        {"socks5://proxy", BYTES("\5\2"), "chooses a way to log in that was not offered, 2"},
        {"socks5://me@proxy", BYTES("\5\1"), "chooses a way to log in that was not offered, 1"},
        {"socks5://me@proxy",
         BYTES("\5\2"
               "\7\0"),
         "does not speak SOCKS 5: it answers with version 7"},
        {"socks5://proxy",
         BYTES("\5\0"
               "\4\0"),
         "does not speak SOCKS 5: it answers with version 4"},
        {"socks5://proxy",
         BYTES("\5\0"
               "\5\0\0\2\1\1\1\1\1\1"),
         "answers with an address of an unknown kind, 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proxied proxied = proxied_by(cases[i].answer, cases[i].size);
        check(through_socks(&proxied, cases[i].url, "tcp://a:1") < 0);
        check(weir_error()->kind == WEIR_ERROR_PROXY);
        check_text(weir_error()->reason, text("socks5://proxy:1080 %s", cases[i].words));
        done_with(&proxied);
    }
}

/* Whatever is cut off of a good answer: an end is told as such, and silence as a deadline. */
static void a_socks_answer_cut_anywhere_is_an_error(void)
{
    static const char whole[] = "\5\2"
                                "\1\0"
                                "\5\0\0\3\4host\5\6";
    struct weir__via proxy = proxy_of("socks5://me:you@proxy");
    weir_endpoint endpoint = target("tcp://a:1");
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        struct proxied proxied = proxied_by(whole, size);
        check(shutdown(proxied.proxy, SHUT_WR) == 0);
        check(weir__via_socks5(proxied.conn, &proxy, &endpoint, weir_deadline(WEIR_S(30))) < 0);
        check_error(ECONNRESET, WEIR_ERROR_PROXY);
        check_text(weir_error()->reason, "socks5://proxy:1080 closed the connection in place of an answer");
        done_with(&proxied);
    }
    for (size_t size = 0; size < sizeof whole - 1; size += 3) {
        struct proxied proxied = proxied_by(whole, size);
        check(weir__via_socks5(proxied.conn, &proxy, &endpoint, A_MOMENT) < 0);
        check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
        check_text(weir_error()->reason, "socks5://proxy:1080 did not answer in time");
        done_with(&proxied);
    }
}

/* --- HTTP --- */

static int through_http(struct proxied *proxied, const char *url, const char *to)
{
    struct weir__via proxy = proxy_of(url);
    weir_endpoint endpoint = target(to);
    return weir__via_http(proxied->conn, &proxy, &endpoint, weir_deadline(WEIR_S(30)));
}

static void an_http_proxy_is_asked_to_connect(void)
{
    static const struct {
        const char *url, *to, *question;
    } cases[] = {
        {"http://proxy", "tcp://example.org:8000",
         "CONNECT example.org:8000 HTTP/1.1\r\nHost: example.org:8000\r\n\r\n"},
        {"http://proxy", "https://[::1]", "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n"},
        {"http://proxy", "tcp://:80", "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n"},
        {"http://Aladdin:open%20sesame@proxy", "tcp://a:1", /* RFC 7617's example */
         "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"},
        {"http://a:bc@proxy", "tcp://a:1",
         "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: Basic YTpiYw==\r\n\r\n"},
        {"http://a:b@proxy", "tcp://a:1",
         "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: Basic YTpi\r\n\r\n"},
        {"http://a:bcd%FF@proxy", "tcp://a:1",
         "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: Basic YTpiY2T/\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proxied proxied = proxied_by(BYTES("HTTP/1.1 200 Connection established\r\n\r\n"));
        size_t length;
        check(through_http(&proxied, cases[i].url, cases[i].to) == 0);
        check_text(asked(&proxied, &length), cases[i].question);
        done_with(&proxied);
    }
}

/* What follows the head is not read: the other end may have spoken first, and TLS looks in the socket. */
static void not_a_byte_behind_the_head_is_read(void)
{
    static const char *const heads[] = {
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200 \r\nVia: someone\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200\n\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 Fine\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct proxied proxied = proxied_by(heads[i], strlen(heads[i]));
        char rest[8] = "";
        check(send(proxied.proxy, "\r\n\r\ntail", 8, 0) == 8);
        check(through_http(&proxied, "http://proxy", "tcp://a:1") == 0);
        check(recv(weir_fd(proxied.conn), rest, sizeof rest, 0) == 8); /* in the socket itself */
        check(memcmp(rest, "\r\n\r\ntail", 8) == 0);
        done_with(&proxied);
    }
}

static void long_heads_are_bounded(void)
{
    static char head[40000];
    int length = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nX: ");
    memset(head + length, 'x', sizeof head - (size_t)length);
    memcpy(head + 15000, "\r\n\r\n", 4); /* long, and short enough */
    struct proxied proxied = proxied_by(head, 15004);
    check(through_http(&proxied, "http://proxy", "tcp://a:1") == 0);
    done_with(&proxied);

    memset(head + 15000, 'x', 4);
    proxied = proxied_by(head, sizeof head);
    check(through_http(&proxied, "http://proxy", "tcp://a:1") < 0);
    check_error(EMSGSIZE, WEIR_ERROR_PROXY);
    check_text(weir_error()->reason, "http://proxy:80 answers with a head of more than 16 KiB");
    done_with(&proxied);

    for (size_t i = 0; i + 25 < sizeof head; i += 25) /* no end of interim answers either */
        memcpy(head + i, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    proxied = proxied_by(head, 39000);
    check(through_http(&proxied, "http://proxy", "tcp://a:1") < 0);
    check_error(EMSGSIZE, WEIR_ERROR_PROXY);
    done_with(&proxied);
}

static void each_http_refusal_has_its_words(void)
{
    static const struct {
        const char *url, *answer;
        int number;
        const char *words;
    } cases[] = {
        {"http://proxy", "HTTP/1.1 407 Proxy Authentication Required", EACCES,
         "answers 407 Proxy Authentication Required: it wants a user and a password"},
        {"http://me:you@proxy", "HTTP/1.1 407 No", EACCES, "answers 407 No: it does not take this user and password"},
        {"http://proxy", "HTTP/1.0 403 Filtered", EACCES, "answers 403 Filtered: it does not allow this connection"},
        {"http://proxy", "HTTP/1.1 502 Bad Gateway", EHOSTUNREACH, "answers 502 Bad Gateway: it could not connect"},
        {"http://proxy", "HTTP/1.1 503", EHOSTUNREACH, "answers 503: it could not connect"},
        {"http://proxy", "HTTP/1.1 504 Late", ETIMEDOUT, "answers 504 Late: it had no answer from there in time"},
        {"http://proxy", "HTTP/1.1 405 Method Not Allowed", EPROTO,
         "answers 405 Method Not Allowed: it does not know CONNECT, or not so"},
        {"http://proxy", "HTTP/1.1 302 Found", EPROTO, "answers 302 Found"},
        {"http://proxy", "HTTP/1.1 101 Switching Protocols", EPROTO, "answers 101 Switching Protocols"},
        {"http://proxy", "HTTP/1.1 418 \033[2Jtea\a", EPROTO, "answers 418 ?[2Jtea?"},
        {"http://proxy", "HTTP/1.1 99 No", EPROTO, "does not speak HTTP: it answers \"HTTP/1.1 99 No\""},
        {"http://proxy", "HTTP/1.1 2000 No", EPROTO, "does not speak HTTP: it answers \"HTTP/1.1 2000 No\""},
        {"http://proxy", "HTTP/2 200 No", EPROTO, "does not speak HTTP: it answers \"HTTP/2 200 No\""},
        {"http://proxy", "ICY 200 OK", EPROTO, "does not speak HTTP: it answers \"ICY 200 OK\""},
        {"http://proxy", "", EPROTO, "does not speak HTTP: it answers \"\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *answer = text("%s\r\nProxy-Authenticate: Basic realm=\"a\"\r\n\r\nand a page", cases[i].answer);
        struct proxied proxied = proxied_by(answer, strlen(answer));
        check(through_http(&proxied, cases[i].url, "tcp://a:1") < 0);
        check_error(cases[i].number, WEIR_ERROR_PROXY);
        check_text(weir_error()->reason, text("http://proxy:80 %s", cases[i].words));
        done_with(&proxied);
    }
}

static void an_http_answer_cut_anywhere_is_an_error(void)
{
    static const char whole[] = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
    struct weir__via proxy = proxy_of("http://proxy");
    weir_endpoint endpoint = target("tcp://a:1");
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        struct proxied proxied = proxied_by(whole, size);
        check(shutdown(proxied.proxy, SHUT_WR) == 0);
        check(weir__via_http(proxied.conn, &proxy, &endpoint, weir_deadline(WEIR_S(30))) < 0);
        check_error(ECONNRESET, WEIR_ERROR_PROXY);
        done_with(&proxied);
    }
    struct proxied proxied = proxied_by(whole, 20);
    check(weir__via_http(proxied.conn, &proxy, &endpoint, A_MOMENT) < 0);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    done_with(&proxied);
}

/* --- both --- */

static void what_was_said_to_a_proxy_is_not_the_connections(void)
{
    struct proxied proxied = proxied_by(BYTES("HTTP/1.1 200 OK\r\n\r\n"));
    uint64_t received, sent;
    check(through_http(&proxied, "http://proxy", "tcp://a:1") == 0);
    weir_conn_bytes(proxied.conn, &received, &sent);
    check(received == 0 && sent == 0);
    check(weir_send_all(proxied.conn, "x", 1) == 0); /* and no deadline is left */
    done_with(&proxied);
}

static void a_zone_and_a_users_colon_are_refused(void)
{
    struct proxied proxied = proxied_by("", 0);
    check(through_http(&proxied, "http://proxy", "tcp://[fe80::1%eth0]:1") < 0);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(through_socks(&proxied, "socks5://proxy", "tcp://[fe80::1%eth0]:1") < 0);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(through_http(&proxied, "http://a%3Ab:c@proxy", "tcp://a:1") < 0);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check_asked(&proxied, "", 0);
    done_with(&proxied);
}

static void a_password_is_in_no_error(void)
{
    static const char *const urls[] = {"socks5://me:hushhush@proxy", "http://me:hushhush@proxy"};
    for (int i = 0; i < 2; i++) {
        struct proxied proxied = proxied_by(BYTES("\5\xff, nonsense\r\n\r\n"));
        check((i ? through_http : through_socks)(&proxied, urls[i], "tcp://a:1") < 0);
        check(!strstr(weir_error()->sentence, "hush"));
        check(strstr(weir_error()->sentence, "proxy"));
        done_with(&proxied);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(names_and_addresses_go_to_a_socks_proxy_as_they_are),
        EVERYWHERE(a_socks_reply_may_have_an_address_of_any_kind),
        EVERYWHERE(a_user_and_a_password_are_shown_to_a_socks_proxy_that_asks),
        EVERYWHERE(each_socks_refusal_has_its_words),
        EVERYWHERE(what_is_no_socks_is_told),
        EVERYWHERE(a_socks_answer_cut_anywhere_is_an_error),
        EVERYWHERE(an_http_proxy_is_asked_to_connect),
        EVERYWHERE(not_a_byte_behind_the_head_is_read),
        EVERYWHERE(long_heads_are_bounded),
        EVERYWHERE(each_http_refusal_has_its_words),
        EVERYWHERE(an_http_answer_cut_anywhere_is_an_error),
        EVERYWHERE(what_was_said_to_a_proxy_is_not_the_connections),
        EVERYWHERE(a_zone_and_a_users_colon_are_refused),
        EVERYWHERE(a_password_is_in_no_error),
    };
    return cmocka_run_group_tests_name("via_proxy", tests, NULL, NULL);
}
