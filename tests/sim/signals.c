/* Signals: a service that waits for its own, and servers that are told to read their settings again; none is forgotten. */
#include "common.h"
#include "scenarios.h"

enum { SIGNALS = 6 };

static struct {
    weir_sim_host *host;
    int seen[2]; /* SIGHUP, SIGUSR1 */
} world;

static void saw(int number)
{
    world.seen[number == SIGUSR1]++;
}

/* --- waiting for them --- */

static int wait_for_signals(weir_signals *signals)
{
    for (;;) {
        int64_t deadline = one_in(2) ? WEIR_FOREVER : weir_now() + between(0, WEIR_S(1));
        int number = weir_signals_wait(signals, deadline);
        if (number == SIGTERM)
            return 0;
        if (number > 0)
            saw(number);
        else if (errno != ETIMEDOUT)
            return -1;
        else
            check_due("waiting for a signal", deadline, WEIR_MINUTES(10));
    }
}

static int by_hand(void *arg)
{
    const int numbers[] = {SIGHUP, SIGUSR1, SIGTERM};
    (void)arg;
    weir_signals *signals = weir_signals_new(numbers, 3);
    int result = signals ? wait_for_signals(signals) : -1;
    weir_signals_free(signals);
    return result;
}

/* --- servers --- */

static void reload(void *arg)
{
    (void)arg;
    saw(SIGHUP);
}

static int of_servers(void *arg)
{
    static bool lent;
    (void)arg;
    weir_server *server = weir_server_new(WEIR_OPTIONS(weir_server_options, .workers = 1));
    int result = -1;
    if (server && weir_server_add(server, "tcp://:7", echo_handler, &lent) == 0)
        result = weir_run_servers(&server, 1, WEIR_OPTIONS(weir_run_options, .reload = reload));
    weir_server_free(server);
    return result;
}

/* --- who sends them --- */

static int send_and_see(void *arg)
{
    int number = *(int *)arg, before = world.seen[number == SIGUSR1];
    weir_sim_signal(world.host, number);
    for (int looks = 0; looks < 20; looks++)
        if (weir_sleep(WEIR_MS(50)) < 0)
            return -1;
        else if (world.seen[number == SIGUSR1] > before)
            return 0;
    return weir_fail(WEIR_ERROR_SYSTEM, ETIMEDOUT, "signal", weir_signal_name(number), "it was not seen");
}

static int sender(void *arg)
{
    bool both = *(bool *)arg;
    for (int i = 0; i < SIGNALS; i++) {
        int number = both && one_in(2) ? SIGUSR1 : SIGHUP;
        if (weir_sleep(between(0, WEIR_S(1))) < 0 || until_done("a signal", send_and_see, &number, SHORTLY) < 0)
            return -1;
    }
    return 0;
}

void signals(void)
{
    static bool both;
    memset(&world, 0, sizeof world);
    both = one_in(2);
    world.host = weir_sim_host_new("server");
    weir_sim_service(world.host, "signals", both ? by_hand : of_servers, NULL);
    weir_sim_program(weir_sim_host_new(NULL), "sender", sender, &both);
}
