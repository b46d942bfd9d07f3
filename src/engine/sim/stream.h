/* Streams (tcp, Unix, and listeners), as stream.c, wire.c, connect.c, listen.c and option.c share them. */
#ifndef WEIR_ENGINE_SIM_STREAM_H
#define WEIR_ENGINE_SIM_STREAM_H

#include "engine/sim/address.h"

enum weir__sim_stream_state {
    WEIR__SIM_FRESH, /* neither connected nor listening */
    WEIR__SIM_LISTENING,
    WEIR__SIM_CONNECTING,
    WEIR__SIM_ARRIVING, /* a server's end, which its client has not confirmed */
    WEIR__SIM_CONNECTED,
    WEIR__SIM_BROKEN, /* refused, reset, timed out */
};

/* What becomes of a connect(2) that a fault has struck. */
enum weir__sim_verdict { WEIR__SIM_FAIR, WEIR__SIM_REFUSED, WEIR__SIM_ONE_SIDED, WEIR__SIM_UNANSWERED };

/* What was sent in one go, or what of it has not arrived, or been read. */
struct weir__sim_piece {
    struct weir__list link;
    int64_t at;         /* when it arrives */
    size_t size, taken; /* bytes; how many of them have gone from its beginning */
    bool end;           /* the stream's end */
    char bytes[];
};

/*
 * An end of a stream. What is under way belongs to the end that it goes to, so that the other may be closed and freed
 * meanwhile: all events of an end are forgotten with it.
 */
struct weir__sim_stream {
    struct weir__sim_object object;
    struct weir__list all; /* in the world's streams */
    struct weir__sim_binding binding;
    bool chosen_port;              /* the binding's, by connect(2) */
    union weir__sim_address other; /* whom it is, or is to be, connected to */
    socklen_t other_length;
    enum weir__sim_stream_state state;
    struct weir__sim_stream *peer; /* NULL: closed, or not to be reached any more */
    struct weir_sim_host *far;     /* the peer's host; of a dead address NULL */
    int error;                     /* what SO_ERROR tells */
    bool connect_told;             /* connect(2) has said how it went */
    bool no_read, no_write;        /* shut down, or broken */
    bool ended;                    /* the peer's end has been reached */
    bool severed;                  /* the peer is there no more, and nobody has told it */
    bool silent;                   /* severed, and whatever it sends is not answered either */
    bool lingers_not;              /* SO_LINGER with 0: a close resets */

    /* sending */
    size_t send_room;
    size_t unacknowledged;          /* with 1 for the end */
    size_t acknowledging, received; /* of these: told by what is on its way here; what the peer has beside that */
    struct weir__sim_event *acknowledge;
    bool end_sent;

    /* coming in */
    struct weir__list incoming; /* pieces, in order */
    struct weir__sim_event *arrival;
    int64_t last_arrival;
    int64_t stalled_until;
    bool shut_window; /* there was no room for the first of them */
    struct weir__sim_event *doom;
    int64_t doom_at;
    int doom_error;

    /* to be read */
    struct weir__list pieces;
    size_t receive_room;
    size_t readable, held; /* held: behind them, and said to be there a little later, see weir__sim_hold */
    struct weir__sim_event *release;

    /* connecting; of a server's end, arriving */
    struct weir__sim_event *step;
    enum weir__sim_verdict verdict;
    int64_t begun;
    unsigned tries;
    struct weir__sim_stream *listener; /* in whose queue it is */
    struct weir__list queued;

    /* listening */
    struct weir__list arriving, queue;
    size_t waiting, backlog; /* both lists; waiting may be one more than backlog, as on Linux */
};

static inline struct weir__sim_stream *weir__sim_stream(struct weir__sim_object *object)
{
    return (struct weir__sim_stream *)object;
}

static inline bool weir__sim_is_local(const struct weir__sim_stream *stream)
{
    return stream->binding.family == AF_UNIX;
}

static inline struct weir__sim_piece *weir__sim_first_piece(const struct weir__list *list)
{
    struct weir__list *link = weir__list_front(list);
    return link ? weir__list_entry(link, struct weir__sim_piece, link) : NULL;
}

/* An event that will not come any more. */
static inline void weir__sim_cancel(struct weir__sim_event **event)
{
    if (*event)
        weir__sim_forget(*event);
    *event = NULL;
}

static inline int64_t weir__sim_later(int64_t one, int64_t other)
{
    return one > other ? one : other;
}

/* --- stream.c --- */

