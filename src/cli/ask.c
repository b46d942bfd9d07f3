/* weir ask: reads the command line: whom to ask, what, and from where. ask_talk.c does the asking. */
#include "ask.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct ask, member)

static const weir_option ask_options[] = {
    {WEIR_OPTION_FLAG, "line", 0, NULL, AT(line), "adds a newline to the text"},
    {WEIR_OPTION_TIME, "quiet", 0, "TIME", AT(quiet),
     "the answer is complete when the peer has been silent so long after its first byte", "200ms"},
    {WEIR_OPTION_TIME, "timeout", 0, "TIME", AT(dialling.timeout),
     "how long to wait for the connection, then for the first byte", "5s"},
    {0},
};
static const struct option_section ask_sections[] = {{"Options", ask_options},
                                                     {"Connecting", dialling_options},
                                                     {"TLS", client_tls_options},
                                                     {"Through others", via_options},
                                                     {0}};

/* Joins words by a space, with a newline where --line wants one. 0, or -1 with ENOMEM. */
static int join(struct ask *ask, const char *const *words, size_t count)
{
    size_t room = 2;
    for (size_t i = 0; i < count; i++)
        room += strlen(words[i]) + 1;
    char *at = ask->text = malloc(room);
    if (!at)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "ask", ask->dialling.endpoint.text, NULL);
    for (size_t i = 0; i < count; i++) {
        if (i)
            *at++ = ' ';
        at = stpcpy(at, words[i]);
    }
    if (ask->line)
        *at++ = '\n';
    ask->length = (size_t)(at - ask->text);
    return 0;
}

static int read_question(struct ask *ask, const weir_arguments *words)
{
    size_t used = dialling_read(&ask->dialling, words);
    if (used == 0)
        return -1;
    if (ask->line && words->count == used)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "ask", ask->dialling.endpoint.text, "--line is for a TEXT");
    return words->count > used ? join(ask, words->items + used, words->count - used) : 0;
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct ask ask = {.dialling.command = "ask"};
    weir_option_set sets[] = {{ask_options, &ask},
                              {dialling_options, &ask.dialling},
                              {client_tls_options, &ask.dialling.tls},
                              {via_options, &ask.dialling.via}};
    struct command_line line;
    int status;
    if (command_begin(command, &line, sets, 4, argc, argv, &status))
        status = read_question(&ask, &line.arguments) < 0 ? failed() : weir_run(ask_talk, &ask, NULL);
    if (status < 0)
        status = failed();
    free(ask.text);
    command_line_free(&line);
    return status;
}

/* --- what --help tells --- */

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
    "weir ask --ca CA.pem tls://localhost:8443 hello",
    "by TLS, to a server whose CA is your own",
    "weir ask --via socks5://localhost:1080 tcp://example.org:8000 hello",
    "through a SOCKS proxy, which looks the name up",
    "weir ask --line mail.example.org:25 QUIT --timeout 2s",
    "a line, and at most two seconds without a word",
    NULL,
};

const struct command ask_command = {
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
    .run = run,
};
