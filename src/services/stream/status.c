/* The status of all mounts as JSON; see status.h. */
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "paths.h"
#include "playlist.h"

/* --- JSON --- */

static void put_text(FILE *out, const char *text)
{
    putc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at < 0x20 || *at == 0x7f || *at == '<') /* the last for who puts it into a page */
            fprintf(out, "\\u%04x", *at);
        else
            putc(*at, out);
    putc('"', out);
}

/* Texts are UTF-8, as their mounts have it. Those that are not known are left out. */
static void put_member(FILE *out, const char *name, const char *text)
{
    if (!text[0])
        return;
    fprintf(out, "\"%s\":", name);
    put_text(out, text);
    putc(',', out);
}

static void put_number(FILE *out, const char *name, uint64_t number)
{
    fprintf(out, "\"%s\":%" PRIu64 ",", name, number);
}

/* As Icecast has both; in UTC, so that a machine's zone is no concern. */
static void put_time(FILE *out, const char *name, int64_t seconds)
{
    char date[HTTP_DATE_SIZE];
    time_t point = (time_t)seconds;
    struct tm parts;
    char iso[40] = "";
    http_date(seconds, date);
    if (gmtime_r(&point, &parts))
        strftime(iso, sizeof iso, "%Y-%m-%dT%H:%M:%S+0000", &parts);
    fprintf(out, "\"%s\":\"%s\",\"%s_iso8601\":\"%s\",", name, date, name, iso);
}

/* --- a mount --- */

static void put_mount(FILE *out, const struct mount_status *mount, const char *here)
{
    char url[HERE_MOST + sizeof mount->path];
    snprintf(url, sizeof url, "%s%s", here, mount->path);
    putc('{', out);
    if (mount->bitrate)
        put_number(out, "bitrate", (uint64_t)mount->bitrate);
    put_member(out, "genre", mount->genre);
    put_number(out, "listener_peak", mount->listeners_peak);
    put_number(out, "listeners", mount->listeners);
    put_number(out, "listener_connections", mount->listeners_total);
    put_number(out, "slow_listeners", mount->dropped);
    put_number(out, "skipped", mount->skipped);
    put_number(out, "total_bytes_read", mount->bytes_in);
    put_number(out, "total_bytes_sent", mount->bytes_out);
    put_member(out, "listenurl", url);
    put_member(out, "server_description", mount->description);
    put_member(out, "server_name", mount->name);
    put_member(out, "server_type", mount->type);
    put_member(out, "server_url", mount->url);
    put_time(out, "stream_start", mount->started);
    put_member(out, "title", mount->title);
    fputs("\"dummy\":null}", out);
}

/* One is an object, several are an array, none is nothing: so Icecast has it, and so its tools read it. */
static void put_mounts(FILE *out, const struct mount_status *all, size_t count, const char *here)
{
    size_t live = 0;
    for (size_t i = 0; i < count; i++)
        live += all[i].live;
    if (live == 0)
        return;
    fputs(live > 1 ? "\"source\":[" : "\"source\":", out);
    for (size_t i = 0, put = 0; i < count; i++)
        if (all[i].live) {
            if (put++)
                putc(',', out);
            put_mount(out, &all[i], here);
        }
    fputs(live > 1 ? "]," : ",", out);
}

static void put_all(FILE *out, const struct http_exchange *exchange, const struct mount_status *all, size_t count)
{
    const struct stream *stream = exchange->arg;
    char here[HERE_MOST];
    stream_here(exchange, here);
    const char *host = strstr(here, "://") ? strstr(here, "://") + 3 : here;
    char name[HERE_MOST];
    snprintf(name, sizeof name, "%.*s", (int)(*host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":")), host);
    fputs("{\"icestats\":{", out);
    put_member(out, "host", name);
    put_member(out, "server_id", "weir " WEIR_VERSION);
    put_time(out, "server_start", stream->started);
    put_mounts(out, all, count, here);
    fputs("\"dummy\":null}}\n", out);
}

/* --- the answer --- */

static char *write_status(const struct http_exchange *exchange, size_t *length)
{
    const struct stream *stream = exchange->arg;
    size_t most = (size_t)stream->settings->max_mounts;
    struct mount_status *all = calloc(most, sizeof *all);
    char *text = NULL;
    FILE *out = all ? open_memstream(&text, length) : NULL;
    if (out) {
        put_all(out, exchange, all, mounts_status(stream->mounts, all, most));
        if (fclose(out) != 0) {
            free(text);
            text = NULL;
        }
    }
    free(all);
    return text;
}

void status_answer(struct http_exchange *exchange)
{
    size_t length = 0;
    char *text = write_status(exchange, &length);
    if (text)
        http_answer(exchange, 200, "application/json; charset=utf-8", CROSS_ORIGIN "Cache-Control: no-cache\r\n", text,
                    length);
    else
        http_refuse(exchange, 503, NULL, "no memory for that just now");
    free(text);
}
