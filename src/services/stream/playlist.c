/* Playlists; see playlist.h. */
#include "playlist.h"

#include <stdio.h>
#include <string.h>

#include "paths.h"

/* A name in a playlist is one line; the texts of mounts have no control characters. */
enum { PLAYLIST_MOST = 1200 };

/* What a browser would have sent as Host: anything else might break out of where it is put. */
static bool is_host(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]";
    return host && *host && strlen(host) < 256 && host[strspn(host, allowed)] == '\0';
}

void stream_here(const struct http_exchange *exchange, char here[HERE_MOST])
{
    const char *host = http_field(&exchange->request, "Host");
    const char *scheme = weir_scheme_name(weir_conn_scheme(exchange->conn));
    if (is_host(host))
        snprintf(here, HERE_MOST, "%s://%s", scheme, host);
    else
        weir_local_endpoint(exchange->conn, here, HERE_MOST); /* which has the scheme */
}

static int write_pls(char *text, const char *where, const char *path, const char *name)
{
    return snprintf(text, PLAYLIST_MOST,
                    "[playlist]\r\nNumberOfEntries=1\r\nFile1=%s%s\r\nTitle1=%s\r\nLength1=-1\r\nVersion=2\r\n", where,
                    path, name);
}

static int write_m3u(char *text, const char *where, const char *path, const char *name)
{
    return snprintf(text, PLAYLIST_MOST, "#EXTM3U\r\n#EXTINF:-1,%s\r\n%s%s\r\n", name, where, path);
}

/* Takes the suffix off, and tells which it was. */
static bool cut_suffix(char *path)
{
    char *suffix = path + strlen(path) - 4; /* both are so long, by the table of paths */
    bool pls = strcmp(suffix, ".pls") == 0;
    *suffix = '\0';
    return pls;
}

static void answer_found(struct http_exchange *exchange, struct mount *mount, bool pls)
{
    struct mount_status status;
    char here[HERE_MOST], text[PLAYLIST_MOST];
    mount_look(mount, &status);
    stream_here(exchange, here);
    const char *name = status.name[0] ? status.name : status.path;
    int length = (pls ? write_pls : write_m3u)(text, here, status.path, name);
    http_answer(exchange, 200, pls ? "audio/x-scpls; charset=utf-8" : "audio/x-mpegurl; charset=utf-8",
                CROSS_ORIGIN "Cache-Control: no-cache\r\n", text, (size_t)length);
}

void playlist_answer(struct http_exchange *exchange)
{
    const struct stream *stream = exchange->arg;
    char path[PATH_MOST];
    bool known = path_of(exchange, path) && strlen(path) > 4;
    bool pls = known && cut_suffix(path);
    struct mount *mount = known ? mounts_find(stream->mounts, path) : NULL;
    if (mount) {
        answer_found(exchange, mount, pls);
        mount_drop(mount);
    } else {
        http_refuse(exchange, 404, CROSS_ORIGIN, "there is no such mount");
    }
}
