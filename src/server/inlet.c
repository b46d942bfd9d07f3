/* Inlets: the fibers that run the handlers of datagrams, and their end. */
#include "server/inlet.h"

#include <errno.h>
#include <stdlib.h>

enum { BATCHES_A_TURN = 8 };

/* Once a server stops, what comes later than this is not waited for, however much comes. */
#define DRAIN_TIME WEIR_S(1)

static bool start_reader(struct weir__inlet *inlet);

/* --- a handler that parks --- */

/*
 * The reader's handler parks: what was answered so far leaves, its datagram stays its own, and another fiber becomes the
 * reader. Where that cannot be, or may not, the next whose handler returns becomes it.
 */
static void hand_on(void *arg)
{
    struct weir__reader *reader = arg;
    struct weir__inlet *inlet = reader->inlet;
    weir__outbox_flush(&inlet->outbox);
    reader->parked = true;
    if (inlet->worker->server->options.model == WEIR_MODEL_ITERATIVE)
        return;
    weir__batch_detach(inlet);
    inlet->reader = NULL;
    if (inlet->reader_count <= WEIR__MOST_PARKED)
        start_reader(inlet);
}

/* Runs the handler for the current datagram. Whether the caller is the reader afterwards. */
static bool handle(struct weir__reader *reader, struct weir__parcel *parcel)
{
    struct weir__inlet *inlet = reader->inlet;
    weir__on_park(hand_on, reader);
    inlet->place->datagram(&parcel->datagram, inlet->place->arg);
    weir__on_park(NULL, NULL);
    reader->parked = false;
    if (inlet->reader == reader) {
        weir__batch_advance(inlet);
        return true;
    }
    weir__parcel_free(inlet, parcel);
    if (inlet->reader)
        return false;
    inlet->reader = reader;
    return true;
}

/* --- the reader --- */

static bool handle_batch(struct weir__reader *reader)
{
    struct weir__inlet *inlet = reader->inlet;
    struct weir__parcel *parcel;
    while ((parcel = weir__batch_current(inlet)))
        if (weir__refused_by_rule(inlet->worker, inlet->place, &parcel->datagram.peer))
            weir__batch_advance(inlet);
        else if (!handle(reader, parcel))
            return false;
    weir__outbox_flush(&reader->inlet->outbox);
    return true;
}

static void end_reader(struct weir__reader *reader)
{
    struct weir__inlet *inlet = reader->inlet;
    if (inlet->reader == reader)
        inlet->reader = NULL;
    weir__list_remove(&reader->link);
    inlet->reader_count--;
    free(reader);
    if (inlet->stopping)
        weir__worker_wake(inlet->worker);
}

static int read_inlet(void *arg)
{
    struct weir__reader *reader = arg;
    weir__server_enter(reader->inlet->worker->server);
    for (int batches = 1; handle_batch(reader) && weir__batch_receive(reader->inlet); batches++)
        if (batches % BATCHES_A_TURN == 0)
            weir_yield();
    end_reader(reader);
    return 0;
}

static bool start_reader(struct weir__inlet *inlet)
{
    struct weir__reader *reader = calloc(1, sizeof *reader);
    weir_fiber_options options = {
        .size = sizeof options,
        .name = inlet->worker->server->name,
        .detached = true,
    };
    if (!reader)
        return false;
    reader->inlet = inlet;
    reader->fiber = weir_spawn(read_inlet, reader, &options);
    if (!reader->fiber) {
        free(reader);
        return false;
    }
    weir__list_push_back(&inlet->readers, &reader->link);
    inlet->reader_count++;
    inlet->reader = reader;
    if (inlet->cut)
        weir_cancel_fiber(reader->fiber);
    return true;
}

/* --- an inlet's life --- */

static void released(struct weir__watch *watch)
{
    struct weir__inlet *inlet = weir__list_entry(watch, struct weir__inlet, watch);
    inlet->closed = true;
    weir__worker_wake(inlet->worker);
}

struct weir__inlet *weir__inlet_new(struct weir__worker *worker, struct weir__place *place)
{
    struct weir__inlet *inlet = calloc(1, sizeof *inlet);
    int fd = place->sockets[worker->server->first_socket + worker->index];
    if (!inlet)
        return NULL;
    if (weir__outbox_init(&inlet->outbox, fd, worker->counters) < 0) {
        free(inlet);
        return NULL;
    }
    inlet->worker = worker;
    inlet->place = place;
    weir__list_init(&inlet->readers);
    weir__watch_init(&inlet->watch, fd);
    inlet->watch.released = released;
    inlet->destinations = weir__destination_ask(fd, &place->address);
    weir__batch_set_rest(inlet);
    if (worker->server->options.receive_packed && place->address.any.sa_family != AF_UNIX)
        weir__batch_ask_packed(inlet);
    return inlet;
}

void weir__inlet_free(struct weir__inlet *inlet)
{
    if (!inlet)
        return;
    for (int i = 0; i < WEIR__BATCH; i++)
        free(inlet->parcels[i]);
    while (inlet->free_parcels) {
        struct weir__parcel *parcel = inlet->free_parcels;
        inlet->free_parcels = parcel->next;
        free(parcel);
    }
    weir__outbox_free(&inlet->outbox);
    free(inlet);
}

void weir__inlet_start(struct weir__inlet *inlet)
{
    while (!start_reader(inlet) && !atomic_load(&inlet->worker->server->stopping))
        weir_sleep(WEIR_MS(100));
}

void weir__inlet_drain(struct weir__inlet *inlet)
{
    inlet->stopping = true;
    inlet->stop_by = weir__now() + DRAIN_TIME;
    weir__wake(&inlet->watch.slot[0]);
}

void weir__inlet_cut(struct weir__inlet *inlet)
{
    struct weir__list *link;
    inlet->cut = true;
    weir__list_each(link, &inlet->readers)
    {
        weir_cancel_fiber(weir__list_entry(link, struct weir__reader, link)->fiber);
        weir__count(inlet->worker->counters, cancelled, weir__list_entry(link, struct weir__reader, link)->parked);
    }
}

bool weir__inlet_closed(struct weir__inlet *inlet)
{
    if (!inlet->closing && inlet->stopping && inlet->reader_count == 0) {
        inlet->closing = true;
        weir__watch_close(&inlet->watch, false);
        weir__place_close_socket(inlet->worker, inlet->place);
    }
    return inlet->closed;
}
