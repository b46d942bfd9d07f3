/*
 * threat's conversations and its source, whose feed is slow and fails: who asks is told what there was to know, in
 * time.
 */
#include "../../src/services/threat/source.h"
#include "../../src/services/threat/talk.h"
#include "common.h"
#include "scenarios.h"

enum { MOST_CLIENTS = 5, MOST_TALKS = 4, MOST_QUESTIONS = 4, LONGEST = 600, HISTORY = 4096 };

#define KEEP     WEIR_S(20)
#define RETRY    WEIR_S(5)
#define WAIT     WEIR_S(4)
#define SLOWEST  WEIR_S(8)
#define PATIENCE WEIR_S(40)

static struct {
    struct serving serving;
    bool fetching;
    int64_t good_at, failed_at; /* the last fetch of each kind since the service has begun; 0: none */
    size_t count;
    struct {
        int64_t at;
        enum threat_level level;
    } history[HISTORY]; /* good fetches */
} world;

/* --- the service --- */

static int note_failure(void)
{
    world.failed_at = weir_now();
    return -1;
}

/* Never two at a time, and not before it is due. */
static int fetch(void *arg, struct threat_alerts *alerts)
{
    static const enum threat_level levels[] = {THREAT_NONE, THREAT_BULLETIN, THREAT_ELEVATED, THREAT_IMMINENT};
    (void)arg;
    WEIR_SIM_CHECK(!world.fetching);
    WEIR_SIM_CHECK(!world.good_at || weir_now() - world.good_at >= KEEP);
    WEIR_SIM_CHECK(!world.failed_at || weir_now() - world.failed_at >= RETRY);
    world.fetching = true;
    int slept = weir_sleep(one_in(3) ? between(0, SLOWEST) : between(0, WEIR_MS(200)));
    world.fetching = false;
    if (slept < 0)
        return note_failure();
    if (weir_sim_faulty() && one_in(3)) {
        weir_fail(WEIR_ERROR_SYSTEM, EBADMSG, "fetch", "the feed", "HTTP status 500");
        return note_failure();
    }
    enum threat_level level = levels[weir_sim_below(4)];
    world.good_at = weir_now();
    WEIR_SIM_CHECK(world.count < HISTORY);
    world.history[world.count].at = world.good_at;
    world.history[world.count++].level = level;
    return level == THREAT_NONE
               ? 0
               : threat_alerts_add(alerts, (struct threat_alert){.level = level, .start = 0, .end = INT64_MAX});
}

static int serve_threat(void *arg)
{
    struct serving *serving = arg;
    struct threat_source *source = threat_source_new(
        &(struct threat_source_options){.fetch = fetch, .keep = KEEP, .patience = WAIT, .retry = RETRY});
    if (!source)
        return -1;
    world.good_at = world.failed_at = 0;
    serving->arg = source;
    int result = serve(serving);
    threat_source_free(source);
    return result;
}

/* --- what an answer may be --- */

/* Whether there was a good fetch of that level between two times. */
static bool was(const char *name, size_t length, int64_t from, int64_t to)
{
    for (size_t i = 0; i < world.count; i++) {
        const char *level = threat_level_name(world.history[i].level);
        if (strlen(level) == length && strncmp(level, name, length) == 0 && world.history[i].at >= from &&
            world.history[i].at <= to)
            return true;
    }
    return false;
}

static bool is_reason(const char *text)
{
    return strcmp(text, "HTTP status 500") == 0 || strcmp(text, "the feed has not answered yet") == 0 ||
           strstr(text, "cancel");
}

/* "elevated, 35 s old: REASON" */
static bool is_old(const char *answer, size_t length, int64_t asked)
{
    long long number;
    char unit[8];
    int end = 0;
    if (sscanf(answer + length, ", %lld %7s old: %n", &number, unit, &end) != 2 || end == 0)
        return false;
    int64_t step = strcmp(unit, "s") == 0 ? WEIR_S(1) : strcmp(unit, "min") == 0 ? WEIR_MINUTES(1) : 0;
    return step && is_reason(answer + length + end) &&
           was(answer, length, asked - (number + 1) * step, weir_now() - number * step);
}

static void check_threat(const char *answer, int64_t asked)
{
    size_t length = strcspn(answer, ",: ");
    bool good = answer[length] == '\0'  ? was(answer, length, asked - KEEP, weir_now())
                : answer[length] == ',' ? is_old(answer, length, asked)
                                        : strncmp(answer, "unknown: ", 9) == 0 && is_reason(answer + 9);
    if (!good)
        weir_sim_fail("'%s' is no answer to who asked %lld ms ago", answer,
                      (long long)((weir_now() - asked) / WEIR_MS(1)));
}

/* --- a client --- */

static int ask(weir_conn *conn, const char *question, char answer[LONGEST + 1])
{
    char *line;
    size_t length;
    if (weir_send_all(conn, question, strlen(question)) < 0)
        return -1;
    int result = weir_read_line(conn, &line, &length, LONGEST);
    if (result == 0)
        weir_sim_fail("an end in place of an answer, and nobody said why");
    if (result <= 0)
        return -1;
    memcpy(answer, line, length + 1);
    /*
     * Where the first question came in parts, with a pause between them, it was taken for two: better luck next time.
     */
    return strcmp(answer, "unknown command") == 0 ? -1 : 0;
}

static int ask_threat(weir_conn *conn)
{
    char answer[LONGEST + 1];
    int64_t asked = weir_now();
    if (ask(conn, "getThreat\n", answer) < 0)
        return -1;
    check_threat(answer, asked);
    return 0;
}

static int ask_time(weir_conn *conn)
{
    char answer[LONGEST + 1];
    if (ask(conn, "getTime\n", answer) < 0)
        return -1;
    WEIR_SIM_CHECK(strlen(answer) == WEIR_ISO_TIME - 1 && answer[10] == 'T');
    return 0;
}

/* Some go in the middle of a fetch, which others may wait for. */
static int leave(weir_conn *conn)
{
    char rest;
    if (one_in(4) && weir_send_all(conn, "getThreat\n", 10) == 0) {
        cut(conn);
        return 0;
    }
    if (one_in(2) ? weir_send_all(conn, "disconnect\n", 11) < 0 : weir_shutdown(conn, SHUT_WR) < 0)
        return cut(conn);
    if (weir_recv(conn, &rest, 1) != 0)
        return cut(conn);
    return weir_close(conn);
}

static int talk(void *arg)
{
    (void)arg;
    weir_conn *conn = reach("tcp://server:7", PATIENCE);
    if (!conn)
        return -1;
    for (int64_t questions = between(1, MOST_QUESTIONS); questions; questions--)
        if ((one_in(3) ? ask_time(conn) : ask_threat(conn)) < 0 || weir_sleep(between(0, WEIR_S(3))) < 0)
            return cut(conn);
    return leave(conn);
}

static int client(void *arg)
{
    (void)arg;
    for (int64_t talks = between(1, MOST_TALKS); talks; talks--)
        if (weir_sleep(between(0, KEEP)) < 0 || until_done("a question", talk, NULL, SHORTLY + PATIENCE) < 0)
            return -1;
    return 0;
}

void threat(void)
{
    memset(&world, 0, sizeof world);
    world.serving = (struct serving){
        .endpoint = "tcp://*:7",
        .handler = threat_talk,
        .by_hand = one_in(2),
        .options = {.workers = between(1, 3)},
    };
    weir_sim_service(weir_sim_host_new("server"), "threat", serve_threat, &world.serving);
    for (int64_t clients = between(1, MOST_CLIENTS); clients; clients--)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}
