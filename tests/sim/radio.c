/*
 * The mounts of weir serve stream, with sources that come, go and leave ghosts, and listeners at every speed. Whoever
 * listens hears whole frames in their order, each session of a source from its beginning (its header) on; some are
 * left out only for who is slow, and nobody who reads is ever held up by one that does not.
 */
#include "../../src/http/icy.h"
#include "../../src/http/server.h"
#include "../../src/services/stream/mount.h"
#include "common.h"
#include "scenarios.h"

enum { MOUNTS = 3, LISTENERS = 3, DEAF_MOST = 3, FRAME_HEAD = 24, FRAME_MOST = 1500, HEADER = 0xffff, BURST = 8192 };

#define INTERVAL WEIR_MS(100) /* between writes of a source */
#define CALM     WEIR_S(4)    /* how long one who reads well must have heard all */
#define LATEST   WEIR_S(8)    /* at most so long ago what it hears was written */
#define SILENT   WEIR_S(100)
#define PATIENCE WEIR_S(5)
#define GRACE    WEIR_S(3)

static struct {
    struct serving serving;
    struct mounts *mounts;
    struct mount *radio, *live, *other; /* the source of `other` is of another type */
    uint32_t sessions;                  /* that ever began */
    bool ogg;                           /* with headers, without titles */
} world;

/* --- frames: "wf", who, 0, length, session, number, when --- */

struct frame {
    char mark[2];
    char source; /* 'R', 'L' or 'O' */
    char nothing;
    uint16_t length; /* of all */
    uint16_t kind;   /* HEADER: it is one */
    uint32_t session, number;
    int64_t when;
};

_Static_assert(sizeof(struct frame) == FRAME_HEAD, "no padding, whose bytes would be chance");

static size_t make_frame(char source, uint32_t session, uint32_t number, uint16_t kind, char *bytes)
{
    struct frame frame = {{'w', 'f'}, source,  0,      (uint16_t)between(FRAME_HEAD, FRAME_MOST),
                          kind,       session, number, weir_now()};
    memcpy(bytes, &frame, sizeof frame);
    pattern(session, number, bytes + FRAME_HEAD, frame.length - FRAME_HEAD);
    return frame.length;
}

/* --- sources --- */

struct session {
    struct mount_source *source;
    char letter;
    uint32_t session, number;
};

/* One source's whole life, or until it ends. */
static int write_some(struct session *session)
{
    char bytes[FRAME_MOST];
    for (int64_t frames = between(1, 4); frames; frames--) {
        size_t size = make_frame(session->letter, session->session, session->number++, 0, bytes);
        if (mount_write(session->source, bytes, size, true) < 0)
            return -1;
    }
    return 0;
}

static int begin(struct session *session, struct mount *mount, bool replace)
{
    const char *type = session->letter == 'O' ? "audio/aac" : world.ogg ? "application/ogg" : "audio/mpeg";
    struct mount_description description = {.type = type, .name = "a\r\nradio", .bitrate = 160};
    char bytes[FRAME_MOST], title[64];
    session->source = mount_begin(mount, &description, replace);
    if (!session->source)
        return -1;
    session->session = world.sessions++;
    session->number = 0;
    snprintf(title, sizeof title, "session %u", session->session);
    mount_set_title(mount, title);
    if (!world.ogg || session->letter == 'O')
        return 0;
    return mount_set_header(session->source, bytes, make_frame(session->letter, session->session, 0, HEADER, bytes));
}

/* Sends for a while. 0, or -1 where it was cancelled. */
static int send_for(struct session *session, int64_t time)
{
    for (int64_t ends = weir_deadline(time); weir_now() < ends;) {
        WEIR_SIM_CHECK(write_some(session) == 0);
        if (weir_sleep(INTERVAL) < 0)
            return -1;
    }
    return 0;
}

static int play_radio(void *arg)
{
    struct session session = {.letter = 'R'};
    (void)arg;
    if (!holds(begin(&session, world.radio, false) == 0, "the radio began"))
        return -1;
    send_for(&session, WEIR_FOREVER);
    mount_end(session.source);
    return 0;
}

/* Its connection is gone, but it does not know: another takes its place, and its own writing fails. */
static void replace_ghost(struct session *session, struct mount *mount)
{
    struct session ghost = *session;
    WEIR_SIM_CHECK(begin(session, mount, false) < 0 && errno == EBUSY);
    if (!holds(begin(session, mount, true) == 0, "a ghost blocks nobody"))
        session->source = NULL;
    WEIR_SIM_CHECK(write_some(&ghost) < 0 && errno == ECANCELED);
    mount_end(ghost.source);
}

