/*
 * Command lines, read by the option tables of every command and service, and of one with options of every kind. What is
 * taken lies within the limits of its row, every word of the line comes to where it belongs, and what was taken, written
 * out in full, is taken as the same again. What is refused is told in one line.
 *
 * The input: a byte that chooses the command, a byte for the width of help, and the words, each ended by a NUL.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#include "../../src/cli/commands.h"
#include "../../src/cli/suggest.h"
#include "../../src/services/services.h"
#include "fuzz.h"

enum { MOST_SETS = 10, MOST_WORDS = 64, NARROWEST = 40 };

const char *called_as = "weir"; /* of the program's main, which is not here */

/* --- the tables --- */

struct kinds {
    bool flag, on;
    const char *text, *preset;
    int64_t integer, limit, size, size_limit, time;
    int small, choice;
    weir_option_list list, preset_list;
};

static const char *const words[] = {"one", "two", "three", NULL};
static const weir_option every_kind[] = {
    {WEIR_OPTION_FLAG, "flag", 'f', NULL, offsetof(struct kinds, flag), "is off"},
    {WEIR_OPTION_FLAG, "on", 'o', NULL, offsetof(struct kinds, on), "is on", "yes"},
    {WEIR_OPTION_TEXT, "text", 't', NULL, offsetof(struct kinds, text), "is anything"},
    {WEIR_OPTION_TEXT, "text-preset", 0, "THIS", offsetof(struct kinds, preset), "is there", "preset"},
    {WEIR_OPTION_INTEGER, "integer", 'i', NULL, offsetof(struct kinds, integer), "has bounds", "-3", NULL, -5, 70},
    {WEIR_OPTION_LIMIT, "limit", 'l', NULL, offsetof(struct kinds, limit), "can be off", "7"},
    {WEIR_OPTION_SIZE, "size", 's', NULL, offsetof(struct kinds, size), "is bytes", "1k"},
    {WEIR_OPTION_SIZE_LIMIT, "size-limit", 0, NULL, offsetof(struct kinds, size_limit), "can be off", "never"},
    {WEIR_OPTION_TIME, "time", 'T', NULL, offsetof(struct kinds, time), "is a duration", "1.5s"},
    {WEIR_OPTION_INT, "int", 'n', NULL, offsetof(struct kinds, small), "fits", "0"},
    {WEIR_OPTION_CHOICE, "choice", 'c', NULL, offsetof(struct kinds, choice), "is one of these", "two", words},
    {WEIR_OPTION_LIST, "list", 'L', NULL, offsetof(struct kinds, list), "may come again and again"},
    {WEIR_OPTION_LIST, "list-preset", 0, NULL, offsetof(struct kinds, preset_list), "is never empty", "item"},
    {0},
};
static const struct option_section every_sections[] = {{"Options", every_kind}, {0}};

/* A command's tables, each with settings of just its size. */
struct line {
    weir_option_set sets[MOST_SETS];
    size_t count;
    weir_arguments arguments;
    int argc;
    char *argv[MOST_WORDS + 1];
};

static size_t size_of(const weir_option *option)
{
    switch (option->kind) {
    case WEIR_OPTION_FLAG:
        return sizeof(bool);
    case WEIR_OPTION_TEXT:
        return sizeof(char *);
    case WEIR_OPTION_INT:
    case WEIR_OPTION_CHOICE:
        return sizeof(int);
    case WEIR_OPTION_LIST:
        return sizeof(weir_option_list);
    default:
        return sizeof(int64_t);
    }
}

static void add_table(struct line *line, const weir_option *options)
{
    size_t size = 0;
    for (const weir_option *option = options; option->kind != WEIR_OPTION_END; option++)
        if (option->offset + size_of(option) > size)
            size = option->offset + size_of(option);
    if (line->count < MOST_SETS)
        line->sets[line->count++] = (weir_option_set){options, fuzz_alloc(size)};
}

