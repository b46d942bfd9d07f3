/* Readers and writers at once: both sides of a connection tell their stories, at speeds of their own, ending in any order. */
#include "common.h"
#include "scenarios.h"

enum { MOST_BYTES = 50000, CLIENTS = 3, MOST_TALKS = 3 };

#define PATIENCE WEIR_S(15)

static weir_listener *listener;

/* --- the server: two fibers a client, of which the last to go closes --- */

struct guest {
    weir_conn *conn;
    int fibers;
};

static void leave(struct guest *guest, int result)
{
    if (result < 0)
        weir_abort(guest->conn);
    if (--guest->fibers)
        return;
    weir_close(guest->conn);
    free(guest);
}

static int hear(void *arg)
{
    struct guest *guest = arg;
    struct story story;
    leave(guest, story_hear_new(guest->conn, &story, one_in(3) ? WEIR_MS(100) : 0, true));
    return 0;
}

static int tell(void *arg)
{
    struct guest *guest = arg;
    struct story story = story_new(MOST_BYTES);
    int result = one_in(4) ? weir_sleep(between(0, WEIR_MS(300))) : 0;
    leave(guest, result < 0 ? -1 : story_tell(guest->conn, &story, one_in(3) ? WEIR_MS(100) : 0));
    return 0;
}

static void begin(struct guest *guest, int (*function)(void *arg), const char *name)
{
    guest->fibers++;
    if (weir_spawn(function, guest, WEIR_OPTIONS(weir_fiber_options, .name = name, .detached = true)))
        return;
    guest->fibers--; /* the caller has it still */
    weir_abort(guest->conn);
}

static void receive(weir_conn *conn)
{
    struct guest *guest = calloc(1, sizeof *guest);
    if (!guest) {
        weir_close(conn);
        return;
    }
    *guest = (struct guest){conn, 1};
    weir_set_timeout(conn, PATIENCE);
    begin(guest, tell, "tell");
    begin(guest, hear, "hear");
    leave(guest, 0);
}

/* Until it is told to end, or killed. */
static int accept_all(void)
{
    for (;;) {
        weir_conn *conn = weir_accept(listener);
        if (conn)
            receive(conn);
        else if (errno == ECANCELED || weir_sleep(WEIR_MS(20)) < 0)
            return weir_cancelled() ? -1 : 0;
    }
}

static int stop(void *arg)
{
    (void)arg;
    if (weir_sim_wait_stop() == 0 && listener)
        weir_listener_cancel(listener);
    return 0;
}

static int service(void *arg)
{
    listener = weir_listen("tcp://*:7", NULL);
    if (!listener)
        return -1;
    int result = -1;
    if (weir_spawn(stop, arg, WEIR_OPTIONS(weir_fiber_options, .name = "stop", .detached = true)))
        result = accept_all();
    weir_listener *closed = listener;
    listener = NULL;
    weir_listener_close(closed);
    return result;
}

/* --- clients --- */

static int talk(void *arg)
{
    struct story story = story_new(MOST_BYTES);
    int64_t pauses[2] = {one_in(3) ? WEIR_MS(100) : 0, one_in(3) ? WEIR_MS(100) : 0};
    (void)arg;
    weir_conn *conn = reach("tcp://server:7", PATIENCE);
    if (!conn)
        return -1;
    if (exchange(conn, &story, NULL, pauses) < 0)
        return cut(conn);
    uint64_t received, sent;
    weir_conn_bytes(conn, &received, &sent);
    WEIR_SIM_CHECK(sent == STORY_HEADER + story.length);
    return weir_close(conn);
}

static int client(void *arg)
{
    for (uint64_t talks = 1 + weir_sim_below(MOST_TALKS); talks; talks--)
        if (weir_sleep(between(0, WEIR_S(1))) < 0 || until_done("a talk", talk, arg, SHORTLY) < 0)
            return -1;
    return 0;
}

void duplex(void)
{
    listener = NULL;
    weir_sim_service(weir_sim_host_new("server"), "duplex", service, NULL);
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}
