/* The path of a tunnel: opened, watched, opened again when it has gone, and entered by its clients. */
#include "tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Between two attempts to open it again: twice as long each time. */
#define FIRST_PAUSE   WEIR_S(1)
#define LONGEST_PAUSE WEIR_S(30)

/* A path that stood for so long had been well: what ends it is not what ended it before. */
#define STOOD_WELL WEIR_S(60)

/* Between two looks of a client whether it is there again. */
#define LOOK WEIR_MS(50)

/* --- opening --- */

static void set_door(struct tunnel_path *path, const char *door)
{
    pthread_mutex_lock(&path->lock);
    snprintf(path->door, sizeof path->door, "%s", door);
    pthread_mutex_unlock(&path->lock);
}

int tunnel_path_open(struct tunnel_path *path)
{
    path->forward = weir_forward_open(path->via, path->remote, path->timeout);
    if (!path->forward)
        return -1;
    set_door(path, weir_forward_endpoint(path->forward));
    return 0;
}

void tunnel_path_close(struct tunnel_path *path)
{
    set_door(path, "");
    weir_forward_close(path->forward);
    path->forward = NULL;
}

uint64_t tunnel_path_opened(struct tunnel_path *path)
{
    pthread_mutex_lock(&path->lock);
    uint64_t opened = path->opened;
    pthread_mutex_unlock(&path->lock);
    return opened;
}

/* --- keeping --- */

/* Chance, so that many tunnels to one machine that was away do not all come back at the same moment. */
static int64_t varied(int64_t pause)
{
    return pause - pause / 4 + (int64_t)weir_random_below((uint64_t)(pause / 2));
}

/* Says why, and waits. 0, or -1 where the keeper was cancelled. */
static int pause_after_error(const struct tunnel_path *path, const char *what, int64_t pause)
{
    int64_t now_paused = varied(pause);
    weir_log(WEIR_LOG_WARNING, "%s %s: %s; trying again in %.1f s", path->shown, what, weir_error()->reason,
             (double)now_paused / 1e9);
    return weir_sleep(now_paused);
}

static int64_t longer(int64_t pause)
{
    return pause * 2 < LONGEST_PAUSE ? pause * 2 : LONGEST_PAUSE;
}

/* Tries until it is there again. Returns the pause before the attempt that did it; -1: the keeper was cancelled. */
static int64_t open_again(struct tunnel_path *path, int64_t pause)
{
    int64_t gone = weir_now();
    if (pause_after_error(path, "has ended", pause) < 0)
        return -1;
    while (tunnel_path_open(path) < 0) {
        if (weir_cancelled())
            return -1;
        pause = longer(pause);
        if (pause_after_error(path, "does not come about", pause) < 0)
            return -1;
    }
    pthread_mutex_lock(&path->lock);
    path->opened++;
    pthread_mutex_unlock(&path->lock);
    weir_log(WEIR_LOG_INFO, "%s stands again after %.1f s", path->shown, (double)(weir_now() - gone) / 1e9);
    return pause;
}

int tunnel_path_keep(void *arg)
{
    struct tunnel_path *path = arg;
    int64_t pause = FIRST_PAUSE;
    while (pause >= 0) {
        int64_t stands = weir_now();
        weir_forward_wait(path->forward, WEIR_FOREVER);
        if (weir_cancelled())
            break;
        pause = weir_now() - stands >= STOOD_WELL ? FIRST_PAUSE : pause;
        tunnel_path_close(path);
        pause = open_again(path, pause);
        pause = pause < 0 ? pause : longer(pause);
    }
    return 0;
}

/* --- entering --- */

static bool get_door(struct tunnel_path *path, char *door, size_t size)
{
    pthread_mutex_lock(&path->lock);
    snprintf(door, size, "%s", path->door);
    pthread_mutex_unlock(&path->lock);
    return *door != '\0';
}

/* One try. NULL with an error, which is passing where the path has just gone. */
static weir_conn *try_door(struct tunnel *tunnel)
{
    char door[sizeof tunnel->path.door];
    if (get_door(&tunnel->path, door, sizeof door))
        return weir_connect(door, &tunnel->relay.connect);
    weir_fail(WEIR_ERROR_SSH, ENOTCONN, "connect", tunnel->path.remote, "the way there is gone, and not yet back");
    return NULL;
}

static bool passes(void)
{
    return errno == ENOTCONN || errno == ENOENT || errno == ECONNREFUSED || errno == EACCES;
}

weir_conn *tunnel_enter(struct relay *relay)
{
    struct tunnel *tunnel = (struct tunnel *)relay;
    int64_t end = weir_deadline(tunnel->wait);
    for (;;) {
        weir_conn *conn = try_door(tunnel);
        if (conn || !passes() || weir_now() >= end)
            return conn;
        if (weir_sleep(LOOK) < 0)
            return NULL;
    }
}
