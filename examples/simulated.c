/* The simulator: two handlers that put "echo -> " before each line, one of them right, on a network that is not kind. */
#include <string.h>
#include <weir/sim.h>
#include <weir/weir.h>

/* The oldest tutorial's: it takes what one receive brings for a line. */
static void by_chunks(weir_conn *client, void *arg)
{
    char data[8 + 1024] = "echo -> ";
    ssize_t size;
    while ((size = weir_recv(client, data + 8, 1024)) > 0)
        if (weir_send_all(client, data, 8 + size) < 0)
            return;
}

static void by_lines(weir_conn *client, void *arg)
{
    char *line;
    size_t length;
    while (weir_read_line(client, &line, &length, 1024) > 0)
        if (weir_send_all(client, "echo -> ", 8) < 0 || weir_send_all(client, line, length) < 0 ||
            weir_send_all(client, "\n", 1) < 0)
            return;
}

/* --- the scenario --- */

static int serve_chunks(void *arg) { return weir_serve("tcp://server:2000", by_chunks, NULL, NULL); }
static int serve_lines(void *arg) { return weir_serve("tcp://server:2000", by_lines, NULL, NULL); }

/* Asks once. Whether there was an answer; one that is wrong fails the run. */
static bool ask(void)
{
    const char question[] = "Hello world\n", expected[] = "echo -> Hello world\n";
    char answer[sizeof expected] = "";
    weir_auto weir_conn *server =
        weir_connect("tcp://server:2000", WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_S(5)));
    if (!server)
        return false;
    weir_set_timeout(server, WEIR_S(5));
    if (weir_send_all(server, question, strlen(question)) < 0 ||
        weir_read_exactly(server, answer, strlen(expected)) < 0)
        return false;
    WEIR_SIM_CHECK(strcmp(answer, expected) == 0);
    return true;
}

/* Asks until it has been answered. Faults stop at some time: a run that does not end after that has failed. */
static int client(void *arg)
{
    for (int answers = 0; answers < 10; weir_sleep(WEIR_MS(500)))
        answers += ask();
    return 0;
}

static void start(int (*server)(void *arg))
{
    weir_sim_service(weir_sim_host_new("server"), "server", server, NULL);
    for (int i = 0; i < 3; i++)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}

static void chunks(void) { start(serve_chunks); }
static void lines(void) { start(serve_lines); }

int main(int argc, char **argv)
{
    static const weir_sim_scenario scenarios[] = {
        {.name = "chunks", .summary = "what one receive brings is a line, or is it?", .set_up = chunks},
        {.name = "lines", .summary = "a line is a line", .set_up = lines},
        {0},
    };
    return weir_sim_main(argc, argv, scenarios);
}
