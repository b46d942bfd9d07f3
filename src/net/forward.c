/*
 * A path through others that is kept open: one ssh that listens on a Unix socket (-N -L), in a folder that nobody else
 * may enter. Whoever connects there is connected by it to what is behind it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/time.h>

#include "base/error.h"
#include "net/conn.h"
#include "net/options.h"
#include "net/ssh.h"

#define DEFAULT_TIMEOUT WEIR_S(30)

struct weir_forward {
    struct weir__ssh *ssh;
    int input; /* our end of its input and output, which it does not use */
    weir_endpoint remote;
    char folder[WEIR__FOLDER_SIZE];
    char socket[WEIR__FOLDER_SIZE + 4]; /* in the folder */
    char endpoint[WEIR__FOLDER_SIZE + 16];
};

/* --- opening --- */

static int parse_remote(const char *text, weir_endpoint *remote)
{
    if (weir_parse_endpoint(text, "tcp", remote) < 0)
        return -1;
    if (remote->scheme == WEIR_SCHEME_UNIX || remote->datagram)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "forward", remote->text, "only streams of TCP go through others");
    if (remote->host_kind == WEIR_HOST_ANY || remote->port == 0)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "forward", remote->text, "there is nobody to connect to");
    return 0;
}

static int check_last(const struct weir__via_list *list, const weir_endpoint *remote)
{
    const struct weir__via *last = list->count == 0 ? NULL : &list->hops[list->count - 1];
    if (last == NULL || last->kind != WEIR__VIA_SSH)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "forward", remote->text,
                         "the last that it goes through is to be an ssh://");
    if (last->multiplex)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "forward", last->shown,
                         "multiplex has no meaning here: it is one ssh for all, which nobody else shares");
    return 0;
}

/* What comes before the ssh hops at the end of the list: *first is the first of those. */
static int go_before(struct weir__via_list *list, const struct weir__dialling *dialling, size_t *first,
                     weir_conn **earlier)
{
    *first = list->count;
    while (*first > 0 && list->hops[*first - 1].kind == WEIR__VIA_SSH)
        --*first;
    *earlier = NULL;
    if (*first == 0)
        return 0;
    *earlier = weir__via_go_through(list, *first, dialling);
    return *earlier == NULL ? -1 : 0;
}

static int open_path(weir_forward *forward, struct weir__via_list *list, const struct weir__dialling *dialling)
{
    size_t first;
    weir_conn *earlier;
    if (check_last(list, dialling->endpoint) < 0 || weir__folder_make(forward->folder) < 0)
        return -1;
    snprintf(forward->socket, sizeof forward->socket, "%s/0", forward->folder);
    snprintf(forward->endpoint, sizeof forward->endpoint, "unix:%s", forward->socket);
    if (go_before(list, dialling, &first, &earlier) < 0)
        return -1;
    struct weir__ssh_job job = {.hops = &list->hops[first],
                                .count = list->count - first,
                                .to = &forward->remote,
                                .listen = forward->socket,
                                .options = dialling->options,
                                .deadline = dialling->deadline};
    forward->ssh = weir__ssh_start(earlier, &job, &forward->input);
    return forward->ssh == NULL ? -1 : 0;
}

static weir_forward *new_forward(void)
{
    weir_forward *forward = calloc(1, sizeof *forward);
    if (forward == NULL)
        weir__fail_memory("forward");
    else
        forward->input = -1;
    return forward;
}

weir_forward *weir_forward_open(const char *const *via, const char *remote, int64_t timeout)
{
    weir_connect_options options = {.size = sizeof options, .via = via};
    weir_forward *forward = new_forward();
    if (forward == NULL)
        return NULL;
    struct weir__dialling dialling = {.endpoint = &forward->remote, .options = &options};
    dialling.deadline = weir_deadline(timeout != 0 ? timeout : DEFAULT_TIMEOUT);
    struct weir__via_list *list = parse_remote(remote, &forward->remote) < 0 ? NULL : weir__via_parse(via);
    int result = list == NULL ? -1 : open_path(forward, list, &dialling);
    int number = errno;
    weir__via_free(list);
    if (result < 0)
        weir_forward_close(forward);
    errno = number;
    return result < 0 ? NULL : forward;
}

const char *weir_forward_endpoint(const weir_forward *forward)
{
    return forward->endpoint;
}

/* --- its end --- */

/* What it says meanwhile, of connections whose target refused them, is read; ssh_words.c passes it over. */
int weir_forward_wait(weir_forward *forward, int64_t deadline)
{
    if (weir__ssh_await_end(forward->ssh, forward->input, deadline) == 0)
        return weir__ssh_fail(forward->ssh, "forward", forward->remote.text);
    if (errno == ETIMEDOUT)
        return weir__fail_deadline("forward", forward->remote.text);
    if (errno == ECANCELED)
        return weir__fail_cancelled("forward", forward->remote.text);
    return weir__fail_system(errno, "forward", forward->remote.text);
}

void weir_forward_close(weir_forward *forward)
{
    if (forward == NULL)
        return;
    int number = errno;
    weir__ssh_free(forward->ssh);
    if (forward->input >= 0)
        weir__system()->close(forward->input);
    weir__folder_remove(forward->folder);
    free(forward);
    errno = number;
}
