/* CONNECT of HTTP proxies (RFC 9110, 9.3.6), with Basic credentials. Names are resolved by the proxy. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/time.h>

#include "base/error.h"
#include "base/text.h"
#include "net/via_proxy.h"

enum {
    MOST_HEAD = 16384,    /* of the answers' heads, 1xx included */
    MOST_QUESTION = 1024, /* what it is without credentials */
    STATUS_LINE = 200,    /* what is kept of it */
    PIECE = 512,
};

struct talk {
    weir_conn *conn;
    const struct weir__via *proxy;
    const weir_endpoint *to;
    size_t received; /* of heads */
};

/* --- the question --- */

/* RFC 4648. `to` has room for 4 bytes for each 3, begun ones too. Not for what is secret to whoever measures time. */
static void put_base64(struct weir__text *text, const uint8_t *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        unsigned three = (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
                         (left > 2 ? (unsigned)bytes[i + 2] : 0);
        weir__text_put_char(text, digits[three >> 18 & 63]);
        weir__text_put_char(text, digits[three >> 12 & 63]);
        weir__text_put_char(text, left > 1 ? digits[three >> 6 & 63] : '=');
        weir__text_put_char(text, left > 2 ? digits[three & 63] : '=');
    }
}

/* "user:password", which RFC 7617 has it; a user with a colon would be another. */
static int put_credentials(struct weir__text *text, const struct talk *talk)
{
    const char *user = talk->proxy->user, *password = talk->proxy->password;
    if (strchr(user, ':'))
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "connect", talk->to->text,
                         "the user for %s has a colon, which HTTP cannot tell from the password's", talk->proxy->shown);
    size_t length = strlen(user) + 1 + strlen(password);
    char *pair = malloc(length + 1);
    if (!pair)
        return weir__fail_memory("connect");
    stpcpy(stpcpy(stpcpy(pair, user), ":"), password);
    weir__text_put(text, "Proxy-Authorization: Basic ");
    put_base64(text, (const uint8_t *)pair, length);
    weir__text_put(text, "\r\n");
    explicit_bzero(pair, length);
    free(pair);
    return 0;
}

static void put_authority(struct weir__text *text, const weir_endpoint *to)
{
    const char *host = weir__proxy_host(to);
    bool brackets = strchr(host, ':') != NULL;
    weir__text_put(text, brackets ? "[" : "");
    weir__text_put(text, host);
    weir__text_put(text, brackets ? "]:" : ":");
    weir__text_put_number(text, to->port);
}

static int write_question(struct weir__text *text, const struct talk *talk)
{
    weir__text_put(text, "CONNECT ");
    put_authority(text, talk->to);
    weir__text_put(text, " HTTP/1.1\r\nHost: ");
    put_authority(text, talk->to);
    weir__text_put(text, "\r\n");
    if (talk->proxy->has_user && put_credentials(text, talk) < 0)
        return -1;
    weir__text_put(text, "\r\n");
    return 0;
}

static size_t room_for(const struct weir__via *proxy)
{
    if (!proxy->has_user)
        return MOST_QUESTION;
    return MOST_QUESTION + (strlen(proxy->user) + strlen(proxy->password) + 4) / 3 * 4;
}

static int ask(const struct talk *talk)
{
    size_t size = room_for(talk->proxy);
    char *data = malloc(size);
    if (!data)
        return weir__fail_memory("connect");
    struct weir__text text = weir__text(data, size);
    int result = write_question(&text, talk);
    if (result == 0)
        result = weir__proxy_send(talk->conn, talk->proxy, talk->to, data, text.length);
    explicit_bzero(data, size);
    free(data);
    return result;
}

/* --- the answer --- */

/* A head as it comes: how far it is, and its first line. */
struct head {
    char status[STATUS_LINE];
    size_t length;   /* of the first line so far, as much as there was room for */
    bool in_status;  /* the first line goes on */
    bool empty_line; /* nothing but perhaps a CR has come of this line */
    bool whole;
};

static void take_byte(struct head *head, char byte)
{
    if (byte == '\n') {
        head->whole = head->empty_line && !head->in_status;
        head->in_status = false;
        head->empty_line = true;
        return;
    }
    if (byte != '\r')
        head->empty_line = false;
    if (head->in_status && byte != '\r' && head->length < sizeof head->status - 1)
        head->status[head->length++] = byte;
}

