/* The media as files: one of them, or what is in a folder. Only what is on the list of media is ever looked for. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../http/url.h"
#include "html.h"
#include "send_file.h"
#include "stream.h"

enum { NAME_MOST = 4096, LINES_MOST = 1000 /* on one page */ };

static const char prefix[] = "/files/";

static const struct media_list nothing;

/* --- what is in a folder --- */

/* A page of a folder, while it is written. */
struct listing {
    FILE *out;
    const char *folder; /* "" or "album/" */
    uint64_t from, seen;
    char last[NAME_MOST]; /* the folder in it that was seen last: its files follow each other */
};

static void put_escaped(FILE *out, const char *text)
{
    char shown[NAME_MOST];
    html_put(out, weir_escape(text, strlen(text), shown, sizeof shown));
}

static void put_link(FILE *out, const char *name)
{
    char link[3 * NAME_MOST];
    if (http_escape(name, false, link, sizeof link) < 0)
        return;
    fputs("<li><a href=\"./", out); /* or a colon in it would make it a URL */
    html_put(out, link);
    fputs("\">", out);
    put_escaped(out, name);
    fputs("</a></li>\n", out);
}

/*
 * What a folder has of a name: the file in it, or the folder with its slash. NULL: nothing, or what was seen already.
 */
static const char *entry_of(struct listing *listing, const char *name, char entry[NAME_MOST])
{
    size_t length = strlen(listing->folder);
    if (strncmp(name, listing->folder, length) != 0)
        return NULL;
    size_t size = strcspn(name + length, "/");
    bool is_folder = name[length + size] == '/';
    if (size + 2 > NAME_MOST)
        return NULL;
    memcpy(entry, name + length, size + is_folder);
    entry[size + is_folder] = '\0';
    if (is_folder && strcmp(entry, listing->last) == 0)
        return NULL;
    if (is_folder)
        memcpy(listing->last, entry, size + 2);
    return entry;
}

static void put_entries(struct listing *listing, const struct media_list *list)
{
    char entry[NAME_MOST];
    for (size_t i = 0; i < list->count; i++) {
        if (!entry_of(listing, list->files[i].name, entry))
            continue;
        if (listing->seen >= listing->from && listing->seen - listing->from < LINES_MOST)
            put_link(listing->out, entry);
        listing->seen++;
    }
}

static void put_steps(const struct listing *listing)
{
    uint64_t from = listing->from;
    fputs("<nav aria-label=\"More\">\n<a href=\"/\">Listen</a>\n", listing->out);
    if (*listing->folder)
        fputs("<a href=\"../\">Up</a>\n", listing->out);
    if (from > 0)
        fprintf(listing->out, "<a href=\"?from=%" PRIu64 "\">Before these</a>\n",
                from < LINES_MOST ? 0 : from - LINES_MOST);
    if (listing->seen > from && listing->seen - from > LINES_MOST)
        fprintf(listing->out, "<a href=\"?from=%" PRIu64 "\">After these</a>\n", from + LINES_MOST);
    fputs("</nav>\n", listing->out);
}

static void put_listing(struct listing *listing, const struct media_list *list)
{
    FILE *out = listing->out;
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
          "content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<link rel=\"icon\" href=\"data:,\">\n<title>Files: /",
          out);
    put_escaped(out, listing->folder);
    fprintf(out, "</title>\n<style>%s</style>\n</head>\n<body>\n<main>\n<h1>Files: /", page_css);
    put_escaped(out, listing->folder);
    fputs("</h1>\n<ul class=\"card files\">\n", out);
    put_entries(listing, list);
    if (listing->seen == 0)
        fputs("<li>There are none.</li>\n", out);
    fputs("</ul>\n", out);
    put_steps(listing);
    fputs("</main>\n</body>\n</html>\n", out);
}

/* "?from=1000": entries before that are on other pages. */
static uint64_t first_of(const char *target)
{
    char text[24];
    int64_t from = 0;
    if (http_query(target, "from", text, sizeof text) != 1 || weir_parse_int(text, strlen(text), 10, &from) < 0)
        return 0;
    return from > 0 && from < MEDIA_FILES_MOST ? (uint64_t)from : 0;
}

static void answer_listing(struct http_exchange *exchange, const struct media_list *list, const char *folder)
{
    char *page = NULL;
    size_t length = 0;
    struct listing *listing = calloc(1, sizeof *listing);
    FILE *out = listing ? open_memstream(&page, &length) : NULL;
    if (out) {
        listing->out = out;
        listing->folder = folder;
        listing->from = first_of(exchange->request.target);
        put_listing(listing, list);
    }
    if (!out || fclose(out) != 0)
        http_refuse(exchange, 503, NULL, "no memory for that just now");
    else
        html_answer(exchange, page, length);
    free(listing);
    free(page);
}

/* --- what is meant --- */

static void answer_file(struct http_exchange *exchange, const struct media_file *file)
{
    weir_file *opened = media_open_file(file);
    if (!opened) {
        weir_log(WEIR_LOG_DEBUG, "stream: %s", weir_error()->sentence);
        http_refuse(exchange, 404, NULL, "it cannot be opened any more");
        return;
    }
    send_file(exchange, opened, file->type);
    weir_file_close(opened);
}

static const struct media_file *find(const struct media_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->files[i].name, name) == 0)
            return &list->files[i];
    return NULL;
}

/* Whether something is in a folder, whose name ends in a slash here or not. */
static bool has_folder(const struct media_list *list, const char *name)
{
    size_t length = strlen(name);
    if (length > 0 && name[length - 1] == '/')
        length--;
    for (size_t i = 0; i < list->count; i++)
        if (strncmp(list->files[i].name, name, length) == 0 && list->files[i].name[length] == '/')
            return true;
    return false;
}

static void redirect(struct http_exchange *exchange, const char *folder)
{
    char *path = malloc(3 * NAME_MOST), *field = NULL;
    if (path && http_escape(folder, false, path, 3 * NAME_MOST) >= 0 &&
        asprintf(&field, "Location: %s%s%s\r\n", prefix, path, *path ? "/" : "") >= 0)
        http_refuse(exchange, 301, field, NULL);
    free(field);
    free(path);
}

static void answer_name(struct http_exchange *exchange, const struct media_list *list, const char *name)
{
    const struct media_file *file = find(list, name);
    bool is_folder = !file && (!*name || has_folder(list, name));
    if (file)
        answer_file(exchange, file);
    else if (is_folder && (!*name || name[strlen(name) - 1] == '/'))
        answer_listing(exchange, list, name);
    else if (is_folder)
        redirect(exchange, name);
    else
        http_refuse(exchange, 404, NULL, "there is no such file");
}

/* What is below "/files/", decoded. False: it is malformed, or longer than any name. */
static bool name_of(const struct http_exchange *exchange, char name[NAME_MOST])
{
    const char *at = exchange->request.target + strlen(prefix);
    return http_unescape(at, strcspn(at, "?"), false, name, NAME_MOST) >= 0;
}

void files_answer(struct http_exchange *exchange)
{
    const struct stream *stream = exchange->arg;
    char *name = malloc(NAME_MOST);
    const struct media_list *list = stream->media ? media_hold(stream->media) : NULL;
    if (strncmp(exchange->request.target, prefix, strlen(prefix)) != 0)
        redirect(exchange, "");
    else if (!name)
        http_refuse(exchange, 503, NULL, "no memory for that just now");
    else if (!name_of(exchange, name))
        http_refuse(exchange, 404, NULL, "there is no such file");
    else
        answer_name(exchange, list ? list : &nothing, name);
    if (list)
        media_drop(list);
    free(name);
}
