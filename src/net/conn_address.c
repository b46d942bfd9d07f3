/* Who is at the ends of a connection, its options, its counts, and the names that errors give it. */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "net/address.h"
#include "net/tls.h"

typedef int address_call(int fd, struct sockaddr *address, socklen_t *length);

static int read_address(const weir_conn *conn, address_call *call, weir_address *address)
{
    address->length = sizeof(struct sockaddr_un);
    int result = call(conn->watch.fd, &address->any, &address->length);
    address->length = result < 0 ? 0 : weir__told_length(address->length);
    return result;
}

int weir_local_address(const weir_conn *conn, weir_address *address)
{
    if (read_address(conn, weir__system()->getsockname, address) < 0)
        return weir__fail_system(errno, "address", "");
    return 0;
}

int weir_peer_address(const weir_conn *conn, weir_address *address)
{
    if (read_address(conn, weir__system()->getpeername, address) < 0)
        return weir__fail_system(errno, "address", "");
    return 0;
}

static char *endpoint(const weir_conn *conn, address_call *call, char *text, size_t size)
{
    weir_address address;
    if (read_address(conn, call, &address) == 0)
        return weir_endpoint_text((weir_scheme)conn->scheme, conn->datagram, &address, text, size);
    weir__copy_text(text, "unconnected", size);
    return text;
}

char *weir_local_endpoint(const weir_conn *conn, char *text, size_t size)
{
    return endpoint(conn, weir__system()->getsockname, text, size);
}

/* Of one through others only the name is known of who is at its end. */
char *weir_peer_endpoint(const weir_conn *conn, char *text, size_t size)
{
    if (conn->rare && conn->rare->through) {
        weir__copy_text(text, conn->rare->name, size);
        return text;
    }
    return endpoint(conn, weir__system()->getpeername, text, size);
}

const char *weir__conn_name(weir_conn *conn, char *text, size_t size)
{
    weir_address address;
    if (conn->rare && conn->rare->name)
        return conn->rare->name;
    if (read_address(conn, weir__system()->getpeername, &address) < 0)
        return "";
    return weir_endpoint_text((weir_scheme)conn->scheme, conn->datagram, &address, text, size);
}

/* Whether an error is the end of a connection whose bytes may not all have come, and not of one call. */
static bool breaks(int number)
{
    return number == ECONNRESET || number == ETIMEDOUT || number == ECONNABORTED || number == EHOSTUNREACH ||
           number == ENETUNREACH || number == ENETDOWN;
}

int weir__conn_fail(weir_conn *conn, int number, const char *step)
{
    char name[WEIR_ADDRESS_TEXT];
    if (conn->aborted)
        return weir__conn_fail_aborted(conn, step);
    if (breaks(number))
        atomic_store_explicit(&conn->broken, (uint8_t)number, memory_order_relaxed);
    conn->failure = number == ECONNRESET || number == EPIPE ? WEIR__FAILURE_RESET : WEIR__FAILURE_OTHER;
    if ((weir__conn_by_ssh(conn) && weir__ssh_broke(conn, number, step)) || weir__tls_fail(conn, number, step))
        return -1;
    return weir__fail_system(number, step, weir__conn_name(conn, name, sizeof name));
}

int weir__conn_refuse_urgent(weir_conn *conn, const char *step)
{
    char name[WEIR_ADDRESS_TEXT];
    return weir_fail(WEIR_ERROR_USAGE, EOPNOTSUPP, step, weir__conn_name(conn, name, sizeof name),
                     "TLS has no urgent data (MSG_OOB)");
}

weir_scheme weir_conn_scheme(const weir_conn *conn)
{
    return conn->scheme;
}

void weir_conn_bytes(const weir_conn *conn, uint64_t *received, uint64_t *sent)
{
    *received = conn->side[0].bytes;
    *sent = conn->side[1].bytes;
}

/* --- options --- */

static int set_option(int fd, int level, int name, int value)
{
    return weir__system()->setsockopt(fd, level, name, &value, sizeof value);
}

/* To ssh nothing is ever delayed, and what it does it decides itself. */
int weir_set_nodelay(weir_conn *conn, bool on)
{
    if (weir__conn_by_ssh(conn))
        return 0;
    if (set_option(conn->watch.fd, IPPROTO_TCP, TCP_NODELAY, on) < 0)
        return weir__conn_fail(conn, errno, "nodelay");
    return 0;
}

int weir_set_keepalive(weir_conn *conn, bool on)
{
    if (set_option(conn->watch.fd, SOL_SOCKET, SO_KEEPALIVE, on) < 0)
        return weir__conn_fail(conn, errno, "keepalive");
    return 0;
}

int weir_set_buffers(weir_conn *conn, int receive, int send)
{
    int fd = conn->watch.fd;
    if ((receive && set_option(fd, SOL_SOCKET, SO_RCVBUF, receive) < 0) ||
        (send && set_option(fd, SOL_SOCKET, SO_SNDBUF, send) < 0))
        return weir__conn_fail(conn, errno, "buffers");
    return 0;
}

static int get_option(int fd, int level, int name)
{
    int value = 0;
    socklen_t length = sizeof value;
    return weir__system()->getsockopt(fd, level, name, &value, &length) < 0 ? -1 : value;
}

/* The system cuts what is asked for at its own bound (net.core.rmem_max), unless it is asked by who may administer networks. */
static void set_receive_buffer(int fd, int size)
{
    set_option(fd, SOL_SOCKET, SO_RCVBUF, size);
    if (get_option(fd, SOL_SOCKET, SO_RCVBUF) < size)
        set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, size);
}

/* None of these decides whether the connection works: where the system refuses one, it goes on without. */
void weir__socket_setup(int fd, bool tcp, const weir_socket_options *options)
{
    static const weir_socket_options none;
    const weir_socket_options *wish = options ? options : &none;
    if (tcp && !wish->delay)
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (wish->keepalive)
        set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (wish->receive_buffer)
        set_receive_buffer(fd, wish->receive_buffer);
    if (wish->send_buffer)
        set_option(fd, SOL_SOCKET, SO_SNDBUF, wish->send_buffer);
}
