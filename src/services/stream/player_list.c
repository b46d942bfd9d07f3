/* In which order the radio plays the media. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "player.h"

static void shuffle(uint32_t *order, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)weir_random_below(i);
        uint32_t last = order[i - 1];
        order[i - 1] = order[other];
        order[other] = last;
    }
}

/* Takes the list as it is now. */
static int take_list(struct playlist *playlist)
{
    playlist->generation = media_generation(playlist->media);
    const struct media_list *list = media_hold(playlist->media);
    uint32_t *order = malloc((list->count + 1) * sizeof *order);
    if (!order) {
        media_drop(list);
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "play", "the media", NULL);
    }
    playlist_end(playlist);
    playlist->list = list;
    playlist->order = order;
    playlist->count = playlist->at = 0;
    for (size_t i = 0; i < list->count; i++)
        if (media_is_played(&list->files[i]))
            order[playlist->count++] = (uint32_t)i;
    if (playlist->shuffled)
        shuffle(order, playlist->count);
    return 0;
}

int playlist_begin(struct playlist *playlist, struct media *media, bool shuffled)
{
    *playlist = (struct playlist){.media = media, .shuffled = shuffled};
    return take_list(playlist);
}

void playlist_end(struct playlist *playlist)
{
    media_drop(playlist->list);
    free(playlist->order);
    playlist->list = NULL;
    playlist->order = NULL;
}

/* Where a file is in the order; `count`: nowhere. */
static size_t place_of(const struct playlist *playlist, const char *path)
{
    size_t at = 0;
    while (at < playlist->count && strcmp(playlist->list->files[playlist->order[at]].path, path) != 0)
        at++;
    return at;
}

/* The list was made anew: on behind the file that was played last. Without memory the old one stays for now. */
static void follow(struct playlist *playlist)
{
    const struct media_file *last = playlist->at ? &playlist->list->files[playlist->order[playlist->at - 1]] : NULL;
    char *path = last ? strdup(last->path) : NULL;
    if (take_list(playlist) == 0 && path && !playlist->shuffled) {
        size_t place = place_of(playlist, path);
        playlist->at = place < playlist->count ? place + 1 : 0;
    }
    free(path);
}

const struct media_file *playlist_next(struct playlist *playlist)
{
    if (media_generation(playlist->media) != playlist->generation)
        follow(playlist);
    return playlist->at < playlist->count ? &playlist->list->files[playlist->order[playlist->at++]] : NULL;
}
