/*
 * The door of login, its judge apart: who is right is let in, nobody else is, and nobody is judged sooner or beside
 * more than may be.
 */
#include "../../src/services/login/door.h"
#include "common.h"
#include "scenarios.h"

enum { HOSTS = 3, SOURCES = 2 * HOSTS, MOST_EACH = 3, MOST_TALKS = 4, TRANSCRIPT = 600, CHECKS = 2 };

#define DELAY    WEIR_MS(300)
#define LONGEST  WEIR_S(2)
#define SLOWEST  WEIR_S(1)
#define PATIENCE WEIR_S(60)
#define PASSWORD "open sesame"
#define WRONG    "wrong user or password"

static struct {
    struct serving serving;
    bool tight; /* one try of an address at a time, one that waits: some are turned away */
    int judging;
    struct {
        int failures; /* since the service has begun */
        int64_t last;
    } sources[SOURCES];
} world;

/* --- the service --- */

/* Each address of a host has its own user, and its own delay. A name that the network has cut shorter is nobody's. */
static int source_of(const struct attempt *attempt)
{
    int source;
    char rest;
    if (sscanf(attempt->name, "user%d%c", &source, &rest) != 1 || source < 0 || source >= SOURCES)
        return -1;
    return source;
}

static int64_t due(int source)
{
    int64_t delay = DELAY;
    if (world.sources[source].failures == 0)
        return INT64_MIN;
    for (int i = 1; i < world.sources[source].failures && delay < LONGEST; i++)
        delay *= 2;
    return world.sources[source].last + (delay < LONGEST ? delay : LONGEST);
}

static enum verdict judge(struct attempt *attempt, void *arg)
{
    int source = source_of(attempt);
    (void)arg;
    WEIR_SIM_CHECK(++world.judging <= CHECKS);
    WEIR_SIM_CHECK(source < 0 || !world.tight || weir_now() >= due(source));
    int slept = weir_sleep(between(0, SLOWEST));
    world.judging--;
    if (slept < 0)
        return VERDICT_FAILED;
    if (source >= 0 && strcmp(attempt->password, PASSWORD) == 0) {
        snprintf(attempt->greeting, sizeof attempt->greeting, "hi %s", attempt->name);
        return VERDICT_LET_IN;
    }
    if (source >= 0) {
        world.sources[source].failures++;
        world.sources[source].last = weir_now();
    }
    return VERDICT_WRONG;
}

static void handler(weir_conn *conn, void *door)
{
    door_serve(conn, door);
}

static int serve_door(void *arg)
{
    static const struct slots_words words = {"login", NULL, "tries", "--max-waiting"};
    struct tries_limits limits = {DELAY, LONGEST, world.tight ? 1 : MOST_EACH + 1};
    struct serving *serving = arg;
    struct door door = {.judge = judge,
                        .tries = tries_new(&limits),
                        .slots = slots_new(&words, CHECKS, world.tight ? 1 : 100),
                        .tries_each = 3};
    int result = -1;
    memset(world.sources, 0, sizeof world.sources);
    world.judging = 0;
    serving->arg = &door;
    if (door.tries && door.slots)
        result = serve(serving);
    tries_free(door.tries);
    slots_free(door.slots);
    return result;
}

/* --- a client --- */

struct talk {
    int source;
    bool right;
    const char *newline;
    char all[TRANSCRIPT];
    size_t length;
};

/* In two pieces, with a pause that may be taken for the end of a message; none once there are no faults any more. */
static int send_cut(weir_conn *conn, const char *text)
{
    size_t length = strlen(text), at = (size_t)weir_sim_below(length + 1);
    if (quiet_for(SHORTLY))
        return weir_send_all(conn, text, length);
    if (weir_send_all(conn, text, at) < 0 || (one_in(3) && weir_sleep(between(0, WEIR_MS(150))) < 0))
        return -1;
    return weir_send_all(conn, text + at, length - at);
}

static int receive_some(weir_conn *conn, struct talk *talk)
{
    ssize_t received = weir_recv(conn, talk->all + talk->length, sizeof talk->all - 1 - talk->length);
    if (received > 0)
        talk->all[talk->length += (size_t)received] = '\0';
    return (int)received;
}

/* Waits until that is what came last. */
static int wait_for(weir_conn *conn, struct talk *talk, const char *end)
{
    size_t length = strlen(end);
    while (talk->length < length || strcmp(talk->all + talk->length - length, end) != 0)
        if (receive_some(conn, talk) <= 0)
            return -1;
    return 0;
}