static void add_sections(struct line *line, const struct option_section *sections)
{
    for (; sections->title; sections++)
        add_table(line, sections->options);
}

static void add_service(struct line *line, const weir_service *service)
{
    if (service->options)
        add_table(line, service->options);
    add_table(line, weir_server_option_table);
}

/* The `choice`th of the commands, of the services, and the table with every kind. */
static void add_tables(struct line *line, unsigned choice)
{
    unsigned commands_there = 0, services_there = 0;
    while (commands[commands_there])
        commands_there++;
    while (weir_service_at(services_there))
        services_there++;
    choice %= commands_there + services_there + 1;
    if (choice < commands_there)
        add_sections(line, commands[choice]->sections);
    else if (choice < commands_there + services_there)
        add_service(line, weir_service_at(choice - commands_there));
    else
        add_sections(line, every_sections);
    add_table(line, common_options);
}

static void free_line(struct line *line)
{
    weir_options_free(line->sets, line->count, &line->arguments);
    fuzz_require(!line->arguments.items && line->arguments.count == 0, "%zu are left", line->arguments.count);
    for (size_t i = 0; i < line->count; i++)
        free(line->sets[i].settings);
    for (int i = 0; i < line->argc; i++)
        free(line->argv[i]);
}

/* --- what was taken --- */

static void *member_of(const weir_option_set *set, const weir_option *option)
{
    return (char *)set->settings + option->offset;
}

/* Whether a text is a part of the line, or the row's preset. */
static bool is_given(const struct line *line, const weir_option *option, const char *text)
{
    for (int i = 0; i < line->argc; i++)
        if (text >= line->argv[i] && text <= line->argv[i] + strlen(line->argv[i]))
            return true;
    return text == option->preset;
}

/* A whole number: below its bounds only if nothing was there to set it. */
static void require_bounded(const weir_option *option, int64_t value, int64_t largest)
{
    bool unbounded = option->minimum == 0 && option->maximum == 0, untouched = !option->preset && value == 0;
    int64_t most = unbounded ? largest : option->maximum;
    fuzz_require(untouched || (value >= option->minimum && value <= most), "--%s %" PRId64, option->name, value);
}

static void require_choice(const weir_option *option, int choice)
{
    int count = 0;
    while (option->choices[count])
        count++;
    fuzz_require(choice >= 0 && choice < count, "--%s %d of %d", option->name, choice, count);
}

static void require_list(const struct line *line, const weir_option *option, const weir_option_list *list)
{
    fuzz_require(list->count <= (size_t)line->argc + 1 && (!option->preset || list->count > 0), "--%s %zu",
                 option->name, list->count);
    for (size_t i = 0; i < list->count; i++)
        fuzz_require(is_given(line, option, list->items[i]), "--%s", option->name);
}

static void require_value(const struct line *line, const weir_option_set *set, const weir_option *option)
{
    const void *member = member_of(set, option);
    int64_t number = 0;
    unsigned char byte;
    if (size_of(option) == sizeof number && option->kind != WEIR_OPTION_TEXT)
        number = *(const int64_t *)member;
    switch (option->kind) {
    case WEIR_OPTION_FLAG:
        memcpy(&byte, member, 1);
        fuzz_require(byte <= 1, "--%s %d", option->name, byte);
        break;
    case WEIR_OPTION_TEXT:
        fuzz_require(!*(char *const *)member || is_given(line, option, *(char *const *)member), "--%s", option->name);
        break;
    case WEIR_OPTION_INTEGER:
        require_bounded(option, number, INT64_MAX);
        break;
    case WEIR_OPTION_INT:
        require_bounded(option, *(const int *)member, INT_MAX);
        break;
    case WEIR_OPTION_CHOICE:
        require_choice(option, *(const int *)member);
        break;
    case WEIR_OPTION_LIST:
        require_list(line, option, member);
        break;
    case WEIR_OPTION_LIMIT:
    case WEIR_OPTION_SIZE_LIMIT:
        fuzz_require(number >= -1 && (number != 0 || !option->preset), "--%s %" PRId64, option->name, number);
        break;
    default:
        fuzz_require(number >= 0 && (number > 0 || option->kind == WEIR_OPTION_SIZE || !option->preset),
                     "--%s %" PRId64, option->name, number);
    }
}

