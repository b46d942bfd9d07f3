/*
 * An echo by TLS. Its clients are ours, which go on with sessions; and OpenSSL alone between two buffers in memory, on a
 * plain connection of ours: those send records in parts, ask for new keys whenever they like, and cut streams.
 */
#include "common.h"
#include "scenarios.h"
#include "tls_world.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

enum { MOST_CLIENTS = 3, MOST_TALKS = 2, MOST_BYTES = 20000, MOST_PIECE = 3000 };

#define PATIENCE WEIR_S(15)
#define IDLE     WEIR_S(20)

static struct {
    struct serving serving;
    const char *certificate;
    SSL_CTX *context; /* of those by hand */
    bool lent;
} world;

/* --- clients of ours --- */

static weir_conn *connect_by_tls(void)
{
    weir_tls_options tls = {.ca = world.certificate, .fresh = one_in(4)};
    weir_conn *conn =
        weir_connect("tls://server:7", WEIR_OPTIONS(weir_connect_options, .timeout = PATIENCE, .tls = tls));
    if (conn)
        weir_set_timeout(conn, PATIENCE);
    return conn;
}

static int talk(void *arg)
{
    (void)arg;
    weir_conn *conn = connect_by_tls();
    if (!conn)
        return -1;
    struct story story = story_new(MOST_BYTES);
    int64_t pauses[2] = {one_in(2) ? WEIR_MS(50) : 0, one_in(3) ? WEIR_MS(50) : 0};
    if (exchange(conn, &story, &story, pauses) < 0)
        return cut(conn);
    WEIR_SIM_CHECK(weir_at_end(conn));
    return weir_close(conn);
}

/* --- clients by hand --- */

struct hand {
    weir_conn *conn; /* in plain text */
    SSL *ssl;
    BIO *in, *out; /* the SSL object's */
};

/* What the SSL object has said goes out, in pieces. */
static int say(const struct hand *hand)
{
    char *data;
    size_t size = (size_t)BIO_get_mem_data(hand->out, &data);
    for (size_t done = 0, next; done < size; done = next) {
        next = one_in(2) ? size : done + 1 + weir_sim_below(size - done);
        if (weir_send_all(hand->conn, data + done, next - done) < 0)
            return -1;
        if (next < size && one_in(3) && weir_sleep(between(0, WEIR_MS(30))) < 0)
            return -1;
    }
    BIO_reset(hand->out);
    return 0;
}

/* 1; 0 at the end of the plain stream, -1. */
static int hear(const struct hand *hand)
{
    char data[2000];
    ssize_t length = weir_recv(hand->conn, data, one_in(3) ? 1 + weir_sim_below(sizeof data) : sizeof data);
    if (length <= 0)
        return (int)length;
    WEIR_SIM_CHECK(BIO_write(hand->in, data, (int)length) == length);
    return 1;
}

/* What a call of OpenSSL's is to wait for was heard: 0. -1: the stream ends here, or OpenSSL does not like it. */
static int go_on(const struct hand *hand, int result)
{
    bool wants = SSL_get_error(hand->ssl, result) == SSL_ERROR_WANT_READ;
    ERR_clear_error();
    if (!wants) {
        weir_sim_fail("by hand: OpenSSL says that the server does wrong");
        return -1;
    }
    return say(hand) == 0 && hear(hand) > 0 ? 0 : -1;
}

static int shake(const struct hand *hand)
{
    int result;
    while ((result = SSL_connect(hand->ssl)) != 1)
        if (go_on(hand, result) < 0)
            return -1;
    return say(hand);
}

/* Reads as much of the story as was sent, and compares it. */
static int read_back(const struct hand *hand, const struct story *story, size_t from, size_t to)
{
    char got[MOST_PIECE], expected[MOST_PIECE];
    while (from < to) {
        int length = SSL_read(hand->ssl, got, (int)(to - from));
        if (length <= 0) {
            if (go_on(hand, length) < 0)
                return -1;
            continue;
        }
        story_bytes(story, from, expected, (size_t)length);
        WEIR_SIM_CHECK(memcmp(got, expected, (size_t)length) == 0);
        from += (size_t)length;
    }
    return 0;
}

static int write_piece(const struct hand *hand, const struct story *story, size_t from, size_t to)
{
    char data[MOST_PIECE];
    story_bytes(story, from, data, to - from);
    if (one_in(3))
        WEIR_SIM_CHECK(SSL_key_update(hand->ssl, one_in(2) ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED));
    WEIR_SIM_CHECK(SSL_write(hand->ssl, data, (int)(to - from)) == (int)(to - from));
    return say(hand);
}

/* A close_notify there, and one back. */
static int end_well(const struct hand *hand)
{
    char byte;
    int length;
    SSL_shutdown(hand->ssl);
    if (say(hand) < 0 || weir_shutdown(hand->conn, SHUT_WR) < 0)
        return -1;
    while ((length = SSL_read(hand->ssl, &byte, 1)) <= 0) {
        if (SSL_get_error(hand->ssl, length) == SSL_ERROR_ZERO_RETURN)
            return 0;
        if (go_on(hand, length) < 0)
            return -1;
    }
    weir_sim_fail("by hand: more comes back than was sent");
    return -1;
}

