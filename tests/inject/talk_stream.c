/* Conversations about bytes: read and written in every way, more than a socket takes, from a file, through a relay. */
#include <fcntl.h>
#include <unistd.h>

#include "talks.h"

/* --- what is read --- */

static bool read_in_many_ways(weir_conn *from, weir_conn *to)
{
    char a[4], b[4], *data;
    size_t length;
    struct iovec vector[2] = {{a, 3}, {b, 4}};
    if (!send_text(from, "line\r\nuntil;peekvectors") || !read_line(to, "line"))
        return false;
    TRY(weir_read_until(to, ";", 1, &data, &length, 100));
    if (!is_text("weir_read_until", data, length, "until;"))
        return false;
    TRY(weir_recv_flags(to, a, 4, MSG_PEEK | MSG_DONTWAIT));
    if (!is_text("weir_recv_flags", a, 4, "peek") || !read_text(to, "peek"))
        return false;
    ssize_t got = weir_recv_vector(to, vector, 2);
    TRY(got);
    return got == 7 ? is_text("weir_recv_vector", a, 3, "vec") && is_text("weir_recv_vector", b, 4, "tors")
                    : cut_short("weir_recv_vector");
}

static bool write_in_many_ways(weir_conn *from, weir_conn *to)
{
    struct iovec vector[2] = {{(char[]){"one "}, 4}, {(char[]){"two"}, 3}};
    TRY(weir_send_vector_all(from, vector, 2));
    if (!read_text(to, "one two"))
        return false;
    TRY(weir_send_flags(from, "more", 4, MSG_MORE));
    ssize_t sent = weir_send_vector(from, vector, 2);
    TRY(sent);
    if (!end_writing(from) || !read_text(to, "more"))
        return false;
    return sent == 7 ? read_text(to, "one two") && read_end(to) && weir_at_end(to) : cut_short("weir_send_vector");
}

/* --- messages --- */

static bool read_message(weir_conversation *talk, const char *expected, const char *prompt)
{
    char *message;
    size_t length;
    int got = prompt ? weir_prompt(talk, prompt, &message, &length) : weir_read_message(talk, &message, &length);
    TRY(got);
    return got ? is_text("weir_read_message", message, length, expected) : cut_short("weir_read_message");
}

static bool answer_lines(weir_conn *from, weir_conn *to)
{
    char digits[601];
    weir_conversation talk = weir_conversation_begin(to);
    talk.pause = PATIENCE;
    if (!send_text(from, "anna\r\nand more\n") || !read_message(&talk, "anna", NULL) ||
        !read_message(&talk, "and more", "?"))
        return false;
    TRY(weir_answer(&talk, "hi", 2));
    TRY(weir_answer_format(&talk, "%0600d", 7));
    TRY(weir_read_exactly(from, digits, 4));
    TRY(weir_read_exactly(from, digits, 600));
    return digits[599] == '7' || wrong("a long answer ends in %c", digits[599]);
}

/* In pauses, asked for, and then too long. */
static bool answer_pieces(weir_conn *from, weir_conn *to)
{
    static const weir_command commands[] = {{.reply = "?"}};
    weir_conversation talk = weir_conversation_begin(to);
    talk.pause = WEIR_MS(1);
    talk.limit = 5;
    if (!send_text(from, "bob") || !read_message(&talk, "bob", NULL) || !send_text(from, "longer") ||
        !end_writing(from))
        return false;
    if (weir_converse(&talk, commands, NULL) == 0)
        return wrong("weir_converse takes six bytes for five");
    return errno == EMSGSIZE ? read_text(from, "a message may have at most 5 bytes") && read_end(from)
                             : failed("weir_converse");
}

static bool on_pair(int type, bool (*first)(weir_conn *, weir_conn *), bool (*second)(weir_conn *, weir_conn *))
{
    weir_conn *pair[2];
    TRY(weir_pair(type, pair));
    weir_set_timeout(pair[0], PATIENCE);
    weir_set_timeout(pair[1], PATIENCE);
    bool well = first(pair[0], pair[1]) && (!second || second(pair[1], pair[0]));
    weir_close(pair[0]);
    weir_close(pair[1]);
    return well;
}

static bool reading(void)
{
    return on_pair(SOCK_STREAM, read_in_many_ways, write_in_many_ways);
}

static bool messages(void)
{
    return on_pair(SOCK_STREAM, answer_lines, NULL) && on_pair(SOCK_STREAM, answer_pieces, NULL);
}

/* --- more than a socket takes, so that both directions wait --- */

enum { LONG = 600000 };
static char long_text[LONG];