static int go_live(struct session *session, struct mount *mount)
{
    if (!holds(begin(session, mount, false) == 0, "a source began"))
        return -1;
    int result = send_for(session, between(0, WEIR_S(6)));
    if (result == 0 && one_in(3)) {
        replace_ghost(session, mount);
        result = session->source ? send_for(session, between(0, WEIR_S(2))) : -1;
    }
    if (result == 0 && one_in(4))
        result = weir_sleep(between(0, WEIR_S(4))); /* silent */
    mount_end(session->source);
    return result;
}

static int play_live(void *mount)
{
    struct session session = {.letter = mount == world.live ? 'L' : 'O'};
    while (weir_sleep(between(0, WEIR_S(6))) == 0 && go_live(&session, mount) == 0)
        ;
    return 0;
}

/* --- the server --- */

static void answer(struct http_exchange *exchange)
{
    struct mount *mount = mounts_find(world.mounts, exchange->request.target);
    if (!mount) {
        http_refuse(exchange, 404, NULL, NULL);
        return;
    }
    mount_listen(mount, exchange);
    mount_drop(mount);
}

static void handler(weir_conn *conn, void *arg)
{
    http_serve(conn, "weir", answer, arg);
}

static int serve_mounts(void)
{
    weir_fiber *sources[] = {weir_spawn(play_radio, NULL, NULL), weir_spawn(play_live, world.live, NULL),
                             weir_spawn(play_live, world.other, NULL)};
    int result = serve(&world.serving);
    for (int i = 0; i < MOUNTS; i++)
        weir_cancel_fiber(sources[i]);
    for (int i = 0; i < MOUNTS; i++)
        weir_join(sources[i], NULL, WEIR_FOREVER);
    return result;
}

static void check_status(void)
{
    struct mount_status status[MOUNTS];
    WEIR_SIM_CHECK(mounts_status(world.mounts, status, 1) == MOUNTS);
    mounts_status(world.mounts, status, MOUNTS);
    for (int i = 0; i < MOUNTS; i++) {
        WEIR_SIM_CHECK(status[i].listeners == 0 && status[i].listeners_peak <= status[i].listeners_total);
        WEIR_SIM_CHECK(!status[i].live && (!*status[i].name || strcmp(status[i].name, "a  radio") == 0));
    }
}

static int radio_service(void *arg)
{
    struct mounts_options options = {
        .most = MOUNTS, .burst = BURST, .patience = PATIENCE, .grace = GRACE, .queue = BURST};
    int result = -1;
    (void)arg;
    world.mounts = mounts_new(&options);
    if (!world.mounts)
        return -1;
    world.radio = mounts_make(world.mounts, "/radio", MOUNT_RADIO);
    world.live = mounts_make(world.mounts, "/live", MOUNT_LIVE);
    world.other = mounts_make(world.mounts, "/other", MOUNT_LIVE);
    WEIR_SIM_CHECK(!mounts_make(world.mounts, "/more", MOUNT_LIVE) && errno == ENOSPC);
    if (world.radio && world.live && world.other) {
        mounts_set_fallback(world.mounts, world.radio);
        result = serve_mounts();
        check_status();
    }
    mount_drop(world.radio);
    mount_drop(world.live);
    mount_drop(world.other);
    mounts_free(world.mounts);
    return result;
}

/* --- an ear: what comes is checked, frame by frame --- */

struct ear {
    weir_conn *conn;
    const char *path; /* what it asked for */
    bool titles;
    struct icy_reader icy;
    char bytes[2 * FRAME_MOST];
    size_t length;
    bool begun, headed; /* a frame has come; a header has, and none after it yet */
    uint32_t header;    /* of which session the last was */
    struct frame last;
    uint64_t gaps;
    int64_t behind; /* of the last frame */
};

