/*
 * Scripts of system calls, which are made of the kernel and in a simulation, and must say the same: the simulation's sockets
 * are as Linux's are.
 */
#ifndef WEIR_TESTS_UNIT_SCRIPT_H
#define WEIR_TESTS_UNIT_SCRIPT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <weir/sim.h>
#include <weir/weir.h>

#include <cmocka.h>

#include "base/system.h"

/* --- what was said --- */

static char said[16384];
static size_t length;

static inline void WEIR_PRINTF(1, 2) note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(said + length, sizeof said - length, format, arguments);
    va_end(arguments);
    length += (size_t)more;
    assert_true(length < sizeof said);
}

/* A call and what it gave, with the error by its name. */
static inline long say(const char *what, long result)
{
    if (result < 0)
        note("%s: %s\n", what, strerrorname_np(errno));
    else
        note("%s: %ld\n", what, result);
    return result;
}

static inline unsigned bits(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
    weir__system()->poll(&one, 1, 0);
    return (unsigned)one.revents;
}

/* What poll(2) says, once it says one of `awaited` (0: at once). */
static inline void say_bits(const char *what, int fd, unsigned awaited)
{
    for (int tries = 0; awaited && !(bits(fd) & awaited) && tries < 5000; tries++)
        weir_sleep(WEIR_MS(1));
    unsigned is = bits(fd);
    note("%s:%s%s%s%s%s\n", what, is & POLLIN ? " in" : "", is & POLLOUT ? " out" : "", is & POLLRDHUP ? " rdhup" : "",
         is & POLLHUP ? " hup" : "", is & POLLERR ? " err" : "");
}

/* --- calls --- */

static inline int new_tcp(void)
{
    return weir__system()->socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
}

static inline void done(int fd)
{
    weir__system()->close(fd);
}

static inline int set(int fd, int level, int name, int value)
{
    return weir__system()->setsockopt(fd, level, name, &value, sizeof value);
}

static inline int get(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    return weir__system()->getsockopt(fd, level, name, &value, &size) < 0 ? -1 : value;
}

static inline struct sockaddr_in ip4(const char *text, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, text, &address.sin_addr);
    return address;
}

static inline int bind_to(int fd, const char *text, int port)
{
    struct sockaddr_in address = ip4(text, port);
    return weir__system()->bind(fd, (struct sockaddr *)&address, sizeof address);
}

static inline int connect_to(int fd, const char *text, int port)
{
    struct sockaddr_in address = ip4(text, port);
    return weir__system()->connect(fd, (struct sockaddr *)&address, sizeof address);
}

static inline int port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    return weir__system()->getsockname(fd, (struct sockaddr *)&address, &size) < 0 ? -1 : ntohs(address.sin_port);
}

static inline int listening(void)
{
    int fd = new_tcp();
    bind_to(fd, "127.0.0.1", 0);
    weir__system()->listen(fd, 10);
    return fd;
}

static inline int accepted(int listener)
{
    for (int tries = 0; !(bits(listener) & POLLIN) && tries < 5000; tries++)
        weir_sleep(WEIR_MS(1));
    return weir__system()->accept4(listener, NULL, NULL, SOCK_NONBLOCK);
}

static inline ssize_t put(int fd, const void *data, size_t size)
{
    return weir__system()->send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static inline ssize_t take(int fd, size_t size, int flags)
{
    static char data[65536];
    return weir__system()->recv(fd, data, size, flags | MSG_DONTWAIT);
}

/* Two ends of a connection of tcp. */
static inline void tcp_ends(int ends[2])
{
    int listener = listening();
    ends[0] = new_tcp();
    connect_to(ends[0], "127.0.0.1", port_of(listener));
    ends[1] = accepted(listener);
    say("connected", connect_to(ends[0], "127.0.0.1", port_of(listener)));
    done(listener);
}

/* --- the same of both --- */

static void (*script)(void);

static inline int play_script(void *arg)
{
    (void)arg;
    script();
    return 0;
}

static inline void one_host(void)
{
    weir_sim_program(weir_sim_host_new("here"), "script", play_script, NULL);
}

/* Plays the script in the simulator. NULL if all was as the kernel said, or what was not. */
static inline const char *differs(const char *by_the_kernel)
{
    static char difference[3 * sizeof said];
    for (uint64_t seed = 1; seed <= 5; seed++) {
        const weir_sim_scenario scenario = {.name = "script", .set_up = one_host, .without = WEIR_SIM_ALL_FAULTS};
        weir_sim_result result;
        length = 0;
        if (weir_sim_run(&scenario, seed, -1, &result) < 0)
            fail_msg("seed %llu: %s", (unsigned long long)seed, result.reason);
        if (strcmp(by_the_kernel, said) == 0)
            continue;
        snprintf(difference, sizeof difference, "the kernel:\n%s\nthe simulation, seed %llu:\n%s", by_the_kernel,
                 (unsigned long long)seed, said);
        return difference;
    }
    return NULL;
}

/* Other programs of the machine take ports too, so that the kernel may say something else once; hardly three times. */
enum { TRIES = 3 };

static inline void the_same(void (*which)(void))
{
    static char by_the_kernel[sizeof said];
    const char *difference = NULL;
    script = which;
    for (int i = 0; i < TRIES; i++) {
        length = 0;
        script();
        memcpy(by_the_kernel, said, length + 1);
        if (!(difference = differs(by_the_kernel)))
            return;
    }
    fail_msg("%s", difference);
}

#define AS_ON_LINUX(name)                                                                                              \
    static void as_on_linux_##name(void **state)                                                                       \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        the_same(name);                                                                                                \
    }

#endif
