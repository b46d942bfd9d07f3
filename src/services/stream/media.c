/* The list of media: shared, counted, and made anew. */
#include "media.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "media_inside.h"

struct media {
    const weir_option_list *paths;
    bool has_stdin;
    atomic_bool stdin_taken;
    _Atomic uint64_t generation;
    pthread_mutex_t lock; /* of the pointer below */
    struct media_files *files;
};

/* --- trouble --- */

int media_trouble(struct media_trouble *trouble, weir_error_kind kind, int number, const char *subject,
                  const char *reason)
{
    *trouble = (struct media_trouble){.kind = kind, .number = number, .reason = reason};
    strncpy(trouble->subject, subject, sizeof trouble->subject - 1);
    return -1;
}

int media_fail(const struct media_trouble *trouble, const char *step)
{
    const char *reason = trouble->reason;
    return weir_fail(trouble->kind, trouble->number, step, trouble->subject, reason ? "%s" : NULL, reason);
}

/* --- a list --- */

void media_drop(const struct media_list *list)
{
    struct media_files *files = (struct media_files *)list; /* its first member */
    if (!files || atomic_fetch_sub(&files->holders, 1) > 1)
        return;
    for (size_t i = 0; i < files->list.count; i++) {
        free((char *)files->files[i].name);
        free((char *)files->files[i].root);
    }
    free(files->files);
    free(files);
}

struct looking {
    const weir_option_list *paths;
    struct media_files *files;
    struct media_trouble trouble;
};

static int look(void *arg)
{
    struct looking *looking = arg;
    return media_look(looking->files, looking->paths, &looking->trouble);
}

static struct media_files *read_list(const weir_option_list *paths)
{
    struct looking looking = {.paths = paths, .files = calloc(1, sizeof(struct media_files))};
    int result = -1;
    if (!looking.files) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "read", "the media", NULL);
        return NULL;
    }
    looking.files->holders = 1;
    int called = weir_offload(look, &looking, NULL, &result, WEIR_FOREVER);
    if (called < 0 || result < 0) {
        if (called == 0)
            media_fail(&looking.trouble, "read");
        media_drop(&looking.files->list);
        return NULL;
    }
    looking.files->list.files = looking.files->files;
    return looking.files;
}

const struct media_list *media_hold(struct media *media)
{
    pthread_mutex_lock(&media->lock);
    struct media_files *files = media->files;
    atomic_fetch_add(&files->holders, 1);
    pthread_mutex_unlock(&media->lock);
    return &files->list;
}

int media_reload(struct media *media)
{
    struct media_files *files = read_list(media->paths);
    if (!files)
        return -1;
    pthread_mutex_lock(&media->lock);
    struct media_files *before = media->files;
    media->files = files;
    pthread_mutex_unlock(&media->lock);
    atomic_fetch_add(&media->generation, 1);
    media_drop(&before->list);
    return 0;
}

uint64_t media_generation(struct media *media)
{
    return atomic_load(&media->generation);
}

bool media_is_played(const struct media_file *file)
{
    return file->named || strcmp(file->type, "audio/mpeg") == 0;
}

/* --- all of it --- */

struct media *media_open(const weir_option_list *paths)
{
    struct media *media = calloc(1, sizeof *media);
    if (!media) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "read", "the media", NULL);
        return NULL;
    }
    media->paths = paths;
    for (size_t i = 0; i < paths->count; i++)
        if (strcmp(paths->items[i], "-") == 0)
            media->has_stdin = true;
    media->files = read_list(paths);
    if (!media->files) {
        free(media);
        return NULL;
    }
    pthread_mutex_init(&media->lock, NULL);
    return media;
}

void media_close(struct media *media)
{
    if (!media)
        return;
    media_drop(&media->files->list);
    pthread_mutex_destroy(&media->lock);
    free(media);
}

bool media_has_stdin(const struct media *media)
{
    return media->has_stdin;
}

bool media_take_stdin(struct media *media)
{
    return media->has_stdin && !atomic_exchange(&media->stdin_taken, true);
}

void media_give_stdin(struct media *media)
{
    atomic_store(&media->stdin_taken, false);
}
