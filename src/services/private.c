/* Whether an endpoint can be reached from this machine alone; see private.h. */
#include "private.h"

#include <netdb.h>
#include <string.h>

static bool is_this_machine(const char *host)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    bool all = true;
    int result = getaddrinfo(host, NULL, &hints, &found);
    if (result != 0) /* what could not be looked up just now may well have an address a moment later */
        return result == EAI_NONAME || result == EAI_NODATA;
    for (const struct addrinfo *one = found; one; one = one->ai_next) {
        weir_address address = {.length = one->ai_addrlen};
        memcpy(&address.any, one->ai_addr, one->ai_addrlen);
        all = all && weir_address_is_loopback(&address);
    }
    freeaddrinfo(found);
    return all;
}

bool endpoint_is_private(const weir_endpoint *endpoint)
{
    if (endpoint->scheme == WEIR_SCHEME_UNIX || endpoint->host_kind == WEIR_HOST_DEFAULT)
        return true;
    return endpoint->host_kind != WEIR_HOST_ANY && is_this_machine(endpoint->host);
}
