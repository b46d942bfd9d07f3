/* URLs, escapes, queries, credentials and dates. */
#include "httped.h"

#include "http/base64.h"
#include "http/server.h"
#include "http/url.h"

static void check_url(const char *text, const char *endpoint, const char *host, const char *target,
                      const char *credentials)
{
    struct http_url url;
    if (http_parse_url(text, &url) < 0)
        fail_msg("%s", weir_error()->sentence);
    assert_string_equal(url.endpoint, endpoint);
    assert_string_equal(url.host, host);
    assert_string_equal(url.target, target);
    assert_string_equal(url.credentials, credentials);
}

static void urls_are_taken_apart(void **state)
{
    (void)state;
    check_url("http://a", "http://a:80", "a", "/", "");
    check_url("HTTPS://a.example/", "https://a.example:443", "a.example", "/", "");
    check_url("http://a:8080/b/c?d=e#f", "http://a:8080", "a:8080", "/b/c?d=e", "");
    check_url("https://a:80?x", "https://a:80", "a:80", "/?x", "");
    check_url("http://a:80/", "http://a:80", "a", "/", "");
    check_url("http://[::1]:8000/x", "http://[::1]:8000", "[::1]:8000", "/x", "");
    check_url("http://[::1]/", "http://[::1]:80", "[::1]", "/", "");
    check_url("http://u:p%40q@a/", "http://a:80", "a", "/", "u:p@q");
    check_url("http://u@a/", "http://a:80", "a", "/", "u:");
}

static void what_is_no_url(void **state)
{
    static const char *const texts[] = {
        "",
        "a",
        "a:80",
        "ftp://a/",
        "http:/a",
        "http://",
        "http:///x",
        "http://a b/",
        "http://a/\x01",
        "http://a/\xc3\xa4",
        "http://a:0/",
        "http://a:65536/",
        "http://a:x/",
        "http://a:80:80/",
        "http://[::1/",
        "http://[x]/",
        "http://u:%zz@a/",
        "http://u:%00@a/",
        "http://*:80/",
        "http://u@v@a/",
        "//a/b",
        "http://a%41/",
    };
    (void)state;
    struct http_url url;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (http_parse_url(texts[i], &url) == 0)
            fail_msg("'%s' is '%s'", texts[i], url.endpoint);
        assert_int_equal(errno, EINVAL);
        assert_int_equal(weir_error()->kind, WEIR_ERROR_USAGE);
    }
}

static void long_urls_are_refused(void **state)
{
    (void)state;
    struct http_url url;
    static char text[70000];
    memcpy(text, "http://a/", 9);
    memset(text + 9, 'x', 2046);
    assert_int_equal(http_parse_url(text, &url), 0);
    assert_int_equal(strlen(url.target), 2047);
    memset(text + 9, 'x', 2047);
    assert_int_equal(http_parse_url(text, &url), -1);
    memset(text + 9, 'x', sizeof text - 10);
    assert_int_equal(http_parse_url(text, &url), -1);
    assert_int_equal(http_resolve_url(&url, text, &url), -1);
}

/* RFC 3986, 5.4. */
static void references_are_resolved(void **state)
{
    static const char *const cases[][2] = {
        {"g", "/b/c/g"},        {"./g", "/b/c/g"},    {"g/", "/b/c/g/"},
        {"/g", "/g"},           {"?y", "/b/c/d;p?y"}, {"g?y", "/b/c/g?y"},
        {"#s", "/b/c/d;p?q"},   {"g#s", "/b/c/g"},    {";x", "/b/c/;x"},
        {"", "/b/c/d;p?q"},     {".", "/b/c/"},       {"./", "/b/c/"},
        {"..", "/b/"},          {"../", "/b/"},       {"../g", "/b/g"},
        {"../..", "/"},         {"../../g", "/g"},    {"../../../g", "/g"},
        {"/./g", "/g"},         {"/../g", "/g"},      {"g.", "/b/c/g."},
        {"..g", "/b/c/..g"},    {"./../g", "/b/g"},   {"./g/.", "/b/c/g/"},
        {"g/./h", "/b/c/g/h"},  {"g/../h", "/b/c/h"}, {"g?y/../x", "/b/c/g?y/../x"},
        {"g#s/../x", "/b/c/g"},
    };
    (void)state;
    struct http_url base, url;
    assert_int_equal(http_parse_url("http://u:p@a:81/b/c/d;p?q", &base), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (http_resolve_url(&base, cases[i][0], &url) < 0)
            fail_msg("'%s': %s", cases[i][0], weir_error()->sentence);
        if (strcmp(url.target, cases[i][1]) != 0)
            fail_msg("'%s' is '%s'", cases[i][0], url.target);
        assert_string_equal(url.endpoint, "http://a:81");
        assert_string_equal(url.credentials, "");
    }
    assert_int_equal(http_resolve_url(&base, "//g/h", &url), 0);
    assert_string_equal(url.endpoint, "http://g:80");
    assert_int_equal(http_resolve_url(&base, "https://g/h/../i", &url), 0);
    assert_string_equal(url.endpoint, "https://g:443");
    assert_string_equal(url.target, "/i");
    assert_int_equal(http_resolve_url(&base, "mailto:a", &url), -1);
    assert_int_equal(http_resolve_url(&base, "/a b\xc3\xa4?c d", &url), 0);
    assert_string_equal(url.target, "/a%20b%C3%A4?c%20d");
    assert_int_equal(http_resolve_url(&base, "/a\tb", &url), -1);
    assert_int_equal(http_resolve_url(&base, "file:///etc/passwd", &url), -1);
}

