/* The table of commands, and what all commands do with their arguments. */
#include "commands.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "page.h"

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
    "weir serve echo --processes 2 --log json",
    "two supervised processes, logs as JSON lines",
    NULL,
};

static const char *const run_usage[] = {"[OPTION]...", NULL};
static const char *const run_examples[] = {
    "weir run",
    "every service on its default endpoints, with a line to try each",
    NULL,
};

static const char *const ask_usage[] = {"[OPTION]... ENDPOINT [TEXT]...", "[OPTION]... HOST PORT [TEXT]...", NULL};
static const char *const ask_examples[] = {
    "weir ask tcp://localhost:8000 hello",
    "sends hello and prints the answer",
    "weir ask localhost 8000 hello world",
    "the same as nc has it, with two words",
    "weir ask :8000 < FILE",
    "sends a file",
    "weir ask -u localhost 31337 hello",
    "asks by a datagram",
    "weir ask unix:/tmp/echo.socket hello",
    "through a Unix socket",
    "weir ask --line mail.example.org:25 QUIT --timeout 2s",
    "a line, and at most two seconds without a word",
    NULL,
};

static const char *const bench_usage[] = {"[OPTION]... ENDPOINT", NULL};
static const char *const bench_examples[] = {
    "weir bench :8000",
    "64 connections, each with one message of 64 bytes under way, for 10 seconds",
    "weir bench :8000 --connections 1000 --size 64k --depth 4",
    "1,000 connections, four messages of 64 KiB under way on each",
    "weir bench :8000 --rate 20000 --duration 1m",
    "20,000 messages a second; latency counts from when each was due",
    "weir bench :8000 --churn",
    "connects, sends one message, closes, again and again",
    "weir bench :8000 --idle --connections 10000",
    "10,000 connections that are silent for the time, all checked before and after",
    "weir bench udp://:31337 --json",
    "datagrams; the result as JSON",
    NULL,
};

static const char *const help_usage[] = {"[COMMAND [SERVICE]]", NULL};
static const char *const help_examples[] = {
    "weir help ask", "the same as weir ask --help", "weir help serve echo", "the same as weir serve echo --help", NULL,
};

const struct command commands[] = {
    {
        .name = "serve",
        .summary = "offers a service: weir serve SERVICE [ENDPOINT]...",
        .usage = serve_usage,
        .description =
            "Serves on the endpoints that are named, or on the service's default ones, until SIGTERM or SIGINT: then "
            "it "
            "stops accepting, lets clients finish for the drain time and exits 0. A second signal ends it at once. "
            "SIGUSR1 prints counters.\n\n"
            "Endpoints are SCHEME://HOST:PORT with the schemes tcp and udp, unix:/path, unix:@name, or in short "
            "HOST:PORT, :PORT and PORT. Without a host it is this machine alone, on IPv4 and IPv6; * is everybody. "
            "Port "
            "0 lets the system choose. A line an endpoint is printed when it is ready.\n\n"
            "Without a service it lists the services.",
        .sections = serve_sections,
        .examples = serve_examples,
        .run = serve_command,
    },
    {
        .name = "run",
        .summary = "offers every service on its default endpoints, in one process",
        .usage = run_usage,
        .description =
            "Starts all services and prints where each listens and a line to try it. A service whose port is "
            "taken is left out, and said so; when none could start it fails.",
        .sections = run_sections,
        .examples = run_examples,
        .run = run_command,
    },
    {
        .name = "ask",
        .summary = "sends a text, prints the answer, exits",
        .usage = ask_usage,
        .description =
            "Sends the TEXTs joined by a space, as they are; without TEXT it sends what comes on stdin. It then prints "
            "what arrives until the peer closes, or has been quiet for a while after its first byte: both are "
            "success.\n\n"
            "On udp and on Unix datagram sockets the question is one datagram.\n\n"
            "Exit status: 0 answered, 1 no connection, 2 wrong usage, 3 timed out without a byte, 4 the connection was "
            "cut, or closed without an answer.",
        .sections = ask_sections,
        .examples = ask_examples,
        .run = ask_command,
    },
    {
        .name = "bench",
        .summary = "puts an echo server under load: rates, latencies, errors",
        .usage = bench_usage,
        .description =
            "Every byte that comes back is checked. By default the next message leaves when the last has come back (a "
            "closed loop). With --rate messages leave at their time, whether or not the server keeps up, and latency "
            "is "
            "counted from the time at which a message was due: a server that stalls is charged for every message it "
            "held up.\n\n"
            "The result is on stdout; on a terminal a line on stderr shows how it goes. Ctrl-C ends it early, with the "
            "result so far.\n\n"
            "Exit status: 0 without an error, 1 no connection, or bytes that were wrong, connections cut or answers "
            "lost.",
        .sections = bench_sections,
        .examples = bench_examples,
        .run = bench_command,
    },
    {
        .name = "help",
        .summary = "tells about a command or a service",
        .usage = help_usage,
        .description = "Prints what --help prints.",
        .sections = help_sections,
        .examples = help_examples,
        .run = help_command,
    },
    {0},
};

const struct command *command_find(const char *name)
{
    for (const struct command *command = commands; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

const weir_option common_options[] = {
    {WEIR_OPTION_FLAG, "help", 'h', NULL, offsetof(struct common_settings, help), "prints this and exits"},
    {0},
};

int command_line_parse(struct command_line *line, const weir_option_set *sets, size_t count, int argc,
                       char *const *argv)
{
    memset(line, 0, sizeof *line);
    for (size_t i = 0; i < count; i++)
        line->sets[line->count++] = sets[i];
    line->sets[line->count++] = (weir_option_set){common_options, &line->common};
    return weir_options_parse(line->sets, line->count, argc, argv, &line->arguments);
}

void command_line_free(struct command_line *line)
{
    weir_options_free(line->sets, line->count, &line->arguments);
}

bool command_begin(const struct command *command, struct command_line *line, const weir_option_set *sets, size_t count,
                   int argc, char *const *argv, int *status)
{
    if (command_line_parse(line, sets, count, argc, argv) < 0) {
        *status = failed();
        return false;
    }
    if (!line->common.help)
        return true;
    struct page page;
    page_of_command(&page, command);
    *status = help_print(&page);
    return false;
}

static bool records;

void errors_are_records(void)
{
    records = true;
}

void tell_error(void)
{
    char text[1024];
    const char *sentence = weir_error()->sentence;
    if (records)
        weir_log_error();
    else
        fprintf(stderr, "weir: %s\n", weir_escape(sentence, strlen(sentence), text, sizeof text));
}

int failed(void)
{
    tell_error();
    return weir_error_exit_status(weir_error());
}

int wrong_usage(const char *subject, const char *format, ...)
{
    char reason[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    weir_fail(WEIR_ERROR_USAGE, EINVAL, "", subject, "%s", reason);
    return failed();
}

int unknown(const char *what, const char *word, const char *suggestion)
{
    if (suggestion)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", word, "unknown %s, did you mean %s?", what, suggestion);
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", word, "unknown %s", what);
}

int finish_stdout(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return STATUS_DONE;
    if (errno == EPIPE)
        return STATUS_DONE;
    weir_fail(WEIR_ERROR_SYSTEM, errno ? errno : EIO, "write", "stdout", NULL);
    return failed();
}
