/* Buffered reading over cuts at any byte: lines, marks, fixed lengths, and lines that are too long, one after the other. */
#include "common.h"
#include "scenarios.h"

enum { LIMIT = 200, MOST_ITEM = 300, MOST_ITEMS = 40, ROOM = 400, CLIENTS = 3, MOST_TALKS = 3 };

#define PATIENCE WEIR_S(15)
#define MARK     "\r\n.\r\n"

static struct serving serving;

/* --- scripts: what both sides know to come, from a seed --- */

enum kind { LF_LINE, CRLF_LINE, MARKED, FIXED, TOO_LONG, KINDS };

struct item {
    enum kind kind;
    size_t length; /* without what ends it */
    char data[ROOM];
    size_t size; /* of all of it */
};

static const char *const ends[KINDS] = {"\n", "\r\n", MARK, "", "\n"};

/* Letters alone, so that no end is in it. */
static void make_item(struct item *item, uint64_t seed, unsigned index)
{
    unsigned char chance[4];
    pattern(seed, (uint64_t)index * 1000, chance, sizeof chance);
    item->kind = (enum kind)(chance[0] % KINDS);
    item->length = chance[1] % 4 ? (size_t)(chance[2] + chance[3]) % (LIMIT + 1) : chance[2] % 4;
    if (item->kind == TOO_LONG)
        item->length = LIMIT + 1 + chance[2] % (MOST_ITEM - LIMIT);
    if (item->kind == MARKED)
        item->length = item->length % (LIMIT - strlen(MARK));
    pattern(seed, (uint64_t)index * 1000 + 4, item->data, item->length);
    for (size_t i = 0; i < item->length; i++)
        item->data[i] = (char)('a' + (unsigned char)item->data[i] % 26);
    strcpy(item->data + item->length, ends[item->kind]);
    item->size = item->length + strlen(ends[item->kind]);
}

static bool is_item(const struct item *item, const char *data, size_t length, size_t expected)
{
    if (length == expected && memcmp(data, item->data, length) == 0)
        return true;
    weir_sim_fail("an item of kind %d and %zu bytes came as one of %zu, or with other bytes", (int)item->kind,
                  item->length, length);
    return false;
}

/* --- reading --- */

/* An end in the middle of a script: the sender would have said so. */
static int ended(int result)
{
    bool closed = result < 0 && weir_error()->number == ENODATA;
    if (result == 0 || closed)
        weir_sim_fail("a script ends early, and nobody said why");
    return -1;
}

static int read_as_line(weir_conn *conn, const struct item *item)
{
    char *line;
    size_t length;
    int result = weir_read_line(conn, &line, &length, LIMIT);
    if (result <= 0)
        return ended(result);
    WEIR_SIM_CHECK(line[length] == '\0');
    return is_item(item, line, length, item->length) ? 0 : -1;
}

static int read_as_marked(weir_conn *conn, const struct item *item)
{
    char *data;
    size_t length;
    int result = weir_read_until(conn, MARK, strlen(MARK), &data, &length, LIMIT);
    if (result <= 0)
        return ended(result);
    return is_item(item, data, length, item->size) ? 0 : -1;
}

static int read_as_fixed(weir_conn *conn, const struct item *item)
{
    char data[ROOM];
    if (weir_read_exactly(conn, data, item->size) < 0)
        return ended(-1);
    return is_item(item, data, item->size, item->size) ? 0 : -1;
}

/* Nothing of a line that is too long is lost. */
static int read_as_too_long(weir_conn *conn, const struct item *item)
{
    char *line;
    size_t length;
    int result = weir_read_line(conn, &line, &length, LIMIT);
    if (result > 0) {
        weir_sim_fail("a line of %zu bytes was read, the limit being %d", length, LIMIT);
        return -1;
    }
    if (result == 0 || errno != EMSGSIZE)
        return ended(result);
    WEIR_SIM_CHECK(weir_error()->kind == WEIR_ERROR_LIMIT);
    return read_as_fixed(conn, item);
}

