/*
 * Sends syslog records as datagrams, numbered, at a rate: records HOST PORT RATE SECONDS. Prints how many it has sent and how
 * long that took. What it could not send in time is sent late, not left out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SECOND = 1000 * 1000 * 1000, TICK = SECOND / 5000, BATCH = 64, ROOM = 160 };

static char texts[BATCH][ROOM];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * (int64_t)SECOND + time.tv_nsec;
}

static void wait_until(int64_t when)
{
    struct timespec time = {.tv_sec = when / SECOND, .tv_nsec = when % SECOND};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static void fail(const char *what)
{
    fprintf(stderr, "records: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int connect_to(const char *host, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1 || fd < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("connect");
    return fd;
}

static void compose(int slot, uint64_t number)
{
    int length = snprintf(texts[slot], ROOM,
                          "<14>Nov 21 07:15:00 mercury worker[4711]: request %010llu of a client was answered in 12 ms",
                          (unsigned long long)number);
    vectors[slot] = (struct iovec){.iov_base = texts[slot], .iov_len = (size_t)length};
    messages[slot].msg_hdr = (struct msghdr){.msg_iov = &vectors[slot], .msg_iovlen = 1};
}

static void send_some(int fd, uint64_t first, int count)
{
    for (int i = 0; i < count; i++)
        compose(i, first + (uint64_t)i);
    for (int done = 0; done < count;) {
        int sent = sendmmsg(fd, messages + done, (unsigned)(count - done), 0);
        if (sent < 0)
            fail("send");
        done += sent;
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fputs("usage: records HOST PORT RATE SECONDS\n", stderr);
        return 2;
    }
    int fd = connect_to(argv[1], argv[2]);
    double rate = atof(argv[3]);
    uint64_t total = (uint64_t)(rate * atof(argv[4])), sent = 0;
    int64_t began = now();
    while (sent < total) {
        uint64_t due = (uint64_t)((double)(now() - began) / SECOND * rate);
        due = due < total ? due : total;
        while (sent < due) {
            int count = due - sent < BATCH ? (int)(due - sent) : BATCH;
            send_some(fd, sent, count);
            sent += (uint64_t)count;
        }
        wait_until(now() + TICK);
    }
    printf("%llu %.3f\n", (unsigned long long)sent, (double)(now() - began) / SECOND);
    return 0;
}
