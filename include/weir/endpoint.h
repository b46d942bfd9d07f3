/* Endpoints: the one notation for where to connect and where to listen; and addresses, which are what sockets have. */
#ifndef WEIR_ENDPOINT_H
#define WEIR_ENDPOINT_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <weir/api.h>

WEIR_BEGIN

/* A socket's address: one of IPv4, IPv6 or Unix. A plain value, to be copied. */
typedef struct weir_address {
    socklen_t length; /* of what is used of the union; 0 is no address */
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
        struct sockaddr_un local;
    };
} weir_address;

/* Room for any address as text, its terminator included. */
#define WEIR_ADDRESS_TEXT 128

/*
 * An address as text: "127.0.0.1:80", "[::1]:80", "/run/socket", "@abstract", "unnamed" for a Unix socket without
 * a name. Bytes that are not printable ASCII are escaped as \xHH. Returns `text`. Never fails: what does not fit is cut.
 */
WEIR_API char *weir_address_text(const weir_address *address, char *text, size_t size);

/* Reads an address as weir_address_text writes it; no names are resolved. Returns 0, or -1 with EINVAL. */
WEIR_API int weir_parse_address(const char *text, weir_address *address);

/* Whether two addresses are the same. */
WEIR_API bool weir_address_equal(const weir_address *a, const weir_address *b);

/* Whether an address is this machine's alone: 127.0.0.0/8, ::1, the same mapped into IPv6, and every Unix socket. */
WEIR_API bool weir_address_is_loopback(const weir_address *address);

/* The port of an IPv4 or IPv6 address, 0 for others. */
WEIR_API unsigned weir_address_port(const weir_address *address);

typedef enum weir_scheme {
    WEIR_SCHEME_TCP,
    WEIR_SCHEME_UDP,
    WEIR_SCHEME_UNIX, /* stream, or datagram with ?type=datagram */
    WEIR_SCHEME_TLS,
    WEIR_SCHEME_HTTP,  /* to the library a stream as tcp is, on port 80 unless told otherwise */
    WEIR_SCHEME_HTTPS, /* as tls, on port 443 unless told otherwise */
} weir_scheme;

/* How an endpoint's host is to be understood by a server. */
typedef enum weir_host_kind {
    WEIR_HOST_DEFAULT, /* none was given: loopback, 127.0.0.1 and ::1 */
    WEIR_HOST_ANY,     /* "*": every address of the machine */
    WEIR_HOST_NAME,    /* a name, to be resolved */
    WEIR_HOST_ADDRESS, /* an IPv4 or IPv6 address in digits */
} weir_host_kind;

/* An endpoint, taken apart. A plain value. */
typedef struct weir_endpoint {
    weir_scheme scheme;
    bool datagram; /* the socket's type: udp, and unix with ?type=datagram */
    weir_host_kind host_kind;
    char host[256]; /* without brackets; "" for DEFAULT */
    uint16_t port;
    char path[108]; /* Unix: the path, or the abstract name without its @ */
    bool abstract;
    char text[400]; /* the endpoint in full notation, as weir_endpoint_text writes it */
} weir_endpoint;

/*
 * Takes an endpoint apart: "SCHEME://HOST:PORT?key=value", or in short HOST:PORT, :PORT, PORT, whose scheme is
 * `default_scheme` (NULL: "tcp"); "unix:/path", "unix:@abstract", "unix:/path?type=datagram"; IPv6 in brackets;
 * "http://HOST" and "https://HOST", whose port may be left out, and a slash may follow, but no path.
 * Does not resolve. Returns 0; -1 with EINVAL of kind USAGE, whose sentence says which part is wrong
 * ("tcp://127.0.0.1:99999: port 99999 is above 65535").
 */
WEIR_API int weir_parse_endpoint(const char *text, const char *default_scheme, weir_endpoint *endpoint);

/* The full notation of an address that a socket of this scheme has: "tcp://127.0.0.1:8000". Returns `text`. */
WEIR_API char *weir_endpoint_text(weir_scheme scheme, bool datagram, const weir_address *address, char *text,
                                  size_t size);

/* A scheme's name: "tcp". */
WEIR_API const char *weir_scheme_name(weir_scheme scheme);

/* Whether it is spoken through TLS: tls and https. */
WEIR_API bool weir_scheme_is_secure(weir_scheme scheme);

WEIR_END

#endif
