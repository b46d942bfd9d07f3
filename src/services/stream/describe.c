/* What a source says of itself; see describe.h. */
#include "describe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "words.h"

enum { BITRATE_MOST = 100000 };

/* Icecast's sources say "ice-", Shoutcast's and every server's answers "icy-". */
static const char *field_of(const struct http_head *head, const char *name)
{
    char full[40];
    snprintf(full, sizeof full, "ice-%s", name);
    const char *value = http_field(head, full);
    if (value)
        return value;
    snprintf(full, sizeof full, "icy-%s", name);
    return http_field(head, full);
}

static const char *take(const struct http_head *head, const char *name, char *text, size_t most)
{
    words_of(field_of(head, name), NULL, text, most);
    return text[0] ? text : NULL;
}

/* Of "channels=2;samplerate=44100;bitrate=128", as libshout says it. NULL: it is not there. */
static const char *bitrate_of_list(const char *list)
{
    static const char name[] = "bitrate=";
    if (!list)
        return NULL;
    while (*list && strncasecmp(list, name, strlen(name)) != 0) {
        list += strcspn(list, ";");
        list += strspn(list, "; \t");
    }
    return *list ? list + strlen(name) : NULL;
}

/* kbit/s; "128", or "Quality 0" and other words, which are none. */
static int bitrate_of(const struct http_head *head)
{
    const char *text = field_of(head, "bitrate");
    if (!text)
        text = field_of(head, "br");
    if (!text)
        text = bitrate_of_list(field_of(head, "audio-info"));
    long number = text ? strtol(text, NULL, 10) : 0;
    return number > 0 && number < BITRATE_MOST ? (int)number : 0;
}

static bool is_yes(const char *text)
{
    return text && (strcmp(text, "1") == 0 || strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0);
}

void describe_head(const struct http_head *head, const char *type, struct description *description)
{
    const char *open = field_of(head, "public");
    struct mount_description *mount = &description->mount;
    *mount = (struct mount_description){.type = type, .bitrate = bitrate_of(head)};
    mount->name = take(head, "name", description->name, sizeof description->name);
    mount->genre = take(head, "genre", description->genre, sizeof description->genre);
    mount->description = take(head, "description", description->description, sizeof description->description);
    mount->url = take(head, "url", description->url, sizeof description->url);
    mount->public_ = is_yes(open ? open : field_of(head, "pub"));
}
