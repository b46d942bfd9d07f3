/* Pages: gathering what is told of the program, a command or a service. */
#include "page.h"

#include <string.h>

static void add_section(struct page *page, const char *title, const weir_option *options)
{
    for (size_t i = 0; i < PAGE_SECTIONS - 1; i++)
        if (!page->sections[i].title) {
            page->sections[i] = (struct option_section){title, options};
            return;
        }
}

static void add_sections(struct page *page, const struct option_section *sections)
{
    for (; sections->title; sections++)
        add_section(page, sections->title, sections->options);
    add_section(page, "Other options", common_options);
}

static const char *const program_usage[] = {"COMMAND [OPTION]... [ARGUMENT]...", "help [COMMAND [SERVICE]]",
                                            "--version", NULL};
static const char *const program_examples[] = {
    "weir serve echo",
    "an echo server on port 8000 of this machine",
    "weir ask :8000 hello",
    "sends hello and prints the answer",
    "weir listen 9000 > FILE",
    "waits for a client and keeps what it sends",
    "weir connect localhost 9000 < FILE",
    "sends it",
    "weir relay :9000 unix:/tmp/echo.socket",
    "joins every client of port 9000 with a Unix socket",
    "weir serve stream --media ~/Music",
    "a radio and files, for browsers and players, at http://localhost:8080/",
    "weir pull --play http://localhost:8080/radio",
    "plays it",
    "weir check localhost:8000",
    "whether it answers, and how fast",
    "weir bench :8000",
    "puts it under load",
    NULL,
};

void page_of_program(struct page *page)
{
    *page = (struct page){
        .name = "weir",
        .summary = "sockets from the shell, by TCP, TLS, UDP, Unix: serves, connects, streams",
        .usage = program_usage,
        .description =
            "Endpoints are written SCHEME://HOST:PORT, with tcp, tls, udp, http and https, and unix:/path or "
            "unix:@name; in short HOST:PORT, :PORT or PORT. Times are 500ms, 3s, 2m, a bare number is seconds; sizes "
            "64k, 1M.\n\n"
            "What is printed on stdout is data alone; what is said to a person is on stderr.\n\n"
            "Exit status: 0 done, 1 the network or the peer failed before a connection stood, 2 wrong usage, 3 timed "
            "out, 4 it ended too early.\n\n"
            "Environment: WEIR_BACKEND is what loops run on where no --backend says it: uring, epoll, or auto, which "
            "is uring where the system has it. WEIR_SSH names another ssh for --via and tunnel, WEIR_PROXY_PASSWORD is "
            "the password of proxies whose URL has a user and none.",
        .examples = program_examples,
        .lists_commands = true,
    };
}

void page_of_command(struct page *page, const struct command *command)
{
    *page = (struct page){
        .summary = command->summary,
        .usage = command->usage,
        .description = command->description,
        .examples = command->examples,
        .lists_services = command == &serve_command,
    };
    snprintf(page->name, sizeof page->name, "weir %s", command->name);
    add_sections(page, command->sections);
}

static const char *const service_usage[] = {"[OPTION]... [ENDPOINT]...", NULL};
static const char *const command_service_usage[] = {"[OPTION]... [ENDPOINT]... -- COMMAND [ARGUMENT]...", NULL};

void page_of_service(struct page *page, const struct command *serve, const weir_service *service)
{
    *page = (struct page){
        .summary = service->summary,
        .usage = service->takes_command ? command_service_usage : service_usage,
        .description = service->description,
        .examples = service->examples,
        .service = service,
    };
    snprintf(page->name, sizeof page->name, "weir %s %s", serve->name, service->name);
    if (service->options)
        add_section(page, "Options of the service", service->options);
    add_sections(page, serve->sections);
}

char *page_join(const char *const *words, char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; words[i] && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i ? ", " : "", words[i]);
    return text;
}
