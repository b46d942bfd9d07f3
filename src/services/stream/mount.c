/* A mount's source, its title and what is told of it; see mount.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mount_inside.h"

struct mount_source {
    struct reel *reel; /* held; it holds the mount */
    bool begun;        /* something can be heard of it */
};

const char *mount_path(const struct mount *mount)
{
    return mount->status.path;
}

/* --- texts --- */

/* Copies what goes into heads of answers and pages: control characters as blanks, cut at a whole character. */
static void copy_text(char *to, size_t room, const char *from)
{
    size_t length = from ? strnlen(from, room) : 0;
    if (length == room)
        for (length--; length && ((unsigned char)from[length] & 0xc0) == 0x80;)
            length--;
    for (size_t i = 0; i < length; i++)
        to[i] = (unsigned char)from[i] < ' ' || from[i] == 0x7f ? ' ' : from[i];
    to[length] = '\0';
}

static void describe(struct mount *mount, const struct mount_description *description)
{
    struct mount_status *status = &mount->status;
    copy_text(status->type, sizeof status->type, description->type ? description->type : "audio/mpeg");
    copy_text(status->name, sizeof status->name, description->name);
    copy_text(status->genre, sizeof status->genre, description->genre);
    copy_text(status->description, sizeof status->description, description->description);
    copy_text(status->url, sizeof status->url, description->url);
    status->bitrate = description->bitrate;
    status->started = weir_wall_clock() / WEIR_S(1);
    status->public_ = description->public_;
}

/* --- titles --- */

void title_drop(struct title *title)
{
    if (title && atomic_fetch_sub(&title->holders, 1) == 1)
        free(title);
}

static struct title *title_new(struct mounts *mounts, const char *text)
{
    struct title *title = malloc(sizeof *title);
    if (!title)
        return NULL;
    atomic_init(&title->holders, 1);
    title->number = atomic_fetch_add(&mounts->last_title, 1) + 1;
    copy_text(title->text, sizeof title->text, text);
    title->size = icy_block(title->text, title->block);
    return title;
}

/* Without memory the last one stays. */
void mount_set_title(struct mount *mount, const char *text)
{
    struct title *title = title_new(mount->mounts, text);
    if (!title)
        return;
    pthread_mutex_lock(&mount->lock);
    struct title *old = mount->title;
    mount->title = title;
    pthread_mutex_unlock(&mount->lock);
    title_drop(old);
}

struct title *mount_title(struct mount *mount)
{
    pthread_mutex_lock(&mount->lock);
    struct title *title = mount->title;
    if (title)
        atomic_fetch_add(&title->holders, 1);
    pthread_mutex_unlock(&mount->lock);
    return title;
}

/* --- a source --- */

static void source_changed(struct mount *mount)
{
    atomic_fetch_add(&mount->mounts->generation, 1);
}

static void source_free(struct mount_source *source)
{
    if (source)
        reel_drop(source->reel);
    free(source);
}

static struct mount_source *source_new(struct mount *mount, const char *type)
{
    const struct mounts_options *options = &mount->mounts->options;
    struct mount_source *source = calloc(1, sizeof *source);
    if (source)
        source->reel = reel_new(mount, type, options->queue + options->burst);
    if (source && source->reel)
        return source;
    free(source);
    weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "stream", mount_path(mount), NULL);
    return NULL;
}

/* Puts a source (or none) in the place of the one before, whose reel is returned, to be ended. Under the lock. */
static struct reel *put(struct mount *mount, struct mount_source *source)
{
    struct reel *old = mount->reel;
    mount->source = source;
    mount->reel = source ? reel_hold(source->reel) : NULL;
    return old;
}

static void finish(struct reel *reel)
{
    if (reel)
        reel_end(reel);
    reel_drop(reel);
}

struct mount_source *mount_begin(struct mount *mount, const struct mount_description *description, bool replace)
{
    char type[64];
    copy_text(type, sizeof type, description->type ? description->type : "audio/mpeg");
    struct mount_source *source = source_new(mount, type);
    struct title *title = NULL;
    struct reel *old = NULL;
    if (!source)
        return NULL;
    pthread_mutex_lock(&mount->lock);
    bool takes = replace || !mount->source;
    if (takes) {
        old = put(mount, source);
        describe(mount, description);
        title = mount->title;
        mount->title = NULL;
    }
    pthread_mutex_unlock(&mount->lock);
    finish(old);
    title_drop(title);
    if (takes) {
        source_changed(mount);
        return source;
    }
    source_free(source);
    weir_fail(WEIR_ERROR_BUSY, EBUSY, "stream", mount_path(mount), "it has a source already");
    return NULL;
}

int mount_write(struct mount_source *source, const void *data, size_t size, bool start)
{
    struct mount *mount = reel_mount(source->reel);
    if (atomic_load(&mount->mounts->stopped))
        return weir_fail(WEIR_ERROR_CANCELLED, ECANCELED, "stream", mount_path(mount), "the service ends");
    if (reel_write(source->reel, data, size, start) < 0)
        return -1;
    atomic_fetch_add(&mount->bytes_in, size);
    if (start && !source->begun) {
        source->begun = true;
        source_changed(mount);
    }
    return 0;
}

int mount_set_header(struct mount_source *source, const void *data, size_t size)
{
    return reel_set_header(source->reel, data, size);
}

void mount_end(struct mount_source *source)
{
    if (!source)
        return;
    struct mount *mount = reel_mount(source->reel);
    struct reel *old = NULL;
    pthread_mutex_lock(&mount->lock);
    bool is_its = mount->source == source;
    if (is_its)
        old = put(mount, NULL);
    pthread_mutex_unlock(&mount->lock);
    finish(old);
    if (is_its)
        source_changed(mount);
    source_free(source);
}

/* --- what is told of it --- */

void mount_look(struct mount *mount, struct mount_status *status)
{
    pthread_mutex_lock(&mount->lock);
    *status = mount->status;
    status->live = mount->source != NULL;
    copy_text(status->title, sizeof status->title, mount->title ? mount->title->text : "");
    pthread_mutex_unlock(&mount->lock);
    status->listeners = atomic_load(&mount->listeners);
    status->listeners_peak = atomic_load(&mount->listeners_peak);
    status->listeners_total = atomic_load(&mount->listeners_total);
    status->skipped = atomic_load(&mount->skipped);
    status->dropped = atomic_load(&mount->dropped);
    status->bytes_in = atomic_load(&mount->bytes_in);
    status->bytes_out = atomic_load(&mount->bytes_out);
}

uint64_t mount_listeners(struct mount *mount)
{
    return atomic_load(&mount->listeners);
}

bool mount_is_coming(struct mount *mount)
{
    pthread_mutex_lock(&mount->lock);
    bool coming = mount->source || mount->status.kind == MOUNT_RELAY;
    pthread_mutex_unlock(&mount->lock);
    return coming;
}

void mount_enter(struct mount *mount)
{
    unsigned long long now = atomic_fetch_add(&mount->listeners, 1) + 1;
    unsigned long long peak = atomic_load(&mount->listeners_peak);
    while (peak < now && !atomic_compare_exchange_weak(&mount->listeners_peak, &peak, now))
        ;
    atomic_fetch_add(&mount->listeners_total, 1);
}

void mount_leave(struct mount *mount)
{
    atomic_fetch_sub(&mount->listeners, 1);
}
