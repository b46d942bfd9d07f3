/* SOCKS 5 (RFC 1928), with a user and a password where there are some (RFC 1929). Names are resolved by the proxy. */
#include <errno.h>
#include <string.h>
#include <weir/time.h>

#include "base/error.h"
#include "net/address.h"
#include "net/via_proxy.h"

enum { VERSION = 5, CONNECT = 1, LOGIN_VERSION = 1 };
enum { METHOD_NONE = 0, METHOD_PASSWORD = 2, METHOD_REFUSED = 0xff };
enum { ADDRESS_IPV4 = 1, ADDRESS_NAME = 3, ADDRESS_IPV6 = 4 };
enum { LONGEST = 255 }; /* of a name, a user and a password: their lengths are one byte */

_Static_assert(sizeof((struct weir__via *)0)->user <= LONGEST + 1, "a user has room");
_Static_assert(sizeof((struct weir__via *)0)->password <= LONGEST + 1, "and a password");

/* Whom we talk with, and about what. */
struct talk {
    weir_conn *conn;
    const struct weir__via *proxy;
    const weir_endpoint *to;
};

static int ask(const struct talk *talk, const void *data, size_t size)
{
    return weir__proxy_send(talk->conn, talk->proxy, talk->to, data, size);
}

static int hear(const struct talk *talk, void *data, size_t size)
{
    return weir__proxy_receive(talk->conn, talk->proxy, talk->to, data, size);
}

/* --- who we are --- */

/* Each answer begins with a version: whoever speaks another protocol is told apart here. */
static int check_version(const struct talk *talk, uint8_t is, uint8_t expected)
{
    if (is == expected)
        return 0;
    if (is == 'H')
        return weir__proxy_fail(talk->proxy, talk->to, EPROTO, "does not speak SOCKS 5: it may be an http:// proxy");
    return weir__proxy_fail(talk->proxy, talk->to, EPROTO, "does not speak SOCKS 5: it answers with version %u", is);
}

static uint8_t *put(uint8_t *at, const char *text, size_t length)
{
    *at++ = (uint8_t)length;
    memcpy(at, text, length);
    return at + length;
}

/* RFC 1929. The copy of the password does not outlive the call. */
static int log_in(const struct talk *talk)
{
    uint8_t question[3 + 2 * LONGEST] = {LOGIN_VERSION}, answer[2];
    const char *user = talk->proxy->user, *password = talk->proxy->password;
    uint8_t *end = put(put(question + 1, user, strlen(user)), password, strlen(password));
    int result = ask(talk, question, (size_t)(end - question));
    explicit_bzero(question, sizeof question);
    if (result < 0 || hear(talk, answer, sizeof answer) < 0 || check_version(talk, answer[0], LOGIN_VERSION) < 0)
        return -1;
    if (answer[1] != 0)
        return weir__proxy_fail(talk->proxy, talk->to, EACCES, "does not take this user and password");
    return 0;
}

static int refuse_methods(const struct talk *talk)
{
    return weir__proxy_fail(talk->proxy, talk->to, EACCES, "%s",
                            talk->proxy->has_user ? "takes neither this user and password nor nobody's"
                                                  : "wants a user and a password, or another proof of who we are");
}

/* Offers what we can do; the proxy chooses one of it. */
static int introduce(const struct talk *talk)
{
    const uint8_t methods = talk->proxy->has_user ? 2 : 1;
    const uint8_t question[] = {VERSION, methods, METHOD_NONE, METHOD_PASSWORD};
    uint8_t answer[2];
    if (ask(talk, question, 2U + methods) < 0 || hear(talk, answer, sizeof answer) < 0 ||
        check_version(talk, answer[0], VERSION) < 0)
        return -1;
    switch (answer[1]) {
    case METHOD_NONE:
        return 0;
    case METHOD_PASSWORD:
        if (talk->proxy->has_user)
            return log_in(talk);
        break;
    case METHOD_REFUSED:
        return refuse_methods(talk);
    default:
        break;
    }
    return weir__proxy_fail(talk->proxy, talk->to, EPROTO, "chooses a way to log in that was not offered, %u",
                            answer[1]);
}

