/* greet and menu as the program serves them: each line has its answer, whatever the network does. */
#include "../../src/services/services.h"
#include "common.h"
#include "scenarios.h"

enum { MOST_LINES = 12, MOST_TALKS = 4, ROOM = 4000 };

#define PATIENCE WEIR_S(15)

/* --- the servers, each with its default settings --- */

static int serve_with(const weir_service *service, void *settings)
{
    weir_option_set set = {service->options, settings};
    weir_arguments none = {0};
    struct serving serving = {
        .endpoint = "tcp://*:7",
        .handler = service->stream,
        .options = {.workers = 1, .idle_timeout = PATIENCE, .message_timeout = PATIENCE, .write_timeout = PATIENCE}};
    int result = -1;
    if (weir_options_parse(&set, 1, 0, NULL, &none) == 0 &&
        service->start(settings, &serving.options, &serving.arg) == 0) {
        result = serve(&serving);
        service->stop(serving.arg);
    }
    weir_options_free(&set, 1, &none);
    return result;
}

static int serve_service(void *arg)
{
    const weir_service *service = arg;
    void *settings = calloc(1, service->settings_size);
    int result = settings ? serve_with(service, settings) : -1;
    free(settings);
    return result;
}

/* --- what answers may be --- */

static bool is_greeting(const char *asked, const char *answer)
{
    return strncmp(answer, "hi ", 3) == 0 && strcmp(answer + 3, asked) == 0;
}

static bool is_number(const char *answer)
{
    int64_t number;
    return weir_parse_int(answer, strlen(answer), 10, &number) == 0 && number >= 1 && number <= 10;
}

static bool is_of_menu(const char *asked, const char *answer)
{
    switch (*asked) {
    case 'R':
        return is_number(answer);
    case 't':
        return strlen(answer) == WEIR_ISO_TIME - 1 && answer[10] == 'T';
    case 'e':
        return strcmp(answer, "goodbye") == 0;
    default:
        return strcmp(answer, "wrong option selected") == 0;
    }
}

/* --- a client: it says its lines, half-closes, and hears their answers --- */

struct talk {
    const weir_service *service;
    char lines[MOST_LINES][32];
    size_t count, expected; /* menu's e ends it */
};

static void make_lines(struct talk *talk)
{
    /* But for L, which tells the compiler: runs of all builds are to be the same. */
    static const char *const options[] = {"R", "t", "e", "x", "?R"};
    bool is_menu = talk->service == &menu_service;
    talk->count = 1 + weir_sim_below(MOST_LINES);
    talk->expected = 0;
    for (size_t i = 0; i < talk->count; i++) {
        char name[24];
        snprintf(name, sizeof name, "client-%llu", (unsigned long long)weir_sim_below(1000000));
        strcpy(talk->lines[i], is_menu ? options[weir_sim_below(5)] : name);
        talk->expected++;
        if (*talk->lines[i] == 'e' && is_menu)
            talk->count = i + 1;
    }
}

/* The first line goes in one piece; but the network may tear it apart for so long that it is none. */
static int say_lines(weir_conn *conn, const struct talk *talk)
{
    for (size_t i = 0; i < talk->count; i++) {
        char line[40];
        int length = snprintf(line, sizeof line, "%s\r\n", talk->lines[i]);
        size_t cut_at = i == 0 ? 0 : weir_sim_below((uint64_t)length + 1);
        if (weir_send_all(conn, line, cut_at) < 0 || (one_in(8) && weir_sleep(between(0, WEIR_MS(200))) < 0) ||
            weir_send_all(conn, line + cut_at, (size_t)length - cut_at) < 0)
            return -1;
    }
    return weir_shutdown(conn, SHUT_WR);
}

/* One at the first answer that does not end as lines do: then pauses have ended messages, and which is unknown. */
static int hear_answers(weir_conn *conn, const struct talk *talk)
{
    char *answer;
    size_t length;
    for (size_t i = 0; i < talk->expected; i++) {
        int result = weir_read_until(conn, "\r\n", 2, &answer, &length, ROOM);
        if (result < 0 && errno == ENODATA)
            return i == 0 ? 1 : -1;
        if (result <= 0)
            return -1; /* an early end as well: whom they cannot answer they close, as echo does */
        answer[length - 2] = '\0';
        if (!(talk->service == &menu_service ? is_of_menu : is_greeting)(talk->lines[i], answer))
            weir_sim_fail("%s is answered %s", talk->lines[i], answer);
    }
    return weir_recv(conn, &(char){0}, 1) == 0 ? 0 : -1;
}

static int talk_once(void *arg)
{
    struct talk talk = {.service = arg};
    weir_conn *conn = reach(talk.service == &greet_service ? "tcp://greet:7" : "tcp://menu:7", PATIENCE);
    if (!conn)
        return -1;
    make_lines(&talk);
    int result = say_lines(conn, &talk) < 0 ? -1 : hear_answers(conn, &talk);
    if (result < 0)
        return cut(conn);
    weir_close(conn);
    return result == 1 && quiet_for(PATIENCE) ? -1 : 0; /* nothing tears a line apart then */
}

static int client(void *arg)
{
    static const weir_service *const services[] = {&greet_service, &menu_service};
    (void)arg;
    for (uint64_t talks = 1 + weir_sim_below(MOST_TALKS); talks; talks--)
        if (weir_sleep(between(0, WEIR_S(1))) < 0 ||
            until_done("a service's answer", talk_once, (void *)(uintptr_t)services[weir_sim_below(2)],
                       SHORTLY + PATIENCE) < 0)
            return -1;
    return 0;
}

void answers(void)
{
    weir_sim_service(weir_sim_host_new("greet"), "greet", serve_service, (void *)(uintptr_t)&greet_service);
    weir_sim_service(weir_sim_host_new("menu"), "menu", serve_service, (void *)(uintptr_t)&menu_service);
    for (int64_t clients = between(1, 3); clients; clients--)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}
