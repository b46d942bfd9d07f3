/* Connecting: what weir_connect does with an endpoint and its options. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/fiber.h>
#include <weir/time.h>

#include "base/error.h"
#include "base/system.h"
#include "base/text.h"
#include "net/address.h"
#include "net/happy_eyeballs.h"
#include "net/options.h"
#include "net/tls.h"
#include "net/via.h"

#define DEFAULT_TIMEOUT WEIR_S(30)

enum { LOCAL_MODE = 0600 };

/* --- from which address --- */

/* HOST alone becomes HOST:0, an IPv6 address without brackets gets them. */
static int parse_from(const weir_endpoint *to, const char *from, weir_endpoint *local)
{
    char full[sizeof local->text];
    struct weir__text text = weir__text(full, sizeof full);
    const char *colon = strchr(from, ':');
    bool bare = *from != '[' && colon != NULL && strchr(colon + 1, ':') != NULL;
    bool has_port = *from == '[' ? from[strlen(from) - 1] != ']' : colon != NULL && !bare;
    weir__text_put(&text, weir_scheme_name(to->scheme));
    weir__text_put(&text, bare ? "://[" : "://");
    weir__text_put(&text, from);
    weir__text_put(&text, bare ? "]" : "");
    weir__text_put(&text, has_port ? "" : ":0");
    if (*from == '\0' || text.length >= sizeof full - 1)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "bind", "", "the address to connect from is %s",
                         *from ? "too long" : "missing");
    return weir_parse_endpoint(full, NULL, local);
}

/* ":PORT": from that port of whichever address the system chooses. */
static void every_address(struct weir__resolved *resolved, uint16_t port)
{
    resolved->count = 2;
    weir__numeric_address("0.0.0.0", 7, port, &resolved->list[0]);
    weir__numeric_address("::", 2, port, &resolved->list[1]);
}

static struct weir__resolved *resolve_from(const struct weir__dialling *dialling)
{
    weir_endpoint local;
    if (parse_from(dialling->endpoint, dialling->options->bind, &local) < 0)
        return NULL;
    if (local.host_kind != WEIR_HOST_DEFAULT && local.host_kind != WEIR_HOST_ANY)
        return weir__resolve(&local, dialling->options->family, dialling->deadline);
    struct weir__resolved *resolved = calloc(1, sizeof *resolved);
    if (resolved == NULL)
        weir__fail_memory("bind");
    else
        every_address(resolved, local.port);
    return resolved;
}

/* --- IPv4 and IPv6 --- */

static int connect_resolved(struct weir__dialling *dialling)
{
    struct weir__resolved *resolved = weir__resolve(dialling->endpoint, dialling->options->family, dialling->deadline);
    if (resolved == NULL)
        return -1;
    int fd = weir__connect_first(dialling, resolved);
    free(resolved);
    return fd;
}

static int dial_internet(struct weir__dialling *dialling)
{
    const weir_endpoint *endpoint = dialling->endpoint;
    if (endpoint->host_kind == WEIR_HOST_ANY)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "connect", endpoint->text, "* is nobody to connect to");
    if (endpoint->port == 0)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "connect", endpoint->text, "nobody has port 0");
    struct weir__resolved *from = NULL;
    if (dialling->options->bind != NULL && (from = resolve_from(dialling)) == NULL)
        return -1;
    dialling->from = from;
    int fd = connect_resolved(dialling);
    free(from);
    return fd;
}

/* --- Unix --- */

/* A datagram socket without a name could not be answered: the system gives it an abstract one. */
static int bind_local(int fd, const struct weir__dialling *dialling, weir_address *address,
                      struct weir__unix_file *file)
{
    weir_endpoint local;
    if (dialling->options->bind != NULL) {
        if (weir_parse_endpoint(dialling->options->bind, "unix", &local) < 0)
            return -1;
        if (local.scheme != WEIR_SCHEME_UNIX)
            return weir_fail(WEIR_ERROR_USAGE, EINVAL, "bind", local.text, "it is no Unix socket");
        weir__local_address(local.abstract, local.path, strlen(local.path), address);
        if (weir__unix_bind(fd, address, LOCAL_MODE, file) == 0)
            return 0;
        return weir_fail(WEIR_ERROR_CONNECT, errno, "bind", local.text, NULL);
    }
    *address = (weir_address){.length = sizeof(sa_family_t), .local.sun_family = AF_UNIX};
    if (!dialling->endpoint->datagram || weir__system()->bind(fd, &address->any, address->length) == 0)
        return 0;
    return weir__fail_system(errno, "connect", dialling->endpoint->text);
}

