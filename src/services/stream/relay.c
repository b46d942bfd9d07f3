/* The table of relays, and who listens to them; see relay.h. */
#include "relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay_inside.h"

/* --- what was asked for --- */

static int fail_usage(const char *item, const char *why)
{
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "--relay", item, "%s", why);
}

/* "URL=/MOUNT": a URL may have an = as well, so the last one counts that a slash follows. NULL where there is none. */
static const char *mount_of(const char *item)
{
    const char *found = NULL;
    for (const char *at = strstr(item, "=/"); at; at = strstr(at + 1, "=/"))
        found = at;
    return found ? found + 1 : NULL;
}

static struct relay *find(const struct relays *relays, const char *path)
{
    for (struct relay *relay = relays->first; relay; relay = relay->next)
        if (strcmp(relay->path, path) == 0)
            return relay;
    return NULL;
}

static struct relay *add_relay(struct relays *relays, const char *path)
{
    struct relay *relay = calloc(1, sizeof *relay), **at = &relays->first;
    if (!relay) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "--relay", path, NULL);
        return NULL;
    }
    while (*at)
        at = &(*at)->next;
    *at = relay;
    relay->relays = relays;
    pthread_mutex_init(&relay->lock, NULL);
    snprintf(relay->path, sizeof relay->path, "%s", path);
    relay->mount = mounts_make(relays->stream->mounts, path, MOUNT_RELAY);
    return relay->mount ? relay : NULL;
}

static int add_url(struct relay *relay, const char *item, const char *url, size_t length)
{
    struct http_url parsed;
    if (relay->url_count == RELAY_URLS_MOST)
        return fail_usage(item, "more than 16 URLs for one mount");
    if (!(relay->urls[relay->url_count] = strndup(url, length)))
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "--relay", item, NULL);
    return http_parse_url(relay->urls[relay->url_count++], &parsed);
}

static int add(struct relays *relays, const char *item)
{
    const char *path = mount_of(item);
    if (!path || path == item + 1)
        return fail_usage(item, "URL=/MOUNT is wanted, such as http://example.org:8000/live=/far");
    if (!path_is_mount(path) || path_is_reserved(path) || strcmp(path, "/radio") == 0)
        return fail_usage(item, "no mount may be called so");
    struct relay *relay = find(relays, path);
    if (!relay)
        relay = add_relay(relays, path);
    return relay ? add_url(relay, item, item, (size_t)(path - 1 - item)) : -1;
}

struct relays *relays_new(struct stream *stream, const weir_option_list *list)
{
    struct relays *relays = calloc(1, sizeof *relays);
    if (!relays) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "stream", NULL);
        return NULL;
    }
    relays->stream = stream;
    for (size_t i = 0; i < list->count; i++)
        if (add(relays, list->items[i]) < 0) {
            relays_free(relays);
            return NULL;
        }
    return relays;
}

void relays_free(struct relays *relays)
{
    struct relay *next;
    for (struct relay *relay = relays ? relays->first : NULL; relay; relay = next) {
        next = relay->next;
        for (size_t i = 0; i < relay->url_count; i++)
            free(relay->urls[i]);
        mount_drop(relay->mount);
        pthread_mutex_destroy(&relay->lock);
        free(relay);
    }
    free(relays);
}

bool relay_has(const struct relays *relays, const char *path)
{
    return find(relays, path);
}

/* --- who listens --- */

/* With the first listener it is fetched, on that one's worker. */
static void come(struct relay *relay)
{
    weir_fiber_options options = {.size = sizeof options, .name = "relay", .detached = true};
    pthread_mutex_lock(&relay->lock);
    relay->listeners++;
    bool begin = !relay->running;
    relay->running = true;
    pthread_mutex_unlock(&relay->lock);
    if (begin && !weir_spawn(relay_run, relay, &options)) {
        weir_log_error();
        relay_ended(relay);
    }
}

static void go(struct relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    relay->listeners--;
    pthread_mutex_unlock(&relay->lock);
}

bool relay_is_wanted(struct relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    bool wanted = relay->listeners > 0;
    relay->running = wanted; /* who comes from now on begins it anew */
    pthread_mutex_unlock(&relay->lock);
    return wanted;
}

void relay_ended(struct relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    relay->running = false;
    pthread_mutex_unlock(&relay->lock);
}

bool relay_listen(struct relays *relays, const char *path, struct http_exchange *exchange)
{
    struct relay *relay = find(relays, path);
    if (!relay)
        return false;
    if (strcmp(exchange->request.method, "GET") == 0) {
        come(relay);
        mount_listen(relay->mount, exchange);
        go(relay);
    } else {
        mount_listen(relay->mount, exchange);
    }
    return true;
}
