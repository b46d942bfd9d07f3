/* Channels and select beside sockets: items go by a channel to a fiber that sends them, and come back by another. */
#include "common.h"
#include "scenarios.h"

enum { CLIENTS = 2, MOST_ITEMS = 120, MOST_CAPACITY = 8 };

#define PATIENCE WEIR_S(15)

static struct serving serving;
static bool lent;

/* --- between a client and its connection --- */

struct line {
    weir_conn *conn;
    weir_channel *out, *back;
};

/* Sends what comes out of a channel until that is closed. */
static int writer(void *arg)
{
    struct line *line = arg;
    uint32_t item;
    while (weir_channel_receive(line->out, &item, WEIR_FOREVER) == 0)
        if (weir_send_all(line->conn, &item, sizeof item) < 0) {
            weir_abort(line->conn);
            return -1;
        }
    WEIR_SIM_CHECK(errno == EPIPE);
    return weir_shutdown(line->conn, SHUT_WR);
}

/* Puts what is received into the other until the stream ends, and closes it. */
static int reader(void *arg)
{
    struct line *line = arg;
    uint32_t item;
    int result;
    while ((result = weir_read_exactly(line->conn, &item, sizeof item)) == 0)
        if (weir_channel_send(line->back, &item, WEIR_FOREVER) < 0)
            break;
    bool ended = result < 0 && weir_error()->number == ENODATA;
    weir_channel_close(line->back);
    return ended ? 0 : -1;
}

/* --- the client, which gives and takes at once --- */

struct pass {
    uint32_t given, taken, count;
    int64_t pause_until;
};

static int pass_one(struct line *line, struct pass *pass, weir_fiber *sending)
{
    uint32_t item;
    weir_case cases[] = {
        {.kind = WEIR_CASE_RECEIVE, .channel = line->back, .item = &item},
        {.kind = WEIR_CASE_END, .fiber = sending},
        {.kind = WEIR_CASE_SEND, .channel = line->out, .item = &pass->given},
    };
    int64_t deadline = weir_deadline(one_in(8) ? between(1, WEIR_MS(20)) : PATIENCE);
    int chosen = weir_select(cases, pass->given < pass->count ? 3 : 1, deadline);
    if (chosen < 0) {
        WEIR_SIM_CHECK(errno == ETIMEDOUT && weir_now() >= deadline);
        return deadline + PATIENCE < weir_now() ? -1 : 1;
    }
    if (chosen == 0 && cases[0].error == 0) {
        WEIR_SIM_CHECK(item == pass->taken);
        pass->taken++;
    }
    if (chosen == 2 && cases[2].error == 0)
        pass->given++;
    return chosen == 1 || cases[chosen].error ? -1 : 0;
}

static int pass_all(struct line *line, weir_fiber *sending)
{
    struct pass pass = {.count = 1 + (uint32_t)weir_sim_below(MOST_ITEMS)};
    int64_t give_up = weir_now() + WEIR_MINUTES(1);
    while (pass.taken < pass.count && weir_now() < give_up)
        if (pass_one(line, &pass, sending) < 0)
            return -1;
    WEIR_SIM_CHECK(pass.taken <= pass.given);
    return pass.taken == pass.count ? 0 : -1;
}

/* Nothing more comes once the writer has ended its side. */
static int take_end(struct line *line)
{
    uint32_t item;
    weir_channel_close(line->out);
    if (weir_channel_receive(line->back, &item, weir_deadline(PATIENCE)) == 0) {
        weir_sim_fail("item %u came twice", item);
        return -1;
    }
    return errno == EPIPE ? 0 : -1;
}

static int run_line(struct line *line)
{
    int sent = -1, received = -1;
    weir_fiber *sending = weir_spawn(writer, line, WEIR_OPTIONS(weir_fiber_options, .name = "writer"));
    weir_fiber *receiving =
        sending ? weir_spawn(reader, line, WEIR_OPTIONS(weir_fiber_options, .name = "reader")) : NULL;
    int result = receiving ? pass_all(line, sending) : -1;
    if (result == 0)
        result = take_end(line);
    if (result < 0)
        weir_abort(line->conn);
    weir_channel_close(line->out);
    weir_channel_close(line->back);
    if (sending)
        weir_join(sending, &sent, WEIR_FOREVER);
    if (receiving)
        weir_join(receiving, &received, WEIR_FOREVER);
    return sent < 0 || received < 0 ? -1 : result;
}

static int talk(void *arg)
{
    (void)arg;
    struct line line = {.conn = reach("tcp://server:7", PATIENCE)};
    if (!line.conn)
        return -1;
    line.out = weir_channel_new(sizeof(uint32_t), (size_t)weir_sim_below(MOST_CAPACITY + 1));
    line.back = weir_channel_new(sizeof(uint32_t), (size_t)weir_sim_below(MOST_CAPACITY + 1));
    int result = line.out && line.back ? run_line(&line) : -1;
    weir_channel_free(line.out);
    weir_channel_free(line.back);
    if (result < 0)
        return cut(line.conn);
    return weir_close(line.conn);
}

static int client(void *arg)
{
    for (uint64_t talks = 1 + weir_sim_below(3); talks; talks--)
        if (until_done("a talk by channels", talk, arg, SHORTLY) < 0)
            return -1;
    return 0;
}

void channels(void)
{
    lent = one_in(2);
    serving = (struct serving){.endpoint = "tcp://*:7",
                               .handler = echo_handler,
                               .arg = &lent,
                               .options = {.workers = 1, .idle_timeout = WEIR_S(30)}};
    weir_sim_service(weir_sim_host_new("server"), "echo", serve, &serving);
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}
