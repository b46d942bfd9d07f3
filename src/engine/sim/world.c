/* A run: a world made from a seed, its programs, its end, and what was found. */
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "engine/loop.h"
#include "engine/sim/descriptor.h"
#include "engine/sim/event.h"
#include "engine/sim/host.h"

#define LONGEST_FAULTS WEIR_S(20)
#define LIMIT          WEIR_MINUTES(15)
/* 2026-01-01 00:00:00 UTC is when every world begins. */
#define WALL_BEGINNING (INT64_C(1767225600) * WEIR_S(1))

_Thread_local struct weir__sim *weir__sim_here;

/* --- what is found --- */

static void fail(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
static void fail(const char *format, va_list arguments)
{
    weir_sim_result *result = &weir__sim_here->result;
    char reason[WEIR_SIM_REASON];
    vsnprintf(reason, sizeof reason, format, arguments);
    weir__sim_trace_text("FAILED", reason);
    if (!result->failed)
        memcpy(result->reason, reason, sizeof reason);
    result->failed = true;
}

void weir__sim_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fail(format, arguments);
    va_end(arguments);
}

void weir_sim_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fail(format, arguments);
    va_end(arguments);
}

/* --- what the seed decides at once --- */

/* A third of all seeds see none of a kind of fault, a third a few, and a third a storm. */
static uint32_t draw_rate(void)
{
    switch (weir__sim_below(3)) {
    case 0:
        return 0;
    case 1:
        return (uint32_t)weir__sim_between(UINT32_MAX / 2000, UINT32_MAX / 200);
    default:
        return (uint32_t)weir__sim_between(UINT32_MAX / 100, UINT32_MAX / 8);
    }
}

static void draw_faults(struct weir__sim *sim)
{
    int64_t duration = sim->scenario->faults_for;
    if (!duration)
        duration = weir__sim_between(0, LONGEST_FAULTS);
    for (int kind = 0; kind < WEIR_SIM_FAULT_KINDS; kind++)
        sim->rates[kind] = draw_rate();
    sim->kinds = WEIR_SIM_ALL_FAULTS & ~sim->scenario->without;
    sim->faults_end = sim->now + duration;
    sim->late_release = weir__sim_below(2);
}

bool weir_sim_faulty(void)
{
    return weir__sim_here->now < weir__sim_here->faults_end;
}

int64_t weir_sim_faults_end(void)
{
    return weir__sim_here->faults_end;
}

/* --- running --- */

static void time_is_up(void *arg)
{
    ((struct weir__sim *)arg)->over = true;
}

static int begin(struct weir__sim *sim, const weir_sim_scenario *scenario, uint64_t seed, int trace)
{
    *sim = (struct weir__sim){.scenario = scenario, .seed = seed, .trace = trace, .now = WEIR__SIM_BEGINNING};
    sim->wall = WALL_BEGINNING - WEIR__SIM_BEGINNING;
    weir__list_init(&sim->hosts);
    if (weir__sim_events_begin(sim) < 0)
        return weir__fail_memory("simulate");
    if (weir__sim_descriptors_begin(sim) < 0) {
        weir__sim_events_end(sim);
        return weir__fail_memory("simulate");
    }
    weir__sim_here = sim;
    weir__system_here = &weir__sim_system;
    weir__sim_chance_begin(sim, seed);
    return 0;
}

void (*_Atomic weir__sim_forgets)(void);

static void end(struct weir__sim *sim)
{
    void (*forget)(void) = weir__sim_forgets;
    if (forget)
        forget();
    weir__sim_close_rest(sim);
    weir__sim_datagrams_end(sim);
    weir__sim_streams_end(sim);
    weir__sim_routes_end(sim);
    weir__sim_hosts_free(sim);
    weir__sim_descriptors_end(sim);
    weir__sim_events_end(sim);
    if (sim->live_objects && !sim->result.failed)
        weir__sim_fail("%zu objects of the simulation were left behind", sim->live_objects);
    weir__system_here = &weir__kernel;
    weir__sim_here = NULL;
}

/* Until all have ended. A service that is to be started again is no fiber yet. */
static int run_programs(struct weir__sim *sim)
{
    int result;
    do
        result = weir_loop_run(sim->loop);
    while (result == 0 && sim->services_left && weir__sim_pass(sim));
    return result;
}

static void play(struct weir__sim *sim)
{
    int64_t limit = sim->scenario->limit ? sim->scenario->limit : LIMIT;
    draw_faults(sim);
    sim->scenario->set_up();
    weir__sim_routes_begin(sim);
    weir__sim_hosts_start(sim);
    struct weir__sim_event *last = weir__sim_at(sim->faults_end + limit, time_is_up, sim);
    if (run_programs(sim) == 0) {
        weir__sim_forget(last);
        while (weir__sim_pass(sim)) /* what is still under way between closed sockets */
            ;
        weir__sim_check_end(sim);
    }
    sim->result.duration = sim->now - WEIR__SIM_BEGINNING;
}

static void run(struct weir__sim *sim)
{
    /* Faults come when the world has begun. */
    sim->loop = weir_loop_new(NULL);
    if (!sim->loop) {
        weir__sim_fail("no loop could be made");
        return;
    }
    play(sim);
    sim->kinds = 0;
    sim->over = false;
    weir__sim_at(sim->now + LIMIT, time_is_up, sim); /* for what does not end though it is cancelled */
    weir_loop_free(sim->loop);
}

/* Unless the C library's caches count as memory in use, which weir_sim_main sees to. */
static bool memory_is_exact(void)
{
    const char *tunables = getenv("GLIBC_TUNABLES");
    return tunables && strstr(tunables, "glibc.malloc.tcache_count=0");
}

static size_t memory(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* What a first run leaves is kept for the next: tables that are made once. */
static void check_memory(struct weir__sim *sim, size_t before)
{
    static _Thread_local const weir_sim_scenario *known;
    size_t now = memory();
    if (known == sim->scenario && now > before && !sim->result.failed && memory_is_exact()) {
        sim->result.failed = true;
        snprintf(sim->result.reason, sizeof sim->result.reason, "%zu bytes of memory were not given back",
                 now - before);
    }
    known = sim->scenario;
}

int weir_sim_run(const weir_sim_scenario *scenario, uint64_t seed, int trace, weir_sim_result *result)
{
    if (weir__loop_here)
        return weir_fail(WEIR_ERROR_USAGE, EBUSY, "simulate", scenario->name, "this thread has a loop");
    struct weir__sim *sim = malloc(sizeof *sim);
    if (!sim)
        return weir__fail_memory("simulate");
    size_t before = memory();
    if (begin(sim, scenario, seed, trace) < 0) {
        free(sim);
        return -1;
    }
    run(sim);
    end(sim);
    check_memory(sim, before);
    weir_sim_result found = sim->result;
    free(sim);
    if (result)
        *result = found;
    return found.failed ? weir_fail(WEIR_ERROR_SYSTEM, EPROTO, "simulate", scenario->name, "%s", found.reason) : 0;
}
