/* Listening, and the queue of those who wait to be accepted. */
#include <errno.h>
#include <poll.h>

#include "engine/sim/stream.h"

enum { MOST_WAITING = 4096 }; /* net.core.somaxconn */

static int fail(int number)
{
    errno = number;
    return -1;
}

/* --- listening --- */

static int bind_somewhere(struct weir__sim_stream *stream)
{
    union weir__sim_address any = {.any.sa_family = (sa_family_t)stream->binding.family};
    if (weir__sim_is_local(stream))
        return fail(EINVAL);
    return weir__sim_bind(&stream->binding, &any.any, sizeof any.ip6);
}

/* Two may be bound to an address, as long as only one of them listens: who is first. */
static int begin_listening(struct weir__sim_stream *stream)
{
    if (!stream->binding.length && bind_somewhere(stream) < 0)
        return -1;
    if (!weir__sim_is_local(stream) && weir__sim_in_the_way(&stream->binding))
        return fail(EADDRINUSE);
    stream->object.kind = &weir__sim_listener;
    stream->state = WEIR__SIM_LISTENING;
    stream->binding.listening = true;
    return 0;
}

int weir__sim_stream_listen(struct weir__sim_object *object, int backlog)
{
    struct weir__sim_stream *stream = weir__sim_stream(object);
    if (stream->state != WEIR__SIM_LISTENING && stream->state != WEIR__SIM_FRESH)
        return fail(EINVAL);
    if (stream->state == WEIR__SIM_FRESH && begin_listening(stream) < 0)
        return -1;
    stream->backlog = backlog < 0 || backlog > MOST_WAITING ? MOST_WAITING : (size_t)backlog;
    return 0;
}

static void turn_away(struct weir__list *waiting)
{
    struct weir__list *link;
    while ((link = weir__list_front(waiting))) {
        struct weir__sim_stream *stream = weir__list_entry(link, struct weir__sim_stream, queued);
        weir__sim_wire_close(stream);
        weir__sim_stream_free(stream);
    }
}

void weir__sim_stop_listening(struct weir__sim_stream *listener)
{
    turn_away(&listener->arriving);
    turn_away(&listener->queue);
    listener->state = WEIR__SIM_FRESH;
    listener->binding.listening = false;
}

/* --- the queue --- */

bool weir__sim_queue_full(const struct weir__sim_stream *listener)
{
    return listener->waiting > listener->backlog;
}

/* The end has the address that was asked for, in its listener's family. */
static void give_names(struct weir__sim_stream *end, const struct weir__sim_stream *listener,
                       const struct weir__sim_stream *client)
{
    if (weir__sim_is_local(end)) {
        weir__sim_bind_as(&end->binding, &listener->binding.address.any, listener->binding.length);
        end->other = client->binding.address;
        end->other.any.sa_family = AF_UNIX;
        end->other_length = client->binding.length ? client->binding.length : sizeof(sa_family_t);
        return;
    }
    struct weir__sim_spot peer = weir__sim_spot(&client->binding.address.any);
    weir__sim_bind_as(&end->binding, &client->other.any, client->other_length);
    end->other_length = weir__sim_spot_address(&peer, end->binding.family, &end->other);
}

struct weir__sim_stream *weir__sim_arrive(struct weir__sim_stream *listener, struct weir__sim_stream *client)
{
    struct weir__sim_stream *end = weir__sim_stream_of(listener->binding.family, listener->object.host);
    if (!end)
        return NULL;
    end->binding.reuse_address = listener->binding.reuse_address;
    end->binding.reuse_port = listener->binding.reuse_port;
    end->binding.only6 = listener->binding.only6;
    end->binding.options = listener->binding.options;
    end->lingers_not = listener->lingers_not;
    give_names(end, listener, client);
    end->state = WEIR__SIM_ARRIVING;
    end->connect_told = true;
    end->listener = listener;
    weir__list_push_back(&listener->arriving, &end->queued);
    listener->waiting++;
    weir__sim_join(client, end);
    return end;
}

void weir__sim_arrived(struct weir__sim_stream *end)
{
    end->state = WEIR__SIM_CONNECTED;
    weir__list_remove(&end->queued);
    weir__list_push_back(&end->listener->queue, &end->queued);
    weir__sim_changed(&end->listener->object, POLLIN);
}

void weir__sim_leave_queue(struct weir__sim_stream *stream)
{
    weir__list_remove(&stream->queued);
    if (stream->listener)
        stream->listener->waiting--;
    stream->listener = NULL;
}

/* One that was reset while it waited is given out all the same, or said to be gone: both happen. */
struct weir__sim_object *weir__sim_stream_accept(struct weir__sim_object *object)
{
    struct weir__sim_stream *listener = weir__sim_stream(object);
    struct weir__list *link = weir__list_front(&listener->queue);
    if (listener->state != WEIR__SIM_LISTENING || !link) {
        errno = listener->state == WEIR__SIM_LISTENING ? EAGAIN : EINVAL;
        return NULL;
    }
    struct weir__sim_stream *end = weir__list_entry(link, struct weir__sim_stream, queued);
    weir__sim_leave_queue(end);
    if (end->state != WEIR__SIM_BROKEN || weir__sim_below(2))
        return &end->object;
    weir__sim_stream_free(end);
    errno = ECONNABORTED;
    return NULL;
}