static int read_script(weir_conn *conn, uint64_t seed, unsigned items)
{
    int (*const readers[KINDS])(weir_conn *, const struct item *) = {read_as_line, read_as_line, read_as_marked,
                                                                     read_as_fixed, read_as_too_long};
    struct item item;
    for (unsigned i = 0; i < items; i++) {
        make_item(&item, seed, i);
        if (readers[item.kind](conn, &item) < 0)
            return -1;
    }
    return 0;
}

/* --- writing --- */

static int write_script(weir_conn *conn, uint64_t seed, unsigned items)
{
    struct item item;
    for (unsigned i = 0; i < items; i++) {
        make_item(&item, seed, i);
        size_t cut_at = (size_t)weir_sim_below(item.size + 1);
        if (weir_send_all(conn, item.data, cut_at) < 0 || (one_in(8) && weir_sleep(between(0, WEIR_MS(30))) < 0) ||
            weir_send_all(conn, item.data + cut_at, item.size - cut_at) < 0)
            return -1;
    }
    return 0;
}

/* --- the talk: a first line names the scripts, the client's comes, the server's goes, a last line without its end --- */

static int serve_script(weir_conn *conn)
{
    char *line;
    unsigned long long seed;
    unsigned items;
    int result = weir_read_line(conn, &line, NULL, LIMIT);
    if (result <= 0)
        return result;
    if (sscanf(line, "%llu %u", &seed, &items) != 2) {
        weir_sim_fail("the first line is %s", line);
        return -1;
    }
    if (read_script(conn, seed, items) < 0 || write_script(conn, seed + 1, items) < 0)
        return -1;
    if (weir_read_line(conn, &line, NULL, LIMIT) != 1)
        return ended(-1);
    WEIR_SIM_CHECK(strcmp(line, "bye") == 0);
    if (weir_read_line(conn, &line, NULL, LIMIT) != 0)
        return -1;
    return weir_send_all(conn, "bye", 3);
}

static void handler(weir_conn *conn, void *arg)
{
    (void)arg;
    if (serve_script(conn) < 0)
        weir_abort(conn);
}

static int follow_script(weir_conn *conn)
{
    char first[64], *line;
    uint64_t seed = weir_sim_below(UINT64_MAX);
    unsigned items = 1 + (unsigned)weir_sim_below(MOST_ITEMS);
    int length = snprintf(first, sizeof first, "%llu %u\n", (unsigned long long)seed, items);
    if (weir_send_all(conn, first, (size_t)length) < 0 || write_script(conn, seed, items) < 0 ||
        read_script(conn, seed + 1, items) < 0)
        return -1;
    if (weir_send_all(conn, "bye", 3) < 0 || weir_shutdown(conn, SHUT_WR) < 0)
        return -1;
    int result = weir_read_line(conn, &line, NULL, LIMIT);
    if (result <= 0)
        return ended(result);
    WEIR_SIM_CHECK(strcmp(line, "bye") == 0);
    return weir_read_line(conn, &line, NULL, LIMIT) == 0 && weir_at_end(conn) ? 0 : -1;
}

static int talk(void *arg)
{
    (void)arg;
    weir_conn *conn = reach("tcp://server:7", PATIENCE);
    if (!conn)
        return -1;
    if (follow_script(conn) < 0)
        return cut(conn);
    return weir_close(conn);
}

static int client(void *arg)
{
    for (uint64_t talks = 1 + weir_sim_below(MOST_TALKS); talks; talks--)
        if (weir_sleep(between(0, WEIR_S(1))) < 0 || until_done("a script", talk, arg, SHORTLY + PATIENCE) < 0)
            return -1;
    return 0;
}

void lines(void)
{
    serving = (struct serving){
        .endpoint = "tcp://*:7",
        .handler = handler,
        .options = {.workers = 1, .idle_timeout = PATIENCE, .message_timeout = PATIENCE, .write_timeout = PATIENCE}};
    weir_sim_service(weir_sim_host_new("server"), "lines", serve, &serving);
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}