/* An end of the plain stream alone, perhaps within a record: what the server takes for an end it would answer with one. */
static int end_badly(const struct hand *hand, const struct story *story, size_t done)
{
    char data[100], byte, *said;
    int length;
    story_bytes(story, done, data, sizeof data);
    WEIR_SIM_CHECK(SSL_write(hand->ssl, data, sizeof data) == sizeof data);
    size_t size = (size_t)BIO_get_mem_data(hand->out, &said);
    size_t part = one_in(2) ? 0 : weir_sim_below(size);
    if ((part && weir_send_all(hand->conn, said, part) < 0) || weir_shutdown(hand->conn, SHUT_WR) < 0)
        return 0;
    BIO_reset(hand->out);
    while ((length = SSL_read(hand->ssl, &byte, 1)) <= 0) {
        if (SSL_get_error(hand->ssl, length) == SSL_ERROR_ZERO_RETURN) {
            weir_sim_fail("by hand: a cut was taken for an end");
            return 0;
        }
        ERR_clear_error();
        if (hear(hand) <= 0)
            return 0;
    }
    weir_sim_fail("by hand: an echo of what was never whole");
    return 0;
}

static int talk_by_hand(const struct hand *hand)
{
    struct story story = story_new(MOST_BYTES / 4);
    size_t end = STORY_HEADER + story.length, cut_at = one_in(3) ? weir_sim_below(end) : end;
    if (shake(hand) < 0)
        return -1;
    for (size_t done = 0, next; done < end; done = next) {
        if (done >= cut_at)
            return end_badly(hand, &story, done);
        size_t most = end - done < MOST_PIECE ? end - done : MOST_PIECE;
        next = done + 1 + weir_sim_below(most);
        if (write_piece(hand, &story, done, next) < 0 || read_back(hand, &story, done, next) < 0)
            return -1;
    }
    return end_well(hand);
}

static int by_hand(void *arg)
{
    (void)arg;
    struct hand hand = {.conn = reach("tcp://server:7", PATIENCE)};
    if (!hand.conn)
        return -1;
    hand.ssl = SSL_new(world.context);
    hand.in = BIO_new(BIO_s_mem());
    hand.out = BIO_new(BIO_s_mem());
    if (!hand.ssl || !hand.in || !hand.out)
        abort();
    SSL_set_bio(hand.ssl, hand.in, hand.out);
    int result = talk_by_hand(&hand);
    SSL_free(hand.ssl);
    if (result < 0)
        return cut(hand.conn);
    return weir_close(hand.conn);
}

/* --- who never shakes hands: no server waits for that longer than it says, or 10 s --- */

static int say_nothing(void *arg)
{
    char byte;
    (void)arg;
    weir_conn *conn = reach("tcp://server:7", PATIENCE);
    if (!conn)
        return -1;
    if (one_in(2) && weir_send_all(conn, "\x16\x03\x01", 1 + weir_sim_below(3)) < 0)
        return cut(conn);
    bool waits = weir_recv(conn, &byte, 1) < 0 && errno == ETIMEDOUT;
    cut(conn);
    return waits ? -1 : 0;
}

/* --- all of them --- */

static int client(void *arg)
{
    int (*attempt)(void *arg) = one_in(2) ? by_hand : one_in(6) ? say_nothing : talk;
    for (uint64_t talks = 1 + weir_sim_below(MOST_TALKS); talks; talks--)
        if (weir_sleep(between(0, WEIR_S(1))) < 0 || until_done("an echo by TLS", attempt, arg, SHORTLY + IDLE) < 0)
            return -1;
    return 0;
}

/* Made once: nobody goes on with a session by hand, and so it keeps nothing of a run. */
static SSL_CTX *context_by_hand(void)
{
    static SSL_CTX *context;
    if (!context && !(context = SSL_CTX_new(TLS_client_method())))
        abort();
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_send_fragment(context, 512);
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION); /* where keys can be made new */
    return context;
}

void tls(void)
{
    world.context = context_by_hand(); /* with chance of its own, since only the first run makes it */
    world.certificate = tls_world();
    world.lent = one_in(2);
    world.serving = (struct serving){
        .endpoint = "tls://*:7",
        .handler = echo_handler,
        .arg = &world.lent,
        .options = {.workers = between(1, 2),
                    .idle_timeout = IDLE,
                    .write_timeout = IDLE,
                    .message_timeout = one_in(2) ? WEIR_S(12) : WEIR_FOREVER,
                    .listen.tls.cert = world.certificate},
    };
    weir_sim_service(weir_sim_host_new("server"), "echo", serve, &world.serving);
    for (int64_t clients = between(1, MOST_CLIENTS); clients; clients--)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}