/* --- where to --- */

/* An address in digits goes as such, everything else as a name for the proxy to resolve. Returns what follows it. */
static uint8_t *put_host(uint8_t *at, const weir_endpoint *to)
{
    const char *host = weir__proxy_host(to);
    weir_address address;
    if (weir__numeric_address(host, strlen(host), 0, &address) < 0) {
        *at++ = ADDRESS_NAME;
        return put(at, host, strlen(host));
    }
    bool ipv6 = address.any.sa_family == AF_INET6;
    size_t length = ipv6 ? sizeof address.ipv6.sin6_addr : sizeof address.ipv4.sin_addr;
    const void *bytes = ipv6 ? (const void *)&address.ipv6.sin6_addr : (const void *)&address.ipv4.sin_addr;
    *at++ = ipv6 ? ADDRESS_IPV6 : ADDRESS_IPV4;
    memcpy(at, bytes, length);
    return at + length;
}

static int ask_for(const struct talk *talk)
{
    uint8_t question[7 + LONGEST] = {VERSION, CONNECT, 0};
    uint8_t *end = put_host(question + 3, talk->to);
    *end++ = (uint8_t)(talk->to->port >> 8);
    *end++ = (uint8_t)talk->to->port;
    return ask(talk, question, (size_t)(end - question));
}

/* RFC 1928, section 6, in words and as errno has it. */
static const struct {
    int number;
    const char *words;
} replies[] = {
    [1] = {EIO, "says: general failure"},
    [2] = {EACCES, "says: its rules do not allow this connection"},
    [3] = {ENETUNREACH, "says: network unreachable"},
    [4] = {EHOSTUNREACH, "says: host unreachable"},
    [5] = {ECONNREFUSED, "says: connection refused"},
    [6] = {EHOSTUNREACH, "says: the way there is too long (TTL expired)"},
    [7] = {EOPNOTSUPP, "says: it makes no connections (command not supported)"},
    [8] = {EAFNOSUPPORT, "says: it does not know this kind of address"},
};

static int check_reply(const struct talk *talk, uint8_t reply)
{
    if (reply == 0)
        return 0;
    if (reply >= sizeof replies / sizeof *replies)
        return weir__proxy_fail(talk->proxy, talk->to, EPROTO, "refuses with %u, which SOCKS does not know", reply);
    return weir__proxy_fail(talk->proxy, talk->to, replies[reply].number, "%s", replies[reply].words);
}

/* How long the address in a reply is, which is the proxy's own; of a name the first byte is its length. */
static size_t address_length(const struct talk *talk, uint8_t kind, uint8_t name_length)
{
    switch (kind) {
    case ADDRESS_IPV4:
        return 4;
    case ADDRESS_IPV6:
        return 16;
    case ADDRESS_NAME:
        return 1U + name_length;
    default:
        weir__proxy_fail(talk->proxy, talk->to, EPROTO, "answers with an address of an unknown kind, %u", kind);
        return 0;
    }
}

/* Of a refusal nothing but the code is read: a proxy may leave out the rest. */
static int hear_reply(const struct talk *talk)
{
    uint8_t answer[5], rest[LONGEST + 2];
    if (hear(talk, answer, 2) < 0 || check_version(talk, answer[0], VERSION) < 0 || check_reply(talk, answer[1]) < 0 ||
        hear(talk, answer + 2, 3) < 0)
        return -1;
    size_t length = address_length(talk, answer[3], answer[4]);
    return length == 0 ? -1 : hear(talk, rest, length - 1 + 2);
}

int weir__via_socks5(weir_conn *conn, const struct weir__via *proxy, const weir_endpoint *to, int64_t deadline)
{
    const struct talk talk = {conn, proxy, to};
    if (weir__proxy_check(proxy, to) < 0)
        return -1;
    weir__proxy_begin(conn, deadline);
    int result = introduce(&talk) < 0 || ask_for(&talk) < 0 ? -1 : hear_reply(&talk);
    if (result == 0)
        weir__proxy_end(conn);
    return result;
}
