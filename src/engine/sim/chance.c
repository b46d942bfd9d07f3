/* Chance: numbers from the seed (xoshiro256**, seeded by splitmix64), and whether a fault comes now. */
#include "engine/sim/sim.h"

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

void weir__sim_chance_begin(struct weir__sim *sim, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        sim->chance[i] = splitmix(&seed);
}

uint64_t weir__sim_random(void)
{
    uint64_t *s = weir__sim_here->chance;
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

/* The bias of a bound far below 2^64 is nothing that a simulation could notice. */
uint64_t weir__sim_below(uint64_t limit)
{
    return (uint64_t)((unsigned __int128)weir__sim_random() * limit >> 64);
}

int64_t weir__sim_between(int64_t low, int64_t high)
{
    return low + (int64_t)weir__sim_below((uint64_t)(high - low) + 1);
}

bool weir__sim_strikes_rarely(weir_sim_fault fault, unsigned rarer)
{
    struct weir__sim *sim = weir__sim_here;
    int kind = __builtin_ctz((unsigned)fault);
    if (!(sim->kinds & (unsigned)fault) || sim->now >= sim->faults_end)
        return false;
    if ((weir__sim_random() >> 32) >= sim->rates[kind] / rarer)
        return false;
    sim->result.faults[kind]++;
    return true;
}

bool weir__sim_strikes(weir_sim_fault fault)
{
    return weir__sim_strikes_rarely(fault, 1);
}

uint64_t weir_sim_below(uint64_t limit)
{
    return weir__sim_below(limit);
}
