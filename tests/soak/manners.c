/* How the clients of churn.c behave: well, slowly, partly, and badly at every stage. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "churn.h"

enum { PIECE = 16384, MUCH = 400000, DATAGRAM = 1200, DATAGRAMS = 16 };

/* --- sending and receiving what is to come back --- */

static bool say(struct visit *visit, size_t size)
{
    if (weir_send_all(visit->conn, pattern(visit->start + visit->sent), size) < 0) {
        wrong(visit, "send");
        return false;
    }
    visit->sent += size;
    return true;
}

static bool is_right(struct visit *visit, const char *data, size_t size)
{
    if (visit->received + size > visit->sent) {
        wrong(visit, "more came back than was sent");
        return false;
    }
    if (memcmp(data, pattern(visit->start + visit->received), size) != 0) {
        wrong(visit, "other bytes came back than were sent");
        return false;
    }
    visit->received += size;
    return true;
}

static bool hear(struct visit *visit, size_t size)
{
    char data[PIECE];
    if (weir_read_exactly(visit->conn, data, size) < 0) {
        wrong(visit, "receive");
        return false;
    }
    return is_right(visit, data, size);
}

static bool exchange(struct visit *visit, size_t size)
{
    return say(visit, size) && hear(visit, size);
}

/* Until the end of the stream: everything is to have come. */
static void hear_the_rest(struct visit *visit)
{
    char *data;
    ssize_t size;
    while ((size = weir_receive(visit->conn, &data)) > 0)
        if (!is_right(visit, data, (size_t)size))
            return;
    if (size < 0)
        wrong(visit, "receive to the end");
    else if (visit->received < visit->sent)
        wrong(visit, "the end came before all was there");
}

/* --- well --- */

static void talk(struct visit *visit)
{
    size_t turns = between(1, 8);
    while (turns-- && exchange(visit, between(1, PIECE)))
        ;
}

static void half_close(struct visit *visit)
{
    if (!say(visit, between(1, 2 * PIECE)))
        return;
    if (weir_shutdown(visit->conn, SHUT_WR) < 0)
        wrong(visit, "shutdown");
    hear_the_rest(visit);
}

static bool send_in_parts(struct visit *visit, const char *line, size_t length)
{
    for (size_t part; length > 0; line += part, length -= part) {
        part = between(1, length < 7 ? length : 7);
        if (weir_send_all(visit->conn, line, part) < 0 || weir_yield() < 0)
            return false;
    }
    return true;
}

static void lines_in_parts(struct visit *visit)
{
    char *line;
    size_t length;
    static const char text[] = "a line that comes in parts of a few bytes each\nand\r\n";
    if (!send_in_parts(visit, text, sizeof text - 1))
        wrong(visit, "send in parts");
    else if (weir_read_line(visit->conn, &line, &length, 100) != 1 || strncmp(line, text, 46) != 0 || length != 46)
        wrong(visit, "read a line");
    else if (weir_read_line(visit->conn, &line, &length, 100) != 1 || strcmp(line, "and") != 0)
        wrong(visit, "read a second line");
}

static int send_much(void *arg)
{
    struct visit *visit = arg;
    bool sent = weir_send_all(visit->conn, pattern(visit->start), MUCH) == 0;
    return sent ? weir_shutdown(visit->conn, SHUT_WR) : -1;
}

/* More than all buffers hold, taken in small pieces and with pauses. */
static void read_slowly(struct visit *visit)
{
    char data[4096];
    ssize_t size = 0;
    int sent = -1;
    visit->sent = MUCH;
    weir_fiber *sender = weir_spawn(send_much, visit, NULL);
    if (!sender)
        abort();
    while ((size = weir_recv(visit->conn, data, between(1, sizeof data))) > 0 && is_right(visit, data, (size_t)size))
        if (between(1, 8) == 1)
            weir_sleep(WEIR_US(between(1, 1000)));
    weir_join(sender, &sent, WEIR_FOREVER);
    if (sent < 0 || size < 0 || visit->received < MUCH)
        wrong(visit, "much that was read slowly");
}

/* --- without patience --- */

static void time_out_and_go_on(struct visit *visit)
{
    char nothing;
    for (int i = 0; i < 3; i++) {
        weir_set_deadline(visit->conn, WEIR_READ, weir_deadline(WEIR_US(between(0, 2000))));
        if (weir_recv(visit->conn, &nothing, 1) >= 0 || errno != ETIMEDOUT)
            wrong(visit, "no time-out");
        weir_set_deadline(visit->conn, WEIR_READ, WEIR_FOREVER);
        if (!exchange(visit, between(1, 1000)))
            return;
    }
}

static int cancel_soon(void *arg)
{
    weir_sleep(WEIR_US(between(1, 1000)));
    weir_cancel(((struct visit *)arg)->conn);
    return 0;
}

static int abort_soon(void *arg)
{
    weir_sleep(WEIR_US(between(1, 1000)));
    weir_abort(((struct visit *)arg)->conn);
    return 0;
}

/* Waits for what does not come, until another fiber ends that. */
static void wait_in_vain(struct visit *visit, weir_fiber_function *end, int expected)
{
    char nothing;
    weir_fiber *other = weir_spawn(end, visit, NULL);
    if (!other)
        abort();
    if (weir_recv(visit->conn, &nothing, 1) >= 0 || errno != expected)
        wrong(visit, "waiting in vain");
    weir_join(other, NULL, WEIR_FOREVER);
}

