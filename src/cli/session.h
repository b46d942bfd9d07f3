/*
 * A session joins standard input and output with a connection: what connect and listen have in common.
 *
 * Two fibers: the caller's receives and prints, the other one sends what stdin has. Each ends by itself, and neither cuts the
 * other: what has arrived is printed however the sending ended, and a reply may come long after the end of stdin.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "dialling.h"

struct session_settings {
    const char *prompt;
    bool crlf;
    bool end_with_peer;
    const char *hex;
    bool summary, sha256;
    int64_t quiet;
    int64_t timeout;         /* without a byte either way; WEIR_FOREVER */
    const char *encoding;    /* of the wire; NULL: bytes as they are */
    weir_text_errors errors; /* with an encoding */
};
extern const weir_option session_options[];

/* What makes no sense together. 0, or -1 with a usage error. */
int session_check(const struct session_settings *settings, const char *command);

enum { SESSION_SENT, SESSION_RECEIVED }; /* indexes of what is kept for each direction */

struct recorder;
struct digest;
struct transcoder;

struct session {
    const struct session_settings *settings;
    const struct dialling *dialling; /* says steps; NULL: nothing is said */
    const char *command;
    char peer[400];
    weir_conn *conn; /* NULL: there is `answer` in its place */
    bool datagram;
    /* Sends a datagram to whoever it is for: 1, 0 if it could not be sent, which was told, or -1: no more can be. */
    int (*answer)(struct session *session, const char *data, size_t size);
    struct recorder *recorder;              /* NULL without --hex */
    struct digest *digest;                  /* NULL without --sha256 */
    struct transcoder *incoming, *outgoing; /* NULL where nothing is to be converted */

    int64_t began, last_byte, waits_until;
    uint64_t bytes[2];
    const char *first_end; /* "input", "peer" or "output"; NULL: none yet */
    const char *how;       /* it ended */
    weir_fiber *sender;
    bool sending;  /* the sender has not ended */
    bool settled;  /* the status is known: nothing that fails from now on matters */
    int status;    /* the exit status */
    char cut[300]; /* the reason for which sending was cut; "": it was not */
};

/*
 * Joins until both directions have ended, or one failed; the connection stays the caller's. In a fiber. Returns the exit status,
 * having told errors and the summary. The recorder is the run's: it goes on from session to session.
 */
int session_run(struct session *session);

/* Opens what the settings ask for: the digest, the transcoders. 0, or -1 with an error; session_release is due either way. */
int session_prepare(struct session *session);
void session_release(struct session *session);

/* --- its parts --- */

/* Opens the file of --hex. NULL with an error; closing writes what is left. */
struct recorder *recorder_open(const char *path);
/* 0, or -1 where it cannot be written. */
int recorder_note(struct recorder *recorder, int direction, const void *data, size_t size);
int recorder_close(struct recorder *recorder);

struct digest *digest_new(void);
void digest_add(struct digest *digest, int direction, const void *data, size_t size);
/* 64 digits and a NUL. */
void digest_text(struct digest *digest, int direction, char text[65]);
void digest_free(struct digest *digest);

/* Prints the summary, one JSON object on stderr. */
void summary_print(const struct session *session);

/* Whether nothing but the number of the bytes is of interest: then they need not come by here. */
bool session_is_direct(const struct session *session);

/* A direction has ended: the first one is remembered, with how. */
void session_end(struct session *session, const char *which, const char *how);
/* Sends a piece of stdin, which may be the last, encoded, counted and recorded. 0 or -1. */
int session_send(struct session *session, const char *data, size_t size, bool ends);
/* Prints a piece, counted, recorded and decoded; -1 settles the session. */
int session_print(struct session *session, const char *data, size_t size);
/* However it ended: half a character that was the last to arrive. */
void session_print_end(struct session *session);
/* Nothing can be printed; a reader of our stdout that went away has had enough, which is no failure. */
void session_output_failed(struct session *session);
/* Ends the session with a status; or with that of weir_error(), which is told. Does nothing where it has been settled. */
void session_settle(struct session *session, int status);
void session_fail(struct session *session);
/* As failed(); but bytes that are no text have ended it early. */
int session_failed(void);
/* When --timeout is over, unless a byte goes or comes before; then, the end of the session. */
int64_t session_silent_until(const struct session *session);
void session_fail_silent(struct session *session);
/* Nothing more is to be sent: from here on the peer's silence counts. */
void session_sent_all(struct session *session);
/* The sender's fiber (session_input.c), and the conversation of --prompt (session_prompt.c), which is all of a session. */
int session_sender(void *arg);
void session_converse(struct session *session);

#endif
