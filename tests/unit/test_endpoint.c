/* Endpoints: every notation, every error's words, and that the full text means the same again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <weir/endpoint.h>
#include <weir/error.h>

static void same_again(const weir_endpoint *endpoint)
{
    weir_endpoint again;
    assert_int_equal(weir_parse_endpoint(endpoint->text, NULL, &again), 0);
    assert_memory_equal(&again, endpoint, sizeof again);
}

static weir_endpoint parsed(const char *text, const char *scheme)
{
    weir_endpoint endpoint;
    if (weir_parse_endpoint(text, scheme, &endpoint) < 0)
        fail_msg("%s", weir_error()->sentence);
    same_again(&endpoint);
    return endpoint;
}

static void internet_endpoints_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *scheme;
        weir_scheme expected;
        weir_host_kind kind;
        const char *host;
        unsigned port;
        const char *full;
    } cases[] = {
        {"tcp://127.0.0.1:8000", NULL, WEIR_SCHEME_TCP, WEIR_HOST_ADDRESS, "127.0.0.1", 8000, "tcp://127.0.0.1:8000"},
        {"udp://127.0.0.1:0", NULL, WEIR_SCHEME_UDP, WEIR_HOST_ADDRESS, "127.0.0.1", 0, "udp://127.0.0.1:0"},
        {"TCP://Host:1", NULL, WEIR_SCHEME_TCP, WEIR_HOST_NAME, "Host", 1, "tcp://Host:1"},
        {"tcp://*:65535", NULL, WEIR_SCHEME_TCP, WEIR_HOST_ANY, "*", 65535, "tcp://*:65535"},
        {"tcp://:80", NULL, WEIR_SCHEME_TCP, WEIR_HOST_DEFAULT, "", 80, "tcp://:80"},
        {"tcp://[::1]:80", NULL, WEIR_SCHEME_TCP, WEIR_HOST_ADDRESS, "::1", 80, "tcp://[::1]:80"},
        {"udp://[fe80::1%eth0]:80", NULL, WEIR_SCHEME_UDP, WEIR_HOST_ADDRESS, "fe80::1%eth0", 80,
         "udp://[fe80::1%eth0]:80"},
        {"udp://[fe80::1%2]:80", NULL, WEIR_SCHEME_UDP, WEIR_HOST_ADDRESS, "fe80::1%2", 80, "udp://[fe80::1%2]:80"},
        {"tcp://a_b.c-d.example.:7", NULL, WEIR_SCHEME_TCP, WEIR_HOST_NAME, "a_b.c-d.example.", 7,
         "tcp://a_b.c-d.example.:7"},
        {"localhost:1", NULL, WEIR_SCHEME_TCP, WEIR_HOST_NAME, "localhost", 1, "tcp://localhost:1"},
        {"localhost:1", "udp", WEIR_SCHEME_UDP, WEIR_HOST_NAME, "localhost", 1, "udp://localhost:1"},
        {"tcp://localhost:1", "udp", WEIR_SCHEME_TCP, WEIR_HOST_NAME, "localhost", 1, "tcp://localhost:1"},
        {"tcp://localhost:1", "unix", WEIR_SCHEME_TCP, WEIR_HOST_NAME, "localhost", 1, "tcp://localhost:1"},
        {":1", "udp", WEIR_SCHEME_UDP, WEIR_HOST_DEFAULT, "", 1, "udp://:1"},
        {"8000", "tcp", WEIR_SCHEME_TCP, WEIR_HOST_DEFAULT, "", 8000, "tcp://:8000"},
        {"0", NULL, WEIR_SCHEME_TCP, WEIR_HOST_DEFAULT, "", 0, "tcp://:0"},
        {"08000", NULL, WEIR_SCHEME_TCP, WEIR_HOST_DEFAULT, "", 8000, "tcp://:8000"},
        {"*:8000", NULL, WEIR_SCHEME_TCP, WEIR_HOST_ANY, "*", 8000, "tcp://*:8000"},
        {"[::]:8000", NULL, WEIR_SCHEME_TCP, WEIR_HOST_ADDRESS, "::", 8000, "tcp://[::]:8000"},
        {"1e100.net:80", NULL, WEIR_SCHEME_TCP, WEIR_HOST_NAME, "1e100.net", 80, "tcp://1e100.net:80"},
        {"3com:80", NULL, WEIR_SCHEME_TCP, WEIR_HOST_NAME, "3com", 80, "tcp://3com:80"},
        {"tls://a.test:8443", NULL, WEIR_SCHEME_TLS, WEIR_HOST_NAME, "a.test", 8443, "tls://a.test:8443"},
        {"http://a.test", NULL, WEIR_SCHEME_HTTP, WEIR_HOST_NAME, "a.test", 80, "http://a.test:80"},
        {"https://a.test", NULL, WEIR_SCHEME_HTTPS, WEIR_HOST_NAME, "a.test", 443, "https://a.test:443"},
        {"HTTPS://a.test/", NULL, WEIR_SCHEME_HTTPS, WEIR_HOST_NAME, "a.test", 443, "https://a.test:443"},
        {"https://a.test:8443/", NULL, WEIR_SCHEME_HTTPS, WEIR_HOST_NAME, "a.test", 8443, "https://a.test:8443"},
        {"http://[::1]", NULL, WEIR_SCHEME_HTTP, WEIR_HOST_ADDRESS, "::1", 80, "http://[::1]:80"},
        {"https://[::1]/", NULL, WEIR_SCHEME_HTTPS, WEIR_HOST_ADDRESS, "::1", 443, "https://[::1]:443"},
        {"http://127.0.0.1", NULL, WEIR_SCHEME_HTTP, WEIR_HOST_ADDRESS, "127.0.0.1", 80, "http://127.0.0.1:80"},
        {"http://*", NULL, WEIR_SCHEME_HTTP, WEIR_HOST_ANY, "*", 80, "http://*:80"},
        {"http://:0", NULL, WEIR_SCHEME_HTTP, WEIR_HOST_DEFAULT, "", 0, "http://:0"},
        {"8080", "http", WEIR_SCHEME_HTTP, WEIR_HOST_DEFAULT, "", 8080, "http://:8080"},
        {"*:8443", "https", WEIR_SCHEME_HTTPS, WEIR_HOST_ANY, "*", 8443, "https://*:8443"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_endpoint endpoint = parsed(cases[i].text, cases[i].scheme);
        assert_int_equal(endpoint.scheme, cases[i].expected);
        assert_int_equal(endpoint.datagram, cases[i].expected == WEIR_SCHEME_UDP);
        assert_int_equal(endpoint.host_kind, cases[i].kind);
        assert_string_equal(endpoint.host, cases[i].host);
        assert_int_equal(endpoint.port, cases[i].port);
        assert_string_equal(endpoint.text, cases[i].full);
    }
}

static void unix_endpoints_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *scheme, *path;
        bool abstract, datagram;
        const char *full;
    } cases[] = {
        {"unix:/run/socket", NULL, "/run/socket", false, false, "unix:/run/socket"},
        {"unix:///run/socket", NULL, "/run/socket", false, false, "unix:/run/socket"},
        {"UNIX:/run/socket", "udp", "/run/socket", false, false, "unix:/run/socket"},
        {"unix:@name", NULL, "name", true, false, "unix:@name"},
        {"unix:@/name", NULL, "/name", true, false, "unix:@/name"},
        {"unix:relative", NULL, "relative", false, false, "unix:relative"},
        {"unix:./@relative", NULL, "./@relative", false, false, "unix:./@relative"},
        {"unix:/a?type=datagram", NULL, "/a", false, true, "unix:/a?type=datagram"},
        {"unix:/a?type=stream", NULL, "/a", false, false, "unix:/a"},
        {"unix:@a?TYPE=Datagram", NULL, "a", true, true, "unix:@a?type=datagram"},
        {"unix:/tmp/a://b", NULL, "/tmp/a://b", false, false, "unix:/tmp/a://b"},
        {"unix:/tmp/a b:c@d#e&f=g", NULL, "/tmp/a b:c@d#e&f=g", false, false, "unix:/tmp/a b:c@d#e&f=g"},
        {"unix:/\xc3\xa9", NULL, "/\xc3\xa9", false, false, "unix:/\xc3\xa9"},
        {"/run/socket", "unix", "/run/socket", false, false, "unix:/run/socket"},
        {"@a", "unix", "a", true, false, "unix:@a"},
        {"@a", "unix-datagram", "a", true, true, "unix:@a?type=datagram"},
        {"unix:@a", "unix-datagram", "a", true, false, "unix:@a"},
        {"/a?type=stream", "unix-datagram", "/a", false, false, "unix:/a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_endpoint endpoint = parsed(cases[i].text, cases[i].scheme);
        assert_int_equal(endpoint.scheme, WEIR_SCHEME_UNIX);
        assert_int_equal(endpoint.datagram, cases[i].datagram);
        assert_int_equal(endpoint.abstract, cases[i].abstract);
        assert_string_equal(endpoint.path, cases[i].path);
        assert_string_equal(endpoint.text, cases[i].full);
    }
}

static void errors_say_which_part_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *scheme, *sentence;
    } cases[] = {
        {"tcp://127.0.0.1:99999", NULL, "tcp://127.0.0.1:99999: port 99999 is above 65535"},
        {"65536", NULL, "65536: port 65536 is above 65535"},
        {"99999999999999999999999", NULL, "99999999999999999999999: port 99999999999999999999999 is above 65535"},
        {"tcp://a:http", NULL, "tcp://a:http: port http is no number"},
        {"tcp://a:-1", NULL, "tcp://a:-1: port -1 is no number"},
        {"tcp://a: 1", NULL, "tcp://a: 1: port  1 is no number"},
        {"tcp://a:", NULL, "tcp://a:: the port is missing"},
        {"tcp://a", NULL, "tcp://a: the port is missing"},
        {"localhost", NULL, "localhost: the port is missing"},
        {"tcp://8000", NULL, "tcp://8000: the port is missing"},
        {"[::1]", NULL, "[::1]: the port is missing"},
        {"tcp://", NULL, "tcp://: the host and the port are missing"},
        {"", NULL, "the endpoint is empty"},
        {":", NULL, ":: the port is missing"},
        {"::1:80", NULL, "::1:80: an IPv6 address stands in brackets, as in [::1]:8000"},
        {"tcp://::1", NULL, "tcp://::1: an IPv6 address stands in brackets, as in [::1]:8000"},
        {"tcp://[::1:80", NULL, "tcp://[::1:80: the ] is missing"},
        {"tcp://[::1]80", NULL, "tcp://[::1]80: after ] comes :PORT, not 80"},
        {"tcp://[]:1", NULL, "tcp://[]:1: host  is no IPv6 address"},
        {"tcp://[127.0.0.1]:1", NULL, "tcp://[127.0.0.1]:1: host 127.0.0.1 is no IPv6 address"},
        {"tcp://[a]:1", NULL, "tcp://[a]:1: host a is no IPv6 address"},
        {"tcp://[*]:1", NULL, "tcp://[*]:1: host * is no IPv6 address"},
        {"tcp://[fe80::1%]:1", NULL, "tcp://[fe80::1%]:1: host fe80::1% has no valid zone"},
        {"tcp://[fe80::1%a b]:1", NULL, "tcp://[fe80::1%a b]:1: host fe80::1%a b has no valid zone"},
        {"tcp://127.0.0.300:1", NULL, "tcp://127.0.0.300:1: host 127.0.0.300 is no IPv4 address"},
        {"tcp://127.1:1", NULL, "tcp://127.1:1: host 127.1 is no IPv4 address"},
        {"tcp://2130706433:1", NULL, "tcp://2130706433:1: host 2130706433 is no IPv4 address"},
        {"tcp://0x7f000001:1", NULL, "tcp://0x7f000001:1: host 0x7f000001 is no IPv4 address"},
        {"tcp://1.2.3.4.:1", NULL, "tcp://1.2.3.4.:1: host 1.2.3.4. is no IPv4 address"},
        {"tcp://a..b:1", NULL, "tcp://a..b:1: the host has an empty label"},
        {"tcp://.:1", NULL, "tcp://.:1: the host has an empty label"},
        {"tcp://a b:1", NULL, "tcp://a b:1: character 2 of a b is none that a host has"},
        {"tcp://a%b:1", NULL, "tcp://a%b:1: character 2 of a%b is none that a host has"},
        {"tcp://caf\xc3\xa9:1", NULL, "tcp://caf\xc3\xa9:1: character 4 of caf\xc3\xa9 is none that a host has"},
        {"tcp://a:1/", NULL, "tcp://a:1/: tcp endpoints have no path: /"},
        {"tcp://a:1/b", NULL, "tcp://a:1/b: tcp endpoints have no path: /b"},
        {"tcp://u@a:1", NULL, "tcp://u@a:1: tcp endpoints have no user before an @"},
        {"tcp:a:1", NULL, "tcp:a:1: after tcp: comes //, as in tcp://localhost:8000"},
        {"udp:53", NULL, "udp:53: after udp: comes //, as in udp://localhost:8000"},
        {"tls://a", NULL, "tls://a: the port is missing"},
        {"a.test", "http", "a.test: the port is missing"},
        {"[::1]", "https", "[::1]: the port is missing"},
        {"http://", NULL, "http://: the host and the port are missing"},
        {"http:///", NULL, "http:///: http endpoints have no path: /"},
        {"http://a//", NULL, "http://a//: http endpoints have no path: /"},
        {"http://a:", NULL, "http://a:: the port is missing"},
        {"https://a/b", NULL, "https://a/b: https endpoints have no path: /b"},
        {"https://u@a", NULL, "https://u@a: https endpoints have no user before an @"},
        {"https://8000", NULL, "https://8000: host 8000 is no IPv4 address"},
        {"https://a?type=stream", NULL, "https://a?type=stream: https endpoints have no key type"},
        {"http:80", NULL, "http:80: after http: comes //, as in http://localhost:8000"},
        {"gopher://a:1", NULL, "gopher://a:1: unknown scheme gopher"},
        {"1", "gopher", "1: unknown scheme gopher"},
        {"://a:1", NULL, "://a:1: tcp endpoints have no path: //a:1"},
        {"/run/socket", NULL, "/run/socket: a Unix socket is written unix:/run/socket"},
        {"@name", NULL, "@name: a Unix socket is written unix:@name"},
        {"tcp://a:1?", NULL, "tcp://a:1?: a key is missing"},
        {"tcp://a:1?type=stream", NULL, "tcp://a:1?type=stream: tcp endpoints have no key type"},
        {"unix:/a?", NULL, "unix:/a?: a key is missing"},
        {"unix:/a?=1", NULL, "unix:/a?=1: a key is missing"},
        {"unix:/a?mode=0600", NULL, "unix:/a?mode=0600: unix endpoints have no key mode"},
        {"unix:/a?type", NULL, "unix:/a?type: key type has no value"},
        {"unix:/a?type=", NULL, "unix:/a?type=: type  is neither stream nor datagram"},
        {"unix:/a?type=packet", NULL, "unix:/a?type=packet: type packet is neither stream nor datagram"},
        {"unix:/a?type=stream&type=stream", NULL, "unix:/a?type=stream&type=stream: key type comes twice"},
        {"unix:/a?type=stream&", NULL, "unix:/a?type=stream&: a key is missing"},
        {"unix:", NULL, "unix:: the path is missing"},
        {"unix:@", NULL, "unix:@: the name after @ is missing"},
        {"unix:?type=stream", NULL, "unix:?type=stream: the path is missing"},
        {"unix://a/b", NULL, "unix://a/b: a path follows unix: at once, as in unix:/run/socket"},
        {"unix://", NULL, "unix://: a path follows unix: at once, as in unix:/run/socket"},
        {"unix:////a", NULL, "unix:////a: the path begins with two slashes"},
        {"//a", "unix", "//a: the path begins with two slashes"},
        {"unix:/a\nb", NULL, "unix:/a\nb: byte 3 of the path is a control character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_endpoint endpoint;
        errno = 0;
        if (weir_parse_endpoint(cases[i].text, cases[i].scheme, &endpoint) == 0)
            fail_msg("%s was taken", cases[i].text);
        assert_int_equal(errno, EINVAL);
        assert_int_equal(weir_error()->kind, WEIR_ERROR_USAGE);
        assert_string_equal(weir_error()->sentence, cases[i].sentence);
    }
}

static void no_endpoint_is_an_error(void **state)
{
    (void)state;
    weir_endpoint endpoint;
    assert_int_equal(weir_parse_endpoint(NULL, NULL, &endpoint), -1);
    assert_int_equal(errno, EINVAL);
}

static void errors_show_whole_characters(void **state)
{
    (void)state;
    char text[300];
    weir_endpoint endpoint;
    memset(text, 'x', 199);
    strcpy(text + 199, "\xc3\xa9 and more:1");
    assert_int_equal(weir_parse_endpoint(text, NULL, &endpoint), -1);
    assert_non_null(strstr(weir_error()->reason, "xxx is longer than 63 characters"));
}

static void hosts_are_at_most_253_long(void **state)
{
    (void)state;
    char text[400] = "tcp://";
    for (int i = 0; i < 4; i++)
        strcat(text, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk.");
    size_t start = strlen("tcp://");
    weir_endpoint endpoint;
    strcpy(text + start + 253, ":1");
    parsed(text, NULL);
    strcpy(text + start + 253, "x:1");
    assert_int_equal(weir_parse_endpoint(text, NULL, &endpoint), -1);
    assert_string_equal(weir_error()->reason, "the host is longer than 253 characters");
    strcpy(text + start + 63, "x.com:1");
    assert_int_equal(weir_parse_endpoint(text, NULL, &endpoint), -1);
    assert_non_null(strstr(weir_error()->reason, "is longer than 63 characters"));
}

static void paths_are_at_most_107_long(void **state)
{
    (void)state;
    char text[200] = "unix:/";
    memset(text + 6, 'x', 106);
    weir_endpoint endpoint = parsed(text, NULL);
    assert_int_equal(strlen(endpoint.path), 107);
    strcat(text, "x");
    assert_int_equal(weir_parse_endpoint(text, NULL, &endpoint), -1);
    assert_string_equal(weir_error()->reason, "the path is longer than 107 bytes");
}

static void huge_text_is_refused_within_bounds(void **state)
{
    (void)state;
    static char text[100000];
    static const char *const starts[] = {
        "", "tcp://", "tcp://[", "unix:", "tcp://a:", "unix:/a?", "unix:/a?type=", "a://"};
    static const char fills[] = "a1:/[].@%?&=*-\x01\xff";
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        for (size_t j = 0; j < sizeof fills - 1; j++) {
            memset(text, fills[j], sizeof text - 1);
            memcpy(text, starts[i], strlen(starts[i]));
            weir_endpoint endpoint;
            assert_int_equal(weir_parse_endpoint(text, NULL, &endpoint), -1);
            assert_int_equal(weir_error()->kind, WEIR_ERROR_USAGE);
        }
    }
}

/* Random strings over what endpoints are made of: whatever is taken has a full text that means the same. */
static void what_is_taken_means_the_same_in_full(void **state)
{
    (void)state;
    static const char *const pieces[] = {"tcp",       "udp", "unix", ":", "//", "/", "[",    "]",    "::1",
                                         "127.0.0.1", "a",   "b.c",  "*", "80", "?", "type", "=",    "datagram",
                                         "stream",    "&",   "@",    "%", ".",  "-", "1",    "http", "https"};
    static const char *const schemes[] = {NULL, "tcp", "udp", "unix", "unix-datagram", "https"};
    uint32_t chance = 1;
    unsigned taken = 0;
    for (int round = 0; round < 300000; round++) {
        char text[200] = "";
        for (chance = chance * 1664525 + 1013904223; strlen(text) < 60 && chance >> 29 != 0;
             chance = chance * 1664525 + 1013904223)
            strcat(text, pieces[(chance >> 16) % (sizeof pieces / sizeof *pieces)]);
        weir_endpoint endpoint;
        if (weir_parse_endpoint(text, schemes[round % 6], &endpoint) < 0)
            continue;
        taken++;
        same_again(&endpoint);
    }
    assert_true(taken > 1000);
}

