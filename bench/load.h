/*
 * The load generator's inside: its options, what it counts, and what each kind of load (a file
 * each) offers to main. One thread, one epoll, closed loop: a message goes out when an earlier one
 * has come back.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "histogram.h"

enum load_kind { LOAD_TCP, LOAD_UDP, LOAD_CHURN, LOAD_IDLE };

struct load_options {
    enum load_kind kind;
    struct sockaddr_in server;
    unsigned connections;
    size_t size;          /* of what is sent */
    const char *question; /* sent each time; NULL: the pattern, which is to come back */
    const char *answer;   /* what is to come for it; NULL: any line */
    unsigned depth;       /* messages a connection has under way */
    double seconds, warmup;
    pid_t watched; /* the server's process, 0 if nobody asked what it costs */
};

struct load_result {
    uint64_t messages; /* echoed, or answered, whole and right within the measured time */
    uint64_t errors;   /* wrong bytes, resets, refused connections */
    uint64_t lost;     /* datagrams without an answer */
    double seconds;
    double server_cpu;        /* seconds, within the measured time */
    long server_rss_before;   /* KiB, before the first connection */
    long server_rss_after;    /* KiB, with all of them idle */
    struct histogram latency; /* nanoseconds */
};

extern struct load_options options;
extern struct load_result result;

/* One per kind of load: sets everything up, calls clock_tick each turn of its loop, returns when
 * the measured time is over. */
void run_tcp(void);
void run_udp(void);
void run_churn(void);
void run_idle(void);

/* Monotonic nanoseconds. */
int64_t now(void);

/* Moves from warming up to measuring to done by the time it is given; false when done. */
bool clock_tick(int64_t time);

/* Counts a message that took from start to time, where it falls into the measured time. */
void count_message(int64_t start, int64_t time);

/* Counts an error and says what it was, with errno's reason unless that is 0, the first few times. */
void count_error(const char *what);

/* Ends the program with a line that names the step and errno's reason. */
_Noreturn void fail(const char *step);

/* A socket for the server, not blocking, whose connect is done (UDP) or under way (TCP). Its
 * source address changes with index where ports of one address would not suffice. -1 and errno. */
int open_socket(int type, unsigned index);

/* What message number n carries, size bytes of it: every message of a connection differs from the
 * ones near it, so that a stale or swapped answer is noticed. */
const char *pattern(uint64_t n);
void make_pattern(void);

/* An epoll instance with nothing in it, and a change to what it watches. */
int open_epoll(void);
void watch(int epoll, int op, int fd, uint32_t events, void *pointer);

#endif