static void cancel_and_go_on(struct visit *visit)
{
    wait_in_vain(visit, cancel_soon, ECANCELED);
    exchange(visit, between(1, 1000));
}

/* --- badly --- */

static void say_nothing(struct visit *visit)
{
    (void)visit;
}

static void leave_without_the_answer(struct visit *visit)
{
    say(visit, between(1, PIECE));
}

static void reset(struct visit *visit)
{
    tally.resets++;
    weir_abort(visit->conn);
}

static void reset_at_once(struct visit *visit)
{
    reset(visit);
}

static void reset_after_sending(struct visit *visit)
{
    if (say(visit, between(1, PIECE)))
        reset(visit);
}

static void reset_within_the_answer(struct visit *visit)
{
    size_t size = between(2, PIECE);
    if (say(visit, size) && hear(visit, between(1, size - 1)))
        reset(visit);
}

static void reset_after_the_answer(struct visit *visit)
{
    if (exchange(visit, between(1, PIECE)))
        reset(visit);
}

/* With all buffers full, and the server waiting for room. */
static void reset_when_nothing_goes(struct visit *visit)
{
    while (weir_send_flags(visit->conn, pattern(visit->start), MUCH, MSG_DONTWAIT) > 0)
        weir_yield();
    reset(visit);
}

static void reset_after_half_close(struct visit *visit)
{
    if (!say(visit, between(1, PIECE)))
        return;
    weir_shutdown(visit->conn, SHUT_WR);
    reset(visit);
}

static void reset_while_it_waits(struct visit *visit)
{
    tally.resets++;
    wait_in_vain(visit, abort_soon, ECONNABORTED);
}

/* --- datagrams --- */

/*
 * What a datagram says of itself. A port that was another client's a moment ago still gets that one's answers, even those of
 * another server that come while the socket has its port but not yet its peer: in connect(2) the kernel gives it the one
 * before the other. They are passed over, but must be whole like all.
 */
struct header {
    uint64_t whose, offset, size;
};
enum { SMALLEST = sizeof(struct header) };

static void send_datagram(struct visit *visit, uint64_t whose)
{
    char data[DATAGRAM];
    struct header header = {.whose = whose, .offset = between(0, PATTERN - 1), .size = between(SMALLEST, DATAGRAM)};
    memcpy(data, &header, sizeof header);
    memcpy(data + SMALLEST, pattern(header.offset), header.size - SMALLEST);
    if (weir_send(visit->conn, data, header.size) < 0)
        wrong(visit, "send a datagram");
    tally.datagrams++;
}

/* Whose it is; 0 if it is nobody's. */
static uint64_t whose_is(const char *data, size_t size)
{
    struct header header;
    if (size < SMALLEST)
        return 0;
    memcpy(&header, data, sizeof header);
    if (header.size != size || memcmp(data + SMALLEST, pattern(header.offset), size - SMALLEST) != 0)
        return 0;
    return header.whose;
}

static void hear_datagrams(struct visit *visit, uint64_t whose, size_t count)
{
    char data[DATAGRAM + 1];
    ssize_t size;
    weir_set_deadline(visit->conn, WEIR_READ, weir_deadline(WEIR_MS(100)));
    while (count > 0 && (size = weir_recv(visit->conn, data, sizeof data)) >= 0) {
        uint64_t found = whose_is(data, (size_t)size);
        if (found == 0)
            wrong(visit, "a datagram that nobody sent came back");
        tally.answers++;
        count -= found == whose;
    }
    if (count > 0 && errno != ETIMEDOUT) /* else they were lost: a queue was full */
        wrong(visit, "receive datagrams");
}

static uint64_t send_datagrams(struct visit *visit, size_t count)
{
    static uint64_t visits;
    uint64_t whose = (uint64_t)getpid() << 40 | ++visits;
    for (size_t i = 0; i < count; i++)
        send_datagram(visit, whose);
    return whose;
}

static void exchange_datagrams(struct visit *visit)
{
    size_t count = between(1, DATAGRAMS);
    hear_datagrams(visit, send_datagrams(visit, count), count);
}

static void leave_datagrams(struct visit *visit)
{
    send_datagrams(visit, between(1, DATAGRAMS));
}

/* --- choosing --- */

static const struct manner stream_manners[] = {
    {"talk", talk},
    {"half-close", half_close},
    {"lines in parts", lines_in_parts},
    {"time out and go on", time_out_and_go_on},
    {"cancel and go on", cancel_and_go_on},
    {"say nothing", say_nothing},
    {"leave without the answer", leave_without_the_answer},
    {"reset at once", reset_at_once},
    {"reset after sending", reset_after_sending},
    {"reset within the answer", reset_within_the_answer},
    {"reset after the answer", reset_after_the_answer},
    {"reset after half-close", reset_after_half_close},
    {"reset while it waits", reset_while_it_waits},
};
/* These move megabytes each. */
static const struct manner heavy_manners[] = {
    {"read slowly", read_slowly},
    {"reset when nothing goes", reset_when_nothing_goes},
};
static const struct manner datagram_manners[] = {
    {"exchange datagrams", exchange_datagrams},
    {"leave datagrams", leave_datagrams},
};

#define ONE_OF(manners) (&(manners)[between(0, sizeof(manners) / sizeof *(manners)-1)])

const struct manner *choose_manner(bool datagrams)
{
    if (datagrams)
        return ONE_OF(datagram_manners);
    return between(1, 50) == 1 ? ONE_OF(heavy_manners) : ONE_OF(stream_manners);
}
