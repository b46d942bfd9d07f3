/* M3U and PLS: lists of what is to be played, of which pull takes the first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pull.h"

enum { PLAYLIST_MOST = 65536 };

static const char *const types[] = {"audio/x-mpegurl",
                                    "audio/mpegurl",
                                    "application/x-mpegurl",
                                    "application/mpegurl",
                                    "application/vnd.apple.mpegurl",
                                    "audio/x-scpls",
                                    "application/pls+xml",
                                    NULL};

bool pull_is_playlist(const struct http_response *response)
{
    const char *type = http_field(&response->head, "Content-Type");
    size_t length = type ? strcspn(type, "; \t") : 0;
    for (size_t i = 0; length > 0 && types[i]; i++)
        if (strlen(types[i]) == length && strncasecmp(type, types[i], length) == 0)
            return true;
    return false;
}

/* All of it, NUL-terminated. 0 or -1. */
static int read_all(struct http_response *response, char *text)
{
    size_t length = 0;
    ssize_t got;
    while ((got = http_body_read(&response->body, text + length, PLAYLIST_MOST - length)) > 0) {
        length += (size_t)got;
        if (length == PLAYLIST_MOST)
            return weir_fail(WEIR_ERROR_LIMIT, EMSGSIZE, "read", response->url.endpoint,
                             "a playlist of more than %d bytes", PLAYLIST_MOST - 1);
    }
    text[length] = '\0';
    return got < 0 ? -1 : 0;
}

/* The entry that a line is: all of it in M3U, what follows "File1=" in PLS. NULL: none. */
static char *entry_of(char *line)
{
    line += strspn(line, " \t");
    line[strcspn(line, "\r")] = '\0';
    for (size_t length = strlen(line); length > 0 && strchr(" \t", line[length - 1]); length--)
        line[length - 1] = '\0';
    if (!*line || *line == '#' || *line == '[')
        return NULL;
    char *equals = strchr(line, '=');
    if (strncasecmp(line, "File", 4) == 0 && equals && equals == line + 4 + strspn(line + 4, "0123456789"))
        return equals + 1;
    bool is_key = equals && strcspn(line, ":/?.") > (size_t)(equals - line);
    return is_key ? NULL : line;
}

static char *first_entry(char *text)
{
    static const char mark[] = "\xef\xbb\xbf";
    char *rest, *entry = NULL;
    text += strncmp(text, mark, 3) == 0 ? 3 : 0;
    for (char *line = strtok_r(text, "\n", &rest); line && !entry; line = strtok_r(NULL, "\n", &rest))
        entry = entry_of(line);
    return entry;
}

/* "user:password@", escaped; "" where there is nobody. */
static int write_user(const char *credentials, char *to, size_t most)
{
    char name[sizeof((struct http_url *)0)->credentials], user[800], password[800];
    size_t length = strcspn(credentials, ":");
    *to = '\0';
    if (!*credentials)
        return 0;
    snprintf(name, sizeof name, "%.*s", (int)length, credentials);
    if (http_escape(name, true, user, sizeof user) < 0 ||
        http_escape(credentials + length + (credentials[length] == ':'), true, password, sizeof password) < 0)
        return -1;
    return snprintf(to, most, "%s:%s@", user, password) < (int)most ? 0 : -1;
}

/* What is wrong with an entry is said of the list. */
static int fail_entry(const struct http_response *response)
{
    char reason[600];
    snprintf(reason, sizeof reason, "%s", weir_error()->sentence);
    return weir_fail(WEIR_ERROR_SYSTEM, EPROTO, "read", response->url.endpoint, "its first entry: %s", reason);
}

/* An entry as a URL of its own, seen from where the list was; on the same server the user is the same. */
static int write_url(const struct http_response *response, const char *entry, char *url, size_t size)
{
    char user[800];
    struct http_url found;
    if (http_resolve_url(&response->url, entry, &found) < 0)
        return fail_entry(response);
    http_keep_credentials(&response->url, &found);
    int scheme = (int)strcspn(found.endpoint, ":");
    bool fits =
        write_user(found.credentials, user, sizeof user) == 0 &&
        snprintf(url, size, "%.*s://%s%s%s", scheme, found.endpoint, user, found.host, found.target) < (int)size;
    if (fits)
        return 0;
    return weir_fail(WEIR_ERROR_LIMIT, EMSGSIZE, "read", response->url.endpoint, "its first entry is too long");
}

int pull_read_playlist(struct http_response *response, char *url, size_t size)
{
    char *text = malloc(PLAYLIST_MOST), *entry;
    if (!text)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "read", response->url.endpoint, NULL);
    int result = read_all(response, text);
    if (result == 0 && strstr(text, "#EXT-X-"))
        result = weir_fail(WEIR_ERROR_SYSTEM, EPROTO, "read", response->url.endpoint,
                           "an HLS playlist, of which weir pull plays nothing; -o FILE keeps it");
    else if (result == 0)
        result = (entry = first_entry(text)) ? write_url(response, entry, url, size)
                                             : weir_fail(WEIR_ERROR_SYSTEM, EPROTO, "read", response->url.endpoint,
                                                         "a playlist without an entry");
    free(text);
    return result;
}