/* The arguments are words of the line, in their order; behind "--" all of them are. */
static void require_arguments(const struct line *line)
{
    const weir_arguments *arguments = &line->arguments;
    size_t found = 0, behind = arguments->count - arguments->dashes;
    fuzz_require(arguments->dashes <= arguments->count && !arguments->items[arguments->count], "%zu of %zu",
                 arguments->dashes, arguments->count);
    for (int i = 0; i < line->argc && found < arguments->count; i++)
        found += line->argv[i] == arguments->items[found];
    fuzz_require(found == arguments->count, "%zu of %zu", found, arguments->count);
    for (size_t i = 0; i < arguments->dashes; i++)
        fuzz_require(arguments->items[i][0] != '-' || !arguments->items[i][1], "'%s'", arguments->items[i]);
    for (size_t i = 0; i < behind; i++)
        fuzz_require(arguments->items[arguments->count - 1 - i] == line->argv[line->argc - 1 - (int)i], "%zu", i);
    if (behind > 0)
        fuzz_require(strcmp(line->argv[line->argc - 1 - (int)behind], "--") == 0, "%zu", behind);
}

static void require_taken(const struct line *line)
{
    for (size_t i = 0; i < line->count; i++)
        for (const weir_option *option = line->sets[i].options; option->kind != WEIR_OPTION_END; option++)
            require_value(line, &line->sets[i], option);
    require_arguments(line);
}

/* --- written out, and taken again --- */

static void add_word(struct line *line, const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 4;
    char *word = fuzz_alloc(size);
    snprintf(word, size, "--%s%s%s", name, *value ? "=" : "", value);
    line->argv[line->argc++] = word;
}

static void add_number(struct line *line, const weir_option *option, int64_t number)
{
    char text[32];
    bool off = (option->kind == WEIR_OPTION_TIME && number == WEIR_FOREVER) ||
               ((option->kind == WEIR_OPTION_LIMIT || option->kind == WEIR_OPTION_SIZE_LIMIT) && number == -1);
    snprintf(text, sizeof text, "%" PRId64 "%s", number, option->kind == WEIR_OPTION_TIME ? "ns" : "");
    if (number != 0 || option->kind == WEIR_OPTION_SIZE || (option->kind == WEIR_OPTION_INTEGER && option->preset))
        add_word(line, option->name, off ? "never" : text);
}

/* Nothing is written for texts and lists, whose words would be others. */
static void write_out(struct line *line, const weir_option_set *set, const weir_option *option)
{
    const void *member = member_of(set, option);
    char negated[64];
    switch (option->kind) {
    case WEIR_OPTION_FLAG:
        snprintf(negated, sizeof negated, "no-%s", option->name);
        add_word(line, *(const bool *)member ? option->name : negated, "");
        break;
    case WEIR_OPTION_CHOICE:
        add_word(line, option->name, option->choices[*(const int *)member]);
        break;
    case WEIR_OPTION_TEXT:
    case WEIR_OPTION_LIST:
        break;
    case WEIR_OPTION_INT:
        if (*(const int *)member || option->preset)
            add_number(line, option, *(const int *)member);
        break;
    default:
        add_number(line, option, *(const int64_t *)member);
    }
}

static bool is_compared(const weir_option *option)
{
    return option->kind != WEIR_OPTION_TEXT && option->kind != WEIR_OPTION_LIST;
}

static void require_same(const struct line *line, const struct line *again)
{
    for (size_t i = 0; i < line->count; i++)
        for (const weir_option *option = line->sets[i].options; option->kind != WEIR_OPTION_END; option++)
            if (is_compared(option))
                fuzz_require(
                    memcmp(member_of(&line->sets[i], option), member_of(&again->sets[i], option), size_of(option)) == 0,
                    "--%s", option->name);
}