/* What may follow what. */
static void check_order(struct ear *ear, const struct frame *frame)
{
    bool goes_on = ear->begun && ear->last.session == frame->session;
    bool of_own = (frame->source == 'L' && strcmp(ear->path, "/live") == 0) ||
                  (frame->source == 'O' && strcmp(ear->path, "/other") == 0);
    WEIR_SIM_CHECK(frame->session < world.sessions && (frame->source == 'R' || of_own));
    WEIR_SIM_CHECK(!ear->begun || (frame->source == 'O') == (ear->last.source == 'O')); /* types are not mixed */
    if (frame->kind == HEADER) {
        WEIR_SIM_CHECK(world.ogg);
        ear->header = frame->session;
        ear->headed = true;
        return;
    }
    WEIR_SIM_CHECK(!goes_on || frame->number > ear->last.number);
    WEIR_SIM_CHECK(!world.ogg || frame->source == 'O' || (ear->header == frame->session && (goes_on || ear->headed)));
    ear->gaps += goes_on && !ear->headed && frame->number != ear->last.number + 1;
    ear->behind = weir_now() - frame->when;
    ear->begun = true;
    ear->headed = false;
    ear->last = *frame;
}

/* The bytes of one frame that is whole. Returns its length; 0: it is not. */
static size_t hear_frame(struct ear *ear, const char *bytes, size_t size)
{
    struct frame frame;
    if (size < FRAME_HEAD)
        return 0;
    memcpy(&frame, bytes, FRAME_HEAD);
    if (frame.mark[0] != 'w' || frame.mark[1] != 'f' || frame.length < FRAME_HEAD || frame.length > FRAME_MOST) {
        weir_sim_fail("what comes is no frame");
        return size;
    }
    if (size < frame.length)
        return 0;
    check_pattern(frame.session, frame.number, bytes + FRAME_HEAD, frame.length - FRAME_HEAD);
    check_order(ear, &frame);
    return frame.length;
}

static void hear(struct ear *ear, const char *data, size_t size)
{
    while (size > 0) {
        size_t room = sizeof ear->bytes - ear->length, part = size < room ? size : room, used = 0, length;
        memcpy(ear->bytes + ear->length, data, part);
        ear->length += part;
        data += part;
        size -= part;
        while ((length = hear_frame(ear, ear->bytes + used, ear->length - used)) > 0)
            used += length;
        ear->length -= used;
        memmove(ear->bytes, ear->bytes + used, ear->length);
    }
}

static void check_title(const char *title)
{
    unsigned session;
    WEIR_SIM_CHECK(sscanf(title, "session %u", &session) == 1 && session < world.sessions);
}

static void hear_body(struct ear *ear, const char *data, size_t size)
{
    while (size > 0) {
        const char *audio, *title;
        size_t length, looked = icy_read(&ear->icy, data, size, &audio, &length, &title);
        hear(ear, audio, length);
        if (title)
            check_title(title);
        data += looked;
        size -= looked;
    }
}

/* 0; -1 with an error, or at the end. */
static int hear_some(struct ear *ear, size_t most)
{
    char data[4096];
    ssize_t size = weir_recv(ear->conn, data, most < sizeof data ? most : sizeof data);
    if (size <= 0)
        return -1;
    hear_body(ear, data, (size_t)size);
    return 0;
}

/* --- asking --- */

/* 1 with an answer that goes on, 0 where there is nothing to hear, -1 with an error. */
static int read_head(struct ear *ear)
{
    char *head;
    size_t length;
    unsigned interval = 0;
    int result = weir_read_until(ear->conn, "\r\n\r\n", 4, &head, &length, 4096);
    if (result <= 0)
        return -1;
    head[length - 1] = '\0';
    if (strstr(head, " 503 "))
        return 0;
    if (strstr(head, " 408 ")) /* the request was ten seconds on its way */
        return -1;
    const char *field = strstr(head, "icy-metaint: ");
    WEIR_SIM_CHECK(strstr(head, " 200 OK\r\n") && strstr(head, "icy-name: a  radio\r\n"));
    bool is_ogg = strstr(head, "Content-Type: application/ogg\r\n");
    WEIR_SIM_CHECK((field != NULL) == (ear->titles && !is_ogg) && (world.ogg || !is_ogg));
    if (field)
        sscanf(field, "icy-metaint: %u", &interval);
    icy_begin(&ear->icy, interval);
    return 1;
}

static int ask(struct ear *ear, const char *path)
{
    char request[200];
    *ear = (struct ear){.path = path, .titles = one_in(2)};
    ear->conn = reach("tcp://server:80", SILENT);
    if (!ear->conn)
        return -1;
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.%d\r\nHost: server\r\nRange: bytes=0-1\r\n%s\r\n",
                          path, (int)weir_sim_below(2), ear->titles ? "Icy-MetaData: 1\r\n" : "");
    if (weir_send_all(ear->conn, request, (size_t)length) == 0 && read_head(ear) > 0)
        return 0;
    return cut(ear->conn);
}

