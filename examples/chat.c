/* A chat: each line of a client goes to all the others. Two fibers a client; channels carry the lines between them. */
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

enum { CLIENTS = 100, LINES = 16, LENGTH = 500 };

struct line {
    size_t length;
    char text[LENGTH];
};

struct client {
    weir_conn *conn;
    weir_channel *mailbox; /* of struct line */
};

/* All fibers are on one loop (workers = 1): this needs no lock. */
static struct client *clients[CLIENTS];

static struct client **place_of(const struct client *client)
{
    for (int i = 0; i < CLIENTS; i++)
        if (clients[i] == client)
            return &clients[i];
    return NULL;
}

/* The second fiber of a client: sends what is in its mailbox until that is closed. */
static int deliver(void *arg)
{
    struct client *client = arg;
    struct line line;
    while (weir_channel_receive(client->mailbox, &line, WEIR_FOREVER) == 0)
        if (weir_send_all(client->conn, line.text, line.length) < 0)
            break;
    return 0;
}

/* Somebody who reads too slowly misses lines, and nobody waits for them: a mailbox that is full is passed over. */
static void tell_others(const struct client *from, const struct line *line)
{
    for (int i = 0; i < CLIENTS; i++)
        if (clients[i] && clients[i] != from)
            weir_channel_send(clients[i]->mailbox, line, WEIR_NOW);
}

static void read_lines(struct client *client)
{
    char *text;
    struct line line;
    while (weir_read_line(client->conn, &text, &line.length, LENGTH - 1) > 0) {
        memcpy(line.text, text, line.length);
        line.text[line.length++] = '\n';
        tell_others(client, &line);
    }
}

static void chat(weir_conn *conn, void *arg)
{
    struct client client = {conn, weir_channel_new(sizeof(struct line), LINES)};
    weir_fiber *delivery = client.mailbox ? weir_spawn(deliver, &client, NULL) : NULL;
    struct client **place = place_of(NULL);
    if (delivery && place) {
        *place = &client;
        read_lines(&client);
        *place = NULL;
    }
    if (delivery) {
        weir_channel_close(client.mailbox);
        weir_join(delivery, NULL, WEIR_FOREVER);
    }
    weir_channel_free(client.mailbox);
}

int main(void)
{
    return weir_serve("tcp://127.0.0.1:8000", chat, NULL,
                      WEIR_OPTIONS(weir_server_options, .name = "chat", .workers = 1, .idle_timeout = WEIR_FOREVER));
}
