/*
 * The URLs of what is gone through, taken apart strictly by one table of kinds. What may be a password is in no error.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/endpoint.h"
#include "net/via.h"

/* What a kind's URLs may hold. */
static const struct kind {
    const char *name;
    uint16_t port; /* where none is named; 0: it is left to ssh */
    bool password;
} kinds[] = {
    [WEIR__VIA_SSH] = {.name = "ssh"},
    [WEIR__VIA_SOCKS5] = {.name = "socks5", .port = 1080, .password = true},
    [WEIR__VIA_HTTP] = {.name = "http", .port = 80, .password = true},
};

enum { KINDS = sizeof kinds / sizeof *kinds, SSH_PORT = 22 };

/* --- %XX --- */

static int hex_digit(char character)
{
    if (weir__is_digit(character))
        return character - '0';
    char lower = (char)(character | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* A character, which may be written %XX, cut off the front; -1: malformed, or NUL. */
static int take_character(struct weir__part *part)
{
    char first = *part->start;
    size_t used = first == '%' ? 3 : 1;
    if (part->length < used)
        return -1;
    int high = first == '%' ? hex_digit(part->start[1]) : 0, low = first == '%' ? hex_digit(part->start[2]) : 0;
    part->start += used;
    part->length -= used;
    if (high < 0 || low < 0)
        return -1;
    int value = first == '%' ? high * 16 + low : (unsigned char)first;
    return value == 0 ? -1 : value;
}

/*
 * Decodes a part of a URL, without control characters unless it is `secret`. `what` it is, for errors that do not show
 * it.
 */
static int decode(const char *shown, struct weir__part part, const char *what, bool secret, char *to, size_t size)
{
    size_t length = 0;
    while (part.length > 0) {
        int character = take_character(&part);
        if (character < 0)
            return weir__wrong(shown, "after a %% in the %s come two hexadecimal digits that are not 00", what);
        if (!secret && (character < ' ' || character == 0x7f))
            return weir__wrong(shown, "the %s has a control character", what);
        if (length + 1 >= size)
            return weir__wrong(shown, "the %s is longer than %zu bytes", what, size - 1);
        to[length++] = (char)character;
    }
    to[length] = '\0';
    return 0;
}

/* --- keys --- */

static int set_config(const char *shown, struct weir__part value, struct weir__via *hop)
{
    return decode(shown, value, "path of config", false, hop->config, sizeof hop->config);
}

static int set_password_file(const char *shown, struct weir__part value, struct weir__via *hop)
{
    return decode(shown, value, "path of password-file", false, hop->password_file, sizeof hop->password_file);
}

static int set_multiplex(const char *shown, struct weir__part value, struct weir__via *hop)
{
    hop->multiplex = weir__part_is(value, "yes");
    if (!hop->multiplex && !weir__part_is(value, "no"))
        return weir__wrong(shown, "multiplex is yes or no");
    return 0;
}

static const struct key {
    const char *name;
    unsigned kinds; /* bits of weir__via_kind */
    int (*set)(const char *shown, struct weir__part value, struct weir__via *hop);
} keys[] = {
    {"config", 1u << WEIR__VIA_SSH, set_config},
    {"multiplex", 1u << WEIR__VIA_SSH, set_multiplex},
    {"password-file", 1u << WEIR__VIA_SOCKS5 | 1u << WEIR__VIA_HTTP, set_password_file},
};

static int parse_key(struct weir__part pair, unsigned *seen, struct weir__via *hop)
{
    struct weir__part name;
    bool valued = weir__cut(&pair, '=', &name);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!weir__part_is(name, keys[i].name) || !(keys[i].kinds & 1u << hop->kind))
            continue;
        if (!valued || pair.length == 0)
            return weir__wrong(hop->shown, "key %s has no value", keys[i].name);
        if (*seen & 1u << i)
            return weir__wrong(hop->shown, "key %s comes twice", keys[i].name);
        *seen |= 1u << i;
        return keys[i].set(hop->shown, pair, hop);
    }
    return weir__wrong(hop->shown, "%s:// has no key %.*s", kinds[hop->kind].name, WEIR__SHOWN(name));
}

static int parse_keys(struct weir__part rest, struct weir__via *hop)
{
    struct weir__part pair;
    unsigned seen = 0;
    bool more = true;
    while (more) {
        more = weir__cut(&rest, '&', &pair);
        if (parse_key(pair, &seen, hop) < 0)
            return -1;
    }
    return 0;
}

