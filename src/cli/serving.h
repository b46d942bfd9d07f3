/* What `weir serve` and `weir run` share: their options, and a service with its settings and its server. */
#ifndef CLI_SERVING_H
#define CLI_SERVING_H

#include "commands.h"

/* The options of the run, beside those of the servers. */
struct run_settings {
    int64_t processes;
    int64_t ready_fd;
    int log_format; /* weir_log_format */
    int log_level;  /* weir_log_level */
};
extern const weir_option run_options[]; /* --processes first */

/* The same without --processes, for what is one process. */
#define run_alone_options (run_options + 1)

/* A service that serves. */
struct serving {
    const weir_service *service;
    void *settings; /* allocated; what the service's options fill */
    void *arg;      /* of its handlers, once it is started */
    bool started;
    weir_server *server;
};

/* Makes room for the settings of a service. 0, or -1 with ENOMEM. serving_close and serving_free are due when it returned 0. */
int serving_prepare(struct serving *serving, const weir_service *service);

/* Its settings as an option set; without rows for a service that has no options. */
weir_option_set serving_set(const struct serving *serving);

/*
 * Gives a service that runs a program its command: words, NULL-terminated, which must live as long. 0, or -1 where there is
 * none. Nothing is done for other services.
 */
int serving_set_command(struct serving *serving, const char *const *words);

/* Whether the service can be in as many processes as the settings say. 0, or -1 with an error of kind USAGE. */
int serving_check_processes(const weir_service *service, const struct run_settings *run);

/* Starts the service and makes its server. 0 or -1. */
int serving_open(struct serving *serving, const weir_server_options *options);

/* Adds `count` endpoints, or the service's own where that is 0. 0, or -1 with an error. */
int serving_add(struct serving *serving, const char *const *endpoints, size_t count);

/* Stops the server and waits for it, stops the service, frees both. */
void serving_close(struct serving *serving);

/* Frees the settings, whose lists were freed before (weir_options_free), and not before the service was stopped. */
void serving_free(struct serving *serving);

/* Has logs written as the settings say. */
void serving_log(const struct run_settings *settings);

/* What the settings say of the run, for who has more to say to weir_run_servers. */
weir_run_options serving_run_options(const struct run_settings *settings, const weir_server_options *options);

/* Has a server read its certificate again. One that cannot be read is said, and the old one stays. */
void reload_certificate(weir_server *server);

/* Services that run together, and what is called when everything listens (may be NULL), with `arg`. */
struct serving_group {
    struct serving *servings;
    size_t count;
    void (*ready)(void *arg);
    void *arg;
};

/* Runs them until a signal; SIGHUP has those reload that can. 0 or -1. */
int serving_run(const struct serving_group *group, const struct run_settings *settings,
                const weir_server_options *options);

#endif
