/* weir serve print's merger: lines of many senders on one output that is slow, none within another, all of whoever was not cut. */
#include "../../src/services/print/merger.h"
#include "common.h"
#include "scenarios.h"

enum { CLIENTS = 4, MOST_TALKS = 3, MOST_LINES = 30, MOST_LETTERS = 300, MOST_SENDERS = 4096 };

#define PATIENCE WEIR_S(15)

static struct {
    struct serving serving;
    struct merger *merger;
    weir_file *end[2];            /* of the pipe that is the output */
    unsigned senders;             /* so far: each talk is one of its own */
    unsigned whole[MOST_SENDERS]; /* lines of it on the output */
    char line[MOST_LETTERS + 64]; /* of the output, as far as it has come */
    size_t length;
} world;

/* --- a line: "SENDER:LETTERS:aaaa", all letters the sender's own --- */

static int make_line(unsigned sender, char *line)
{
    unsigned letters = (unsigned)weir_sim_below(MOST_LETTERS);
    int length = sprintf(line, "%u:%u:", sender, letters);
    memset(line + length, 'a' + (int)(sender % 26), letters);
    strcpy(line + length + letters, "\n");
    return length + (int)letters + 1;
}

/* Only the last line of a sender that was cut may lack its end; never is there anything in it that is another's. */
static void check_line(void)
{
    unsigned sender, letters;
    int begin = 0;
    world.line[world.length] = '\0';
    if (sscanf(world.line, "%u:%u:%n", &sender, &letters, &begin) < 2 || begin == 0) {
        if (strspn(world.line, "0123456789:") != world.length)
            weir_sim_fail("a line of the output is %s", world.line);
        return;
    }
    const char own[] = {(char)('a' + sender % 26), '\0'};
    size_t there = strspn(world.line + begin, own);
    if (there != world.length - (size_t)begin || there > letters || sender >= world.senders)
        weir_sim_fail("a line of the output is %s", world.line);
    else
        world.whole[sender] += there == letters;
}

static void written(void *arg, const char *data, size_t size)
{
    (void)arg;
    for (size_t i = 0; i < size; i++) {
        if (data[i] != '\n' && world.length < sizeof world.line - 1) {
            world.line[world.length++] = data[i];
            continue;
        }
        check_line();
        world.length = 0;
    }
}

/* --- the server, and who reads its output --- */

static void handler(weir_conn *conn, void *arg)
{
    struct merger_told told;
    (void)arg;
    if (merger_receive(world.merger, conn, &told) < 0)
        weir_abort(conn);
}

static int read_output(void *arg)
{
    char some[700];
    (void)arg;
    while (weir_file_read(world.end[0], some, 1 + weir_sim_below(sizeof some), WEIR_FOREVER) > 0)
        if (one_in(4) && weir_sleep(between(0, WEIR_MS(20))) < 0)
            return -1;
    return 0;
}

static int serve_printing(void)
{
    weir_fiber *reader = weir_spawn(read_output, NULL, WEIR_OPTIONS(weir_fiber_options, .name = "reader"));
    int result = reader ? serve(&world.serving) : -1;
    merger_free(world.merger);
    weir_file_close(world.end[1]);
    if (reader)
        weir_join(reader, NULL, WEIR_FOREVER);
    return result;
}

/* Whatever a life before this one has left on its output is gone with it. */
static int print_service(void *arg)
{
    (void)arg;
    world.length = 0;
    if (weir_pipe(world.end) < 0)
        return -1;
    struct merger_options options = {.output = world.end[1],
                                     .encoding = "utf-8",
                                     .errors = WEIR_TEXT_REPLACE,
                                     .unfinished = true,
                                     .pause = WEIR_S(600), /* no line is broken for its sender's silence */
                                     .written = written};
    world.merger = merger_new(&options);
    int result = world.merger ? serve_printing() : -1;
    if (!world.merger)
        weir_file_close(world.end[1]);
    weir_file_close(world.end[0]);
    return result;
}

/* --- the clients --- */

static int send_cut(weir_conn *conn, const char *data, size_t size)
{
    size_t cut_at = (size_t)weir_sim_below(size + 1);
    if (weir_send_all(conn, data, cut_at) < 0 || (one_in(8) && weir_sleep(between(0, WEIR_MS(30))) < 0))
        return -1;
    return weir_send_all(conn, data + cut_at, size - cut_at);
}

static int send_lines(weir_conn *conn, unsigned sender, unsigned lines)
{
    char line[MOST_LETTERS + 64];
    for (unsigned i = 0; i < lines; i++)
        if (send_cut(conn, line, (size_t)make_line(sender, line)) < 0)
            return -1;
    return 0;
}

/* Who was not cut is on the output, to the last line. */
static int talk(void *arg)
{
    (void)arg;
    weir_conn *conn = reach("tcp://server:7", PATIENCE);
    unsigned sender = world.senders, lines = (unsigned)weir_sim_below(MOST_LINES);
    if (!conn)
        return -1;
    if (sender == MOST_SENDERS) {
        weir_sim_fail("too many talks");
        return cut(conn);
    }
    world.senders++;
    if (send_lines(conn, sender, lines) < 0 || weir_shutdown(conn, SHUT_WR) < 0)
        return cut(conn);
    char byte;
    if (weir_recv(conn, &byte, 1) != 0)
        return cut(conn);
    if (world.whole[sender] != lines)
        weir_sim_fail("of %u lines %u were printed", lines, world.whole[sender]);
    return weir_close(conn);
}

static int client(void *arg)
{
    for (uint64_t talks = 1 + weir_sim_below(MOST_TALKS); talks; talks--)
        if (weir_sleep(between(0, WEIR_S(1))) < 0 || until_done("lines", talk, arg, SHORTLY + PATIENCE) < 0)
            return -1;
    return 0;
}

void print(void)
{
    memset(&world, 0, sizeof world);
    world.serving = (struct serving){.endpoint = "tcp://*:7",
                                     .handler = handler,
                                     .by_hand = one_in(2),
                                     .options = {.workers = 1, .idle_timeout = PATIENCE, .write_timeout = PATIENCE}};
    weir_sim_service(weir_sim_host_new("server"), "print", print_service, NULL);
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}