static void escapes_are_undone(void **state)
{
    (void)state;
    char text[8];
    assert_int_equal(http_unescape("a%20b+c", 7, false, text, sizeof text), 5);
    assert_string_equal(text, "a b+c");
    assert_int_equal(http_unescape("a%2Bb+c", 7, true, text, sizeof text), 5);
    assert_string_equal(text, "a+b c");
    assert_int_equal(http_unescape("%C3%a4", 6, true, text, sizeof text), 2);
    assert_string_equal(text, "\xc3\xa4");
    assert_int_equal(http_unescape("", 0, true, text, 1), 0);
    assert_int_equal(http_unescape("1234567", 7, false, text, 8), 7);
    assert_int_equal(http_unescape("12345678", 8, false, text, 8), -1);
    static const char *const bad[] = {"%", "%4", "%4g", "%g4", "%00", "a%", "%%41"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(http_unescape(bad[i], strlen(bad[i]), false, text, sizeof text), -1);
}

static void what_may_not_stand_is_escaped(void **state)
{
    (void)state;
    char text[40];
    assert_int_equal(http_escape("a b/\xc3\xa4?<\"#%", false, text, sizeof text), 27);
    assert_string_equal(text, "a%20b/%C3%A4%3F%3C%22%23%25");
    assert_int_equal(http_escape("a/&=+", true, text, sizeof text), 13);
    assert_string_equal(text, "a%2F%26%3D%2B");
    assert_int_equal(http_escape(" ", true, text, 4), 3);
    assert_int_equal(http_escape(" ", true, text, 3), -1);
    assert_int_equal(http_escape("", true, text, 0), -1);
}

static void queries_have_values(void **state)
{
    (void)state;
    char value[16];
    const char *target = "/x?a=1&b&c=&d=%41+%26&%65=5&a=2&f=%zz";
    assert_int_equal(http_query(target, "a", value, sizeof value), 1);
    assert_string_equal(value, "1");
    assert_int_equal(http_query(target, "b", value, sizeof value), 1);
    assert_string_equal(value, "");
    assert_int_equal(http_query(target, "d", value, sizeof value), 1);
    assert_string_equal(value, "A &");
    assert_int_equal(http_query(target, "e", value, sizeof value), 1);
    assert_int_equal(http_query(target, "f", value, sizeof value), -1);
    assert_int_equal(http_query(target, "d", value, 3), -1);
    assert_int_equal(http_query(target, "g", value, sizeof value), 0);
    assert_int_equal(http_query("/x", "a", value, sizeof value), 0);
    assert_int_equal(http_query("/x?", "a", value, sizeof value), 0);
    assert_int_equal(http_query("/x?&&", "a", value, sizeof value), 0);
}

static void credentials_are_read_and_written(void **state)
{
    (void)state;
    char text[40];
    assert_true(http_basic_decode("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", text, sizeof text));
    assert_string_equal(text, "Aladdin:open sesame");
    assert_true(http_basic_decode("bAsIc   YTo=", text, sizeof text));
    assert_string_equal(text, "a:");
    assert_false(http_basic_decode("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", text, 19));
    assert_true(http_basic_decode("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", text, 20));
    static const char *const bad[] = {"",          "Basic",      "Basic ",     "Bearer YTo=", "Basic YQ==",
                                      "Basic YTo", "Basic Y!o=", "Basic YToA", "Basic YTo=x", "Basic YToK"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (http_basic_decode(bad[i], text, sizeof text))
            fail_msg("'%s' is '%s'", bad[i], text);
    assert_true(http_basic_encode("Aladdin:open sesame", text, sizeof text));
    assert_string_equal(text, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_true(http_basic_encode("Aladdin:open sesame", text, 35));
    assert_false(http_basic_encode("Aladdin:open sesame", text, 34));
}

static void dates_are_written_and_read(void **state)
{
    (void)state;
    char text[HTTP_DATE_SIZE];
    http_date(784111777, text);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    http_date(0, text);
    assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
    http_date(INT64_MAX, text);
    assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
    http_date(INT64_MIN, text);
    assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_int_equal(http_parse_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
    assert_int_equal(http_parse_date("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
    assert_int_equal(http_parse_date("Sun Nov  6 08:49:37 1994"), 784111777);
    assert_int_equal(http_parse_date("Thu, 29 Feb 2024 23:59:59 GMT"), 1709251199);
    for (int64_t seconds = 1; seconds < 8000000000; seconds = seconds * 3 + 86399) {
        http_date(seconds, text);
        assert_int_equal(http_parse_date(text), seconds);
    }
}

static void what_is_no_date(void **state)
{
    static const char *const texts[] = {
        "",
        "now",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Thu, 29 Feb 2023 00:00:00 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 -8:49:37 GMT",
        "Sun, 06 Nov 1950 08:49:37 GMT",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (http_parse_date(texts[i]) != -1)
            fail_msg("'%s' is %lld", texts[i], (long long)http_parse_date(texts[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),       cmocka_unit_test(what_is_no_url),
        cmocka_unit_test(long_urls_are_refused),      cmocka_unit_test(references_are_resolved),
        cmocka_unit_test(escapes_are_undone),         cmocka_unit_test(what_may_not_stand_is_escaped),
        cmocka_unit_test(queries_have_values),        cmocka_unit_test(credentials_are_read_and_written),
        cmocka_unit_test(dates_are_written_and_read), cmocka_unit_test(what_is_no_date),
    };
    return cmocka_run_group_tests_name("http_url", tests, NULL, NULL);
}
