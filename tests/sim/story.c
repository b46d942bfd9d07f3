/* Stories: a direction of a connection, by calls of all kinds, in pieces of all sizes, each byte compared. */
#include "common.h"

enum { MOST_AT_ONCE = 6000, PARTS = 3 };

struct story story_new(uint64_t most)
{
    struct story story = {.seed = weir_sim_below(UINT64_MAX)};
    story.length = one_in(8) ? weir_sim_below(3) : weir_sim_below(most + 1);
    return story;
}

/* --- the bytes of one --- */

/* Numbers are put together by hand, so that they are the same on every machine. */
static void put_number(unsigned char *to, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        to[i] = (unsigned char)(number >> i * 8);
}

static uint64_t get_number(const unsigned char *from)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number |= (uint64_t)from[i] << i * 8;
    return number;
}

void story_bytes(const struct story *story, uint64_t position, char *data, size_t size)
{
    unsigned char header[STORY_HEADER];
    put_number(header, story->seed);
    put_number(header + 8, story->length);
    for (; size && position < STORY_HEADER; size--)
        *data++ = (char)header[position++];
    if (size)
        pattern(story->seed, position - STORY_HEADER, data, size);
}

/* Fails the run where it is other. */
static bool compare(const struct story *story, uint64_t position, const char *data, size_t size)
{
    char expected[STORY_HEADER];
    size_t of_header = 0;
    if (position < STORY_HEADER) {
        of_header = size < STORY_HEADER - position ? size : (size_t)(STORY_HEADER - position);
        story_bytes(story, position, expected, of_header);
        if (memcmp(expected, data, of_header) != 0) {
            weir_sim_fail("the header of story %016llx is not what was sent", (unsigned long long)story->seed);
            return false;
        }
    }
    if (size == of_header)
        return true;
    return check_pattern(story->seed, position + of_header - STORY_HEADER, data + of_header, size - of_header);
}

/* --- sending --- */

static void divide(char *data, size_t size, struct iovec parts[PARTS])
{
    size_t first = (size_t)weir_sim_below(size + 1), second = (size_t)weir_sim_below(size - first + 1);
    parts[0] = (struct iovec){data, first};
    parts[1] = (struct iovec){data + first, second};
    parts[2] = (struct iovec){data + first + second, size - first - second};
}

static ssize_t send_some(weir_conn *conn, char *data, size_t size)
{
    struct iovec parts[PARTS];
    switch (weir_sim_below(5)) {
    case 0:
        return weir_send(conn, data, size);
    case 1:
        return weir_send_flags(conn, data, size, MSG_MORE);
    case 2:
        divide(data, size, parts);
        return weir_send_vector(conn, parts, PARTS);
    case 3:
        divide(data, size, parts);
        return weir_send_vector_all(conn, parts, PARTS) < 0 ? -1 : (ssize_t)size;
    default:
        return weir_send_all(conn, data, size) < 0 ? -1 : (ssize_t)size;
    }
}

static size_t piece(uint64_t most)
{
    uint64_t size = 1 + weir_sim_below(one_in(3) ? 40 : MOST_AT_ONCE);
    return (size_t)(size < most ? size : most);
}

int story_send(weir_conn *conn, const struct story *story, uint64_t from, uint64_t to)
{
    char data[MOST_AT_ONCE];
    while (from < to) {
        size_t size = piece(to - from);
        story_bytes(story, from, data, size);
        ssize_t sent = send_some(conn, data, size);
        if (sent < 0)
            return -1;
        if (sent == 0 || (size_t)sent > size) {
            weir_sim_fail("a send of %zu bytes says that it sent %zd", size, sent);
            return -1;
        }
        from += (uint64_t)sent;
    }
    return 0;
}

static int pause_perhaps(int64_t pause)
{
    return pause && one_in(3) ? weir_sleep(between(0, pause)) : 0;
}

int story_tell(weir_conn *conn, const struct story *story, int64_t pause)
{
    uint64_t end = STORY_HEADER + story->length, step = end / 4 + 1;
    for (uint64_t done = 0; done < end; done += step)
        if (story_send(conn, story, done, done + step < end ? done + step : end) < 0 || pause_perhaps(pause) < 0)
            return -1;
    return weir_shutdown(conn, SHUT_WR);
}

/* --- receiving --- */

/* What is looked at first is what then comes. */
static ssize_t peek_and_receive(weir_conn *conn, char *data, size_t size)
{
    char seen[64];
    ssize_t peeked = weir_recv_flags(conn, seen, size < sizeof seen ? size : sizeof seen, MSG_PEEK);
    if (peeked <= 0)
        return peeked;
    if (weir_read_exactly(conn, data, (size_t)peeked) < 0)
        return -1;
    if (memcmp(data, seen, (size_t)peeked) != 0)
        weir_sim_fail("what was peeked at is not what came");
    return peeked;
}

