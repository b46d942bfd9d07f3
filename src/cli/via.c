/* --via: what a client goes through to its endpoint; see via.h. */
#include "via.h"

#include <errno.h>
#include <string.h>

const weir_option via_options[] = {
    {WEIR_OPTION_LIST, "via", 0, "URL", 0,
     "goes there through another machine: ssh://[USER@]HOST[:PORT] by OpenSSH's ssh (WEIR_SSH names another), as you "
     "have set it up, or as FILE has it with ?config=FILE at the end; with ?multiplex=yes one login is enough for all "
     "that follow within a minute; socks5://HOST[:PORT] and http://HOST[:PORT] by a proxy, which may want "
     "USER:PASSWORD@ before HOST; names are looked up there; may be given several times, the first is reached from "
     "here. A password is not seen by others in a file, named by ?password-file=FILE at the end, or in "
     "WEIR_PROXY_PASSWORD"},
    {0},
};

int via_check(const weir_option_list *via, const weir_endpoint *endpoint, const char *command)
{
    if (via->count == 0)
        return 0;
    if (endpoint->datagram || endpoint->scheme == WEIR_SCHEME_UNIX)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, command, endpoint->text,
                         "--via is for connections to a host and a port: tcp, tls, http and https");
    return weir_check_via(via->items);
}

/* "ssh://host:22" of "ssh://user:password@host:22?config=FILE". */
static void add_shown(const char *url, char *text, size_t size)
{
    char shown[256];
    const char *scheme_end = strstr(url, "://"), *rest = scheme_end ? scheme_end + 3 : url;
    int scheme_length = (int)(rest - url), rest_length = (int)strcspn(rest, "?");
    for (const char *at; (at = memchr(rest, '@', (size_t)rest_length)); rest = at + 1)
        rest_length -= (int)(at + 1 - rest);
    weir_escape(rest, (size_t)rest_length, shown, sizeof shown);
    size_t length = strlen(text);
    snprintf(text + length, size - length, "%.*s%s", scheme_length, url, shown);
}

char *via_text(const weir_option_list *via, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < via->count; i++) {
        size_t length = strlen(text);
        snprintf(text + length, size - length, "%s", i == 0 ? " through " : ", ");
        add_shown(via->items[i], text, size);
    }
    return text;
}
