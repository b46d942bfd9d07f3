/* Runs a test's programs on simulated hosts: `here`, 10.0.0.1 and fd00::1, and `there`, 10.0.0.2 and fd00::2. */
#ifndef WEIR_TESTS_SIMULATED_H
#define WEIR_TESTS_SIMULATED_H

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <weir/sim.h>
#include <weir/weir.h>

#include <cmocka.h>

#include "base/system.h"

#define CHECK WEIR_SIM_CHECK

static int (*here)(void *arg), (*there)(void *arg);

static inline void two_hosts(void)
{
    weir_sim_program(weir_sim_host_new("here"), "here", here, NULL);
    weir_sim_host *other = weir_sim_host_new("there");
    if (there)
        weir_sim_program(other, "there", there, NULL);
}

static inline weir_sim_result play_scenario(const weir_sim_scenario *scenario, uint64_t seed)
{
    weir_sim_result result;
    if (weir_sim_run(scenario, seed, -1, &result) < 0)
        fail_msg("seed %llu: %s", (unsigned long long)seed, result.reason);
    return result;
}

/* One run, with these faults and no others; `other` may be NULL. */
static inline weir_sim_result play(int (*one)(void *arg), int (*other)(void *arg), unsigned faults, uint64_t seed)
{
    const weir_sim_scenario scenario = {
        .name = "test", .set_up = two_hosts, .without = WEIR_SIM_ALL_FAULTS & ~faults, .faults_for = WEIR_MINUTES(1)};
    here = one;
    there = other;
    return play_scenario(&scenario, seed);
}

static inline unsigned count_of(const weir_sim_result *result, weir_sim_fault fault)
{
    return (unsigned)result->faults[__builtin_ctz((unsigned)fault)];
}

/* --- system calls --- */

static inline bool fails(ssize_t result, int number)
{
    return result == -1 && errno == number;
}

/* What poll(2) says of a descriptor now. */
static inline short ready(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
    weir__system()->poll(&one, 1, 0);
    return one.revents;
}

static inline void shut(int fd)
{
    CHECK(weir__system()->close(fd) == 0);
}

/* --- sockets --- */

static inline weir_address address_of(const char *text)
{
    weir_address address = {0};
    CHECK(weir_parse_address(text, &address) == 0);
    return address;
}

static inline int bound(const char *text, int type)
{
    weir_address address = address_of(text);
    int fd = weir__system()->socket(address.any.sa_family, type | SOCK_NONBLOCK, 0);
    CHECK(weir__system()->bind(fd, &address.any, address.length) == 0);
    return fd;
}

static inline int connect_to(int fd, const char *text)
{
    weir_address address = address_of(text);
    return weir__system()->connect(fd, &address.any, address.length);
}

static inline int connected(const char *text)
{
    int fd = weir__system()->socket(address_of(text).any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    CHECK(connect_to(fd, text) == 0);
    return fd;
}

static inline ssize_t put(int fd, const void *data, size_t size)
{
    return weir__system()->send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static inline ssize_t put_to(int fd, const char *text, const void *data, size_t size)
{
    weir_address to = address_of(text);
    struct iovec piece = {(void *)(uintptr_t)data, size};
    const struct msghdr message = {.msg_name = &to.any, .msg_namelen = to.length, .msg_iov = &piece, .msg_iovlen = 1};
    return weir__system()->sendmsg(fd, &message, MSG_DONTWAIT);
}

static inline ssize_t get(int fd, void *data, size_t size, int flags)
{
    return weir__system()->recv(fd, data, size, flags | MSG_DONTWAIT);
}

#endif