/* A listener whose queue is full says EAGAIN, and nothing tells when there is room: look, rarer and rarer. */
static int connect_local(int fd, const struct weir__dialling *dialling)
{
    const weir_endpoint *endpoint = dialling->endpoint;
    weir_address address;
    weir__local_address(endpoint->abstract, endpoint->path, strlen(endpoint->path), &address);
    for (int64_t pause = WEIR_MS(1);; pause = pause < WEIR_MS(50) ? pause * 2 : pause) {
        if (weir__system()->connect(fd, &address.any, address.length) == 0)
            return 0;
        if (errno != EAGAIN && errno != EINTR)
            return weir__fail_system(errno, "connect", endpoint->text);
        int64_t now = weir_now();
        if (now >= dialling->deadline)
            return weir__fail_deadline("connect", endpoint->text);
        if (weir_sleep_until(dialling->deadline - pause < now ? dialling->deadline : now + pause) < 0)
            return weir__fail_cancelled("connect", endpoint->text);
    }
}

static int dial_local(const struct weir__dialling *dialling, weir_address *bound, struct weir__unix_file *file)
{
    const weir_endpoint *endpoint = dialling->endpoint;
    if (dialling->options->family != 0)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "connect", endpoint->text, "a Unix socket has no other family");
    int type = endpoint->datagram ? SOCK_DGRAM : SOCK_STREAM;
    int fd = weir__system()->socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return weir__fail_system(errno, "connect", endpoint->text);
    weir__socket_setup(fd, false, &dialling->options->socket);
    if (bind_local(fd, dialling, bound, file) == 0 && connect_local(fd, dialling) == 0)
        return fd;
    int number = errno;
    weir__unix_unlink(bound, file);
    weir__system()->close(fd);
    errno = number;
    return -1;
}

/* --- both --- */

/* Takes the descriptor, and closes it if there is no memory for the connection or its name. */
static weir_conn *make_conn(int fd, const weir_endpoint *endpoint, const weir_address *bound,
                            const struct weir__unix_file *file)
{
    weir_conn *conn = weir__conn_new(fd, endpoint->scheme, endpoint->datagram);
    struct weir__conn_rare *rare = conn == NULL ? NULL : weir__conn_rare(conn);
    if (rare != NULL) {
        rare->bound = *bound;
        rare->file = *file;
        rare->name = strdup(endpoint->text);
        if (rare->name != NULL)
            return conn;
        weir__fail_memory("connect");
    }
    if (rare == NULL)
        weir__unix_unlink(bound, file);
    if (conn == NULL)
        weir__system()->close(fd);
    weir_close(conn);
    return NULL;
}

weir_conn *weir__dial_directly(struct weir__dialling *dialling)
{
    const weir_endpoint *endpoint = dialling->endpoint;
    weir_address bound = {0};
    struct weir__unix_file file = {0};
    int fd = endpoint->scheme == WEIR_SCHEME_UNIX ? dial_local(dialling, &bound, &file) : dial_internet(dialling);
    return fd < 0 ? NULL : make_conn(fd, endpoint, &bound, &file);
}

static weir_conn *dial(struct weir__dialling *dialling)
{
    const char *const *via = dialling->options->via;
    return via != NULL && *via != NULL ? weir__via_dial(dialling) : weir__dial_directly(dialling);
}

/* What is to be read of files is read before anybody is bothered. */
static weir_conn *dial_secure(struct weir__dialling *dialling)
{
    const weir_tls_options *options = &dialling->options->tls;
    struct weir__tls_context *context = weir__tls_client(options, dialling->endpoint->text, dialling->deadline);
    weir_conn *conn = context == NULL ? NULL : dial(dialling);
    bool done = conn != NULL && weir__tls_attach(conn, context, false) == 0 &&
                weir__tls_expect(conn, options, dialling->endpoint) == 0 &&
                weir__tls_handshake(conn, dialling->deadline) == 0;
    weir__tls_drop(context);
    if (done)
        return conn;
    int number = errno;
    weir_close(conn);
    errno = number;
    return NULL;
}

weir_conn *weir_connect(const char *text, const weir_connect_options *options)
{
    weir_connect_options known;
    weir_endpoint endpoint;
    if (weir__known_options(&known, sizeof known, options, "connect") < 0 ||
        weir_parse_endpoint(text, known.scheme, &endpoint) < 0)
        return NULL;
    if (known.family != 0 && known.family != AF_INET && known.family != AF_INET6) {
        weir_fail(WEIR_ERROR_USAGE, EINVAL, "connect", endpoint.text, "family %d is neither IPv4 nor IPv6",
                  known.family);
        return NULL;
    }
    struct weir__dialling dialling = {.endpoint = &endpoint, .options = &known};
    dialling.deadline = weir_deadline(known.timeout != 0 ? known.timeout : DEFAULT_TIMEOUT);
    return weir_scheme_is_secure(endpoint.scheme) ? dial_secure(&dialling) : dial(&dialling);
}