static int send_long(void *arg)
{
    memset(long_text, 'l', sizeof long_text);
    bool well = weir_send_all(arg, long_text, sizeof long_text) == 0 || failed("weir_send_all");
    return well && end_writing(arg) ? 0 : 1;
}

static bool receive_long(weir_conn *conn)
{
    size_t length = 0;
    char *data;
    ssize_t got;
    while ((got = weir_receive(conn, &data)) > 0)
        for (ssize_t i = 0; i < got; i++, length++)
            if (data[i] != 'l')
                return wrong("byte %zu is %d", length, data[i]);
    TRY(got);
    return length == LONG || (length > LONG ? wrong("%zu bytes came", length) : cut_short("weir_receive"));
}

static bool send_and_receive_long(weir_conn *from, weir_conn *to)
{
    weir_fiber *sender = weir_spawn(send_long, from, NULL);
    if (!sender)
        return failed("weir_spawn");
    bool well = receive_long(to);
    weir_abort(to);
    return join(sender) && well;
}

static bool bulk(void)
{
    return on_pair(SOCK_STREAM, send_and_receive_long, NULL);
}

/* --- a file, and a relay --- */

static bool send_file(weir_conn *from, weir_conn *to)
{
    int file = open("sent", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int64_t offset = 2;
    bool well = file >= 0 && write(file, "a file to be sent", 17) == 17;
    int64_t sent = well ? weir_sendfile(from, file, &offset, 100) : -1;
    if (sent < 0)
        well = failed("weir_sendfile");
    else if (sent != 15 || offset != 17)
        well = wrong("weir_sendfile says %d bytes, offset %d", (int)sent, (int)offset);
    close(file);
    return well && read_text(to, "file to be sent");
}

static bool sendfiles(void)
{
    return on_pair(SOCK_STREAM, send_file, NULL);
}

struct relay {
    weir_conn *a, *b;
    uint64_t bytes[2];
};

static int copy(void *arg)
{
    struct relay *relay = arg;
    return weir_copy(relay->a, relay->b, relay->bytes) < 0 ? failed("weir_copy") - 1 : 0;
}

static bool through(struct relay *relay, weir_conn *left, weir_conn *right)
{
    weir_fiber *copier = weir_spawn(copy, relay, NULL);
    if (!copier)
        return failed("weir_spawn");
    bool well = send_text(left, "there") && read_text(right, "there") && send_text(right, "and back") &&
                read_text(left, "and back") && end_writing(left) && read_end(right) && end_writing(right) &&
                read_end(left);
    if (!well) {
        weir_abort(left);
        weir_abort(right);
    }
    well &= join(copier);
    return well && ((relay->bytes[0] == 5 && relay->bytes[1] == 8) || wrong("weir_copy has counted wrongly"));
}

static bool relays(void)
{
    weir_conn *left[2], *right[2];
    TRY(weir_pair(SOCK_STREAM, left));
    bool well = weir_pair(SOCK_STREAM, right) == 0 || failed("weir_pair");
    if (well) {
        struct relay relay = {left[1], right[0], {0, 0}};
        for (int i = 0; i < 2; i++) {
            weir_set_timeout(left[i], PATIENCE);
            weir_set_timeout(right[i], PATIENCE);
        }
        well = through(&relay, left[0], right[1]);
        weir_close(right[0]);
        weir_close(right[1]);
    }
    weir_close(left[0]);
    weir_close(left[1]);
    return well;
}

/* In threads the relay starts a second one for the other direction; all that is said is said before. */
static bool relay_in_thread(void)
{
    weir_conn *left[2], *right[2];
    TRY(weir_pair(SOCK_STREAM, left));
    bool well = weir_pair(SOCK_STREAM, right) == 0 || failed("weir_pair");
    if (well) {
        uint64_t bytes[2] = {0, 0};
        weir_set_timeout(right[1], PATIENCE);
        well =
            send_text(left[0], "there") && end_writing(left[0]) && send_text(right[1], "back") && end_writing(right[1]);
        if (well && weir_copy(left[1], right[0], bytes) < 0)
            well = failed("weir_copy");
        well = well && read_text(right[1], "there") && read_text(left[0], "back");
        weir_close(right[0]);
        weir_close(right[1]);
    }
    weir_close(left[0]);
    weir_close(left[1]);
    return well;
}

const struct conversation stream_talks[] = {
    {"reading", reading, .in_fiber = true},
    {"reading_in_thread", reading, .once = true},
    {"messages", messages, .in_fiber = true},
    {"messages_in_thread", messages, .once = true},
    {"bulk", bulk, .in_fiber = true},
    {"sendfile", sendfiles, .in_fiber = true},
    {"relay", relays, .in_fiber = true},
    {"relay_in_thread", relay_in_thread, .once = true},
    {0},
};