/* --- listeners --- */

static const char *one_of_both(void)
{
    return one_in(2) ? "/radio" : "/live";
}

/* Reads all that comes: whoever else listens, nothing is left out, and it is never late. */
static int listen_well(void *arg)
{
    struct ear ear;
    (void)arg;
    if (ask(&ear, one_of_both()) < 0)
        return -1;
    for (int64_t ends = weir_deadline(CALM); weir_now() < ends;)
        if (hear_some(&ear, sizeof ear.bytes) < 0)
            return cut(ear.conn);
    if (quiet_for(SHORTLY + CALM)) {
        WEIR_SIM_CHECK(ear.begun && ear.gaps == 0);
        WEIR_SIM_CHECK(ear.behind < LATEST);
    }
    weir_close(ear.conn);
    return 0;
}

static int good_listener(void *arg)
{
    int result;
    do
        result = until_done("listening", listen_well, arg, SHORTLY);
    while (result == 0 && !quiet_for(SHORTLY + CALM));
    return result;
}

/* Reads a little now and then, and goes, unless it is given up before, with a socket that was full for long. */
static int listen_slowly(void *arg)
{
    struct ear ear;
    (void)arg;
    if (ask(&ear, one_of_both()) < 0)
        return -1;
    for (int64_t times = between(0, 60); times && hear_some(&ear, 1 + weir_sim_below(2000)) == 0; times--)
        if (weir_sleep(between(0, WEIR_S(1))) < 0)
            return cut(ear.conn);
    if (one_in(2))
        weir_abort(ear.conn);
    weir_close(ear.conn);
    return 0;
}

static int slow_listener(void *arg)
{
    for (uint64_t times = 1 + weir_sim_below(4); times; times--)
        if (weir_sleep(between(0, WEIR_S(2))) < 0 || until_done("slow listening", listen_slowly, arg, SHORTLY) < 0)
            return -1;
    return 0;
}

/* Asks, and reads nothing until it has long been given up: then there is an end to what comes. */
static int listen_never(void *arg)
{
    struct ear ear;
    (void)arg;
    if (ask(&ear, one_of_both()) < 0)
        return -1;
    if (weir_sleep(WEIR_S(80)) < 0) /* sockets of half a MiB are full by then */
        return cut(ear.conn);
    bool ended = false;
    for (int i = 0; i < 2000 && !ended; i++)
        ended = hear_some(&ear, sizeof ear.bytes) < 0;
    WEIR_SIM_CHECK(ended);
    cut(ear.conn);
    return 0;
}

static int deaf_listener(void *arg)
{
    return until_done("asking", listen_never, arg, SHORTLY);
}

/*
 * Hears a source to which there is nothing to fall back: there is an end to that. It may be too late for it, and hear
 * the radio.
 */
static int listen_to_other(void *arg)
{
    struct ear ear;
    (void)arg;
    if (ask(&ear, "/other") < 0)
        return -1;
    for (int64_t ends = weir_deadline(WEIR_S(600)); hear_some(&ear, sizeof ear.bytes) == 0 && ear.last.source != 'R';)
        WEIR_SIM_CHECK(weir_now() < ends);
    cut(ear.conn);
    return 0;
}

static int other_listener(void *arg)
{
    return until_done("listening to another", listen_to_other, arg, SHORTLY);
}

void radio(void)
{
    memset(&world, 0, sizeof world);
    world.ogg = one_in(3);
    world.serving = (struct serving){
        .endpoint = "tcp://*:80", .handler = handler, .by_hand = one_in(2), .options = {.workers = between(1, 2)}};
    weir_sim_service(weir_sim_host_new("server"), "radio", radio_service, NULL);
    weir_sim_program(weir_sim_host_new(NULL), "listener", good_listener, NULL);
    weir_sim_program(weir_sim_host_new(NULL), "other", other_listener, NULL);
    for (int i = 0; i < LISTENERS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "slow", slow_listener, NULL);
    for (uint64_t deaf = weir_sim_below(DEAF_MOST + 1); deaf; deaf--)
        weir_sim_program(weir_sim_host_new(NULL), "deaf", deaf_listener, NULL);
}
