/* What the tests of sockets share: plain sockets as peers, a system whose calls a test replaces, descriptors counted. */
#ifndef WEIR_TESTS_SOCKETS_H
#define WEIR_TESTS_SOCKETS_H

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/conn.h>
#include <weir/error.h>
#include <weir/time.h>

#include "base/system.h"
#include "engine.h"
#include "everywhere.h"

#define check_text(left, right)                                                                                        \
    do {                                                                                                               \
        const char *l = (left), *r = (right);                                                                          \
        if (strcmp(l, r) != 0) {                                                                                       \
            fprintf(stderr, "%s:%d: \"%s\" is not \"%s\"\n", __FILE__, __LINE__, l, r);                                \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* The error of the call that has just failed. */
#define check_error(expected_number, expected_kind)                                                                    \
    do {                                                                                                               \
        check(errno == (expected_number));                                                                             \
        check(weir_error()->number == (expected_number));                                                              \
        check(weir_error()->kind == (expected_kind));                                                                  \
    } while (0)

/* A text made on the spot; each call's is good until the sixteenth after it. */
static inline const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline const char *text(const char *format, ...)
{
    static _Thread_local char texts[16][300];
    static _Thread_local unsigned next;
    va_list arguments;
    va_start(arguments, format);
    char *made = texts[next++ % 16];
    vsnprintf(made, sizeof texts[0], format, arguments);
    va_end(arguments);
    return made;
}

static inline weir_address address_of(const char *text)
{
    weir_address address;
    check(weir_parse_address(text, &address) == 0);
    return address;
}

/* A plain blocking socket, bound to the address, or connected to it; -1 and errno if it cannot be. */
static inline int plain_bound(int type, const char *text)
{
    weir_address address = address_of(text);
    int fd = socket(address.any.sa_family, type | SOCK_CLOEXEC, 0);
    check(fd >= 0);
    if (bind(fd, &address.any, address.length) == 0)
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

static inline int plain_connected(int type, const char *text)
{
    weir_address address = address_of(text);
    int fd = socket(address.any.sa_family, type | SOCK_CLOEXEC, 0);
    check(fd >= 0);
    if (connect(fd, &address.any, address.length) == 0) {
        struct timeval limit = {.tv_sec = 10}; /* not before: a connect with a time limit may be interrupted (EINTR) */
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        return fd;
    }
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

static inline int plain_listening(const char *text, int backlog)
{
    int fd = plain_bound(SOCK_STREAM, text);
    check(fd >= 0);
    check(listen(fd, backlog) == 0);
    return fd;
}

static inline unsigned port_of(int fd)
{
    weir_address address = {.length = sizeof address.local};
    check(getsockname(fd, &address.any, &address.length) == 0);
    return weir_address_port(&address);
}

/* A port of 127.0.0.1 and ::1 that nobody has, for the moment. */
static inline unsigned free_port(void)
{
    int fd = plain_bound(SOCK_STREAM, "127.0.0.1:0");
    unsigned port = port_of(fd);
    close(fd);
    return port;
}

static inline bool has_ipv6(void)
{
    int fd = plain_bound(SOCK_STREAM, "[::1]:0");
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* An address of loopback that no other process uses: its ports are this test's. */
static inline const char *own_loopback(void)
{
    unsigned pid = (unsigned)getpid();
    return text("127.%u.%u.%u", 1 + pid / 65536 % 200, pid / 256 % 256, pid % 256);
}

/* How many descriptors are open. */
static inline int open_descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    check(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* Once is enough: where it is about sums over workers, the next look may be another's. */
#define eventually(condition)                                                                                          \
    do {                                                                                                               \
        bool holds_now;                                                                                                \
        for (int tries = 0; !(holds_now = (condition)) && tries < 10000; tries++)                                      \
            weir_sleep(WEIR_MS(1));                                                                                    \
        if (!holds_now)                                                                                                \
            check_failed(__FILE__, __LINE__, #condition);                                                              \
    } while (0)

/* --- a system of the test's own, for the thread that runs it and what it has done on the pool --- */

static struct weir__system test_system __attribute__((unused));

static inline struct weir__system *replace_system(void)
{
    test_system = weir__kernel;
    weir__system_here = &test_system;
    return &test_system;
}

static inline void restore_system(void)
{
    weir__system_here = &weir__kernel;
}

/* An endpoint or address with an abstract name that no other process has. */
static inline const char *own(const char *before, const char *name, const char *behind)
{
    return text("%s@weir-test-%d-%s%s", before, (int)getpid(), name, behind);
}

#endif