/* --- the user --- */

static int parse_user(struct weir__part part, struct weir__via *hop)
{
    struct weir__part user;
    bool has_password = weir__cut(&part, ':', &user);
    if (user.length == 0)
        return weir__wrong(hop->shown, "the user before the @ is missing");
    if (has_password && !kinds[hop->kind].password)
        return weir__wrong(hop->shown, "%s takes no password here, but keys and its agent", kinds[hop->kind].name);
    hop->has_user = true;
    hop->has_password = has_password;
    if (decode(hop->shown, user, "user", false, hop->user, sizeof hop->user) < 0)
        return -1;
    if (hop->kind == WEIR__VIA_SSH && *hop->user == '-')
        return weir__wrong(hop->shown, "a user that begins with - would be an option of ssh's");
    return has_password ? decode(hop->shown, part, "password", true, hop->password, sizeof hop->password) : 0;
}

/* Cuts off all up to the last @, since a password may hold one that was not encoded. */
static bool cut_user(struct weir__part *rest, struct weir__part *user)
{
    const char *place = memrchr(rest->start, '@', rest->length);
    *user = (struct weir__part){rest->start, 0};
    if (place == NULL)
        return false;
    user->length = (size_t)(place - rest->start);
    rest->start = place + 1;
    rest->length -= user->length + 1;
    return true;
}

/* --- the host --- */

static bool has_port(struct weir__part authority)
{
    const char *bracket = memrchr(authority.start, ']', authority.length);
    size_t before = bracket == NULL ? 0 : (size_t)(bracket - authority.start);
    return memchr(authority.start + before, ':', authority.length - before) != NULL;
}

/* The host and the port, as an endpoint of TCP's has them. */
static int parse_host(struct weir__part authority, struct weir__via *hop)
{
    char whole[sizeof hop->to.text];
    struct weir__text text = weir__text(whole, sizeof whole);
    weir__text_put_bytes(&text, authority.start, authority.length);
    bool named = has_port(authority);
    if (!named) {
        weir__text_put_char(&text, ':');
        weir__text_put_number(&text, kinds[hop->kind].port);
    }
    if (text.length >= sizeof whole - 1)
        return weir__wrong(hop->shown, "the host is too long");
    hop->to.scheme = WEIR_SCHEME_TCP;
    if (weir__parse_host_and_port(hop->shown, (struct weir__part){whole, text.length}, true, &hop->to) < 0)
        return -1;
    if (hop->to.host_kind == WEIR_HOST_ANY || hop->to.host_kind == WEIR_HOST_DEFAULT)
        return weir__wrong(hop->shown, "the host is missing");
    if (named && hop->to.port == 0)
        return weir__wrong(hop->shown, "nobody has port 0");
    if (*hop->to.host == '-')
        return weir__wrong(hop->shown, "no host begins with -");
    return 0;
}

/* In full, as an endpoint of TCP's, and as people are shown it. */
static void write_texts(struct weir__via *hop)
{
    bool brackets = strchr(hop->to.host, ':') != NULL;
    struct weir__text to = weir__text(hop->to.text, sizeof hop->to.text);
    struct weir__text shown = weir__text(hop->shown, sizeof hop->shown);
    weir__text_put(&to, brackets ? "tcp://[" : "tcp://");
    weir__text_put(&to, hop->to.host);
    weir__text_put(&to, brackets ? "]:" : ":");
    weir__text_put_number(&to, hop->to.port);
    weir__text_put(&shown, kinds[hop->kind].name);
    weir__text_put_bytes(&shown, hop->to.text + 3, to.length - 3 - (hop->to.port == 0 ? 2 : 0));
}

/* --- the whole --- */

/* Of what cannot be understood no more is shown than what follows the last @: a password may stand before it. */
static int refuse_scheme(const char *url, struct weir__part name)
{
    const char *at = strrchr(url, '@');
    if (*url == '\0')
        return weir__wrong("via", "a URL is missing that begins with ssh://, socks5:// or http://");
    if (name.length == 0)
        return weir__wrong(at == NULL ? url : at + 1, "it is to begin with ssh://, socks5:// or http://");
    return weir__wrong(at == NULL ? url : at + 1, "one cannot go through %.*s://, but ssh://, socks5:// and http://",
                       WEIR__SHOWN(name));
}

