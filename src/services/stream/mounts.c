/* The mounts of a service, found by their paths; see mount.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mount_inside.h"

enum { MOST_MOUNTS = 100, BURST = 65536, QUEUE = 524288, LEAST_BEYOND = 65536 };

static void fill_in(struct mounts_options *options)
{
    if (!options->most)
        options->most = MOST_MOUNTS;
    if (!options->burst)
        options->burst = BURST;
    if (!options->queue)
        options->queue = QUEUE;
    if (options->queue < options->burst + LEAST_BEYOND)
        options->queue = options->burst + LEAST_BEYOND;
    if (!options->patience)
        options->patience = WEIR_S(60);
    if (!options->grace)
        options->grace = WEIR_S(10);
    if (!options->lifetime)
        options->lifetime = WEIR_FOREVER;
}

struct mounts *mounts_new(const struct mounts_options *options)
{
    struct mounts *mounts = calloc(1, sizeof *mounts);
    if (!mounts) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "", NULL);
        return NULL;
    }
    mounts->options = *options;
    fill_in(&mounts->options);
    pthread_mutex_init(&mounts->lock, NULL);
    return mounts;
}

void mounts_free(struct mounts *mounts)
{
    if (!mounts)
        return;
    mounts_set_fallback(mounts, NULL);
    pthread_mutex_destroy(&mounts->lock);
    free(mounts);
}

void mounts_stop(struct mounts *mounts)
{
    atomic_store(&mounts->stopped, true);
}

void mounts_set_fallback(struct mounts *mounts, struct mount *fallback)
{
    struct mount *held = fallback ? mount_hold(fallback) : NULL;
    pthread_mutex_lock(&mounts->lock);
    struct mount *old = mounts->fallback;
    mounts->fallback = held;
    pthread_mutex_unlock(&mounts->lock);
    atomic_fetch_add(&mounts->generation, 1);
    mount_drop(old);
}

/* --- finding; under the lock --- */

static struct mount *find(const struct mounts *mounts, const char *path)
{
    for (struct mount *mount = mounts->first; mount; mount = mount->next)
        if (strcmp(mount->status.path, path) == 0)
            return mount;
    return NULL;
}

static struct mount *add(struct mounts *mounts, const char *path, enum mount_kind kind)
{
    struct mount *mount = calloc(1, sizeof *mount);
    if (!mount)
        return NULL;
    mount->mounts = mounts;
    mount->status.kind = kind;
    snprintf(mount->status.path, sizeof mount->status.path, "%s", path);
    pthread_mutex_init(&mount->lock, NULL);
    struct mount **last = &mounts->first;
    while (*last)
        last = &(*last)->next;
    *last = mount;
    mounts->count++;
    return mount;
}

struct mount *mounts_find(struct mounts *mounts, const char *path)
{
    pthread_mutex_lock(&mounts->lock);
    struct mount *mount = find(mounts, path);
    if (mount)
        mount->holders++;
    pthread_mutex_unlock(&mounts->lock);
    return mount;
}

struct mount *mounts_make(struct mounts *mounts, const char *path, enum mount_kind kind)
{
    if (path[0] != '/' || strlen(path) >= sizeof((struct mount_status *)NULL)->path) {
        weir_fail(WEIR_ERROR_USAGE, EINVAL, "mount", path, "a mount is a path of at most 255 bytes, such as /live");
        return NULL;
    }
    pthread_mutex_lock(&mounts->lock);
    struct mount *mount = find(mounts, path);
    bool is_full = !mount && mounts->count >= mounts->options.most;
    if (!mount && !is_full)
        mount = add(mounts, path, kind);
    if (mount)
        mount->holders++;
    pthread_mutex_unlock(&mounts->lock);
    if (is_full)
        weir_fail(WEIR_ERROR_LIMIT, ENOSPC, "mount", path, "there are %zu mounts already", mounts->options.most);
    else if (!mount)
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "mount", path, NULL);
    return mount;
}

/* --- holding --- */

struct mount *mount_hold(struct mount *mount)
{
    pthread_mutex_lock(&mount->mounts->lock);
    mount->holders++;
    pthread_mutex_unlock(&mount->mounts->lock);
    return mount;
}

static void take_out(struct mounts *mounts, struct mount *mount)
{
    struct mount **at = &mounts->first;
    while (*at != mount)
        at = &(*at)->next;
    *at = mount->next;
    mounts->count--;
}

/* Its source holds it, and so do those who listen: nobody is left. */
static void mount_free(struct mount *mount)
{
    title_drop(mount->title);
    pthread_mutex_destroy(&mount->lock);
    free(mount);
}

void mount_drop(struct mount *mount)
{
    if (!mount)
        return;
    struct mounts *mounts = mount->mounts;
    pthread_mutex_lock(&mounts->lock);
    bool last = --mount->holders == 0;
    if (last)
        take_out(mounts, mount);
    pthread_mutex_unlock(&mounts->lock);
    if (last)
        mount_free(mount);
}

/* --- what they are --- */

size_t mounts_status(struct mounts *mounts, struct mount_status *status, size_t most)
{
    size_t count = 0;
    pthread_mutex_lock(&mounts->lock);
    for (struct mount *mount = mounts->first; mount; mount = mount->next, count++)
        if (count < most)
            mount_look(mount, &status[count]);
    pthread_mutex_unlock(&mounts->lock);
    return count;
}

/* A reel of the fallback, or NULL. */
static struct reel *heard_of_fallback(struct mounts *mounts, const struct mount *mount)
{
    pthread_mutex_lock(&mounts->lock);
    struct mount *fallback = mounts->fallback;
    struct reel *reel = NULL;
    if (fallback && fallback != mount) {
        pthread_mutex_lock(&fallback->lock);
        reel = reel_hold(fallback->reel);
        pthread_mutex_unlock(&fallback->lock);
    }
    pthread_mutex_unlock(&mounts->lock);
    return reel;
}

/* Gives a reel that cannot be heard back. */
static struct reel *audible(struct reel *reel, const char *type)
{
    uint64_t position;
    if (!reel || ((!type || strcmp(type, reel_type(reel)) == 0) && reel_join(reel, 0, &position)))
        return reel;
    reel_drop(reel);
    return NULL;
}

struct reel *mount_heard(struct mount *mount, const char *type)
{
    pthread_mutex_lock(&mount->lock);
    struct reel *own = reel_hold(mount->reel);
    pthread_mutex_unlock(&mount->lock);
    own = audible(own, type);
    return own ? own : audible(heard_of_fallback(mount->mounts, mount), type);
}