static int say_name_and_password(weir_conn *conn, struct talk *talk)
{
    char name[40], text[100];
    const char *password = talk->right ? PASSWORD : "guess";
    bool in_turns = !*talk->newline || one_in(3), in_one = one_in(3);
    snprintf(name, sizeof name, "user%d", talk->source);
    if (in_one) {
        snprintf(text, sizeof text, "%s %s%s", name, password, talk->newline);
        return send_cut(conn, text);
    }
    snprintf(text, sizeof text, "%s%s", name, talk->newline);
    if (in_turns && *talk->newline && wait_for(conn, talk, "user: ") < 0)
        return -1;
    if (send_cut(conn, text) < 0 || (in_turns && wait_for(conn, talk, "password: ") < 0))
        return -1;
    snprintf(text, sizeof text, "%s%s", password, talk->newline);
    return send_cut(conn, text);
}

/* Whether it is nothing but what the door may say: questions and answers, one after the other. */
static void check_transcript(const struct talk *talk)
{
    static const char *const words[] = {"user: ",
                                        "password: ",
                                        WRONG,
                                        "too many tries at once from your address: come back later",
                                        "too busy: come back later",
                                        "no login is possible now: come back later",
                                        "\r\n",
                                        "\n"};
    char greeting[40];
    snprintf(greeting, sizeof greeting, "hi user%d", talk->source);
    for (const char *at = talk->all; *at;) {
        size_t length = strncmp(at, greeting, strlen(greeting)) == 0 ? strlen(greeting) : 0;
        for (size_t i = 0; i < sizeof words / sizeof *words && length == 0; i++)
            length = strncmp(at, words[i], strlen(words[i])) == 0 ? strlen(words[i]) : 0;
        if (length == 0) {
            weir_sim_fail("the door says '%s'", talk->all);
            return;
        }
        at += length;
    }
    WEIR_SIM_CHECK(talk->right || !strstr(talk->all, "hi "));
}

static bool is_answered(const struct talk *talk)
{
    if (strstr(talk->all, talk->right ? "hi " : WRONG))
        return true;
    return world.tight && (strstr(talk->all, "too busy") || strstr(talk->all, "too many"));
}

static int converse(weir_conn *conn, struct talk *talk)
{
    int received;
    if (say_name_and_password(conn, talk) < 0 || weir_shutdown(conn, SHUT_WR) < 0)
        return -1;
    while ((received = receive_some(conn, talk)) > 0)
        ;
    if (received == 0)
        check_transcript(talk);
    return received == 0 && is_answered(talk) ? 0 : -1;
}

/* Of a host and the address that it has come from. */
static int source_number(const weir_conn *conn, int host)
{
    weir_address address = {0};
    weir_local_address(conn, &address);
    return 2 * host + (address.any.sa_family == AF_INET6);
}

static int talk(void *arg)
{
    static const char *const newlines[] = {"", "\n", "\r\n"};
    struct talk talk = {.right = one_in(2), .newline = newlines[weir_sim_below(3)]};
    weir_conn *conn = reach("tcp://server:7", PATIENCE);
    if (!conn)
        return -1;
    talk.source = source_number(conn, *(int *)arg);
    if (one_in(8) && !quiet_for(SHORTLY)) { /* goes before it is answered */
        say_name_and_password(conn, &talk);
        cut(conn);
        return 0;
    }
    if (converse(conn, &talk) < 0)
        return cut(conn);
    return weir_close(conn);
}

static int client(void *arg)
{
    for (uint64_t talks = 1 + weir_sim_below(MOST_TALKS); talks; talks--)
        if (weir_sleep(between(0, WEIR_S(2))) < 0 || until_done("a login", talk, arg, SHORTLY + PATIENCE) < 0)
            return -1;
    return 0;
}

void login(void)
{
    static int hosts[HOSTS];
    memset(&world, 0, sizeof world);
    world.tight = one_in(2);
    world.serving = (struct serving){
        .endpoint = "tcp://*:7",
        .handler = handler,
        .by_hand = one_in(2),
        .options = {.model = one_in(4) ? WEIR_MODEL_THREAD : WEIR_MODEL_FIBER,
                    .workers = between(1, 2),
                    .idle_timeout = PATIENCE},
    };
    weir_sim_service(weir_sim_host_new("server"), "login", serve_door, &world.serving);
    for (int i = 0; i < HOSTS; i++) {
        weir_sim_host *host = weir_sim_host_new(NULL);
        hosts[i] = i;
        for (int64_t clients = between(i == 0, MOST_EACH); clients; clients--)
            weir_sim_program(host, "client", client, &hosts[i]);
    }
}
