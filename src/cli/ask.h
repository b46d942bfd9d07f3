/* weir ask: what its two halves share. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "commands.h"

struct ask_settings {
    bool ipv4, ipv6;
    bool udp, local; /* -u, -U */
    bool numeric;
    bool line;
    bool verbose;
    const char *source;
    const char *source_port;
    int64_t timeout;
    int64_t quiet;
};

/* A question. */
struct ask {
    struct ask_settings settings;
    weir_endpoint endpoint;
    char *text; /* what to send; NULL: what comes on stdin */
    size_t length;

    weir_conn *conn;
    int status; /* the exit status */
    bool sent;  /* all of it, or what could be */
    bool answered;
    bool settled;  /* the status is known: nothing that fails now matters */
    char cut[512]; /* the reason for which our sending was cut; "": it was not */
};

/* Connects, asks, prints. A fiber, whose argument is a struct ask; returns the exit status. */
int ask_talk(void *arg);

/* Says a step on stderr where -v is given. */
void ask_say(const struct ask *ask, const char *format, ...) WEIR_PRINTF(2, 3);

#endif
