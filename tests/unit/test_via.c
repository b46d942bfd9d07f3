/*
 * What a URL to go through says, the words of each that is refused, that none shows a password, and where those come
 * from.
 */
#include "sockets.h"

#include <sys/stat.h>

#include "net/via.h"

static struct weir__via_list *parsed(const char *first, const char *second)
{
    const char *const urls[] = {first, second, NULL};
    struct weir__via_list *list = weir__via_parse(urls);
    if (list == NULL)
        fprintf(stderr, "%s\n", weir_error()->sentence);
    check(list);
    return list;
}

static void urls_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        enum weir__via_kind kind;
        const char *host;
        unsigned port;
        const char *user, *password, *shown, *to;
    } cases[] = {
        {"ssh://box", WEIR__VIA_SSH, "box", 0, NULL, NULL, "ssh://box", "tcp://box:0"},
        {"SSH://me@box:2222/", WEIR__VIA_SSH, "box", 2222, "me", NULL, "ssh://box:2222", "tcp://box:2222"},
        {"ssh://a%40b@[::1]", WEIR__VIA_SSH, "::1", 0, "a@b", NULL, "ssh://[::1]", "tcp://[::1]:0"},
        {"socks5://proxy", WEIR__VIA_SOCKS5, "proxy", 1080, NULL, NULL, "socks5://proxy:1080", "tcp://proxy:1080"},
        {"socks5://me@[::1]:9", WEIR__VIA_SOCKS5, "::1", 9, "me", NULL, "socks5://[::1]:9", "tcp://[::1]:9"},
        {"socks5://me:p@ss:word@h:9", WEIR__VIA_SOCKS5, "h", 9, "me", "p@ss:word", "socks5://h:9", "tcp://h:9"},
        {"http://me:%01%ff%3F%2f@h", WEIR__VIA_HTTP, "h", 80, "me", "\1\xff?/", "http://h:80", "tcp://h:80"},
        {"http://me:@h:3128", WEIR__VIA_HTTP, "h", 3128, "me", "", "http://h:3128", "tcp://h:3128"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir__via_list *list = parsed(cases[i].url, NULL);
        const struct weir__via *hop = &list->hops[0];
        check(list->count == 1 && hop->kind == cases[i].kind && hop->to.port == cases[i].port);
        check(hop->has_user == (cases[i].user != NULL) && hop->has_password == (cases[i].password != NULL));
        check_text(hop->to.host, cases[i].host);
        check_text(hop->user, cases[i].user ? cases[i].user : "");
        check_text(hop->password, cases[i].password ? cases[i].password : "");
        check_text(hop->shown, cases[i].shown);
        check_text(hop->to.text, cases[i].to);
        weir__via_free(list);
    }
}

static void keys_say_how(void **state)
{
    (void)state;
    struct weir__via_list *list = parsed("ssh://box?config=/a%20b&multiplex=yes", "socks5://me@h?password-file=/p%40");
    check_text(list->hops[0].config, "/a b");
    check(list->hops[0].multiplex);
    check_text(list->hops[1].password_file, "/p@");
    weir__via_free(list);
    list = parsed("ssh://box?multiplex=no", NULL);
    check(!list->hops[0].multiplex && !*list->hops[0].config);
    weir__via_free(list);
}

static void an_ssh_behind_a_proxy_has_a_port(void **state)
{
    (void)state;
    struct weir__via_list *list = parsed("http://h", "ssh://box");
    check(list->hops[1].to.port == 22);
    check_text(list->hops[1].to.text, "tcp://box:22");
    weir__via_free(list);
    list = parsed("ssh://a", "ssh://box");
    check(list->hops[1].to.port == 0);
    weir__via_free(list);
}

static void refused(const char *url, const char *sentence)
{
    const char *const urls[] = {url, NULL};
    check(weir_check_via(urls) == -1);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check_text(weir_error()->sentence, sentence);
    check(strstr(weir_error()->sentence, "secret") == NULL);
}

static void each_mistake_has_its_words(void **state)
{
    (void)state;
    check(weir_check_via(NULL) == 0);
    refused("box", "box: it is to begin with ssh://, socks5:// or http://");
    refused("me:secret@box", "box: it is to begin with ssh://, socks5:// or http://");
    refused("", "via: a URL is missing that begins with ssh://, socks5:// or http://");
    refused("https://me:secret@box", "box: one cannot go through https://, but ssh://, socks5:// and http://");
    refused("ssh://", "ssh://: the host is missing");
    refused("ssh://:22", "ssh://:22: the host is missing");
    refused("ssh://*:22", "ssh://*:22: the host is missing");
    refused("ssh://@box", "ssh://box: the user before the @ is missing");
    refused("ssh://me:secret@box", "ssh://box: ssh takes no password here, but keys and its agent");
    refused("ssh://-oProxyCommand=x@box", "ssh://box: a user that begins with - would be an option of ssh's");
    refused("ssh://-box", "ssh://-box: no host begins with -");
    refused("ssh://box:0", "ssh://box:0: nobody has port 0");
    refused("ssh://box:65536", "ssh://box:65536: port 65536 is above 65535");
    refused("ssh://box:", "ssh://box:: the port is missing");
    refused("ssh://box/x", "ssh://box/x: a path has no meaning here");
    refused("ssh://b$x", "ssh://b$x: character 2 of b$x is none that a host has");
    refused("ssh://a%0ab@box", "ssh://box: the user has a control character");
    refused("ssh://a%00b@box", "ssh://box: after a % in the user come two hexadecimal digits that are not 00");
    refused("socks5://me:secret%@box",
            "socks5://box: after a % in the password come two hexadecimal digits that are not 00");
    refused("socks5://me:secret%4g@box",
            "socks5://box: after a % in the password come two hexadecimal digits that are not 00");
    refused("socks5://me:secret?more@box", "socks5: a ? in a password is written %3F, an @ behind a ? %40");
    refused("ssh://box?", "ssh://box: ssh:// has no key ");
    refused("ssh://box?config", "ssh://box: key config has no value");
    refused("ssh://box?config=", "ssh://box: key config has no value");
    refused("ssh://box?config=a&config=b", "ssh://box: key config comes twice");
    refused("ssh://box?multiplex=maybe", "ssh://box: multiplex is yes or no");
    refused("ssh://box?password-file=x", "ssh://box: ssh:// has no key password-file");
    refused("http://me:secret@h?config=x", "http://h:80: http:// has no key config");
    refused("http://me:secret@h?password-file=x", "http://h:80: there are a password and a password-file");
    refused("http://h?password-file=x", "http://h:80: there is a password-file and no user");
}