static int parse_kind(const char *url, struct weir__part *rest, enum weir__via_kind *kind)
{
    const char *mark = strstr(url, "://");
    struct weir__part name = {url, mark == NULL ? 0 : (size_t)(mark - url)};
    if (mark == NULL)
        return refuse_scheme(url, name);
    for (size_t i = 0; i < name.length; i++)
        if (!weir__is_letter(name.start[i]) && !weir__is_digit(name.start[i]))
            name.length = 0;
    for (size_t i = 0; i < KINDS; i++) {
        if (!weir__part_is(name, kinds[i].name))
            continue;
        *kind = (enum weir__via_kind)i;
        *rest = (struct weir__part){mark + 3, strlen(mark + 3)};
        return 0;
    }
    return refuse_scheme(url, name);
}

static void show(struct weir__via *hop, struct weir__part authority)
{
    struct weir__text shown = weir__text(hop->shown, sizeof hop->shown);
    weir__text_put(&shown, kinds[hop->kind].name);
    weir__text_put(&shown, "://");
    weir__text_put_bytes(&shown, authority.start, authority.length);
}

static int parse_hop(const char *url, struct weir__via *hop)
{
    struct weir__part rest, authority, user;
    if (parse_kind(url, &rest, &hop->kind) < 0)
        return -1;
    bool keyed = weir__cut(&rest, '?', &authority);
    if (keyed && memchr(rest.start, '@', rest.length) != NULL)
        return weir__wrong(kinds[hop->kind].name, "a ? in a password is written %%3F, an @ behind a ? %%40");
    bool named = cut_user(&authority, &user);
    if (authority.length > 1 && authority.start[authority.length - 1] == '/')
        authority.length--;
    show(hop, authority);
    if (named && parse_user(user, hop) < 0)
        return -1;
    if (memchr(authority.start, '/', authority.length) != NULL)
        return weir__wrong(hop->shown, "a path has no meaning here");
    if (parse_host(authority, hop) < 0)
        return -1;
    write_texts(hop);
    if (keyed && parse_keys(rest, hop) < 0)
        return -1;
    if (hop->has_password && *hop->password_file)
        return weir__wrong(hop->shown, "there are a password and a password-file");
    if (!hop->has_user && *hop->password_file)
        return weir__wrong(hop->shown, "there is a password-file and no user");
    return 0;
}

/*
 * An ssh behind a proxy: the proxy has to know the port, which ssh's configuration would say later; and it is always
 * another way to it, which a master of before would not go.
 */
static int settle_behind(const struct weir__via *before, struct weir__via *hop)
{
    if (hop->kind != WEIR__VIA_SSH || before->kind == WEIR__VIA_SSH)
        return 0;
    if (hop->multiplex)
        return weir__wrong(hop->shown, "multiplex has no meaning behind %s", before->shown);
    if (hop->to.port == 0) {
        hop->to.port = SSH_PORT;
        write_texts(hop);
    }
    return 0;
}

static int parse_next(const char *url, struct weir__via_list *list)
{
    struct weir__via *hop = &list->hops[list->count];
    if (parse_hop(url, hop) < 0)
        return -1;
    return list->count == 0 ? 0 : settle_behind(hop - 1, hop);
}

static struct weir__via_list *refuse_many(struct weir__via_list *list)
{
    weir_fail(WEIR_ERROR_USAGE, EINVAL, "via", "", "one can go through %d others at most", WEIR__VIA_MOST);
    weir__via_free(list);
    return NULL;
}

struct weir__via_list *weir__via_parse(const char *const *via)
{
    struct weir__via_list *list = calloc(1, sizeof *list);
    if (list == NULL) {
        weir__fail_memory("via");
        return NULL;
    }
    for (; via != NULL && via[list->count] != NULL; list->count++) {
        if (list->count == WEIR__VIA_MOST)
            return refuse_many(list);
        if (parse_next(via[list->count], list) == 0)
            continue;
        int number = errno;
        weir__via_free(list);
        errno = number;
        return NULL;
    }
    return list;
}

void weir__via_free(struct weir__via_list *list)
{
    if (list == NULL)
        return;
    explicit_bzero(list, sizeof *list);
    free(list);
}

int weir_check_via(const char *const *via)
{
    struct weir__via_list *list = weir__via_parse(via);
    weir__via_free(list);
    return list == NULL ? -1 : 0;
}
