/* The server that does what it is told. */
#include "commands.h"

#include <stdarg.h>

enum { LONGEST = 200 };

static struct serving serving;

/* --- the server --- */

static int pause_for(weir_conn *conn, unsigned milliseconds)
{
    return weir_sleep(WEIR_MS(milliseconds)) < 0 ? -1 : weir_send_all(conn, "ok\n", 3);
}

static int say_half(weir_conn *conn, unsigned milliseconds)
{
    if (weir_send_all(conn, "ha", 2) < 0 || weir_sleep(WEIR_MS(milliseconds)) < 0)
        return -1;
    return weir_send_all(conn, "lf\n", 3);
}

static int sink(weir_conn *conn, uint64_t seed, uint64_t size, unsigned milliseconds)
{
    char data[4096];
    if (weir_sleep(WEIR_MS(milliseconds)) < 0)
        return -1;
    for (uint64_t done = 0; done < size;) {
        size_t most = size - done < sizeof data ? (size_t)(size - done) : sizeof data;
        ssize_t received = weir_recv(conn, data, most);
        if (received <= 0 || !check_pattern(seed, done, data, (size_t)received))
            return -1;
        done += (uint64_t)received;
    }
    return weir_send_all(conn, "sunk\n", 5);
}

static int obey(weir_conn *conn, const char *line)
{
    unsigned long long seed, size;
    unsigned milliseconds;
    char answer[LONGEST + 2];
    if (sscanf(line, "pause %u", &milliseconds) == 1)
        return pause_for(conn, milliseconds);
    if (sscanf(line, "half %u", &milliseconds) == 1)
        return say_half(conn, milliseconds);
    if (sscanf(line, "sink %llu %llu %u", &seed, &size, &milliseconds) == 3)
        return sink(conn, seed, size, milliseconds);
    if (strncmp(line, "echo ", 5) != 0 && weir_at_end(conn))
        return -1; /* its sender gave up in the middle of it */
    if (strncmp(line, "echo ", 5) != 0) {
        weir_sim_fail("a client asks what makes no sense: %s", line);
        return -1;
    }
    int length = snprintf(answer, sizeof answer, "%s\n", line + 5);
    return weir_send_all(conn, answer, (size_t)length);
}

void command_handler(weir_conn *conn, void *arg)
{
    char *line, copy[LONGEST + 1];
    size_t length;
    (void)arg;
    int result;
    while ((result = weir_read_line(conn, &line, &length, LONGEST)) > 0) {
        memcpy(copy, line, length + 1);
        if (obey(conn, copy) < 0)
            break;
    }
    if (result != 0)
        weir_abort(conn);
}

void serve_commands(void)
{
    serving = (struct serving){
        .endpoint = "tcp://*:7",
        .handler = command_handler,
        .options = {.workers = between(1, 2), .idle_timeout = WEIR_MINUTES(2), .listen.socket.receive_buffer = 8192}};
    weir_sim_service(weir_sim_host_new("server"), "commands", serve, &serving);
}

/* --- its clients --- */

int command(weir_conn *conn, const char *format, ...)
{
    char line[LONGEST];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[length++] = '\n';
    return weir_send_all(conn, line, (size_t)length);
}

int expect(weir_conn *conn, const char *answer)
{
    char *line;
    size_t length;
    int result = weir_read_line(conn, &line, &length, LONGEST);
    if (result == 0)
        weir_sim_fail("an end in place of %s, and nobody said why", answer);
    if (result <= 0)
        return -1;
    if (strcmp(line, answer) == 0)
        return 0;
    weir_sim_fail("%s in place of %s", line, answer);
    return -1;
}

int use(weir_conn *conn)
{
    char word[24];
    snprintf(word, sizeof word, "%llu", (unsigned long long)weir_sim_below(1000000));
    return command(conn, "echo %s", word) < 0 ? -1 : expect(conn, word);
}
