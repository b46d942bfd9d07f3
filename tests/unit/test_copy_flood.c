/* Relaying a flood (src/net/pump_gather.c): large pieces are waited for, and what fills none still comes, and at once afterwards. */
#include "sockets.h"

#include <stdatomic.h>

enum { FLOOD = 24 << 20, MOST_FLOOD = 1 << 30, PART = 65536 };

/* --- a clock that stands until the flood was noticed, so that a slow machine floods as well; and what is asked of the sockets --- */

static int64_t began;
static _Atomic int64_t behind; /* how far, once it runs */
static atomic_int most, last, fails;

static int64_t late_clock(void)
{
    return behind ? weir__kernel.monotonic() - behind : began;
}

static int note_option(int fd, int level, int name, const void *value, socklen_t length)
{
    if (level != SOL_SOCKET || name != SO_RCVLOWAT)
        return weir__kernel.setsockopt(fd, level, name, value, length);
    if (!behind)
        behind = weir__kernel.monotonic() - began;
    if (fails) {
        fails++;
        errno = ENOPROTOOPT;
        return -1;
    }
    last = *(const int *)value;
    if (last > most)
        most = last;
    return weir__kernel.setsockopt(fd, level, name, value, length);
}

static void stop_clock(bool without_option)
{
    struct weir__system *system = replace_system();
    began = weir__kernel.monotonic();
    most = last = 0;
    behind = 0;
    fails = without_option;
    system->monotonic = late_clock;
    system->setsockopt = note_option;
}

/* --- a relayed pair, with both its peers --- */

struct flooded {
    weir_conn *a, *b;
    int a_peer, b_peer;
    unsigned long received;
};

/* A connection over TCP, and the plain socket at its other end. */
static weir_conn *connection(int *peer)
{
    int listener = plain_listening("127.0.0.1:0", 1);
    *peer = plain_connected(SOCK_STREAM, text("127.0.0.1:%u", port_of(listener)));
    weir_conn *conn = weir_adopt(accept(listener, NULL, NULL));
    check(conn);
    close(listener);
    return conn;
}

/* So much, and then until it was noticed. Returns how much that was. */
static unsigned long send_flood(int fd)
{
    static char part[PART];
    unsigned long done = 0;
    for (; done < FLOOD || (!behind && done < MOST_FLOOD); done += PART)
        check(send(fd, part, PART, 0) == PART);
    return done;
}

static void *receive_all(void *arg)
{
    struct flooded *flooded = arg;
    static char part[PART];
    ssize_t length;
    while ((length = recv(flooded->b_peer, part, sizeof part, 0)) > 0)
        __atomic_fetch_add(&flooded->received, (unsigned long)length, __ATOMIC_SEQ_CST);
    check(length == 0);
    shutdown(flooded->b_peer, SHUT_WR);
    return NULL;
}

static void await(struct flooded *flooded, unsigned long size)
{
    while (__atomic_load_n(&flooded->received, __ATOMIC_SEQ_CST) < size)
        usleep(1000);
}

/* What is not enough for a piece comes nevertheless, and again; then the end. */
static void *flood(void *arg)
{
    struct flooded *flooded = arg;
    unsigned long size = send_flood(flooded->a_peer);
    for (int i = 0; i < 3; i++) {
        await(flooded, size);
        check(send(flooded->a_peer, "more", 4, 0) == 4);
        size += 4;
    }
    await(flooded, size);
    shutdown(flooded->a_peer, SHUT_WR);
    return NULL;
}

static void relay_flood(bool without_option)
{
    struct flooded flooded = {0};
    uint64_t bytes[2];
    flooded.a = connection(&flooded.a_peer);
    flooded.b = connection(&flooded.b_peer);
    stop_clock(without_option);
    pthread_t sender = beside(flood, &flooded), receiver = beside(receive_all, &flooded);
    check(weir_copy(flooded.a, flooded.b, bytes) == 0);
    join_beside(sender);
    join_beside(receiver);
    restore_system();
    check(bytes[0] == flooded.received && bytes[0] >= FLOOD && bytes[1] == 0);
    int least = 0;
    socklen_t length = sizeof least;
    check(getsockopt(weir_fd(flooded.a), SOL_SOCKET, SO_RCVLOWAT, &least, &length) == 0 && least == 1);
    weir_close(flooded.a);
    weir_close(flooded.b);
    close(flooded.a_peer);
    close(flooded.b_peer);
}

static void a_flood_is_gathered_and_its_end_is_not_held_up(void)
{
    relay_flood(false);
    check(most > PART && last == 1);
}

static void a_system_without_it_is_asked_seldom(void)
{
    relay_flood(true);
    check(most == 0 && fails == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(a_flood_is_gathered_and_its_end_is_not_held_up),
        EVERYWHERE(a_system_without_it_is_asked_seldom),
    };
    return cmocka_run_group_tests_name("copy_flood", tests, NULL, NULL);
}
