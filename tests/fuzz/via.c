/*
 * What is gone through: its URLs, ssh's command line for them, and ssh's own words.
 *
 * The input is a byte that says which. URLs: one a line, the endpoint behind them fixed. Words: a byte for how much of
 * it comes at a time, and what ssh says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/time.h>

#include "fuzz.h"
#include "net/ssh.h"

/* --- URLs --- */

static void require_bounded(const char *text, size_t size)
{
    fuzz_require(strnlen(text, size) < size, "%zu bytes", size);
}

static void require_plain(const char *text)
{
    for (; *text; text++)
        fuzz_require((unsigned char)*text >= ' ' && *text != 0x7f, "a byte %02x", (unsigned char)*text);
}

/* What is shown is a URL of the same, without what is nobody's business. */
static void require_shown(const struct weir__via *hop)
{
    const char *const urls[] = {hop->shown, NULL};
    struct weir__via_list *list = weir__via_parse(urls);
    fuzz_require(list != NULL, "'%s': %s", hop->shown, weir_error()->sentence);
    const struct weir__via *again = &list->hops[0];
    fuzz_require(again->kind == hop->kind && !again->has_user && !again->has_password, "'%s'", hop->shown);
    fuzz_require(strcmp(again->to.host, hop->to.host) == 0, "'%s'", hop->shown);
    fuzz_require(strcmp(again->shown, hop->shown) == 0, "'%s' of '%s'", again->shown, hop->shown);
    weir__via_free(list);
}

static void require_sound(const struct weir__via *hop)
{
    require_bounded(hop->user, sizeof hop->user);
    require_bounded(hop->password, sizeof hop->password);
    require_bounded(hop->config, sizeof hop->config);
    require_bounded(hop->password_file, sizeof hop->password_file);
    require_plain(hop->user);
    require_plain(hop->config);
    fuzz_require(hop->has_user == (*hop->user != '\0'), "user '%s'", hop->user);
    fuzz_require(*hop->to.host && *hop->to.host != '-', "host '%s'", hop->to.host);
    fuzz_require(hop->kind == WEIR__VIA_SSH || hop->to.port != 0, "'%s'", hop->shown);
    if (hop->kind == WEIR__VIA_SSH)
        fuzz_require(*hop->user != '-' && !hop->has_password, "user '%s'", hop->user);
    require_shown(hop);
}

/* Whatever stands in the URLs, ssh is told a host behind a --, and no option that is not ours. */
static void require_line(const struct weir__via_list *list, size_t count)
{
    weir_endpoint to;
    struct weir__ssh_line line;
    weir_connect_options options = {.size = sizeof options};
    fuzz_require(weir_parse_endpoint("tcp://target:80", NULL, &to) == 0, "%s", "the target");
    struct weir__ssh_job job = {
        .hops = list->hops, .count = count, .to = &to, .options = &options, .deadline = WEIR_FOREVER};
    if (weir__ssh_line(&line, &job) < 0)
        fuzz_require(errno == E2BIG, "errno %d", errno);
    else {
        const struct weir__via *last = &list->hops[count - 1];
        fuzz_require(line.count >= 4 && line.words[line.count] == NULL, "%zu words", line.count);
        fuzz_require(strcmp(line.words[line.count - 1], last->to.host) == 0, "'%s'", line.words[line.count - 1]);
        fuzz_require(strcmp(line.words[line.count - 2], "--") == 0, "'%s'", line.words[line.count - 2]);
    }
    weir__ssh_line_free(&line);
}

static void try_urls(const char *const *urls)
{
    struct weir__via_list *list = weir__via_parse(urls);
    if (list == NULL) {
        fuzz_require(errno == EINVAL, "errno %d", errno);
        fuzz_require(weir_error()->kind == WEIR_ERROR_USAGE, "%s", weir_error()->sentence);
        return;
    }
    size_t count = 0;
    bool masters = false;
    for (size_t i = 0; i < list->count; i++) {
        require_sound(&list->hops[i]);
        count += count == i && list->hops[i].kind == WEIR__VIA_SSH;
        masters = masters || list->hops[i].multiplex; /* would make a folder for them */
    }
    if (count > 0 && !masters)
        require_line(list, count);
    weir__via_free(list);
}

static void try_lines(char *text)
{
    const char *urls[WEIR__VIA_MOST + 2] = {NULL};
    size_t count = 0;
    while (text != NULL && count <= WEIR__VIA_MOST) {
        urls[count++] = text;
        text = strchr(text, '\n');
        if (text != NULL)
            *text++ = '\0';
    }
    try_urls(urls);
}

/* --- words --- */

/* In pieces as at once. */
static void try_words(const char *text, size_t length, size_t piece)
{
    struct weir__ssh_words whole = {0}, pieces = {0};
    char reason[sizeof whole.strong];
    weir__ssh_hear(&whole, text, length);
    for (size_t at = 0; at < length; at += piece)
        weir__ssh_hear(&pieces, text + at, length - at < piece ? length - at : piece);
    fuzz_require(memcmp(&whole, &pieces, sizeof whole) == 0, "pieces of %zu", piece);
    weir__ssh_reason(&whole, reason, sizeof reason);
    fuzz_require(*reason && fuzz_is_showable(reason, strlen(reason)), "'%s'", reason);
    fuzz_require(weir__ssh_number(&whole) > 0, "'%s'", reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    bool urls = fuzz_byte(&input) % 2 == 0;
    size_t piece = urls ? 0 : 1 + fuzz_byte(&input);
    char *text = fuzz_string(input.next, fuzz_left(&input));
    if (urls)
        try_lines(text);
    else
        try_words(text, fuzz_left(&input), piece);
    free(text);
    return 0;
}
