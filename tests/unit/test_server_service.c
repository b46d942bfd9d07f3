/* Services: the list of them, what they can be reached by, the options of every server. */
#include "servers.h"

#include <weir/service.h>

#include "server/server.h"

static void nothing(const weir_datagram *datagram, void *arg)
{
    (void)datagram;
    (void)arg;
}

static int refuse_port_9(void *arg, const weir_endpoint *endpoint)
{
    (void)arg;
    if (endpoint->port == 9)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "serve", endpoint->text, "not there");
    return 0;
}

static const char *const some[] = {"tcp", "udp", "unix", NULL};

static const weir_service service = {
    .size = sizeof service,
    .name = "sample",
    .transports = some,
    .stream = echo,
    .datagram = nothing,
    .check = refuse_port_9,
};

static weir_endpoint endpoint_of(const char *text)
{
    weir_endpoint endpoint;
    check(weir_parse_endpoint(text, NULL, &endpoint) == 0);
    return endpoint;
}

static void services_are_listed(void **state)
{
    weir_service second = service, broken = service;
    (void)state;
    assert_null(weir_service_at(0));
    assert_null(weir_service_find("sample"));
    assert_int_equal(weir_service_register(&service), 0);
    assert_ptr_equal(weir_service_find("sample"), &service);
    assert_ptr_equal(weir_service_at(0), &service);
    assert_null(weir_service_at(1));
    assert_int_equal(weir_service_register(&second), -1);
    check_error(EEXIST, WEIR_ERROR_USAGE);
    broken.stream = NULL;
    broken.datagram = NULL;
    broken.name = "broken";
    assert_int_equal(weir_service_register(&broken), -1);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    assert_int_equal(weir_service_register(NULL), -1);
    check_error(EINVAL, WEIR_ERROR_USAGE);
}

static void a_service_takes_its_transports(void **state)
{
    weir_endpoint tcp = endpoint_of("tcp://:1"), udp = endpoint_of("udp://:1"), local = endpoint_of("unix:/a");
    weir_endpoint datagrams = endpoint_of("unix:/a?type=datagram");
    weir_service streams = service;
    (void)state;
    streams.datagram = NULL;
    assert_true(weir_service_takes(&service, &tcp));
    assert_true(weir_service_takes(&service, &udp));
    assert_true(weir_service_takes(&service, &local));
    assert_false(weir_service_takes(&service, &datagrams));
    assert_false(weir_service_takes(&streams, &udp));
}

static void a_service_is_added_where_it_fits(void **state)
{
    weir_server *server = weir_server_new(NULL);
    (void)state;
    assert_int_equal(weir_server_add_service(server, &service, "127.0.0.1:0", NULL), 0);
    assert_int_equal(weir_server_add_service(server, &service, "udp://127.0.0.1:0", NULL), 0);
    assert_int_equal(weir_server_add_service(server, &service, "unix:/a?type=datagram", NULL), -1);
    check_error(EPROTONOSUPPORT, WEIR_ERROR_USAGE);
    assert_int_equal(weir_server_add_service(server, &service, "127.0.0.1:9", NULL), -1);
    check_error(EINVAL, WEIR_ERROR_USAGE);
    assert_memory_equal(weir_server_endpoint(server, 0), "tcp://127.0.0.1:", 16);
    assert_memory_equal(weir_server_endpoint(server, 1), "udp://127.0.0.1:", 16);
    assert_null(weir_server_endpoint(server, 2));
    weir_server_free(server);
}

static int parse(weir_server_options *options, int argc, const char *const *argv)
{
    weir_option_set set = {weir_server_option_table, options};
    weir_arguments arguments;
    *options = (weir_server_options){.size = sizeof *options};
    int result = weir_options_parse(&set, 1, argc, (char *const *)(uintptr_t)argv, &arguments);
    weir_options_free(&set, 1, &arguments);
    return result;
}