static void try_again(const struct line *line, unsigned choice)
{
    struct line again = {.count = 0};
    add_tables(&again, choice);
    for (size_t i = 0; i < line->count; i++)
        for (const weir_option *option = line->sets[i].options; option->kind != WEIR_OPTION_END; option++)
            if (again.argc < MOST_WORDS)
                write_out(&again, &line->sets[i], option);
    fuzz_require(weir_options_parse(again.sets, again.count, again.argc, again.argv, &again.arguments) == 0, "%s",
                 weir_error()->sentence);
    require_same(line, &again);
    free_line(&again);
}

/* A line without a word is always taken: so are all presets. */
static void try_presets(unsigned choice)
{
    struct line line = {.count = 0};
    add_tables(&line, choice);
    fuzz_require(weir_options_parse(line.sets, line.count, 0, line.argv, &line.arguments) == 0, "%s",
                 weir_error()->sentence);
    require_taken(&line);
    free_line(&line);
}

/* --- help --- */

static void require_line(const char *text, size_t length, int columns)
{
    size_t width = 0;
    for (size_t i = 0; i < length; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    fuzz_require(fuzz_is_showable(text, length), "'%.*s'", (int)length, text);
    fuzz_require(width <= (size_t)columns || width - strspn(text, " ") < NARROWEST, "%zu of %d: '%.*s'", width, columns,
                 (int)length, text);
}

static void try_help(const weir_option *options, int columns)
{
    char *help = weir_options_help(options, columns);
    fuzz_require(help, "%s", weir_error()->sentence);
    for (const char *line = help, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        fuzz_require(end, "'%s' does not end", line);
        require_line(line, (size_t)(end - line), columns < NARROWEST ? NARROWEST : columns);
    }
    for (const weir_option *option = options; option->kind != WEIR_OPTION_END; option++)
        fuzz_require(strstr(help, option->name), "no --%s", option->name);
    free(help);
}

/* --- a run --- */

/* A word that is suggested is one that there is. */
static void try_words(const struct line *line)
{
    for (int i = 0; i < line->argc; i++) {
        const char *command = suggest_command(line->argv[i]), *service = suggest_service(line->argv[i]);
        fuzz_require(!command || command_find(command), "'%s'", command);
        fuzz_require(!service || weir_service_find(service), "'%s'", service);
        unknown("command", line->argv[i], command);
        fuzz_require_error(WEIR_ERROR_USAGE, (const char *const *)&line->argv[i], 1);
    }
}

static void read_words(struct line *line, struct fuzz_input *input)
{
    while (fuzz_left(input) > 0 && line->argc < MOST_WORDS) {
        size_t length = strnlen((const char *)input->next, fuzz_left(input));
        line->argv[line->argc++] = fuzz_string(input->next, length);
        input->next += length < fuzz_left(input) ? length + 1 : length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool registered;
    struct fuzz_input input = fuzz_input(data, size);
    unsigned choice = fuzz_byte(&input), width = fuzz_byte(&input);
    struct line line = {.count = 0};
    if (!registered && services_register() < 0)
        abort();
    registered = true;
    add_tables(&line, choice);
    read_words(&line, &input);
    if (weir_options_parse(line.sets, line.count, line.argc, line.argv, &line.arguments) == 0) {
        require_taken(&line);
        try_again(&line, choice);
    } else {
        fuzz_require(errno == EINVAL, "%s", weir_error()->sentence);
        fuzz_require_error(WEIR_ERROR_USAGE, (const char *const *)line.argv, (size_t)line.argc);
    }
    try_words(&line);
    try_presets(choice);
    if (width % 8 == 0) /* which costs more than all else, and depends on nothing else */
        try_help(line.sets[width / 8 % line.count].options, 1 + (int)width);
    free_line(&line);
    return 0;
}
