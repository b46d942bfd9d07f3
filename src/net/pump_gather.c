/*
 * While bytes flood through a pump's pipe it waits until a large piece has come (SO_RCVLOWAT), not until there are some: the
 * kernel then sends on in a few large bursts, and the relay is woken seldom.
 *
 * What does not fill a piece would lie there, so each such wait is short. When one was in vain the flood is thought to be over; and
 * if that happens again and again, as where questions and large answers alternate, it is believed in ever later.
 */
#include <errno.h>

#include "net/pump.h"

/* It is a flood if so much comes in so short a time... */
enum { FLOOD = 4 << 20 };
#define FLOOD_TIME WEIR_MS(10)

enum {
    PIECE = 1000000,
    MOST_DOUBT = 6,       /* ...as many times as 2 to the power of the doubts, without a pause */
    PIECES_OF_TRUST = 256 /* that were gathered, one after the other: no doubt is left */
};

/* The longest wait for the rest of a piece. */
#define PATIENCE WEIR_MS(2)

static int set_least(const struct weir__pump *pump, int bytes)
{
    return weir__system()->setsockopt(weir__end_fd(&pump->from), SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

/* Where a socket knows no such thing it is not asked again soon. */
static void start(struct weir__pump *pump)
{
    struct weir__gathering *gathering = &pump->gathering;
    int number = errno;
    gathering->floods = 0;
    gathering->pieces = 0;
    gathering->until = 0;
    gathering->on = set_least(pump, PIECE) == 0;
    if (!gathering->on)
        gathering->doubts = MOST_DOUBT;
    errno = number;
}

/* The kernel looks at once whether what there is is enough now, and says so. */
void weir__pump_gather_end(struct weir__pump *pump)
{
    int number = errno;
    if (pump->gathering.on)
        set_least(pump, 1);
    pump->gathering.on = false;
    errno = number;
}

static void gathered(struct weir__gathering *gathering)
{
    gathering->until = 0;
    if (++gathering->pieces == PIECES_OF_TRUST)
        gathering->doubts = 0;
}

void weir__pump_gather(struct weir__pump *pump, size_t bytes)
{
    struct weir__gathering *gathering = &pump->gathering;
    if (gathering->on) {
        gathered(gathering);
        return;
    }
    int64_t now = weir__now();
    if (now - gathering->began > FLOOD_TIME) {
        gathering->floods = 0;
        gathering->bytes = 0;
    }
    if (gathering->bytes == 0)
        gathering->began = now;
    gathering->bytes += bytes;
    if (gathering->bytes < FLOOD)
        return;
    gathering->bytes = 0;
    if (++gathering->floods >= 1U << gathering->doubts)
        start(pump);
}

int64_t weir__pump_gather_until(struct weir__pump *pump)
{
    struct weir__gathering *gathering = &pump->gathering;
    if (!gathering->on || pump->piped)
        return WEIR_FOREVER;
    if (!gathering->until)
        gathering->until = weir__now() + PATIENCE;
    if (weir__now() < gathering->until)
        return gathering->until;
    if (gathering->doubts < MOST_DOUBT)
        gathering->doubts++;
    weir__pump_gather_end(pump);
    return WEIR_FOREVER;
}
