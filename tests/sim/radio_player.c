/*
 * The player of weir serve stream, with the tone: what it writes is ahead of what sounds by a second and never by
 * much more or less, behind a burst; and it ends, with its source, when all was played, when another takes its
 * place, when the service ends, or when it is cancelled.
 */
#include "../../src/services/stream/stream.h"
#include "../../src/services/stream/tone.h"
#include "common.h"
#include "scenarios.h"

#define AHEAD  WEIR_S(1)
#define STEP   WEIR_MS(250)  /* it sleeps for so long */
#define SLACK  WEIR_MS(100)  /* and a frame and what the machine takes */
#define SECOND 16000         /* bytes, of 128 kbit/s */
#define ALL    WEIR_MS(5120) /* of the tone */

enum end { PLAYED, REPLACED, STOPPED, CANCELLED };

static struct {
    struct stream_settings settings;
    struct stream stream;
    int64_t begun;
    int64_t ahead; /* how much is written at once */
    enum end end;
} world;

static int64_t sound_of(uint64_t bytes)
{
    return (int64_t)(bytes * (uint64_t)WEIR_S(1) / SECOND);
}

/* What was written by now is what there must be. */
static void check_pace(void)
{
    struct mount_status status;
    mount_look(world.stream.radio, &status);
    int64_t written = sound_of(status.bytes_in), due = weir_now() - world.begun + world.ahead;
    bool is_all = world.settings.no_loop && written == ALL;
    WEIR_SIM_CHECK(written <= due + SLACK);
    WEIR_SIM_CHECK(is_all || written >= due - STEP - SLACK);
}

/* Watches until the end is due. */
static int watch(int64_t time)
{
    while (time > 0) {
        int64_t pause = between(0, WEIR_S(2));
        pause = pause < time ? pause : time;
        if (weir_sleep(pause) < 0)
            return -1;
        check_pace();
        time -= pause;
    }
    return 0;
}

/* Has it end. Returns another source, that is in its place. */
static struct mount_source *end_player(weir_fiber *player)
{
    struct mount_description description = {.type = "audio/mpeg"};
    if (world.end == STOPPED)
        mounts_stop(world.stream.mounts);
    if (world.end == CANCELLED)
        weir_cancel_fiber(player);
    return world.end == REPLACED ? mount_begin(world.stream.radio, &description, true) : NULL;
}

/* It hears that it is to end when it writes the next time; with all played, when it has sounded. */
static void check_end(weir_fiber *player, struct mount_source *other)
{
    struct mount_status status;
    int64_t sounded = world.begun + AHEAD + (ALL > world.ahead ? ALL - world.ahead : 0), asked = weir_now();
    WEIR_SIM_CHECK(weir_join(player, NULL, weir_deadline(WEIR_S(10))) == 0);
    if (world.end == PLAYED)
        check_due("the end of the tone", sounded, SLACK);
    else
        WEIR_SIM_CHECK(weir_now() - asked <= AHEAD + STEP + SLACK);
    mount_look(world.stream.radio, &status);
    WEIR_SIM_CHECK(status.live == (other != NULL));
    WEIR_SIM_CHECK(world.end != PLAYED || status.bytes_in == TONE_BYTES);
    mount_end(other);
}

static int play(void *arg)
{
    weir_fiber_options options = {.size = sizeof options, .name = "radio"};
    (void)arg;
    world.begun = weir_now();
    weir_fiber *player = weir_spawn(player_run, &world.stream, &options);
    if (!holds(player != NULL, "the player began"))
        return -1;
    if (world.end != PLAYED && watch(between(0, WEIR_MINUTES(2))) < 0)
        return -1;
    if (world.end == PLAYED && watch(between(0, ALL - world.ahead > 0 ? ALL - world.ahead : 0)) < 0)
        return -1;
    check_end(player, end_player(player));
    return 0;
}

static int have_radio(void *arg)
{
    struct mounts_options options = {.burst = (size_t)world.settings.burst};
    world.stream.settings = &world.settings;
    world.stream.mounts = mounts_new(&options);
    if (!holds(world.stream.mounts != NULL, "there are mounts"))
        return -1;
    world.stream.radio = mounts_make(world.stream.mounts, "/radio", MOUNT_RADIO);
    int result = holds(world.stream.radio != NULL, "there is a radio") ? play(arg) : -1;
    mount_drop(world.stream.radio);
    mounts_free(world.stream.mounts);
    return result;
}

/* The burst is of whole frames; after the last of them a second is due. */
void radio_player(void)
{
    memset(&world, 0, sizeof world);
    world.end = (enum end)weir_sim_below(4);
    world.settings.no_loop = world.end == PLAYED;
    world.settings.burst = one_in(8) ? 1000000 : between(0, 65536);
    world.ahead = sound_of((uint64_t)world.settings.burst);
    if (world.settings.no_loop && world.ahead > ALL)
        world.ahead = ALL;
    weir_sim_program(weir_sim_host_new("server"), "radio", have_radio, NULL);
}
