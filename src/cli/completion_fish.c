/* The completions for fish: a line for each option, which holds where the command line is on its page. */
#include "completion.h"

#include <string.h>

static const char *const quote = "\\'", *const escaped = "\\";

static const char head[] =
    "# fish's completion of weir, written by `weir completion fish` from its option tables.\n"
    "\n"
    "# Whether the command line is on a page: that of a command, or of a service of serve.\n"
    "function __weir_on\n"
    "    set -l words (commandline -opc)\n"
    "    set -l page $words[2]\n"
    "    if test \"$page\" = serve\n"
    "        for word in $words[3..-1]\n"
    "            if contains -- $word (__weir_services | string replace -r '\\t.*' '')\n"
    "                set page \"serve $word\"\n"
    "                break\n"
    "            end\n"
    "        end\n"
    "    end\n"
    "    test \"$page\" = \"$argv[1]\"\n"
    "end\n"
    "\n"
    "# Whether it has come to what stands behind --.\n"
    "function __weir_behind_dashes\n"
    "    contains -- -- (commandline -opc)\n"
    "end\n"
    "\n"
    "# A command of the system behind --, completed as it is elsewhere.\n"
    "function __weir_program\n"
    "    set -l words (commandline -opc)\n"
    "    set -l dashes (contains -i -- -- $words)\n"
    "    set -e words[1..$dashes]\n"
    "    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))\n"
    "end\n"
    "\n"
    "function __weir_endpoints\n"
    "    set -l word (commandline -ct)\n"
    "    switch \"$word\"\n"
    "        case 'unix:*'\n"
    "            printf 'unix:%s\\n' (__fish_complete_path (string replace unix: '' -- $word))\n"
    "        case '*://*'\n"
    "            printf '%s\\n' (string replace -r '://.*' '://' -- $word)(__fish_print_hostnames)\n"
    "        case '*'\n"
    "            printf '%s\\n' tcp:// udp:// unix: (__fish_print_hostnames)\n"
    "    end\n"
    "end\n"
    "\n";

static const char *page_words; /* of the page that is being written */

static void print_condition(const char *more)
{
    printf("complete -c weir -n '__weir_on \"%s\"%s'", page_words, more);
}

static void print_description(const char *text)
{
    fputs(" -d '", stdout);
    completion_print_quoted(text, quote, escaped);
    puts("'");
}

static void print_argument(const weir_option *option)
{
    switch (completion_of_option(option)) {
    case COMPLETES_CHOICES:
        fputs(" -x -a '", stdout);
        for (size_t i = 0; option->choices[i]; i++) {
            fputs(i ? " " : "", stdout);
            completion_print_quoted(option->choices[i], quote, escaped);
        }
        putchar('\'');
        break;
    case COMPLETES_FILES:
        fputs(" -r -F", stdout);
        break;
    case COMPLETES_HOSTS:
        fputs(" -x -a '(__fish_print_hostnames)'", stdout);
        break;
    case COMPLETES_NOTHING:
        fputs(" -x", stdout);
        break;
    }
}

static void print_option(const weir_option *option)
{
    print_condition("; and not __weir_behind_dashes");
    printf(" -l %s", option->name);
    if (option->letter)
        printf(" -s %c", option->letter);
    if (option->kind != WEIR_OPTION_FLAG)
        print_argument(option);
    fputs(" -d '", stdout);
    completion_print_summary(option, quote, escaped);
    puts("'");
}

static void print_operand(const char *condition, const char *candidates)
{
    print_condition(condition);
    printf(" -a '%s'\n", candidates);
}

static void print_operands(const struct operands *operands)
{
    if (operands->words[0])
        print_operand("", operands->words);
    if (operands->commands) {
        print_operand("; and test (count (commandline -opc)) -eq 2", "(__weir_commands)");
        print_operand("; and test (commandline -opc)[-1] = serve", "(__weir_services)");
    }
    if (operands->services)
        print_operand("", "(__weir_services)");
    if (operands->endpoints && !operands->services)
        print_operand(operands->program ? "; and not __weir_behind_dashes" : "", "(__weir_endpoints)");
    if (operands->program)
        print_operand("; and __weir_behind_dashes", "(__weir_program)");
}

static void print_page(const struct page *page, const char *words)
{
    struct operands operands = completion_operands(page);
    page_words = words;
    putchar('\n');
    completion_each_option(page, print_option);
    print_operands(&operands);
}

/* A function that prints names, and what each is behind a tab, as fish shows them. */
static void print_entry(const char *name, const char *summary)
{
    printf("    echo '%s'\\t'", name);
    completion_print_quoted(summary, quote, escaped);
    puts("'");
}

static void print_names(void)
{
    const weir_service *service;
    puts("function __weir_commands");
    for (const struct command *const *each = commands; *each; each++)
        print_entry((*each)->name, (*each)->summary);
    puts("end\n\nfunction __weir_services");
    for (size_t i = 0; (service = weir_service_at(i)); i++)
        print_entry(service->name, service->summary);
    puts("end\n");
}

void completion_print_fish(void)
{
    fputs(head, stdout);
    print_names();
    puts("complete -c weir -f");
    page_words = "";
    print_condition("");
    fputs(" -l help -s h", stdout);
    print_description("prints help");
    print_condition("");
    fputs(" -l version -s V", stdout);
    print_description("tells what this program is");
    print_operand("", "(__weir_commands)");
    completion_each_page(print_page);
}
