/* What must always hold: deadlines are kept, everything ends, nothing is left. */
#include "engine/sim/check.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "engine/loop.h"
#include "engine/sim/descriptor.h"
#include "engine/sim/host.h"

/* A timer goes off within a tick of the wheel; another one is for what the clock moves in a turn. */
#define TICK         (INT64_C(1) << 17)
#define TURNS_A_LOOK 8

static bool missed(const struct weir_fiber *fiber, int64_t now)
{
    return fiber->state == WEIR__PARKED && fiber->waiter.slot && fiber->deadline != WEIR_FOREVER &&
           atomic_load(fiber->waiter.slot) == &fiber->waiter && fiber->deadline < now - TICK;
}

/* Called before the loop waits: its timers have run for loop->now. */
void weir__sim_check_turn(struct weir__sim *sim)
{
    if (sim->turns++ % TURNS_A_LOOK || sim->result.failed)
        return;
    struct weir__list *link;
    weir__list_each(link, &sim->loop->fibers)
    {
        const struct weir_fiber *fiber = weir__list_entry(link, struct weir_fiber, all);
        if (missed(fiber, sim->loop->now))
            weir__sim_fail("%s/%s waits on, %lld us after its deadline", weir__sim_name_of(fiber), fiber->name,
                           (long long)((sim->loop->now - fiber->deadline) / WEIR_US(1)));
    }
}

static const char *state_of(const struct weir_fiber *fiber)
{
    return fiber->state == WEIR__PARKED && fiber->deadline != WEIR_FOREVER ? "waits, with a deadline"
                                                                           : "waits for ever";
}

void weir__sim_check_stuck(struct weir__sim *sim, weir_loop *loop)
{
    if (sim->result.failed)
        return;
    char text[WEIR_SIM_REASON / 2] = "";
    size_t length = 0;
    struct weir__list *link;
    weir__list_each(link, &loop->fibers)
    {
        const struct weir_fiber *fiber = weir__list_entry(link, struct weir_fiber, all);
        if (length + 80 < sizeof text)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%s/%s %s", length ? ", " : "",
                                       weir__sim_name_of(fiber), fiber->name, state_of(fiber));
    }
    weir__sim_fail("%s: %s", sim->over ? "it did not come to its end in time" : "nothing more can happen", text);
}

void weir__sim_check_end(struct weir__sim *sim)
{
    if (sim->result.failed)
        return;
    if (weir__timers_next(&sim->loop->timers) != WEIR_FOREVER)
        weir__sim_fail("a timer was left behind");
    if (sim->loop->closing)
        weir__sim_fail("%zu watches were closed and never let go", sim->loop->closing);
    size_t lent = weir__lent_out(sim->loop->lent);
    if (lent)
        weir__sim_fail("%zu lent buffers were not returned", lent);
    weir__sim_check_descriptors(sim);
}
