/* Services: the list of those that are known, and serving one on an endpoint. */
#include <weir/service.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "server/server.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const weir_service **services;
static size_t service_count;

/* --- the list --- */

static const weir_service *find(const char *name)
{
    for (size_t i = 0; i < service_count; i++)
        if (strcmp(services[i]->name, name) == 0)
            return services[i];
    return NULL;
}

/* 0 or an errno. */
static int append(const weir_service *service)
{
    if (find(service->name))
        return EEXIST;
    const weir_service **larger = realloc(services, (service_count + 1) * sizeof *services);
    if (!larger)
        return ENOMEM;
    services = larger;
    services[service_count++] = service;
    return 0;
}

int weir_service_register(const weir_service *service)
{
    if (!service || service->size != sizeof *service || !service->name || !service->transports ||
        !service->transports[0] || (!service->stream && !service->datagram))
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "register", service && service->name ? service->name : "",
                         "a service has a size, a name, transports and a handler");
    pthread_mutex_lock(&lock);
    int error = append(service);
    pthread_mutex_unlock(&lock);
    if (error == EEXIST)
        return weir_fail(WEIR_ERROR_USAGE, EEXIST, "register", service->name, "there is a service of that name");
    return error ? weir__fail_memory("register") : 0;
}

const weir_service *weir_service_find(const char *name)
{
    pthread_mutex_lock(&lock);
    const weir_service *service = find(name);
    pthread_mutex_unlock(&lock);
    return service;
}

const weir_service *weir_service_at(size_t index)
{
    pthread_mutex_lock(&lock);
    const weir_service *service = index < service_count ? services[index] : NULL;
    pthread_mutex_unlock(&lock);
    return service;
}

/* --- serving one --- */

/* What a service calls an endpoint's kind of transport. */
static const char *transport_of(const weir_endpoint *endpoint)
{
    if (endpoint->scheme == WEIR_SCHEME_UNIX)
        return endpoint->datagram ? "unix-datagram" : "unix";
    return weir_scheme_name(endpoint->scheme);
}

bool weir_service_takes(const weir_service *service, const weir_endpoint *endpoint)
{
    const char *transport = transport_of(endpoint);
    if (endpoint->datagram ? !service->datagram : !service->stream)
        return false;
    for (size_t i = 0; service->transports[i]; i++)
        if (strcmp(service->transports[i], transport) == 0)
            return true;
    return false;
}

/* The scheme of short endpoints: the server's, or else that of the service's first transport. */
static const char *default_scheme(const weir_server *server, const weir_service *service)
{
    if (server->scheme)
        return server->scheme;
    return strncmp(service->transports[0], "unix", 4) == 0 ? "unix" : service->transports[0];
}

int weir_server_add_service(weir_server *server, const weir_service *service, const char *text, void *arg)
{
    weir_endpoint endpoint;
    if (weir_parse_endpoint(text, default_scheme(server, service), &endpoint) < 0)
        return -1;
    if (!weir_service_takes(service, &endpoint))
        return weir_fail(WEIR_ERROR_USAGE, EPROTONOSUPPORT, NULL, text, "%s is not served on %s", service->name,
                         transport_of(&endpoint));
    if (service->check && service->check(arg, &endpoint) < 0)
        return -1;
    return endpoint.datagram ? weir_server_add_datagrams(server, endpoint.text, service->datagram, arg)
                             : weir_server_add(server, endpoint.text, service->stream, arg);
}
