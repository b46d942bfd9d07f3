/* Services: what `weir serve NAME` and `weir run` offer; a service is one weir_service in a file of its own. */
#ifndef WEIR_SERVICE_H
#define WEIR_SERVICE_H

#include <weir/option.h>
#include <weir/server.h>

WEIR_BEGIN

typedef struct weir_service {
    size_t size;             /* sizeof(weir_service) */
    const char *name;        /* "echo" */
    const char *summary;     /* one line: "sends back what it receives" */
    const char *description; /* paragraphs for --help and the manual */
    const char *const *
        transports; /* of "tcp", "tls", "udp", "unix", "unix-datagram", "http", "https", the default first; NULL-terminated */
    const char *const *endpoints; /* the default ones; NULL-terminated */
    const char *const *examples;  /* pairs: a command line, what it does; NULL-terminated */
    const char *try_line; /* a line to try it; %w is the program as it was called, %s the endpoint: "%w ask %s hello" */
    const weir_option *options;  /* the service's own; NULL: none */
    size_t settings_size;        /* of the struct that `options` fills, the handlers' `arg` unless start sets another */
    weir_stream_handler *stream; /* NULL: no streams */
    weir_datagram_handler *datagram; /* NULL: no datagrams */
    /* Before start: puts the service's own defaults where an option was left at the server's. NULL: those suit it. */
    void (*defaults)(weir_server_options *options);
    /* Before anything listens; may replace *arg (at first the settings). 0, or -1 with an error. NULL: nothing to do. */
    int (*start)(void *settings, const weir_server_options *options, void **arg);
    /* At SIGHUP, in a fiber of its own: opens again what was opened by name. Does not park for long. NULL: nothing to do. */
    void (*reload)(void *arg);
    /* After the last client is gone, before stop: what its server has counted in all. NULL: nobody asks. */
    void (*served)(void *arg, const weir_counters *counters);
    /* After that. NULL: nothing to do. */
    void (*stop)(void *arg);
    /*
     * Whether what start made suits an endpoint: weir_server_add_service asks before it binds. 0, or -1 with an error of
     * kind USAGE. NULL: it always does.
     */
    int (*check)(void *arg, const weir_endpoint *endpoint);
    /*
     * Whether it runs a program, named behind "--": then the settings have at `command_offset` a `const char *const *`, which
     * is set before start to the program and its arguments, at least one word, NULL-terminated.
     */
    bool takes_command;
    size_t command_offset;
    /*
     * At the signal that ends it, when its clients are about to have the drain's time: those that would never finish are to
     * be ended. Does not park. NULL: all of them do.
     */
    void (*stopping)(void *arg);
    /* Whether all its clients must be in one process: it is not served by several (weir_run_options.processes). */
    bool one_process;
} weir_service;

/* Adds a service to those of weir_service_find, for programs with services of their own. 0, or -1 with EEXIST, EINVAL, ENOMEM. */
WEIR_API int weir_service_register(const weir_service *service);

/* The service of that name, or NULL. The one at `index`, in the order of registration, NULL past the end. */
WEIR_API const weir_service *weir_service_find(const char *name);
WEIR_API const weir_service *weir_service_at(size_t index);

/* Whether a service can be reached by what an endpoint is. */
WEIR_API bool weir_service_takes(const weir_service *service, const weir_endpoint *endpoint);

/* Adds an endpoint to a server with the handler of the service that fits it. 0, or -1 as weir_server_add, or EPROTONOSUPPORT of kind USAGE. */
WEIR_API int weir_server_add_service(weir_server *server, const weir_service *service, const char *endpoint, void *arg);

/* The limits of every server as an option table over weir_server_options: --max-connections, --idle-timeout, --workers, --model, ... */
WEIR_API extern const weir_option weir_server_option_table[];

/* Its certificate and key, and whose clients: --cert, --key, --client-ca, likewise. */
WEIR_API extern const weir_option weir_server_tls_option_table[];

WEIR_END

#endif
