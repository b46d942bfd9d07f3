/* Killing: a host is cut off at once, its fibers are cancelled, and when the last has ended its services are started again. */
#include "engine/fiber.h"
#include "engine/loop.h"
#include "engine/sim/host.h"

enum { MOST_KILLS = 3 };

#define LOOK_AGAIN    WEIR_MS(10)
#define LONGEST_DEATH WEIR_MINUTES(3)

/* Cancels what runs on a host. Returns how many fibers there are. */
static size_t cancel_all(const struct weir_sim_host *host)
{
    size_t count = 0;
    struct weir__list *link;
    weir__list_each(link, &weir__sim_here->loop->fibers)
    {
        struct weir_fiber *fiber = weir__list_entry(link, struct weir_fiber, all);
        if (fiber->host != host)
            continue;
        count++;
        weir_cancel_fiber(fiber);
    }
    return count;
}

static void resurrect(struct weir__sim_program *program)
{
    weir__sim_start_later(program);
}

static void funeral(void *arg)
{
    struct weir_sim_host *host = arg;
    struct weir__sim *sim = weir__sim_here;
    size_t left = cancel_all(host);
    if (left && sim->now < host->killed_at + LONGEST_DEATH) {
        weir__sim_at(sim->now + LOOK_AGAIN, funeral, host);
        return;
    }
    if (left)
        weir__sim_fail("%s was killed, and %zu fibers do not end though they were cancelled", host->name, left);
    else if (host->open)
        weir__sim_fail("%s was killed, and its fibers left %zu descriptors open", host->name, host->open);
    host->down = false;
    weir__sim_for_programs(host, resurrect);
}

/* The clock may have jumped past the end of the faults. */
static void kill_host(void *arg)
{
    struct weir_sim_host *host = arg;
    struct weir__sim *sim = weir__sim_here;
    if (sim->stopping || sim->now >= sim->faults_end || host->down || !cancel_all(host))
        return; /* or it is not up at the moment */
    sim->result.faults[__builtin_ctz(WEIR_SIM_RESTART)]++;
    sim->delivering = host;
    weir__sim_trace(NULL, "killed", 0, NULL, 0);
    host->down = true;
    host->killed_at = sim->now;
    weir__sim_close_all(host);
    weir__sim_files_killed(host);
    weir__sim_at(sim->now, funeral, host);
}

static bool may_be_killed(const struct weir_sim_host *host)
{
    struct weir__list *link;
    weir__list_each(link,
                    &host->programs) if (!weir__list_entry(link, struct weir__sim_program, link)->service) return false;
    return !weir__list_empty(&host->programs);
}

void weir__sim_draw_kills(struct weir__sim *sim, struct weir_sim_host *host)
{
    int kind = __builtin_ctz(WEIR_SIM_RESTART);
    if (!(sim->kinds & WEIR_SIM_RESTART) || !sim->rates[kind] || !may_be_killed(host))
        return;
    for (uint64_t kills = weir__sim_below(MOST_KILLS + 1); kills; kills--)
        weir__sim_at(weir__sim_between(sim->now, sim->faults_end), kill_host, host);
}
