/* weir serve: one service on its endpoints, until a signal. */
#include <errno.h>
#include <string.h>

#include "page.h"
#include "securing.h"
#include "serving.h"
#include "suggest.h"

static const struct option_section serve_sections[] = {
    {"Running", run_options},
    {"Limits and how it serves", weir_server_option_table},
    {"TLS", weir_server_tls_option_table},
    {0},
};

/*
 * The service that the arguments name. Which options there are depends on it, so it is looked for before they are
 * parsed: the first word that is a service's name. An option's argument may look like one; see run below.
 */
static const weir_service *named_service(int argc, char *const *argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const weir_service *service = weir_service_find(argv[i]);
        if (service)
            return service;
    }
    return NULL;
}

static int list_services(void)
{
    const weir_service *service;
    for (size_t i = 0; (service = weir_service_at(i)); i++)
        printf("%-8s %s\n", service->name, service->summary);
    return finish_stdout();
}

/* Without a service's name among the arguments: help, the list, or what was meant to be one. */
static int serve_nothing(const struct command *command, int argc, char *const *argv)
{
    struct run_settings run = {0};
    weir_server_options server = {.size = sizeof server};
    weir_option_set sets[] = {
        {run_options, &run}, {weir_server_option_table, &server}, {weir_server_tls_option_table, &server}};
    struct command_line line;
    int status;
    int parsed = command_line_parse(&line, sets, 3, argc, argv);
    if (line.arguments.count > 0) {
        const char *word = line.arguments.items[0];
        unknown("service", word, suggest_service(word));
        status = failed();
    } else if (parsed < 0) {
        status = failed();
    } else if (line.common.help) {
        struct page page;
        page_of_command(&page, command);
        status = help_print(&page);
    } else {
        status = list_services();
    }
    command_line_free(&line);
    return status;
}

/* How many of the arguments, the service's name first, are no program behind "--". */
static size_t before_command(const weir_arguments *arguments, const weir_service *service)
{
    return service->takes_command ? arguments->dashes : arguments->count;
}

static int serve_until_signal(struct serving *serving, const weir_arguments *arguments, const struct run_settings *run,
                              const weir_server_options *server)
{
    const struct serving_group alone = {.servings = serving, .count = 1};
    size_t count = before_command(arguments, serving->service);
    serving_log(run);
    if (serving_check_processes(serving->service, run) < 0 ||
        serving_set_command(serving, arguments->items + count) < 0 || serving_open(serving, server) < 0)
        return failed();
    if (serving_add(serving, arguments->items + 1, count - 1) < 0 ||
        tls_check_server(&server->listen.tls, serving->server, "serve") < 0)
        return failed();
    if (serving_run(&alone, run, server) < 0)
        return failed();
    return STATUS_DONE;
}

/* Whether the first word is the service that the options were parsed for. 0 or -1 with a usage error. */
static int check_service(const weir_arguments *arguments, const weir_service *service)
{
    if (before_command(arguments, service) == 0)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "serve", "", "no service is named");
    const char *word = arguments->items[0];
    if (strcmp(word, service->name) == 0)
        return 0;
    if (weir_service_find(word))
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "serve", word, "the service is to be named before its options");
    return unknown("service", word, suggest_service(word));
}

static int serve_parsed(const struct command *command, struct serving *serving, const struct command_line *line,
                        const struct run_settings *run, const weir_server_options *server)
{
    if (line->common.help) {
        struct page page;
        page_of_service(&page, command, serving->service);
        return help_print(&page);
    }
    if (check_service(&line->arguments, serving->service) < 0)
        return failed();
    return serve_until_signal(serving, &line->arguments, run, server);
}

static int run(const struct command *command, int argc, char *const *argv)
{
    const weir_service *service = named_service(argc, argv);
    if (!service)
        return serve_nothing(command, argc, argv);
    struct serving serving;
    if (serving_prepare(&serving, service) < 0)
        return failed();

    struct run_settings run = {0};
    weir_server_options server = {.size = sizeof server};
    weir_option_set sets[] = {serving_set(&serving),
                              {run_options, &run},
                              {weir_server_option_table, &server},
                              {weir_server_tls_option_table, &server}};
    struct command_line line;
    int status = command_line_parse(&line, sets, 4, argc, argv) < 0
                     ? failed()
                     : serve_parsed(command, &serving, &line, &run, &server);
    serving_close(&serving);
    command_line_free(&line);
    serving_free(&serving);
    return status;
}

/* --- what --help tells --- */

static const char *const serve_usage[] = {"SERVICE [OPTION]... [ENDPOINT]...", "", NULL};
static const char *const serve_examples[] = {
    "weir serve",
    "the services there are",
    "weir serve echo",
    "echo on its default endpoint, on this machine alone",
    "weir serve echo --help",
    "what echo is and all its options",
    "weir serve echo 'tcp://*:8000' --max-per-address 10",
    "for everybody who reaches this machine, ten connections each",
    "weir serve echo 'tls://*:8443' --cert CERT.pem --key KEY.pem",
    "by TLS, for everybody",
    "weir serve echo --processes 2 --log json",
    "two supervised processes, logs as JSON lines",
    NULL,
};

const struct command serve_command = {
    .name = "serve",
    .summary = "offers a service: weir serve SERVICE [ENDPOINT]...",
    .usage = serve_usage,
    .description =
        "Serves on the endpoints that are named, or on the service's default ones, until SIGTERM or SIGINT: then "
        "it stops accepting, lets clients finish for the drain time and exits 0. A second signal ends it at once. "
        "SIGUSR1 prints counters.\n\n"
        "Endpoints are SCHEME://HOST:PORT with the schemes tcp, tls, udp, http and https, unix:/path, unix:@name, or "
        "in short "
        "HOST:PORT, :PORT and PORT. Without a host it is this machine alone, on IPv4 and IPv6; * is everybody. "
        "Port 0 lets the system choose. tls and https must have a certificate (--cert, --key), which is read anew at "
        "SIGHUP: "
        "nobody is dropped for it. A line an endpoint is printed when it is ready.\n\n"
        "Without a service it lists the services.\n\n"
        "Environment: under a service manager NOTIFY_SOCKET is told when everything listens and when it ends, and "
        "sockets that it hands over (LISTEN_FDS) are used for the endpoints of the same address.",
    .sections = serve_sections,
    .examples = serve_examples,
    .run = run,
};
