/* Which path of the stream service is answered by what. */
#include <stdio.h>
#include <string.h>

#include "admin.h"
#include "paths.h"
#include "playlist.h"
#include "relay.h"
#include "source.h"
#include "status.h"
#include "stream.h"

#define READS "GET, HEAD"

enum match { WHOLE, FOLDER, SUFFIX };

/* The first row that fits counts; what fits none is a mount. Paths as they were sent: an encoded one is another. */
static const struct route {
    enum match match;
    const char *path;
    const char *methods; /* as the field Allow has them */
    http_handler *answer;
} routes[] = {
    {WHOLE, "/", READS, page_answer},
    {WHOLE, "/files", READS, files_answer},
    {FOLDER, "/files/", READS, files_answer},
    {WHOLE, "/status.json", READS, status_answer},
    {WHOLE, "/status-json.xsl", READS, status_answer},
    {WHOLE, "/admin/metadata", READS, admin_metadata_answer},
    {FOLDER, "/admin/", READS, NULL},
    {SUFFIX, ".m3u", READS, playlist_answer},
    {SUFFIX, ".pls", READS, playlist_answer},
    {WHOLE, "*", READS ", PUT, SOURCE", NULL}, /* OPTIONS of all of it */
};

static bool fits(const struct route *route, const char *path, size_t length)
{
    size_t own = strlen(route->path);
    if (length < own || (route->match == WHOLE && length != own))
        return false;
    return memcmp(route->match == SUFFIX ? path + length - own : path, route->path, own) == 0;
}

static const struct route *route_of(const char *path, size_t length)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (fits(&routes[i], path, length))
            return &routes[i];
    return NULL;
}

bool path_is_reserved(const char *path)
{
    return route_of(path, strlen(path));
}

bool path_of(const struct http_exchange *exchange, char path[PATH_MOST])
{
    const char *target = exchange->request.target;
    return http_unescape(target, strcspn(target, "?"), false, path, PATH_MOST) > 0;
}

bool path_is_mount(const char *path)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    return path[0] == '/' && path[1] && strlen(path) < PATH_MOST && path[strspn(path, allowed)] == '\0' &&
           !strstr(path, "//") && !strstr(path, "/.") && path[strlen(path) - 1] != '/';
}

static bool is_listed(const char *methods, const char *method)
{
    size_t length = strlen(method);
    const char *at = strstr(methods, method);
    return at && (at == methods || at[-1] == ' ') && (at[length] == '\0' || at[length] == ',');
}

static void refuse_method(struct http_exchange *exchange, const char *methods)
{
    char allow[64];
    snprintf(allow, sizeof allow, "Allow: %s\r\n", methods);
    http_refuse(exchange, 405, allow, "this can be asked for with %s", methods);
}

/* --- mounts --- */

static void listen_to(struct http_exchange *exchange)
{
    struct stream *stream = exchange->arg;
    char path[PATH_MOST];
    bool known = path_of(exchange, path) && path_is_mount(path);
    if (known && relay_listen(stream->relays, path, exchange))
        return;
    struct mount *mount = known ? mounts_find(stream->mounts, path) : NULL;
    if (mount)
        mount_listen(mount, exchange);
    else
        http_refuse(exchange, 404, CROSS_ORIGIN, "nothing is there");
    mount_drop(mount);
}

static void answer_mount(struct http_exchange *exchange)
{
    const char *method = exchange->request.method;
    if (strcmp(method, "PUT") == 0 || strcmp(method, "SOURCE") == 0)
        source_answer(exchange);
    else if (is_listed(READS ", OPTIONS", method))
        listen_to(exchange);
    else
        refuse_method(exchange, READS ", PUT, SOURCE");
}

/* --- all --- */

static void answer_options(struct http_exchange *exchange, const char *methods)
{
    char fields[256];
    snprintf(fields, sizeof fields, CROSS_ORIGIN "Allow: %s, OPTIONS\r\n", methods);
    http_answer(exchange, 204, NULL, fields, NULL, 0);
}

void stream_answer(struct http_exchange *exchange)
{
    const char *target = exchange->request.target, *method = exchange->request.method;
    const struct route *route = route_of(target, strcspn(target, "?"));
    if (!route)
        answer_mount(exchange);
    else if (strcmp(method, "OPTIONS") == 0)
        answer_options(exchange, route->methods);
    else if (!is_listed(route->methods, method))
        refuse_method(exchange, route->methods);
    else if (!route->answer)
        http_refuse(exchange, 404, NULL, "nothing is there");
    else
        route->answer(exchange);
}