/* Takes bytes up to the head's end. Returns how many are the head's. */
static size_t take_bytes(struct head *head, const char *bytes, size_t count)
{
    size_t taken = 0;
    while (taken < count && !head->whole)
        take_byte(head, bytes[taken++]);
    return taken;
}

/*
 * Reads a head and not a byte more: what follows may be the other end's, or TLS, which looks for it in the socket.
 * So what has come is looked at first, and only what is the head's is taken.
 */
static int hear_head(struct talk *talk, struct head *head)
{
    char piece[PIECE];
    *head = (struct head){.in_status = true};
    while (!head->whole) {
        if (talk->received >= MOST_HEAD)
            return weir__proxy_fail(talk->proxy, talk->to, EMSGSIZE, "answers with a head of more than 16 KiB");
        ssize_t seen = weir_recv_flags(talk->conn, piece, sizeof piece, MSG_PEEK);
        if (seen < 0)
            return weir__proxy_failed(talk->proxy, talk->to);
        if (seen == 0)
            return weir__proxy_fail(talk->proxy, talk->to, ECONNRESET, "closed the connection in place of an answer");
        size_t taken = take_bytes(head, piece, (size_t)seen);
        talk->received += taken;
        if (weir__proxy_receive(talk->conn, talk->proxy, talk->to, piece, taken) < 0)
            return -1;
    }
    head->status[head->length] = '\0';
    return 0;
}

/* "HTTP/1.x NNN", and a space or the end. -1: it is none. */
static int status_of(const char *line)
{
    if (strncmp(line, "HTTP/1.", 7) != 0 || line[7] < '0' || line[7] > '9' || line[8] != ' ')
        return -1;
    int status = 0;
    for (int i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9')
            return -1;
        status = status * 10 + (line[i] - '0');
    }
    return status < 100 || (line[12] != ' ' && line[12] != '\0') ? -1 : status;
}

static int number_of(int status)
{
    switch (status) {
    case 401:
    case 403:
    case 407:
        return EACCES;
    case 502:
    case 503:
        return EHOSTUNREACH;
    case 504:
        return ETIMEDOUT;
    default:
        return EPROTO;
    }
}

static const char *meaning_of(int status, bool named)
{
    switch (status) {
    case 400:
    case 405:
    case 501:
        return ": it does not know CONNECT, or not so";
    case 403:
        return ": it does not allow this connection";
    case 407:
        return named ? ": it does not take this user and password" : ": it wants a user and a password";
    case 500:
    case 502:
    case 503:
        return ": it could not connect";
    case 504:
        return ": it had no answer from there in time";
    default:
        return "";
    }
}

/* A proxy's own words, of which nothing is shown that a terminal could take for more. Returns `shown`. */
static const char *show(const char *words, char *shown, size_t size)
{
    size_t length = 0;
    while (length < size - 1 && words[length] != '\0') {
        shown[length] = words[length] >= ' ' && words[length] < 0x7f ? words[length] : '?';
        length++;
    }
    shown[length] = '\0';
    return shown;
}

static int refused(const struct talk *talk, const struct head *head)
{
    char shown[64];
    int status = status_of(head->status);
    if (status < 0)
        return weir__proxy_fail(talk->proxy, talk->to, EPROTO, "does not speak HTTP: it answers \"%s\"",
                                show(head->status, shown, sizeof shown));
    return weir__proxy_fail(talk->proxy, talk->to, number_of(status), "answers %s%s",
                            show(head->status + 9, shown, sizeof shown), meaning_of(status, talk->proxy->has_user));
}

/* Interim answers (1xx) may come before the one that counts. Headers of a 2xx mean nothing here, a length included. */
static int hear_answer(struct talk *talk)
{
    struct head head;
    int status;
    do {
        if (hear_head(talk, &head) < 0)
            return -1;
        status = status_of(head.status);
    } while (status >= 100 && status < 200 && status != 101);
    return status >= 200 && status < 300 ? 0 : refused(talk, &head);
}

int weir__via_http(weir_conn *conn, const struct weir__via *proxy, const weir_endpoint *to, int64_t deadline)
{
    struct talk talk = {.conn = conn, .proxy = proxy, .to = to};
    if (weir__proxy_check(proxy, to) < 0)
        return -1;
    weir__proxy_begin(conn, deadline);
    int result = ask(&talk) < 0 ? -1 : hear_answer(&talk);
    if (result == 0)
        weir__proxy_end(conn);
    return result;
}
