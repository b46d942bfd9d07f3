/* weir connect: stdin to a connection, the connection to stdout. */
#include <errno.h>

#include "effects.h"
#include "session.h"

struct connecting {
    struct dialling dialling;
    struct session_settings session;
};

#define AT(member) offsetof(struct connecting, member)

static const weir_option options[] = {
    {WEIR_OPTION_TIME, "connect-timeout", 0, "TIME", AT(dialling.timeout), "how long connecting may take", "30s"},
    {0},
};

static const struct option_section sections[] = {{"Options", session_options},     {"Time", options},
                                                 {"Connecting", dialling_options}, {"TLS", client_tls_options},
                                                 {"Through others", via_options},  {0}};

static int connect_and_talk(void *arg)
{
    struct connecting *connecting = arg;
    struct session session = {
        .settings = &connecting->session, .dialling = &connecting->dialling, .command = "connect"};
    if (connecting->session.hex && !(session.recorder = recorder_open(connecting->session.hex)))
        return failed();
    session.conn = dialling_connect(&connecting->dialling);
    session.datagram = connecting->dialling.endpoint.datagram;
    int status = session.conn ? session_run(&session) : failed();
    weir_close(session.conn);
    if (recorder_close(session.recorder) < 0 && status == STATUS_DONE)
        status = failed();
    return status;
}

/* How it talks. */
enum { STREAM = 1, WAITS_FOR_QUIET = 2, ENCODED = 4 };

static const struct effect effects[] = {
    {"end-with-peer", STREAM, "for streams: datagrams have no end"},
    {"quiet", WAITS_FOR_QUIET, "for --prompt and for datagrams: a stream ends with its peer"},
    {"errors", ENCODED, "for --encoding: else bytes go as they are"},
    {0},
};

static int check_effects(struct connecting *connecting)
{
    weir_option_set set = {session_options, &connecting->session};
    bool datagram = connecting->dialling.endpoint.datagram;
    unsigned there = (datagram ? 0 : STREAM) | (datagram || connecting->session.prompt ? WAITS_FOR_QUIET : 0) |
                     (connecting->session.encoding ? ENCODED : 0);
    return effects_check(effects, there, &set, 1, "connect", connecting->dialling.endpoint.text);
}

static int read_words(struct connecting *connecting, const weir_arguments *words)
{
    size_t used = dialling_read(&connecting->dialling, words);
    if (used == 0 || check_effects(connecting) < 0 || session_check(&connecting->session, "connect") < 0)
        return -1;
    if (words->count > used)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "connect", words->items[used],
                         "one endpoint is all it takes; to send a text see weir ask");
    return 0;
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct connecting connecting = {.dialling.command = "connect"};
    weir_option_set sets[] = {{session_options, &connecting.session},
                              {options, &connecting},
                              {dialling_options, &connecting.dialling},
                              {client_tls_options, &connecting.dialling.tls},
                              {via_options, &connecting.dialling.via}};
    struct command_line line;
    int status;
    if (command_begin(command, &line, sets, 5, argc, argv, &status))
        status =
            read_words(&connecting, &line.arguments) < 0 ? failed() : weir_run(connect_and_talk, &connecting, NULL);
    if (status < 0)
        status = failed();
    command_line_free(&line);
    return status;
}

/* --- what --help tells --- */

static const char *const usage[] = {"[OPTION]... ENDPOINT", "[OPTION]... HOST PORT", NULL};
static const char *const examples[] = {
    "weir connect localhost 8000",
    "what is typed goes there, what comes is printed; Ctrl-D ends one's own side",
    "weir connect :8000 < FILE > ANSWER",
    "sends a file, ends its side, and keeps all that comes back, whenever it comes",
    "weir connect --prompt '?:' :8000",
    "a prompt for each line, until an empty one",
    "weir connect -C mail.example.org:25",
    "lines end with CR LF",
    "weir connect --encoding latin-1 :8000",
    "to somebody who speaks Latin-1, from a terminal that speaks UTF-8",
    "weir connect --summary --sha256 :8000 < FILE > COPY",
    "tells what went in each direction, and how it ended",
    "weir connect --via ssh://user@example.org localhost 8000",
    "to port 8000 of another machine, which need not be open to us, by ssh",
    "weir connect unix:/tmp/echo.socket",
    "through a Unix socket",
    NULL,
};

const struct command connect_command = {
    .name = "connect",
    .summary = "stdin to a connection, the connection to stdout",
    .usage = usage,
    .description =
        "Both directions at once, each to its own end. When stdin ends its end is passed on, and what the peer answers "
        "is "
        "waited for, however long that takes. When the peer ends its side the rest of stdin still goes to it; on a "
        "terminal, or with --end-with-peer, that is the end.\n\n"
        "With datagrams each piece read is one, and after the end of stdin it waits until the peer has been quiet.\n\n"
        "Exit status: 0 done, also when the reader of stdout went away, 1 no connection, 2 wrong usage, 3 timed out, 4 "
        "the "
        "connection was cut, or the peer closed before it had taken all.",
    .sections = sections,
    .examples = examples,
    .run = run,
};
