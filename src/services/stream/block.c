/* The audio of a source in blocks; see block.h. */
#include "block.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#include "mount_inside.h"

enum { START_DISTANCE = BLOCK_SIZE / BLOCK_STARTS };

struct reel {
    atomic_uint holders;
    struct mount *mount;
    char type[64];
    pthread_mutex_t lock; /* of all below */
    uint64_t begin, end;  /* `begin` is the first byte of a block */
    bool ended;
    int64_t written;
    char *header;
    size_t header_size;
    uint64_t since;         /* where the audio begins that the header is of */
    size_t room;            /* blocks */
    struct block *blocks[]; /* a ring: that of position p is at p / BLOCK_SIZE % room */
};

/* --- blocks --- */

static struct block *block_hold(struct block *block)
{
    atomic_fetch_add_explicit(&block->holders, 1, memory_order_relaxed);
    return block;
}

void block_drop(struct block *block)
{
    if (block && atomic_fetch_sub(&block->holders, 1) == 1)
        free(block);
}

static struct block *block_new(void)
{
    struct block *block = malloc(sizeof *block);
    if (!block)
        return NULL;
    atomic_init(&block->holders, 1);
    block->start_count = 0;
    return block;
}

/* Starts that lie closer together are passed over: there are others. */
static void note_start(struct block *block, size_t offset)
{
    size_t count = block->start_count;
    if (count && offset - block->starts[count - 1] < START_DISTANCE)
        return;
    if (count < BLOCK_STARTS)
        block->starts[block->start_count++] = (uint16_t)offset;
}

/* --- a reel's life --- */

struct reel *reel_new(struct mount *mount, const char *type, size_t keep)
{
    size_t room = keep / BLOCK_SIZE + 3;
    struct reel *reel = calloc(1, sizeof *reel + room * sizeof(struct block *));
    if (!reel) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "stream", "", NULL);
        return NULL;
    }
    atomic_init(&reel->holders, 1);
    pthread_mutex_init(&reel->lock, NULL);
    reel->mount = mount_hold(mount);
    reel->room = room;
    reel->written = weir_now();
    snprintf(reel->type, sizeof reel->type, "%s", type);
    return reel;
}

struct reel *reel_hold(struct reel *reel)
{
    if (reel)
        atomic_fetch_add(&reel->holders, 1);
    return reel;
}

void reel_drop(struct reel *reel)
{
    if (!reel || atomic_fetch_sub(&reel->holders, 1) != 1)
        return;
    for (size_t i = 0; i < reel->room; i++)
        block_drop(reel->blocks[i]);
    mount_drop(reel->mount);
    pthread_mutex_destroy(&reel->lock);
    free(reel->header);
    free(reel);
}

struct mount *reel_mount(const struct reel *reel)
{
    return reel->mount;
}

const char *reel_type(const struct reel *reel)
{
    return reel->type;
}

void reel_end(struct reel *reel)
{
    pthread_mutex_lock(&reel->lock);
    reel->ended = true;
    pthread_mutex_unlock(&reel->lock);
}

void reel_look(struct reel *reel, struct reel_look *look)
{
    pthread_mutex_lock(&reel->lock);
    *look = (struct reel_look){
        .begin = reel->begin, .since = reel->since, .end = reel->end, .ended = reel->ended, .written = reel->written};
    pthread_mutex_unlock(&reel->lock);
}

/* --- writing --- */

static struct block **slot_of(struct reel *reel, uint64_t position)
{
    return &reel->blocks[position / BLOCK_SIZE % reel->room];
}

/* The block that the next byte goes into: a new one takes the place of the oldest. NULL without memory. */
static struct block *last_block(struct reel *reel)
{
    struct block **slot = slot_of(reel, reel->end);
    if (reel->end % BLOCK_SIZE)
        return *slot;
    struct block *block = block_new();
    if (!block)
        return NULL;
    if (*slot)
        reel->begin += BLOCK_SIZE;
    block_drop(*slot);
    return *slot = block;
}

static int append(struct reel *reel, const char *data, size_t size, bool start)
{
    while (size > 0) {
        struct block *block = last_block(reel);
        if (!block)
            return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "stream", mount_path(reel->mount), NULL);
        size_t offset = reel->end % BLOCK_SIZE, part = size < BLOCK_SIZE - offset ? size : BLOCK_SIZE - offset;
        if (start)
            note_start(block, offset);
        memcpy(block->bytes + offset, data, part);
        reel->end += part;
        data += part;
        size -= part;
        start = false;
    }
    reel->written = weir_now();
    return 0;
}

int reel_write(struct reel *reel, const void *data, size_t size, bool start)
{
    pthread_mutex_lock(&reel->lock);
    bool ended = reel->ended;
    int result = ended ? -1 : append(reel, data, size, start);
    pthread_mutex_unlock(&reel->lock);
    if (ended)
        return weir_fail(WEIR_ERROR_CANCELLED, ECANCELED, "stream", mount_path(reel->mount),
                         "another source has taken this one's place, or the service ends");
    return result;
}

