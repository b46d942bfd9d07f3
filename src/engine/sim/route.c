/*
 * The ways between hosts: how long a piece takes, and when there is none.
 *
 * What is true of a pair of hosts comes from a hash of the seed and their numbers, so that it does not depend on who
 * talked first.
 */
#include "engine/sim/route.h"

#include <errno.h>
#include <stdlib.h>
#include <weir/time.h>

#define SHORTEST           WEIR_US(50)
#define LONGEST            WEIR_MS(50)
#define WITHIN_A_HOST      WEIR_US(3)
#define LONGEST_DELAY      WEIR_S(3)
#define SHORTEST_DELAY     WEIR_MS(20)
#define LONGEST_PARTITION  WEIR_S(5)
#define SHORTEST_PARTITION WEIR_MS(20)

enum { DOUBLINGS = 10, SLOWEST_DOUBLINGS = 10 };

static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static unsigned low_of(const struct weir_sim_host *one, const struct weir_sim_host *other)
{
    return one->number < other->number ? one->number : other->number;
}

static unsigned high_of(const struct weir_sim_host *one, const struct weir_sim_host *other)
{
    return one->number < other->number ? other->number : one->number;
}

/* A number of the pair's own, the same in both directions. */
static uint64_t of_pair(const struct weir_sim_host *one, const struct weir_sim_host *other)
{
    return mix(mix(weir__sim_here->seed + UINT64_C(0x9e3779b97f4a7c15)) ^ ((uint64_t)low_of(one, other) << 32) ^
               high_of(one, other));
}

/* --- latency --- */

/* Made when set_up first needs them, or when the run begins. */
struct weir__sim_names *weir__sim_names(struct weir__sim *sim)
{
    if (sim->names)
        return sim->names;
    struct weir__sim_names *names = calloc(1, sizeof *names);
    if (!names)
        abort();
    weir__list_init(&names->names);
    sim->names = names;
    return names;
}

static struct weir__sim_latency *latency_set(const struct weir_sim_host *one, const struct weir_sim_host *other)
{
    const struct weir__sim_names *names = weir__sim_names(weir__sim_here);
    for (size_t i = 0; i < names->latency_count; i++)
        if (names->latencies[i].low == low_of(one, other) && names->latencies[i].high == high_of(one, other))
            return &names->latencies[i];
    return NULL;
}

void weir_sim_latency(weir_sim_host *one, weir_sim_host *other, int64_t latency)
{
    struct weir__sim_names *names = weir__sim_names(weir__sim_here);
    struct weir__sim_latency *set = latency_set(one, other);
    if (!set) {
        set = realloc(names->latencies, (names->latency_count + 1) * sizeof *set);
        if (!set)
            abort();
        names->latencies = set;
        set += names->latency_count++;
    }
    *set = (struct weir__sim_latency){low_of(one, other), high_of(one, other), latency};
}

/* Each doubling of the shortest is as likely as any other. */
static int64_t latency_of(const struct weir_sim_host *one, const struct weir_sim_host *other)
{
    const struct weir__sim_latency *set = latency_set(one, other);
    if (set)
        return set->latency;
    uint64_t chance = of_pair(one, other);
    int64_t least = SHORTEST << (chance % DOUBLINGS);
    int64_t latency = least + (int64_t)((chance >> 16) % (uint64_t)least);
    return latency < LONGEST ? latency : LONGEST;
}

/* Nanoseconds a byte: between a gigabyte a second and two megabytes. */
static int64_t slowness_of(const struct weir_sim_host *one, const struct weir_sim_host *other)
{
    return INT64_C(1) << (of_pair(one, other) >> 48) % SLOWEST_DOUBLINGS;
}

static int64_t with_jitter(int64_t time)
{
    return time + (int64_t)weir__sim_below((uint64_t)time / 8 + 1);
}

int64_t weir__sim_transit(struct weir_sim_host *from, struct weir_sim_host *to, size_t size)
{
    if (!from || !to || from == to)
        return with_jitter(WITHIN_A_HOST + (int64_t)(size / 4));
    int64_t time = with_jitter(latency_of(from, to)) + (int64_t)size * slowness_of(from, to);
    if (weir__sim_strikes(WEIR_SIM_DELAY))
        time += weir__sim_between(SHORTEST_DELAY, LONGEST_DELAY);
    return time;
}

/* --- partitions --- */

static void draw_partition(struct weir__sim *sim, struct weir__sim_partition *partition)
{
    partition->begin = weir__sim_between(sim->now, sim->faults_end);
    int64_t end = partition->begin + weir__sim_between(SHORTEST_PARTITION, LONGEST_PARTITION);
    partition->end = end < sim->faults_end ? end : sim->faults_end;
    partition->salt = weir__sim_random();
    partition->one_in = 2 + (unsigned)weir__sim_below(3);
    partition->counted = false;
}

/* How many there are: none, a few, or many, as the seed's rate is. */
static size_t partitions_of(const struct weir__sim *sim)
{
    uint32_t rate = sim->rates[__builtin_ctz(WEIR_SIM_PARTITION)];
    if (!(sim->kinds & WEIR_SIM_PARTITION) || rate == 0 || sim->faults_end <= sim->now)
        return 0;
    return rate < UINT32_MAX / 200 ? 1 + weir__sim_below(2) : 3 + weir__sim_below(WEIR__SIM_PARTITIONS - 2);
}

void weir__sim_routes_begin(struct weir__sim *sim)
{
    struct weir__sim_names *names = weir__sim_names(sim);
    weir__list_init(&sim->datagrams);
    names->partition_count = partitions_of(sim);
    for (size_t i = 0; i < names->partition_count; i++)
        draw_partition(sim, &names->partitions[i]);
}

void weir__sim_routes_end(struct weir__sim *sim)
{
    if (!sim->names)
        return;
    weir__sim_names_free(sim->names);
    free(sim->names->latencies);
    free(sim->names);
    sim->names = NULL;
}

static bool is_cut_off(const struct weir__sim_partition *partition, const struct weir_sim_host *host)
{
    return mix(partition->salt + host->number) % partition->one_in == 0;
}

static bool divides(struct weir__sim_partition *partition, const struct weir_sim_host *one,
                    const struct weir_sim_host *other, int64_t time)
{
    if (time < partition->begin || time >= partition->end || is_cut_off(partition, one) == is_cut_off(partition, other))
        return false;
    if (!partition->counted)
        weir__sim_here->result.faults[__builtin_ctz(WEIR_SIM_PARTITION)]++;
    partition->counted = true;
    return true;
}

/* The end of one may lie in another. */
int64_t weir__sim_open_at(struct weir_sim_host *from, struct weir_sim_host *to)
{
    struct weir__sim_names *names = weir__sim_here->names;
    int64_t time = weir__sim_here->now;
    if (!from || !to || from == to)
        return time;
    for (size_t i = 0; i < names->partition_count;) {
        bool divided = divides(&names->partitions[i], from, to, time);
        if (divided)
            time = names->partitions[i].end;
        i = divided ? 0 : i + 1;
    }
    return time;
}
