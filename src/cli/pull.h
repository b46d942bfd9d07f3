/*
 * weir pull: what there is at an endpoint or a URL, to stdout, a file or a player. pull.c reads the command line,
 * pull_run.c goes from one connection to the next; the others: where it comes from, where it goes, what is told
 * meanwhile.
 */
#ifndef CLI_PULL_H
#define CLI_PULL_H

#include "../http/client.h"
#include "../http/icy.h"
#include "dialling.h"

struct pull_settings {
    const char *output; /* NULL or "-": stdout */
    const char *player;
    bool play, resume, quiet;
    int64_t duration, timeout;
    int reconnects;
};

/* Where it comes from. */
struct pull_source {
    char url[2600];  /* of http and https; playlists lead elsewhere. "": a bare stream */
    weir_conn *conn; /* NULL while there is none; where there is a response, its */
    struct http_response response;
    struct icy_reader icy; /* its interval is 0 where there are no titles in between */
    int64_t length;        /* of what is to come; -1: until it ends */
    bool live;             /* a radio: it has no end, and is asked again */
    bool final;            /* asking again is of no use */
};

/* What there is of a file already. */
struct pull_rest {
    int64_t have;     /* bytes; 0: none, so all is asked for */
    char fields[700]; /* of the request */
    bool complete;    /* there is nothing to come */
};

/* Where it goes. */
struct pull_sink {
    weir_file *file;      /* NULL: not open yet */
    const char *name;     /* for errors */
    bool ours;            /* it is to be closed */
    weir_process *player; /* of --play */
    weir_fiber *awaiter;  /* waits for the player's end */
    int player_status;    /* as waitpid(2) gives it, once the awaiter has ended */
    bool player_ended;
    bool taking; /* whoever ends now ends all of it */
};

/* What is told meanwhile. */
struct pull_progress {
    bool shown;         /* there is a line on the terminal */
    weir_fiber *ticker; /* NULL: nothing needs one */
    int64_t began;      /* when the first byte was waited for */
    int64_t changed;    /* when the bytes last were others, and how many they were */
    uint64_t changed_bytes;
    int64_t drawn; /* the last line, for the rate since */
    uint64_t drawn_bytes;
    double rate; /* bytes a second */
    char title[ICY_TITLE_MOST];
};

struct pull {
    struct pull_settings settings;
    struct dialling dialling;
    struct pull_source source;
    struct pull_rest rest;
    struct pull_sink sink;
    struct pull_progress progress;
    char name[700];   /* what errors and lines call it: the URL without credentials, or the endpoint */
    weir_fiber *self; /* who receives */
    int64_t until;    /* of --duration */
    uint64_t done;    /* bytes that went to the sink, but for a direct copy in progress */
    uint64_t before;  /* of that: what the connection had received when it began */
    bool direct;      /* one is */
    bool receiving, stalled;
};

/* How receiving ended. */
enum pull_end {
    PULL_ENDED,     /* all came */
    PULL_TIME_OVER, /* --duration */
    PULL_GONE,      /* nobody takes any more: an end in good order */
    PULL_CUT,       /* the source failed, with an error */
    PULL_REFUSED,   /* the sink did, with an error */
};

/* The whole of it, in a fiber, of a struct pull. Returns an exit status. */
int pull_run(void *arg);

/* --- pull_source.c --- */

/* Reads what is to be pulled: URL, ENDPOINT or HOST PORT. Returns how many words it was; 0 with a usage error. */
size_t pull_source_read(struct pull *pull, const weir_arguments *words);

/* Connects and asks, for no longer than `deadline`. 0 with what the source says of itself, or -1 with an error. */
int pull_source_open(struct pull *pull, int64_t deadline);
void pull_source_close(struct pull *pull);

/* --- pull_playlist.c --- */

/* Whether a response is a list of what is to be played. */
bool pull_is_playlist(const struct http_response *response);

/* Reads one and puts the URL of its first entry in `url`. 0, or -1 with an error. */
int pull_read_playlist(struct http_response *response, char *url, size_t size);

/* --- pull_resume.c --- */

/* Looks at what there is of the file, and what is to be asked. 0, or -1 with an error. */
int pull_rest_find(struct pull *pull);

/* Judges the answer to these fields. 1: it goes on, or is complete; 0: all is to be asked for; -1 with an error. */
int pull_rest_judge(struct pull *pull);

/* Notes in the file which version it is a part of, where the file system can; and that it is whole. */
void pull_rest_note(struct pull *pull);
void pull_rest_forget(struct pull *pull);

/* --- pull_sink.c --- */

/* Opens it for what the source has. 0, or -1 with an error. */
int pull_sink_open(struct pull *pull);

/* Closes it; a player plays on to the end of what it got. 0, or -1 with an error. */
int pull_sink_close(struct pull *pull);

/* --- pull_receive.c --- */

/* Receives to the end of one connection. Of PULL_CUT and PULL_REFUSED there is an error. */
enum pull_end pull_receive(struct pull *pull);

/* How many bytes there are now, those of a file that were there before included. */
uint64_t pull_bytes(const struct pull *pull);

/* --- pull_progress.c --- */

/* Starts what happens every now and then: the line on a terminal, and looking whether anything comes. 0 or -1. */
int pull_progress_begin(struct pull *pull);

/* The line stays, as it is at the end. */
void pull_progress_end(struct pull *pull);

/* Says something on a line of its own. */
void pull_say(struct pull *pull, const char *format, ...) WEIR_PRINTF(2, 3);

/* Something has a name, from now on: "title", "station". */
void pull_tell(struct pull *pull, const char *what, const char *title);

#endif
