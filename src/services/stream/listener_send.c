/*
 * What a listener is sent: audio out of the shared blocks, with metadata between where it was asked for, in one call
 * and without waiting. Where the socket takes less than all, what is left of the frame in the middle is copied, so
 * that the listener is between two frames again: it may be set forward from there, or go over to another source.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "listener.h"

/* Blocks in two pieces where metadata comes between. */
enum { MOST_PIECES = STRETCH_BLOCKS + 2 * (STRETCH_BLOCKS * BLOCK_SIZE / LISTENER_INTERVAL + 1) };

/* What is sent in one call. */
struct batch {
    struct stretch stretch;
    struct title *title; /* held; NULL: it has none */
    struct iovec pieces[MOST_PIECES];
    uint64_t metadata; /* which pieces are metadata, as bits */
    int count;
    size_t audio, size; /* bytes of audio, and of all */
};

_Static_assert(MOST_PIECES <= 64, "a bit for each piece");

/* --- putting a batch together --- */

static void add_piece(struct batch *batch, const char *data, size_t size, bool metadata)
{
    batch->pieces[batch->count] = (struct iovec){.iov_base = (void *)data, .iov_len = size};
    batch->metadata |= (uint64_t)metadata << batch->count++;
    batch->audio += metadata ? 0 : size;
    batch->size += size;
}

/* A title that it has had is not sent again. */
static void add_metadata(struct batch *batch, struct metadata *state)
{
    static const char unchanged[] = {0};
    const struct title *title = batch->title;
    bool is_new = title && title->number != state->title;
    if (is_new)
        add_piece(batch, title->block, title->size, true);
    else
        add_piece(batch, unchanged, sizeof unchanged, true);
    if (is_new)
        state->title = title->number;
    state->until = LISTENER_INTERVAL;
}

static void add_audio(struct batch *batch, const char *data, size_t size, struct metadata *state)
{
    while (state->wanted && size >= state->until) {
        size_t part = state->until;
        if (part)
            add_piece(batch, data, part, false);
        add_metadata(batch, state);
        data += part;
        size -= part;
    }
    if (size == 0)
        return;
    add_piece(batch, data, size, false);
    if (state->wanted)
        state->until -= (uint32_t)size;
}

/* Takes what there is. False: nothing. `state` is what the listener's becomes once all of it is sent. */
static bool fill(struct batch *batch, const struct listener *listener, struct metadata *state)
{
    *state = listener->metadata;
    batch->title = NULL;
    batch->metadata = 0;
    batch->count = 0;
    batch->audio = batch->size = 0;
    size_t taken = reel_take(listener->reel, listener->position, &batch->stretch);
    if (taken == 0)
        return false;
    if (state->wanted && taken >= state->until)
        batch->title = mount_title(reel_mount(listener->reel));
    for (size_t i = 0; i < batch->stretch.count; i++) {
        const struct stretch *stretch = &batch->stretch;
        add_audio(batch, stretch->blocks[i]->bytes + stretch->from[i], (size_t)(stretch->to[i] - stretch->from[i]),
                  state);
    }
    return true;
}

static void empty(struct batch *batch)
{
    stretch_drop(&batch->stretch);
    title_drop(batch->title);
}

/* --- what is left of one --- */

/* How much of the batch's audio is in its first `sent` bytes. */
static size_t audio_within(const struct batch *batch, size_t sent)
{
    size_t audio = 0;
    for (int i = 0; i < batch->count && sent > 0; i++) {
        size_t part = sent < batch->pieces[i].iov_len ? sent : batch->pieces[i].iov_len;
        audio += batch->metadata >> i & 1 ? 0 : part;
        sent -= part;
    }
    return audio;
}

static void keep(struct listener *listener, const char *data, size_t size)
{
    memcpy(listener->rest + listener->rest_size, data, size);
    listener->rest_size += size;
}

/*
 * Goes over the pieces up to `audio` bytes of audio, metadata that has begun included: what of them is beyond the
 * first `sent` bytes is kept, and the metadata's state follows.
 */
static void keep_until(struct listener *listener, const struct batch *batch, size_t sent, size_t audio)
{
    struct metadata *state = &listener->metadata;
    for (int i = 0; i < batch->count && (audio > 0 || sent > 0); i++) {
        bool metadata = batch->metadata >> i & 1;
        size_t size = batch->pieces[i].iov_len, takes = metadata || size < audio ? size : audio;
        size_t gone = sent < takes ? sent : takes;
        keep(listener, (const char *)batch->pieces[i].iov_base + gone, takes - gone);
        sent -= gone;
        audio -= metadata ? 0 : takes;
        if (metadata)
            state->until = LISTENER_INTERVAL;
        else if (state->wanted)
            state->until -= (uint32_t)takes;
        if (metadata && size > 1)
            state->title = batch->title->number;
    }
}

/* The socket took some of it. False without memory. */
static bool settle(struct listener *listener, const struct batch *batch, size_t sent)
{
    uint64_t at = listener->position + audio_within(batch, sent), most = listener->position + batch->audio;
    uint64_t boundary = reel_boundary(listener->reel, at, most);
    listener->rest = malloc(batch->size - sent);
    if (!listener->rest)
        return false;
    keep_until(listener, batch, sent, (size_t)(boundary - listener->position));
    listener->position = boundary;
    char *smaller = listener->rest_size ? realloc(listener->rest, listener->rest_size) : NULL;
    if (listener->rest_size == 0)
        free(listener->rest);
    if (smaller || listener->rest_size == 0)
        listener->rest = smaller;
    return true;
}

/* --- sending --- */

/* Bytes that went are counted for the mount that was asked for. */
static void count(struct listener *listener, size_t size)
{
    listener->sent += size;
    atomic_fetch_add_explicit(&listener->mount->bytes_out, size, memory_order_relaxed);
}

static enum sending fail(struct listener *listener)
{
    listener->failed = true;
    return SENT_FAILED;
}

enum sending listener_send_rest(struct listener *listener)
{
    if (!listener->rest)
        return SENT_ALL;
    const char *data = listener->rest + listener->rest_sent;
    ssize_t sent = weir_send_flags(listener->conn, data, listener->rest_size - listener->rest_sent, MSG_DONTWAIT);
    if (sent < 0)
        return errno == EAGAIN ? SENT_SOME : fail(listener);
    count(listener, (size_t)sent);
    listener->rest_sent += (size_t)sent;
    if (listener->rest_sent < listener->rest_size)
        return SENT_SOME;
    free(listener->rest);
    listener->rest = NULL;
    listener->rest_size = listener->rest_sent = 0;
    return SENT_ALL;
}

static enum sending send_filled(struct listener *listener, const struct batch *batch, const struct metadata *after)
{
    ssize_t sent = weir_send_vector_flags(listener->conn, batch->pieces, batch->count, MSG_DONTWAIT);
    if (sent < 0)
        return errno == EAGAIN ? SENT_SOME : fail(listener);
    count(listener, (size_t)sent);
    if ((size_t)sent < batch->size)
        return settle(listener, batch, (size_t)sent) ? SENT_SOME : fail(listener);
    listener->position += batch->audio;
    listener->metadata = *after;
    return SENT_ALL;
}

enum sending listener_send_batch(struct listener *listener)
{
    struct batch batch;
    struct metadata after;
    enum sending result = SENT_ALL;
    if (fill(&batch, listener, &after))
        result = send_filled(listener, &batch, &after);
    empty(&batch);
    return result;
}
