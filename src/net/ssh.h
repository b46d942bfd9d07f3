/*
 * OpenSSH's ssh as a way to somewhere: a child process whose standard input and output are one end of a socket pair,
 * and the connection the other (`ssh -W`). The user's own configuration, known hosts and agent decide who one is
 * there.
 *
 * What ssh says is read from a pipe. There it also tells, by LogVerbose, when the channel stands, and that its end
 * came as one: so connecting waits until the target has answered, and a stream that breaks off since ssh died is no
 * end.
 */
#ifndef WEIR_NET_SSH_H
#define WEIR_NET_SSH_H

#include <pthread.h>
#include <weir/process.h>

#include "net/via.h"

struct weir__ssh;

/* --- ssh_words.c: what ssh says --- */

/* What was understood of it so far. */
struct weir__ssh_words {
    bool stands;      /* the channel was opened, or what is forwarded is listened for */
    bool ended;       /* the channel's end came */
    bool multiplexed; /* another ssh has the channel: this one does not see its end */
    bool lost;        /* so much was not read in time that some may not have been written, its end among it */
    bool old;         /* it does not know LogVerbose (OpenSSH before 8.5) */
    char strong[256]; /* the last line that says why, and of those that say that something was the last; "" */
    char weak[256];
    char line[512]; /* the line that is not whole yet, cut where it is longer */
    size_t length;
};

/* Takes in what was read. */
void weir__ssh_hear(struct weir__ssh_words *words, const char *data, size_t length);

/* Why it failed, in ssh's words, escaped. Returns `text`. */
const char *weir__ssh_reason(const struct weir__ssh_words *words, char *text, size_t size);

/* The errno that fits. */
int weir__ssh_number(const struct weir__ssh_words *words);

/* --- ssh_line.c: its command line --- */

enum { WEIR__SSH_WORDS = 64 };

struct weir__ssh_line {
    char *words[WEIR__SSH_WORDS + 1]; /* NULL-terminated */
    size_t count;
    bool failed; /* for want of memory */
};

/* What an ssh is for. */
struct weir__ssh_job {
    const struct weir__via *hops; /* ssh hops only; the last one opens the channel */
    size_t count;
    const weir_endpoint *to;             /* what is behind them */
    const char *listen;                  /* -L: the Unix socket that leads there; NULL: -W */
    const char *command;                 /* the first hop's ProxyCommand; NULL: it connects by itself */
    const weir_connect_options *options; /* the first hop's address and family */
    int64_t deadline;
    bool old; /* see above */
};

/* Makes the command line. 0, or -1 with the error; weir__ssh_line_free is due in either case. */
int weir__ssh_line(struct weir__ssh_line *line, const struct weir__ssh_job *job);
void weir__ssh_line_free(struct weir__ssh_line *line);

/* --- ssh_folder.c: folders that nobody else may enter --- */

enum { WEIR__FOLDER_SIZE = 80 };

/* Makes a new folder for this program's sockets and FIFOs. 0, or -1 with the error. */
int weir__folder_make(char path[WEIR__FOLDER_SIZE]);

/* Removes what weir__folder_make made, with the files "0" and "1" in it. "" is fine. Keeps errno. */
void weir__folder_remove(const char *path);

/* The folder of the user's masters, made if need be. 0, or -1 with the error if others may enter it. */
int weir__folder_of_masters(char path[WEIR__FOLDER_SIZE]);

/* --- ssh_carrier.c: a connection to be ssh's way --- */

/* What brings an earlier connection to a ProxyCommand: two FIFOs and a cat for each. */
struct weir__carrier {
    weir_process *cats[2];
    int held[2]; /* keep the FIFOs open until ssh has them; -1 */
    char folder[WEIR__FOLDER_SIZE];
};

/*
 * Starts it on a connection that stands, which is its own from then on, and the ssh that leads there *earlier's.
 * `command` is the ProxyCommand, to be freed by the caller. Parks. 0, or -1 with the error; weir__carrier_end is due
 * in either case.
 */
int weir__carrier_start(struct weir__carrier *carrier, weir_conn *conn, struct weir__ssh **earlier, char **command);

/* Once ssh has opened the FIFOs, or will never. */
void weir__carrier_let_go(struct weir__carrier *carrier);
void weir__carrier_end(struct weir__carrier *carrier);

/* --- ssh_process.c: one ssh --- */

struct weir__ssh {
    weir_process *process;
    struct weir__ssh *earlier; /* of a connection that the carrier carries; NULL */
    struct weir__carrier carrier;
    char shown[400]; /* the hops, for errors */
    pthread_mutex_t lock;
    int errors; /* the end of its pipe; under the lock, as what follows is */
    int deaf;   /* the errno for which it could not be read; 0 */
    struct weir__ssh_words words;
};

/*
 * Starts an ssh for a job (whose `command` is the carrier's where there is an `earlier` connection, which is taken in
 * any case), and waits until its channel stands. *fd becomes our end of its input and output, for -W; NULL: it has
 * none. Parks. NULL with the error, of kind SSH with its words.
 */
struct weir__ssh *weir__ssh_start(weir_conn *earlier, struct weir__ssh_job *job, int *fd);

/* Takes in what it has said since. */
void weir__ssh_listen(struct weir__ssh *ssh);

/*
 * Waits until it has ended, `fd` being our end of its input and output, and takes in what it says. Parks. 0; -1 and
 * errno: ETIMEDOUT, ECANCELED, ENOMEM.
 */
int weir__ssh_await_end(struct weir__ssh *ssh, int fd, int64_t deadline);

/* Kills it where it still runs, and frees all. Parks for a moment. NULL is fine. Keeps errno. */
void weir__ssh_free(struct weir__ssh *ssh);

/* Sets the error of a step that failed with it. Returns -1. */
int weir__ssh_fail(struct weir__ssh *ssh, const char *step, const char *subject);

/* --- ssh_conn.c: connections through it --- */

/*
 * A connection to `to` through the hops, and through `earlier`, which is taken in any case; NULL: there is none.
 * Parks.
 */
weir_conn *weir__ssh_connect(weir_conn *earlier, const struct weir__via *hops, size_t count, const weir_endpoint *to,
                             const struct weir__dialling *dialling);

/*
 * Before its descriptor is closed: waits until ssh has brought away what was sent and has ended, unless the connection
 * has failed; frees the ssh.
 */
void weir__ssh_end(weir_conn *conn);

#endif
