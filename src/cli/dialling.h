/* Whom to connect to and from where: the endpoint as it is named at the shell, and the options that say how. */
#ifndef CLI_DIALLING_H
#define CLI_DIALLING_H

#include "securing.h"
#include "via.h"

struct dialling {
    const char *command; /* its name, for errors */
    bool ipv4, ipv6;
    bool udp, local; /* -u, -U */
    bool numeric;
    bool verbose;
    const char *source;
    const char *source_port;
    int64_t timeout;
    int64_t began;          /* when the options were read: steps tell the time since */
    weir_endpoint endpoint; /* once it was read */
    weir_tls_options tls;   /* client_tls_options */
    weir_option_list via;   /* via_options */
};

/* -4 -6 -u -U -n -s -p -v; a command adds its own --timeout where that means more than connecting. */
extern const weir_option dialling_options[];

/*
 * Reads the endpoint, ENDPOINT or HOST PORT, from the first words, and checks it and the options against each other. Returns how
 * many words it took; 0 with a usage error.
 */
size_t dialling_read(struct dialling *dialling, const weir_arguments *words);

/* Connects. NULL with an error. */
weir_conn *dialling_connect(const struct dialling *dialling);

/* What weir_connect is to be given, for whoever connects by itself; `local` must last as long. Then what -v says of it. */
enum { DIALLING_LOCAL_MOST = 300 };
void dialling_prepare(const struct dialling *dialling, char local[DIALLING_LOCAL_MOST], weir_connect_options *options);
void dialling_say_connected(const struct dialling *dialling, weir_conn *conn);

/* Says a step on stderr, with its time, where -v is given. */
void dialling_say(const struct dialling *dialling, const char *format, ...) WEIR_PRINTF(2, 3);

#endif