static void a_list_has_its_bounds(void **state)
{
    (void)state;
    const char *urls[WEIR__VIA_MOST + 2] = {NULL};
    check(weir_check_via(urls) == 0);
    for (int i = 0; i < WEIR__VIA_MOST; i++)
        urls[i] = "ssh://box";
    check(weir_check_via(urls) == 0);
    urls[WEIR__VIA_MOST] = "ssh://box";
    check(weir_check_via(urls) == -1);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check_text(weir_error()->sentence, "via: one can go through 8 others at most");

    const char *const pair[] = {"http://h", "ssh://box?multiplex=yes", NULL};
    check(weir_check_via(pair) == -1);
    check_text(weir_error()->sentence, "ssh://box: multiplex has no meaning behind http://h:80");
}

static void what_is_too_long_is_refused(void **state)
{
    (void)state;
    char url[4000];
    snprintf(url, sizeof url, "socks5://%0300d@box", 1);
    refused(url, "socks5://box: the user is longer than 255 bytes");
    snprintf(url, sizeof url, "ssh://box?config=%01100d", 1);
    refused(url, "ssh://box: the path of config is longer than 1023 bytes");
    snprintf(url, sizeof url, "ssh://%0300d.x", 1);
    const char *const urls[] = {url, NULL};
    check(weir_check_via(urls) == -1);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(strstr(weir_error()->sentence, "longer than"));
}

/* --- passwords --- */

static void settle(const char *url, const char *password)
{
    struct weir__via_list *list = parsed(url, NULL);
    int result = weir__via_settle_password(&list->hops[0], SOON);
    if (password == NULL) {
        check(result == -1 && weir_error()->kind == WEIR_ERROR_USAGE);
        check(!strstr(weir_error()->sentence, "hush"));
    } else {
        check(result == 0);
        check_text(list->hops[0].password, password);
    }
    weir__via_free(list);
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "w");
    check(file && fwrite(bytes, 1, length, file) == length && fclose(file) == 0);
}

static void passwords_come_from_files_and_the_environment(void)
{
    char folder[] = "/tmp/weir-test-XXXXXX", long_line[300];
    check(mkdtemp(folder));
    const char *path = text("%s/password", folder), *url = text("socks5://me@h?password-file=%s", path);
    memset(long_line, 'x', sizeof long_line);
    setenv("WEIR_PROXY_PASSWORD", "of the environment", 1);
    write_file(path, "hush hush\r\nmore", 15);
    settle(url, "hush hush");
    write_file(path, "hush", 4);
    settle(url, "hush");
    write_file(path, "\nhush", 5);
    settle(url, NULL);
    write_file(path, "hu\0sh", 5);
    settle(url, NULL);
    write_file(path, long_line, sizeof long_line);
    settle(url, NULL);
    unlink(path);
    struct weir__via_list *list = parsed(url, NULL);
    check(weir__via_settle_password(&list->hops[0], SOON) == -1 && errno == ENOENT);
    weir__via_free(list);
    rmdir(folder);

    settle("http://me@h", "of the environment");
    settle("http://me:own@h", "own");
    settle("http://h", "");
    unsetenv("WEIR_PROXY_PASSWORD");
    settle("http://me@h", "");
}

/* --- what cannot be gone to --- */

static void cannot_go_to(const char *endpoint, const char *sentence)
{
    const char *const via[] = {"socks5://127.0.0.1:1", NULL};
    check(!weir_connect(endpoint, WEIR_OPTIONS(weir_connect_options, .via = via)));
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check_text(weir_error()->sentence, sentence);
}

static void only_streams_of_tcp_go_through_others(void)
{
    cannot_go_to("udp://h:1", "connect udp://h:1: only streams of TCP go through others");
    cannot_go_to("unix:/x", "connect unix:/x: only streams of TCP go through others");
    cannot_go_to("tcp://*:1", "connect tcp://*:1: * is nobody to connect to");
    cannot_go_to("tcp://h:0", "connect tcp://h:0: nobody has port 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(keys_say_how),
        cmocka_unit_test(an_ssh_behind_a_proxy_has_a_port),
        cmocka_unit_test(each_mistake_has_its_words),
        cmocka_unit_test(a_list_has_its_bounds),
        cmocka_unit_test(what_is_too_long_is_refused),
        EVERYWHERE(passwords_come_from_files_and_the_environment),
        EVERYWHERE(only_streams_of_tcp_go_through_others),
    };
    return cmocka_run_group_tests_name("via", tests, NULL, NULL);
}
