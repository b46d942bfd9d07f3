/* Reading a command line: presets first, then argv from left to right, options wherever they stand before "--". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>

#include "base/error.h"
#include "base/option.h"
#include "base/text.h"

enum { SHOWN_SIZE = 128 }; /* an option as errors name it */

struct parser {
    const weir_option_set *sets;
    size_t count;
    char *const *next; /* the argument that comes next */
    char *const *end;
    weir_arguments *arguments;
};

static weir_option_list *list_of(const weir_option_set *set, const weir_option *option)
{
    return (weir_option_list *)(void *)((char *)set->settings + option->offset);
}

static void show_name(const weir_option *option, char *shown)
{
    struct weir__text text = weir__text(shown, SHOWN_SIZE);
    weir__text_put(&text, "--");
    weir__text_put(&text, option->name);
}

static int set_preset(const weir_option_set *set, const weir_option *option)
{
    char shown[SHOWN_SIZE];
    show_name(option, shown);
    return option->preset ? weir__option_set(option, set->settings, shown, option->preset) : 0;
}

/* Lists are emptied, of all sets before anything can fail: they are freed after an error too. */
static void empty_lists(const weir_option_set *set)
{
    for (const weir_option *option = set->options; !weir__option_is_end(option); option++)
        if (option->kind == WEIR_OPTION_LIST)
            *list_of(set, option) = (weir_option_list){0};
}

static int set_presets(const weir_option_set *set)
{
    for (const weir_option *option = set->options; !weir__option_is_end(option); option++)
        if (option->kind != WEIR_OPTION_LIST && set_preset(set, option) < 0)
            return -1;
    return 0;
}

/* A list's preset is for when nothing was given, so it comes last. */
static int set_list_presets(const weir_option_set *set)
{
    for (const weir_option *option = set->options; !weir__option_is_end(option); option++)
        if (option->kind == WEIR_OPTION_LIST && list_of(set, option)->count == 0 && set_preset(set, option) < 0)
            return -1;
    return 0;
}

/* The value of an option that takes one: what stands behind it in the same argument, else the next argument. */
static int set_value(struct parser *parser, const struct weir__option_found *found, const char *shown,
                     const char *attached)
{
    const char *value = attached;
    if (!value && parser->next == parser->end)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", shown, "%s is missing", weir_option_argument(found->option));
    if (!value)
        value = *parser->next++;
    return weir__option_set(found->option, found->settings, shown, value);
}

static void set_flag(const struct weir__option_found *found)
{
    *(bool *)((char *)found->settings + found->option->offset) = !found->negated;
}

static int parse_name(struct parser *parser, const char *name)
{
    size_t length = strcspn(name, "=");
    const char *attached = name[length] == '=' ? name + length + 1 : NULL;
    struct weir__option_found found;
    if (weir__option_find(parser->sets, parser->count, name, length, &found) < 0)
        return -1;
    char shown[SHOWN_SIZE];
    show_name(found.option, shown);
    if (found.option->kind != WEIR_OPTION_FLAG)
        return set_value(parser, &found, shown, attached);
    if (attached)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", shown, "takes no value");
    set_flag(&found);
    return 0;
}

/* "-lk", "-p 80", "-p80", "-kp80": flags may be joined, the first that takes a value takes what is left. */
static int parse_letters(struct parser *parser, const char *word)
{
    for (const char *letter = word + 1; *letter; letter++) {
        struct weir__option_found found;
        if (weir__option_find_letter(parser->sets, parser->count, letter, word, &found) < 0)
            return -1;
        char shown[] = {'-', *letter, '\0'};
        if (found.option->kind != WEIR_OPTION_FLAG)
            return set_value(parser, &found, shown, letter[1] ? letter + 1 : NULL);
        set_flag(&found);
    }
    return 0;
}

static void add_argument(struct parser *parser, const char *argument)
{
    weir_arguments *arguments = parser->arguments;
    arguments->items[arguments->count++] = argument;
    arguments->items[arguments->count] = NULL;
}

/* Reads one argument of argv, and with an option its value. */
static int parse_word(struct parser *parser)
{
    const char *word = *parser->next++;
    if (strncmp(word, "--", 2) == 0)
        return parse_name(parser, word + 2);
    if (word[0] == '-' && word[1] != '\0')
        return parse_letters(parser, word);
    add_argument(parser, word);
    return 0;
}

static int parse_words(struct parser *parser)
{
    while (parser->next < parser->end && strcmp(*parser->next, "--") != 0)
        if (parse_word(parser) < 0)
            return -1;
    return 0;
}

/* Everything behind "--", where parsing has come to if there is one, is an argument. */
static void take_rest(struct parser *parser)
{
    if (parser->next < parser->end)
        parser->next++;
    while (parser->next < parser->end)
        add_argument(parser, *parser->next++);
}

static int parse_all(struct parser *parser)
{
    for (size_t i = 0; i < parser->count; i++)
        if (set_presets(&parser->sets[i]) < 0)
            return -1;
    int result = parse_words(parser);
    parser->arguments->dashes = parser->arguments->count;
    if (result < 0)
        return -1;
    take_rest(parser);
    for (size_t i = 0; i < parser->count; i++)
        if (set_list_presets(&parser->sets[i]) < 0)
            return -1;
    return 0;
}

int weir_options_parse(const weir_option_set *sets, size_t count, int argc, char *const *argv,
                       weir_arguments *arguments)
{
    for (size_t i = 0; i < count; i++)
        empty_lists(&sets[i]);
    *arguments = (weir_arguments){.items = calloc((size_t)argc + 1, sizeof(char *))};
    if (!arguments->items)
        return weir__fail_memory("options");
    struct parser parser = {
        .sets = sets, .count = count, .next = argv, .end = argc > 0 ? argv + argc : argv, .arguments = arguments};
    return parse_all(&parser);
}

void weir_options_free(const weir_option_set *sets, size_t count, weir_arguments *arguments)
{
    for (size_t i = 0; i < count; i++)
        for (const weir_option *option = sets[i].options; !weir__option_is_end(option); option++)
            if (option->kind == WEIR_OPTION_LIST) {
                free(list_of(&sets[i], option)->items);
                free(list_of(&sets[i], option)->names);
                *list_of(&sets[i], option) = (weir_option_list){0};
            }
    free(arguments->items);
    *arguments = (weir_arguments){0};
}
