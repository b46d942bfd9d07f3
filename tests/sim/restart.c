/* A service that is killed again and again, and keeps what it has confirmed: numbers, in a file, for clients that reconnect. */
#include "common.h"
#include "scenarios.h"

enum { CLIENTS = 3, MOST_NUMBERS = 25, ROOM = 500, RECORD = 8 };

#define PATIENCE WEIR_S(5)
#define IDLE     WEIR_S(20)
#define STORE    "/tmp/numbers"

static struct {
    struct serving serving;
    weir_file *file;
    int64_t end; /* of what is whole in it */
    bool busy;   /* somebody writes */
    uint64_t numbers[ROOM];
    int count;
    uint64_t next; /* for clients: no number comes twice */
} store;

static void put(char *to, uint64_t number)
{
    for (int i = 0; i < RECORD; i++)
        to[i] = (char)(number >> i * 8);
}

static uint64_t get(const char *from)
{
    uint64_t number = 0;
    for (int i = 0; i < RECORD; i++)
        number |= (uint64_t)(unsigned char)from[i] << i * 8;
    return number;
}

/* --- the service --- */

static bool is_known(uint64_t number)
{
    for (int i = 0; i < store.count; i++)
        if (store.numbers[i] == number)
            return true;
    return false;
}

static void learn(uint64_t number)
{
    if (is_known(number) || !holds(store.count < ROOM, "there are more numbers than were sent"))
        return;
    store.numbers[store.count++] = number;
}

/* What is there of the last record may be a part of it: the next is written over it. */
static int load(void)
{
    char record[RECORD];
    ssize_t size = RECORD;
    store.count = 0;
    store.busy = false;
    for (store.end = 0; size == RECORD; store.end += RECORD) {
        size = weir_file_read_at(store.file, record, sizeof record, store.end);
        if (size < 0)
            return -1;
        if (size < RECORD)
            break;
        learn(get(record));
    }
    return 0;
}

/* Only what is on the disk is confirmed. */
static int keep(uint64_t number)
{
    char record[RECORD];
    put(record, number);
    while (store.busy)
        if (weir_sleep(WEIR_MS(1)) < 0)
            return -1;
    store.busy = true;
    int result = weir_file_write_at(store.file, record, sizeof record, store.end);
    if (result == 0)
        result = weir_file_sync(store.file);
    if (result == 0) {
        store.end += RECORD;
        learn(number);
    }
    store.busy = false;
    return result;
}

/* "+" and a number to keep, "?" and one that should be there; the answer is "y" or "n". */
static void handler(weir_conn *conn, void *arg)
{
    char request[1 + RECORD];
    (void)arg;
    while (weir_read_exactly(conn, request, sizeof request) == 0) {
        uint64_t number = get(request + 1);
        bool good = request[0] == '+' ? keep(number) == 0 : is_known(number);
        if (weir_send_all(conn, good ? "y" : "n", 1) < 0)
            break;
    }
}

static int service(void *arg)
{
    store.file = weir_file_open(STORE, O_RDWR | O_CREAT, 0600);
    if (!store.file)
        return -1;
    int result = load();
    if (result == 0)
        result = serve(arg);
    weir_file_close(store.file);
    return result;
}

/* --- clients --- */

struct client {
    weir_conn *conn;
    char what;
    uint64_t number;
};

static int ask(struct client *client)
{
    char request[1 + RECORD], answer;
    request[0] = client->what;
    put(request + 1, client->number);
    if (weir_send_all(client->conn, request, sizeof request) < 0 || weir_recv(client->conn, &answer, 1) != 1)
        return -1;
    if (client->what == '?' && answer != 'y')
        weir_sim_fail("number %llu was confirmed, and is gone", (unsigned long long)client->number);
    return answer == 'y' ? 0 : -1;
}

static int ask_again(void *arg)
{
    struct client *client = arg;
    if (!client->conn)
        client->conn = reach("tcp://server:7", PATIENCE);
    if (client->conn && ask(client) == 0)
        return 0;
    weir_close(client->conn);
    client->conn = NULL;
    return -1;
}

static int keep_numbers(void *arg)
{
    struct client client = {0};
    uint64_t kept[MOST_NUMBERS];
    int count = 1 + (int)weir_sim_below(MOST_NUMBERS), result = 0;
    (void)arg;
    client.what = '+';
    for (int i = 0; i < count && result == 0; i++) {
        kept[i] = client.number = ++store.next;
        result = until_done("keeping a number", ask_again, &client, SHORTLY + IDLE);
        if (result == 0 && one_in(2))
            result = weir_sleep(between(0, WEIR_S(1)));
    }
    client.what = '?';
    for (int i = 0; i < count && result == 0; i++) {
        client.number = kept[i];
        result = until_done("asking for a number", ask_again, &client, SHORTLY + IDLE);
    }
    weir_close(client.conn);
    return result;
}

void restarts(void)
{
    memset(&store, 0, sizeof store);
    store.serving = (struct serving){.endpoint = "tcp://*:7",
                                     .handler = handler,
                                     .by_hand = one_in(2),
                                     .options = {.workers = between(1, 2), .idle_timeout = IDLE}};
    weir_sim_service(weir_sim_host_new("server"), "store", service, &store.serving);
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "client", keep_numbers, NULL);
}
