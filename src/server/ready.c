/* Telling that a program is ready: a line an endpoint, the caller, systemd (sd_notify(3)), a descriptor. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/log.h>

#include "os/descriptor.h"
#include "os/quiet.h"
#include "server/process.h"

/* NOTIFY_SOCKET's address: a path, or @ and an abstract name. False for what is neither. */
static bool notify_address(const char *text, weir_address *address)
{
    size_t length = strlen(text);
    *address = (weir_address){.local.sun_family = AF_UNIX};
    if ((text[0] != '/' && text[0] != '@') || length < 2 || length >= sizeof address->local.sun_path)
        return false;
    memcpy(address->local.sun_path, text, length);
    if (text[0] == '@')
        address->local.sun_path[0] = '\0';
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return true;
}

static void send_state(const weir_address *address, const char *state)
{
    struct iovec vector = {.iov_base = (void *)(uintptr_t)state, .iov_len = strlen(state)};
    struct msghdr message = {
        .msg_name = (void *)(uintptr_t)&address->any,
        .msg_namelen = address->length,
        .msg_iov = &vector,
        .msg_iovlen = 1,
    };
    int fd = weir__system()->socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ssize_t sent;
    do
        sent = fd < 0 ? -1 : weir__system()->sendmsg(fd, &message, MSG_NOSIGNAL);
    while (fd >= 0 && sent < 0 && errno == EINTR);
    if (sent < 0)
        weir_log(WEIR_LOG_WARNING, "the service manager could not be told %s: %m", state);
    weir__close_quietly(fd);
}

void weir__notify(const char *state)
{
    const char *text = getenv("NOTIFY_SOCKET");
    weir_address address;
    if (text && notify_address(text, &address))
        send_state(&address, state);
}

static void log_endpoints(const struct weir__run *run)
{
    for (size_t i = 0; i < run->count; i++)
        for (size_t k = 0; k < weir_server_count(run->servers[i]); k++)
            weir_log(WEIR_LOG_INFO, "%s on %s", run->servers[i]->name, weir_server_endpoint(run->servers[i], k));
}

/* A newline, as s6 has it, and the end. Who waits for it would take a signal in between for a failure. */
static void tell_descriptor(int fd)
{
    ssize_t written;
    do
        written = weir__write_quiet(fd, "\n", 1, 0);
    while (written < 0 && errno == EINTR);
    if (written < 0)
        weir_log(WEIR_LOG_WARNING, "the ready descriptor %d: %m", fd);
    weir__system()->close(fd);
}

void weir__tell_ready(const struct weir__run *run)
{
    if (run->supervised) {
        if (run->ready_pipe >= 0)
            tell_descriptor(run->ready_pipe);
        return;
    }
    log_endpoints(run);
    if (run->options.ready)
        run->options.ready(run->options.arg);
    weir__notify("READY=1");
    if (run->options.ready_fd > 2)
        tell_descriptor(run->options.ready_fd);
}
