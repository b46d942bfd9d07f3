/* Happy eyeballs: names with addresses of which some are dead, refuse or are slow. */
#include "common.h"
#include "scenarios.h"

enum { MOST_WORDS = 5, CLIENTS = 2 };

#define TIMEOUT WEIR_S(30)
/* RFC 8305's delay between two attempts, as <weir/conn.h> has it. */
#define STAGGER WEIR_MS(250)
/* Resolving, the way there and back, and what the last faults have delayed. */
#define AROUND WEIR_S(1)

static struct {
    struct serving serving;
    char addresses[256];
    int words;
} world;

/* Says who it is. */
static void handler(weir_conn *conn, void *arg)
{
    (void)arg;
    if (weir_send_all(conn, "here\n", 5) < 0)
        weir_abort(conn);
}

static int hear(weir_conn *conn)
{
    char *line;
    size_t length;
    weir_set_timeout(conn, TIMEOUT);
    if (weir_read_line(conn, &line, &length, 10) != 1)
        return -1;
    WEIR_SIM_CHECK(length == 4 && memcmp(line, "here", 4) == 0);
    return 0;
}

/* Two addresses a word at most. */
static int64_t bound(void)
{
    return 2 * world.words * STAGGER + AROUND;
}

static int visit(void *arg)
{
    (void)arg;
    bool quiet = quiet_for(SHORTLY);
    int64_t begun = weir_now(), timeout = !quiet && one_in(3) ? between(1, WEIR_S(2)) : TIMEOUT;
    weir_conn *conn = weir_connect("tcp://name:7", WEIR_OPTIONS(weir_connect_options, .timeout = timeout));
    if (quiet && conn)
        check_due("a connect where one address answers", begun, bound());
    if (!conn && errno == ETIMEDOUT && weir_error()->kind == WEIR_ERROR_DEADLINE)
        check_due("a connect", begun + timeout, WEIR_MS(1));
    if (!conn && quiet)
        weir_sim_fail("no connection to %s: %s", world.addresses, weir_error()->sentence);
    int result = conn ? hear(conn) : -1;
    weir_close(conn);
    return result;
}

/* Given up by somebody else. */
static int visit_once(void *arg)
{
    weir_conn *conn = weir_connect("tcp://name:7", WEIR_OPTIONS(weir_connect_options, .timeout = TIMEOUT));
    if (!conn && errno == ECANCELED)
        *(int64_t *)arg = weir_now();
    weir_close(conn);
    return 0;
}

static int give_up(void)
{
    int64_t ended = 0, after = between(0, WEIR_S(1));
    weir_fiber *fiber = weir_spawn(visit_once, &ended, WEIR_OPTIONS(weir_fiber_options, .name = "visitor"));
    if (!fiber || weir_sleep(after) < 0)
        return -1;
    int64_t cancelled = weir_now();
    weir_cancel_fiber(fiber);
    if (weir_join(fiber, NULL, WEIR_FOREVER) < 0)
        return -1;
    WEIR_SIM_CHECK(!ended || (ended >= cancelled && ended < cancelled + WEIR_MS(1)));
    return 0;
}

static int client(void *arg)
{
    for (int visits = 0; visits < 2; visits++) {
        if (one_in(3) && give_up() < 0)
            return -1;
        if (until_done("a connect", visit, arg, SHORTLY) < 0)
            return -1;
    }
    return 0;
}

static void add_word(const char *word)
{
    size_t length = strlen(world.addresses);
    snprintf(world.addresses + length, sizeof world.addresses - length, "%s%s", length ? " " : "", word);
    world.words++;
}

static const char *const bad[] = {"dead", "dead/4", "dead/6", "refusing", "refusing/4", "refusing/6"};
static const char *const good[] = {"server", "server/4", "server/6", "slow", "slow/4", "slow/6"};

static void start_clients(int (*function)(void *arg))
{
    for (int i = 0; i < CLIENTS; i++) {
        weir_sim_host *host = weir_sim_host_new(NULL);
        weir_sim_program(host, "client", function, NULL);
    }
}

void happy_eyeballs(void)
{
    memset(&world, 0, sizeof world);
    world.serving =
        (struct serving){.endpoint = "tcp://*:7", .handler = handler, .by_hand = one_in(2), .options = {.workers = 1}};
    weir_sim_host *server = weir_sim_host_new("server"), *slow = weir_sim_host_new("slow");
    weir_sim_service(server, "here", serve, &world.serving);
    weir_sim_service(slow, "here", serve, &world.serving);
    weir_sim_latency(server, slow, WEIR_MS(1));
    int works = (int)weir_sim_below(MOST_WORDS);
    for (int i = 0; i < MOST_WORDS; i++)
        if (i == works)
            add_word(good[weir_sim_below(6)]);
        else if (one_in(2))
            add_word(one_in(6) ? good[weir_sim_below(6)] : bad[weir_sim_below(6)]);
    weir_sim_name("name", world.addresses);
    start_clients(client);
}

/* --- no address answers --- */

static int fail_once(void *arg)
{
    int64_t timeout = between(WEIR_MS(1), WEIR_S(4)), begun = weir_now();
    bool quiet = quiet_for(SHORTLY);
    (void)arg;
    weir_conn *conn = weir_connect("tcp://name:7", WEIR_OPTIONS(weir_connect_options, .timeout = timeout));
    if (conn) {
        weir_sim_fail("there was a connection to %s", world.addresses);
        return weir_close(conn);
    }
    int number = errno;
    if (weir_error()->kind == WEIR_ERROR_DEADLINE)
        check_due("a connect", begun + timeout, WEIR_MS(1));
    if (quiet && timeout > bound() && !strstr(world.addresses, "dead"))
        return holds(number == ECONNREFUSED, "where all refuse it is refused") ? 0 : -1;
    if (quiet && strstr(world.addresses, "dead"))
        return holds(number == ETIMEDOUT && weir_error()->kind == WEIR_ERROR_DEADLINE, "a dead one is waited for") ? 0
                                                                                                                   : -1;
    return number == ECONNREFUSED || number == ETIMEDOUT ? 0 : -1;
}

static int unlucky(void *arg)
{
    for (int tries = 0; tries < 3; tries++)
        if (until_done("failing to connect", fail_once, arg, SHORTLY) < 0)
            return -1;
    return weir_sleep_until(weir_sim_faults_end() + SHORTLY) < 0 ? -1 : fail_once(arg);
}

void no_address_answers(void)
{
    memset(&world, 0, sizeof world);
    for (int i = 0; i < MOST_WORDS; i++)
        if (i == 0 || one_in(2))
            add_word(bad[weir_sim_below(6)]);
    weir_sim_name("name", world.addresses);
    start_clients(unlucky);
}
