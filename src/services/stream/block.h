/*
 * A reel: the latest audio of one source, once in memory whoever listens. It is a stream of bytes, told by their
 * positions from its first, of which the last part is kept, in blocks that are counted and shared: what was once
 * written of a block never changes, and a block lives as long as somebody holds it. Any thread may call all of it.
 */
#ifndef STREAM_BLOCK_H
#define STREAM_BLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mount;

enum { BLOCK_SIZE = 16384, BLOCK_STARTS = 64 };

struct block {
    atomic_uint holders;
    uint16_t start_count;
    uint16_t starts[BLOCK_STARTS]; /* where listeners may begin; at least BLOCK_SIZE / BLOCK_STARTS bytes apart */
    char bytes[BLOCK_SIZE];
};

void block_drop(struct block *block);

struct reel;

/*
 * One of `type`, of `mount`, which it holds, and of which at least `keep` bytes are kept. Held once by the caller.
 * NULL with ENOMEM.
 */
struct reel *reel_new(struct mount *mount, const char *type, size_t keep);
struct reel *reel_hold(struct reel *reel);
void reel_drop(struct reel *reel);

struct mount *reel_mount(const struct reel *reel);
const char *reel_type(const struct reel *reel);

/* Adds audio, at whose beginning a listener may begin (`start`). 0; -1 with ECANCELED where it has ended, ENOMEM. */
int reel_write(struct reel *reel, const void *data, size_t size, bool start);

/*
 * What every listener gets first. Replaces the last: listeners begin at what is written after it from now on. 0, or -1
 * with ENOMEM.
 */
int reel_set_header(struct reel *reel, const void *data, size_t size);

/* A copy of it, the caller's to free; *size is 0 and the result NULL where there is none. False without memory. */
bool reel_header(struct reel *reel, char **data, size_t *size);

/* No more will come. */
void reel_end(struct reel *reel);

struct reel_look {
    uint64_t begin, end; /* what is kept */
    uint64_t since;      /* where the audio begins that the header is of */
    bool ended;
    int64_t written; /* when something came last; when it was made */
};

void reel_look(struct reel *reel, struct reel_look *look);

/* The newest start that has at least `behind` bytes after it, else the oldest one. False: there is none. */
bool reel_join(struct reel *reel, uint64_t behind, uint64_t *position);

/* The first start from `position` on, but at most `most`. */
uint64_t reel_boundary(struct reel *reel, uint64_t position, uint64_t most);

/* Some of the audio, in blocks that are held until stretch_drop. */
enum { STRETCH_BLOCKS = 6 };

struct stretch {
    size_t count;
    struct block *blocks[STRETCH_BLOCKS];
    uint16_t from[STRETCH_BLOCKS], to[STRETCH_BLOCKS]; /* of each block */
};

/*
 * What there is from `position` on. Where it is more than fits, it ends at a start (unless there is none in it).
 * Returns its length; 0: nothing has come yet, or it is no longer kept.
 */
size_t reel_take(struct reel *reel, uint64_t position, struct stretch *stretch);
void stretch_drop(struct stretch *stretch);

#endif