struct weir__sim_stream *weir__sim_stream_of(int family, struct weir_sim_host *host);
/* Makes them each other's. */
void weir__sim_join(struct weir__sim_stream *one, struct weir__sim_stream *other);
/* How large its buffers are: as chance will have it. */
void weir__sim_draw_rooms(struct weir__sim_stream *stream);
/* Whether poll(2) would say that there is room to write. */
bool weir__sim_has_room(const struct weir__sim_stream *stream);
void weir__sim_stream_free(struct weir__sim_stream *stream);
unsigned weir__sim_stream_ready(struct weir__sim_object *object);
/* As connect(2) to nobody: it is reset at once, and fresh again. */
void weir__sim_disconnect(struct weir__sim_stream *stream);
/* SO_ERROR: gives the error, once. */
int weir__sim_take_error(struct weir__sim_stream *stream);

/* --- wire.c --- */

/* When what `from` sends now is at its peer's host, if it were alone on the way; and when an answer to it is back. */
int64_t weir__sim_there_at(const struct weir__sim_stream *from, size_t size);
int64_t weir__sim_back_at(const struct weir__sim_stream *from);
/* The first, after all that left before. */
int64_t weir__sim_arrival_at(struct weir__sim_stream *from, struct weir__sim_stream *to, size_t size);
/* Sends `size` bytes of a message. 0, or -1 without memory. */
int weir__sim_wire_send(struct weir__sim_stream *from, const struct msghdr *message, size_t size);
/* The stream's end, after all that was sent. */
void weir__sim_wire_end(struct weir__sim_stream *from);
/* The peer's end is reached. */
void weir__sim_finish(struct weir__sim_stream *receiver);
/* A receiver has got bytes of its peer's, or its end: which the peer learns later. */
void weir__sim_acknowledge(struct weir__sim_stream *receiver, size_t size);
/* Takes bytes that can be read, or only copies them. Returns how many. */
size_t weir__sim_wire_take(struct weir__sim_stream *stream, const struct msghdr *message, size_t size, bool peek);
/* What can be read beyond `size` has not come yet, as it were; but soon. */
void weir__sim_hold(struct weir__sim_stream *stream, size_t size);
/* It has come after all. */
void weir__sim_let_go(struct weir__sim_stream *stream);
/* Forgets what is under way to a stream; and what can be read, too. */
void weir__sim_wire_lose(struct weir__sim_stream *stream);
void weir__sim_wire_drop(struct weir__sim_stream *stream);

/* --- reset.c --- */

/* The two know nothing of each other any more. Nobody is told. */
void weir__sim_part(struct weir__sim_stream *stream);
/* What is sent to a peer that is there no more, after it was counted. */
void weir__sim_send_to_nobody(struct weir__sim_stream *from);
/* A reset is sent to the peer, which is lost. */
void weir__sim_send_reset(struct weir__sim_stream *stream);
/* The stream will break with that error at that time, unless it does before. */
void weir__sim_doom(struct weir__sim_stream *stream, int64_t time, int error);
/* The stream breaks. */
void weir__sim_break(struct weir__sim_stream *stream, int error);
/* The peer is lost, and nobody tells the stream before it sends, or faults are over. */
void weir__sim_sever(struct weir__sim_stream *stream);
/* A fault: what is between the two resets them. */
void weir__sim_cut(struct weir__sim_stream *receiver);
/* The last of an end: tells the peer in whichever way is right. */
void weir__sim_wire_close(struct weir__sim_stream *stream);

/* --- connect.c, listen.c, option.c --- */

int weir__sim_stream_connect(struct weir__sim_object *object, const struct sockaddr *address, socklen_t length);
int weir__sim_stream_listen(struct weir__sim_object *object, int backlog);
struct weir__sim_object *weir__sim_stream_accept(struct weir__sim_object *object);
bool weir__sim_queue_full(const struct weir__sim_stream *listener);
/* A server's end for a client, joined to it, in a listener's arriving; NULL without memory. */
struct weir__sim_stream *weir__sim_arrive(struct weir__sim_stream *listener, struct weir__sim_stream *client);
/* It waits to be accepted now. */
void weir__sim_arrived(struct weir__sim_stream *end);
/* Out of its listener's queue. */
void weir__sim_leave_queue(struct weir__sim_stream *stream);
void weir__sim_stop_listening(struct weir__sim_stream *listener);
int weir__sim_stream_get_option(struct weir__sim_object *object, int level, int name, void *value, socklen_t *length);
int weir__sim_stream_set_option(struct weir__sim_object *object, int level, int name, const void *value,
                                socklen_t length);
extern const struct weir__sim_kind weir__sim_tcp, weir__sim_unix, weir__sim_listener;

#endif