static void every_limit_is_an_option(void **state)
{
    weir_server_options options;
    const char *const argv[] = {
        "--model=thread",
        "--workers=3",
        "--backend=epoll",
        "--stack-size=64k",
        "--max-connections=9",
        "--max-per-address=8",
        "--idle-timeout=7s",
        "--write-timeout=6s",
        "--message-timeout=5s",
        "--lifetime=1h",
        "--line-limit=2k",
        "--drain-timeout=4s",
        "--replies-per-second=3",
        "--reply-to-any",
        "--backlog=12",
        "--delay",
        "--keepalive",
        "--receive-packed",
    };
    (void)state;
    assert_int_equal(parse(&options, sizeof argv / sizeof *argv, argv), 0);
    assert_int_equal(options.model, WEIR_MODEL_THREAD);
    assert_int_equal(options.workers, 3);
    assert_int_equal(options.backend, WEIR_BACKEND_EPOLL);
    assert_int_equal(options.stack_size, 65536);
    assert_int_equal(options.max_connections, 9);
    assert_int_equal(options.max_per_address, 8);
    assert_int_equal(options.idle_timeout, WEIR_S(7));
    assert_int_equal(options.write_timeout, WEIR_S(6));
    assert_int_equal(options.message_timeout, WEIR_S(5));
    assert_int_equal(options.lifetime, WEIR_S(3600));
    assert_int_equal(options.line_limit, 2048);
    assert_int_equal(options.drain_timeout, WEIR_S(4));
    assert_int_equal(options.replies_per_second, 3);
    assert_int_equal(options.listen.backlog, 12);
    assert_true(options.reply_to_any && options.listen.socket.delay && options.listen.socket.keepalive);
    assert_true(options.receive_packed);
}

static void every_limit_can_be_switched_off(void **state)
{
    weir_server_options options;
    const char *const argv[] = {
        "--max-connections=never", "--max-per-address=0",     "--idle-timeout=never",
        "--write-timeout=0",       "--message-timeout=never", "--lifetime=never",
        "--line-limit=never",      "--drain-timeout=never",   "--replies-per-second=0",
    };
    (void)state;
    assert_int_equal(parse(&options, sizeof argv / sizeof *argv, argv), 0);
    assert_int_equal(options.max_connections, -1);
    assert_int_equal(options.max_per_address, -1);
    assert_int_equal(options.idle_timeout, WEIR_FOREVER);
    assert_int_equal(options.write_timeout, WEIR_FOREVER);
    assert_int_equal(options.message_timeout, WEIR_FOREVER);
    assert_int_equal(options.lifetime, WEIR_FOREVER);
    assert_int_equal(options.line_limit, -1);
    assert_int_equal(options.drain_timeout, WEIR_FOREVER);
    assert_int_equal(options.replies_per_second, -1);
}

/* The presets that help shows are the defaults of the library. */
static void presets_are_the_defaults(void **state)
{
    weir_server_options shown, given = {.size = sizeof given}, resolved;
    (void)state;
    assert_int_equal(parse(&shown, 0, NULL), 0);
    assert_int_equal(weir__server_defaults(&resolved, &given), 0);
    assert_int_equal(shown.max_connections, resolved.max_connections);
    assert_int_equal(shown.max_per_address, resolved.max_per_address);
    assert_int_equal(shown.idle_timeout, resolved.idle_timeout);
    assert_int_equal(shown.write_timeout, resolved.write_timeout);
    assert_int_equal(shown.message_timeout, resolved.message_timeout);
    assert_int_equal(shown.lifetime, resolved.lifetime);
    assert_int_equal(shown.line_limit, resolved.line_limit);
    assert_int_equal(shown.drain_timeout, resolved.drain_timeout);
    assert_int_equal(shown.replies_per_second, resolved.replies_per_second);
    assert_int_equal(shown.listen.backlog, resolved.listen.backlog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_are_listed),
        cmocka_unit_test(a_service_takes_its_transports),
        cmocka_unit_test(a_service_is_added_where_it_fits),
        cmocka_unit_test(every_limit_is_an_option),
        cmocka_unit_test(every_limit_can_be_switched_off),
        cmocka_unit_test(presets_are_the_defaults),
    };
    return cmocka_run_group_tests_name("server_service", tests, NULL, NULL);
}
