/* What happens later: a heap of events by their time, and for those of one time in the order in which they were made. */
#include <stdlib.h>

#include "engine/sim/event.h"
#include "engine/sim/sim.h"

struct weir__sim_event {
    int64_t time;
    uint64_t sequence;
    void (*function)(void *arg); /* NULL: taken back */
    void *arg;
};

struct weir__sim_events {
    struct weir__sim_event **heap;
    size_t count, room;
    uint64_t sequence;
};

int weir__sim_events_begin(struct weir__sim *sim)
{
    sim->events = calloc(1, sizeof *sim->events);
    return sim->events ? 0 : -1;
}

void weir__sim_events_end(struct weir__sim *sim)
{
    for (size_t i = 0; i < sim->events->count; i++)
        free(sim->events->heap[i]);
    free(sim->events->heap);
    free(sim->events);
}

static bool before(const struct weir__sim_event *one, const struct weir__sim_event *other)
{
    return one->time != other->time ? one->time < other->time : one->sequence < other->sequence;
}

static void swap(struct weir__sim_event **one, struct weir__sim_event **other)
{
    struct weir__sim_event *kept = *one;
    *one = *other;
    *other = kept;
}

static void rise(struct weir__sim_events *events, size_t i)
{
    for (; i && before(events->heap[i], events->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&events->heap[i], &events->heap[(i - 1) / 2]);
}

static void sink(struct weir__sim_events *events, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++)
            if (child < events->count && before(events->heap[child], events->heap[least]))
                least = child;
        if (least == i)
            return;
        swap(&events->heap[i], &events->heap[least]);
        i = least;
    }
}

/* A simulation that has no memory for what comes next cannot go on. */
static void *or_abort(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

struct weir__sim_event *weir__sim_at(int64_t time, void (*function)(void *arg), void *arg)
{
    struct weir__sim_events *events = weir__sim_here->events;
    if (events->count == events->room) {
        events->room = events->room ? 2 * events->room : 64;
        events->heap = or_abort(realloc(events->heap, events->room * sizeof *events->heap));
    }
    struct weir__sim_event *event = or_abort(malloc(sizeof *event));
    *event = (struct weir__sim_event){time, events->sequence++, function, arg};
    events->heap[events->count++] = event;
    rise(events, events->count - 1);
    return event;
}

void weir__sim_forget(struct weir__sim_event *event)
{
    event->function = NULL;
}

static struct weir__sim_event *take_first(struct weir__sim_events *events)
{
    struct weir__sim_event *first = events->heap[0];
    events->heap[0] = events->heap[--events->count];
    sink(events, 0);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the analyzer takes it for the one taken before, which is no longer in the heap */
    return first;
}

int64_t weir__sim_next_event(struct weir__sim *sim)
{
    struct weir__sim_events *events = sim->events;
    while (events->count && !events->heap[0]->function)
        free(take_first(events));
    return events->count ? events->heap[0]->time : WEIR_FOREVER;
}

void weir__sim_run_events(struct weir__sim *sim)
{
    while (weir__sim_next_event(sim) <= sim->now) {
        struct weir__sim_event *event = take_first(sim->events);
        void (*function)(void *arg) = event->function;
        void *arg = event->arg;
        free(event);
        sim->result.steps++;
        function(arg);
        sim->delivering = NULL;
    }
}

bool weir__sim_pass(struct weir__sim *sim)
{
    int64_t next = weir__sim_next_event(sim);
    if (next == WEIR_FOREVER)
        return false;
    if (next > sim->now)
        sim->now = next;
    weir__sim_run_events(sim);
    return true;
}