int reel_set_header(struct reel *reel, const void *data, size_t size)
{
    char *header = malloc(size ? size : 1);
    if (!header)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "stream", mount_path(reel->mount), NULL);
    memcpy(header, data, size);
    pthread_mutex_lock(&reel->lock);
    char *old = reel->header;
    reel->header = header;
    reel->since = reel->end;
    reel->header_size = size;
    pthread_mutex_unlock(&reel->lock);
    free(old);
    return 0;
}

bool reel_header(struct reel *reel, char **data, size_t *size)
{
    pthread_mutex_lock(&reel->lock);
    *size = reel->header_size;
    *data = *size ? malloc(*size) : NULL;
    if (*data)
        memcpy(*data, reel->header, *size);
    pthread_mutex_unlock(&reel->lock);
    return *data || *size == 0;
}

/* --- places to begin at; under the lock --- */

/* The last start of a block up to `offset`. */
static bool start_before(const struct block *block, size_t offset, size_t *found)
{
    for (size_t i = block->start_count; i-- > 0;)
        if (block->starts[i] <= offset) {
            *found = block->starts[i];
            return true;
        }
    return false;
}

static bool start_after(const struct block *block, size_t offset, size_t *found)
{
    for (size_t i = 0; i < block->start_count; i++)
        if (block->starts[i] >= offset) {
            *found = block->starts[i];
            return true;
        }
    return false;
}

/* The first byte of the block that a position lies in. */
static uint64_t base_of(uint64_t position)
{
    return position - position % BLOCK_SIZE;
}

static bool newest_start(struct reel *reel, uint64_t target, uint64_t *position)
{
    size_t found, offset = target % BLOCK_SIZE;
    for (uint64_t base = base_of(target);; base -= BLOCK_SIZE, offset = BLOCK_SIZE) {
        if (base < reel->end && start_before(*slot_of(reel, base), offset, &found)) {
            *position = base + found;
            return true;
        }
        if (base <= reel->begin)
            return false;
    }
}

static bool oldest_start(struct reel *reel, uint64_t from, uint64_t *position)
{
    size_t found, offset = from % BLOCK_SIZE;
    for (uint64_t base = base_of(from); base < reel->end; base += BLOCK_SIZE, offset = 0)
        if (start_after(*slot_of(reel, base), offset, &found)) {
            *position = base + found;
            return true;
        }
    return false;
}

bool reel_join(struct reel *reel, uint64_t behind, uint64_t *position)
{
    pthread_mutex_lock(&reel->lock);
    uint64_t from = reel->since > reel->begin ? reel->since : reel->begin;
    bool found = behind <= reel->end - from && newest_start(reel, reel->end - behind, position) && *position >= from;
    found = found || oldest_start(reel, from, position);
    pthread_mutex_unlock(&reel->lock);
    return found;
}

uint64_t reel_boundary(struct reel *reel, uint64_t position, uint64_t most)
{
    uint64_t found = most;
    pthread_mutex_lock(&reel->lock);
    if (position >= reel->begin && oldest_start(reel, position, &found) && found > most)
        found = most;
    pthread_mutex_unlock(&reel->lock);
    return found;
}

/* --- taking --- */

static size_t take_block(struct reel *reel, uint64_t position, struct stretch *stretch)
{
    size_t from = position % BLOCK_SIZE;
    uint64_t left = reel->end - base_of(position);
    size_t to = left < BLOCK_SIZE ? (size_t)left : BLOCK_SIZE;
    stretch->blocks[stretch->count] = block_hold(*slot_of(reel, position));
    stretch->from[stretch->count] = (uint16_t)from;
    stretch->to[stretch->count++] = (uint16_t)to;
    return to - from;
}

/* Shortens a stretch that is full to where a listener could begin. Returns by how much. */
static size_t end_at_start(struct stretch *stretch)
{
    size_t last = stretch->count - 1, found;
    if (!start_before(stretch->blocks[last], stretch->to[last], &found) || found <= stretch->from[last])
        return 0;
    size_t less = stretch->to[last] - found;
    stretch->to[last] = (uint16_t)found;
    return less;
}

size_t reel_take(struct reel *reel, uint64_t position, struct stretch *stretch)
{
    size_t taken = 0;
    stretch->count = 0;
    pthread_mutex_lock(&reel->lock);
    if (position >= reel->begin)
        while (stretch->count < STRETCH_BLOCKS && position + taken < reel->end)
            taken += take_block(reel, position + taken, stretch);
    if (position + taken < reel->end && stretch->count)
        taken -= end_at_start(stretch);
    pthread_mutex_unlock(&reel->lock);
    return taken;
}

void stretch_drop(struct stretch *stretch)
{
    for (size_t i = 0; i < stretch->count; i++)
        block_drop(stretch->blocks[i]);
    stretch->count = 0;
}