static ssize_t receive_exactly(weir_conn *conn, char *data, size_t size)
{
    if (weir_read_exactly(conn, data, size) < 0)
        return -1;
    return (ssize_t)size;
}

static ssize_t receive_some(weir_conn *conn, char *data, size_t size)
{
    struct iovec parts[PARTS];
    switch (weir_sim_below(6)) {
    case 0:
        divide(data, size, parts);
        return weir_recv_vector(conn, parts, PARTS);
    case 1:
        return peek_and_receive(conn, data, size);
    case 2:
        return receive_exactly(conn, data, size);
    case 3:
        return weir_recv_flags(conn, data, size, MSG_WAITALL);
    default:
        return weir_recv(conn, data, size);
    }
}

static bool ended_early(void)
{
    return weir_error()->number == ENODATA && weir_error()->kind == WEIR_ERROR_CLOSED;
}

int story_receive(weir_conn *conn, const struct story *story, uint64_t from, uint64_t to)
{
    char data[MOST_AT_ONCE];
    while (from < to) {
        size_t size = piece(to - from);
        ssize_t received = receive_some(conn, data, size);
        if (received == 0 || (received < 0 && ended_early()))
            return 1;
        if (received < 0)
            return -1;
        if ((size_t)received > size) {
            weir_sim_fail("a receive of at most %zu bytes says it received %zd", size, received);
            return -1;
        }
        if (!compare(story, from, data, (size_t)received))
            return -1;
        from += (uint64_t)received;
    }
    return 0;
}

/* Nothing but the end comes now. */
static int hear_end(weir_conn *conn, const struct story *story)
{
    char *data;
    ssize_t size = weir_receive(conn, &data);
    if (size > 0)
        weir_sim_fail("%zd bytes come after the last of story %016llx", size, (unsigned long long)story->seed);
    return size == 0 ? 0 : -1;
}

static int hear_from(weir_conn *conn, const struct story *story, uint64_t from, int64_t pause)
{
    uint64_t end = STORY_HEADER + story->length, step = end / 4 + 1;
    for (; from < end; from += step) {
        int result = story_receive(conn, story, from, from + step < end ? from + step : end);
        if (result > 0 && !story->untold)
            weir_sim_fail("story %016llx of %llu bytes ends early, and nobody said why",
                          (unsigned long long)story->seed, (unsigned long long)story->length);
        if (result != 0 || pause_perhaps(pause) < 0)
            return -1;
    }
    return hear_end(conn, story);
}

int story_hear(weir_conn *conn, const struct story *story, int64_t pause)
{
    return hear_from(conn, story, 0, pause);
}

int story_hear_new(weir_conn *conn, struct story *story, int64_t pause, bool empty_is_fine)
{
    unsigned char header[STORY_HEADER];
    uint64_t received, sent;
    if (weir_read_exactly(conn, header, sizeof header) < 0) {
        weir_conn_bytes(conn, &received, &sent);
        if (ended_early() && !(empty_is_fine && received == 0))
            weir_sim_fail("a story ends before it has begun, and nobody said why");
        return -1;
    }
    *story = (struct story){.seed = get_number(header), .length = get_number(header + 8)};
    return hear_from(conn, story, STORY_HEADER, pause);
}

/* --- both --- */

struct teller {
    weir_conn *conn;
    const struct story *story;
    int64_t pause;
};

static int tell(void *arg)
{
    const struct teller *teller = arg;
    int result = story_tell(teller->conn, teller->story, teller->pause);
    if (result < 0)
        weir_abort(teller->conn);
    return result;
}

int exchange(weir_conn *conn, const struct story *told, const struct story *heard, int64_t pauses[2])
{
    struct teller teller = {conn, told, pauses[0]};
    int result = 0;
    weir_fiber *fiber = weir_spawn(tell, &teller, WEIR_OPTIONS(weir_fiber_options, .name = "teller"));
    if (!fiber)
        return -1;
    struct story new;
    int hearing = heard ? story_hear(conn, heard, pauses[1]) : story_hear_new(conn, &new, pauses[1], false);
    if (hearing < 0)
        weir_abort(conn);
    if (weir_join(fiber, &result, WEIR_FOREVER) < 0)
        weir_sim_fail("a fiber could not be joined: %s", weir_error()->sentence);
    return hearing < 0 || result < 0 ? -1 : 0;
}
