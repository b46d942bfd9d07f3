/* From an endpoint's host to addresses: names by getaddrinfo on the pool, digits and localhost here. */
#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/conn.h>
#include <weir/fiber.h>

#include "base/error.h"
#include "base/system.h"
#include "base/text.h"
#include "net/address.h"

/* What a thread of the pool works on. It is the pool's to free if nobody waits for it any more. */
struct query {
    char host[sizeof((weir_endpoint *)0)->host];
    int family, socket_type;
    uint16_t port;
    struct weir__resolved *resolved;
};

static void free_query(void *arg)
{
    struct query *query = arg;
    free(query->resolved);
    free(query);
}

static void add(struct weir__resolved *resolved, const weir_address *address)
{
    for (size_t i = 0; i < resolved->count; i++)
        if (weir_address_equal(&resolved->list[i], address))
            return;
    if (resolved->count < WEIR__RESOLVED_MOST)
        resolved->list[resolved->count++] = *address;
}

static void add_all(struct query *query, const struct addrinfo *results)
{
    for (const struct addrinfo *one = results; one != NULL; one = one->ai_next) {
        weir_address address = {.length = one->ai_addrlen};
        if ((one->ai_family != AF_INET && one->ai_family != AF_INET6) || one->ai_addrlen > sizeof address.local)
            continue;
        memcpy(&address.any, one->ai_addr, one->ai_addrlen);
        weir__set_port(&address, query->port);
        add(query->resolved, &address);
    }
}

/* Returns getaddrinfo's result, which is 0 or its own kind of error. */
static int run_query(void *arg)
{
    struct query *query = arg;
    struct addrinfo hints = {.ai_family = query->family, .ai_socktype = query->socket_type}, *results;
    int result = weir__system()->resolve(query->host, NULL, &hints, &results);
    if (result != 0)
        return result;
    add_all(query, results);
    weir__system()->resolve_free(results);
    return query->resolved->count > 0 ? 0 : EAI_NODATA;
}

static struct query *new_query(const weir_endpoint *endpoint, int family)
{
    struct query *query = calloc(1, sizeof *query);
    if (query == NULL)
        return NULL;
    query->resolved = calloc(1, sizeof *query->resolved);
    if (query->resolved == NULL) {
        free(query);
        return NULL;
    }
    memcpy(query->host, endpoint->host, sizeof query->host);
    query->family = family;
    query->socket_type = endpoint->datagram ? SOCK_DGRAM : SOCK_STREAM;
    query->port = endpoint->port;
    return query;
}

/* The resolver's words, as they stand in the middle of a sentence: "name or service not known". */
static void fail_resolve(int result, int number, const weir_endpoint *endpoint)
{
    char reason[80];
    if (result == EAI_MEMORY) {
        weir__fail_memory("resolve");
    } else if (result == EAI_SYSTEM && number != 0) {
        weir_fail(WEIR_ERROR_RESOLVE, number, "resolve", endpoint->text, NULL);
    } else {
        weir__copy_text(reason, gai_strerror(result), sizeof reason);
        if (reason[0] >= 'A' && reason[0] <= 'Z' && reason[1] >= 'a')
            reason[0] = (char)(reason[0] | 0x20);
        weir_fail(WEIR_ERROR_RESOLVE, ENOENT, "resolve", endpoint->text, "%s", reason);
    }
}

/* What weir_offload says, said of the endpoint. */
static void fail_offload(int number, const weir_endpoint *endpoint)
{
    if (number == ETIMEDOUT)
        weir__fail_deadline("resolve", endpoint->text);
    else if (number == ECANCELED)
        weir__fail_cancelled("resolve", endpoint->text);
    else
        weir__fail_system(number, "resolve", endpoint->text);
}

static struct weir__resolved *resolve_name(const weir_endpoint *endpoint, int family, int64_t deadline)
{
    int result;
    struct query *query = new_query(endpoint, family);
    if (query == NULL) {
        weir__fail_memory("resolve");
        return NULL;
    }
    if (weir_offload(run_query, query, free_query, &result, deadline) < 0) {
        int number = errno;
        if (number != ETIMEDOUT && number != ECANCELED)
            free_query(query); /* the pool never had it */
        fail_offload(number, endpoint);
        return NULL;
    }
    struct weir__resolved *resolved = query->resolved;
    int number = errno;
    free(query);
    if (result == 0)
        return resolved;
    free(resolved);
    fail_resolve(result, number, endpoint);
    return NULL;
}

/* --- without a resolver --- */

/* RFC 6761: localhost and all below it are this machine. */
static bool is_localhost(const weir_endpoint *endpoint)
{
    static const char name[] = "localhost";
    if (endpoint->host_kind == WEIR_HOST_DEFAULT)
        return true;
    size_t length = strlen(endpoint->host), needed = sizeof name - 1;
    if (length > 0 && endpoint->host[length - 1] == '.')
        length--;
    if (length < needed || strncasecmp(endpoint->host + length - needed, name, needed) != 0)
        return false;
    return length == needed || endpoint->host[length - needed - 1] == '.';
}

static bool is_numeric(const weir_endpoint *endpoint, weir_address *address)
{
    return endpoint->host_kind == WEIR_HOST_ADDRESS &&
           weir__numeric_address(endpoint->host, strlen(endpoint->host), endpoint->port, address) == 0;
}

static void add_if(struct weir__resolved *resolved, const weir_address *address, int family)
{
    if (family == 0 || family == address->any.sa_family)
        add(resolved, address);
}

/* IPv4 first: what serves one loopback address alone, serves that. */
static void add_loopback(struct weir__resolved *resolved, uint16_t port, int family)
{
    weir_address address;
    weir__numeric_address("127.0.0.1", 9, port, &address);
    add_if(resolved, &address, family);
    weir__numeric_address("::1", 3, port, &address);
    add_if(resolved, &address, family);
}

int weir_resolve(const char *text, int family, weir_address *addresses, size_t most, int64_t deadline)
{
    weir_endpoint endpoint;
    if (weir_parse_endpoint(text, NULL, &endpoint) < 0)
        return -1;
    if (endpoint.scheme == WEIR_SCHEME_UNIX) {
        if (most > 0)
            weir__local_address(endpoint.abstract, endpoint.path, strlen(endpoint.path), addresses);
        return 1;
    }
    struct weir__resolved *resolved = weir__resolve(&endpoint, family, deadline);
    if (!resolved)
        return -1;
    size_t count = resolved->count;
    memcpy(addresses, resolved->list, (count < most ? count : most) * sizeof *addresses);
    free(resolved);
    return (int)count;
}

struct weir__resolved *weir__resolve(const weir_endpoint *endpoint, int family, int64_t deadline)
{
    weir_address address;
    bool numeric = is_numeric(endpoint, &address);
    if (endpoint->host_kind == WEIR_HOST_ANY) {
        weir_fail(WEIR_ERROR_USAGE, EINVAL, "resolve", endpoint->text, "* is no host");
        return NULL;
    }
    if (!numeric && !is_localhost(endpoint))
        return resolve_name(endpoint, family, deadline);
    struct weir__resolved *resolved = calloc(1, sizeof *resolved);
    if (resolved == NULL) {
        weir__fail_memory("resolve");
        return NULL;
    }
    if (numeric)
        add_if(resolved, &address, family);
    else
        add_loopback(resolved, endpoint->port, family);
    if (resolved->count > 0)
        return resolved;
    free(resolved);
    weir_fail(WEIR_ERROR_RESOLVE, ENOENT, "resolve", endpoint->text, "it has no address of the family asked for");
    return NULL;
}