static void addresses_are_written_as_endpoints(void **state)
{
    (void)state;
    static const struct {
        weir_scheme scheme;
        bool datagram;
        const char *address, *text;
    } cases[] = {
        {WEIR_SCHEME_TCP, false, "127.0.0.1:8000", "tcp://127.0.0.1:8000"},
        {WEIR_SCHEME_UDP, true, "[::1]:8000", "udp://[::1]:8000"},
        {WEIR_SCHEME_HTTPS, false, "[::1]:443", "https://[::1]:443"},
        {WEIR_SCHEME_UNIX, false, "/run/socket", "unix:/run/socket"},
        {WEIR_SCHEME_UNIX, true, "@name", "unix:@name?type=datagram"},
        {WEIR_SCHEME_UNIX, false, "unnamed", "unix:unnamed"},
    };
    char text[200];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_address address;
        assert_int_equal(weir_parse_address(cases[i].address, &address), 0);
        assert_string_equal(weir_endpoint_text(cases[i].scheme, cases[i].datagram, &address, text, sizeof text),
                            cases[i].text);
    }
    weir_address none = {0};
    assert_string_equal(weir_endpoint_text(WEIR_SCHEME_TCP, false, &none, text, sizeof text), "unconnected");
}

static void schemes_have_names(void **state)
{
    (void)state;
    assert_string_equal(weir_scheme_name(WEIR_SCHEME_TCP), "tcp");
    assert_string_equal(weir_scheme_name(WEIR_SCHEME_UDP), "udp");
    assert_string_equal(weir_scheme_name(WEIR_SCHEME_UNIX), "unix");
    assert_string_equal(weir_scheme_name(WEIR_SCHEME_HTTPS), "https");
    assert_string_equal(weir_scheme_name((weir_scheme)99), "unknown");
}

static void those_with_tls_are_known(void **state)
{
    (void)state;
    for (int scheme = WEIR_SCHEME_TCP; scheme < 99; scheme++)
        assert_int_equal(weir_scheme_is_secure((weir_scheme)scheme),
                         scheme == WEIR_SCHEME_TLS || scheme == WEIR_SCHEME_HTTPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(internet_endpoints_are_read),
        cmocka_unit_test(unix_endpoints_are_read),
        cmocka_unit_test(errors_say_which_part_is_wrong),
        cmocka_unit_test(no_endpoint_is_an_error),
        cmocka_unit_test(errors_show_whole_characters),
        cmocka_unit_test(hosts_are_at_most_253_long),
        cmocka_unit_test(paths_are_at_most_107_long),
        cmocka_unit_test(huge_text_is_refused_within_bounds),
        cmocka_unit_test(what_is_taken_means_the_same_in_full),
        cmocka_unit_test(addresses_are_written_as_endpoints),
        cmocka_unit_test(schemes_have_names),
        cmocka_unit_test(those_with_tls_are_known),
    };
    return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
