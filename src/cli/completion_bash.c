/* The completions for bash: a table of the pages and their options, and a function that reads it. */
#include "completion.h"

#include <string.h>

static const char *const quote = "'\\''";

static const char head[] =
    "# bash's completion of weir, written by `weir completion bash` from its option tables.\n"
    "\n"
    "# What a page (a command, or a service) has: $operands beside options, $flags, and what each other option takes:\n"
    "# words to choose from, or @files, @hosts, @endpoints, @commands, @services, @nothing. $program is set where a\n"
    "# command of the system stands behind --.\n"
    "_weir_page() {\n"
    "    operands=@nothing flags='' program='' takes=()\n"
    "    case $1 in\n";

static const char tail[] =
    "    esac\n"
    "}\n"
    "\n"
    "# Takes COMP_LINE apart into $words as the program gets them: bash cuts at = and : too. The last is the one to "
    "complete.\n"
    "_weir_words() {\n"
    "    local line=${COMP_LINE:0:COMP_POINT} rest part i\n"
    "    words=()\n"
    "    for ((i = 0; i <= COMP_CWORD; i++)); do\n"
    "        part=${COMP_WORDS[i]} rest=${line#\"${line%%[![:blank:]]*}\"}\n"
    "        ((i == COMP_CWORD)) && part=$rest\n"
    "        if ((i == 0)) || [[ $line != \"$rest\" ]]; then\n"
    "            words+=(\"$part\")\n"
    "        else\n"
    "            words[${#words[@]} - 1]+=$part\n"
    "        fi\n"
    "        line=${rest#\"$part\"}\n"
    "    done\n"
    "}\n"
    "\n"
    "# Goes through the words before the last, to what the last one may be.\n"
    "_weir_read() {\n"
    "    local i word page=''\n"
    "    _weir_page ''\n"
    "    for ((i = 1; i < ${#words[@]} - 1; i++)); do\n"
    "        word=${words[i]}\n"
    "        if [[ $option ]]; then\n"
    "            option=''\n"
    "        elif [[ $dashes ]]; then\n"
    "            ((++behind))\n"
    "        elif [[ $word == -- ]]; then\n"
    "            dashes=1\n"
    "        elif [[ $word == -* ]]; then\n"
    "            [[ ${takes[$word]} ]] && option=$word\n"
    "        elif [[ ! $page || ($page == serve && \" $services \" == *\" $word \"*) ]]; then\n"
    "            page=${page:+$page }$word\n"
    "            _weir_page \"$page\"\n"
    "        else\n"
    "            before=$word\n"
    "        fi\n"
    "    done\n"
    "}\n"
    "\n"
    "_weir_endpoints() {\n"
    "    case $value in\n"
    "    unix:*) compgen -f -P unix: -- \"${value#unix:}\" ;;\n"
    "    *://*) compgen -A hostname -P \"${value%%://*}://\" -- \"${value#*://}\" ;;\n"
    "    *) compgen -W 'tcp:// udp:// unix:' -A hostname -- \"$value\" ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "# Prints what $value may become, a line each.\n"
    "_weir_candidates() {\n"
    "    case $wanted in\n"
    "    @nothing) ;;\n"
    "    @files) compgen -f -- \"$value\" ;;\n"
    "    @hosts) compgen -A hostname -- \"$value\" ;;\n"
    "    @endpoints) _weir_endpoints ;;\n"
    "    @program) if ((behind)); then compgen -f -- \"$value\"; else compgen -c -- \"$value\"; fi ;;\n"
    "    @commands)\n"
    "        if [[ ! $before ]]; then compgen -W \"$commands\" -- \"$value\"\n"
    "        elif [[ $before == serve ]]; then compgen -W \"$services\" -- \"$value\"; fi ;;\n"
    "    @services) compgen -W \"$services\" -- \"$value\" ;;\n"
    "    *) compgen -W \"$wanted\" -- \"$value\" ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "_weir() {\n"
    "    local words value wanted cut option='' dashes='' behind=0 before='' prefix='' breaks=''\n"
    "    local commands services operands flags program\n"
    "    local -A takes\n"
    "    _weir_words\n"
    "    _weir_read\n"
    "    value=${words[${#words[@]} - 1]}\n"
    "    cut=$value\n"
    "    if [[ $option ]]; then\n"
    "        wanted=${takes[$option]}\n"
    "    elif [[ $dashes && $program ]]; then\n"
    "        wanted=@program\n"
    "    elif [[ $dashes ]]; then\n"
    "        wanted=$operands\n"
    "    elif [[ $value == --*=* ]]; then\n"
    "        prefix=${value%%=*}= wanted=${takes[${value%%=*}]:-@nothing} value=${value#*=}\n"
    "    elif [[ $value == -* ]]; then\n"
    "        wanted=\"$flags ${!takes[*]}\"\n"
    "    else\n"
    "        wanted=$operands\n"
    "    fi\n"
    "    [[ $wanted == @files ]] && compopt -o filenames\n"
    "    [[ $wanted == @endpoints ]] && compopt -o nospace\n"
    "    mapfile -t COMPREPLY < <(_weir_candidates)\n"
    "    # bash puts them in place of what stands behind the last of its word breaks.\n"
    "    [[ $COMP_WORDBREAKS == *=* ]] && breaks+='='\n"
    "    [[ $COMP_WORDBREAKS == *:* ]] && breaks+=:\n"
    "    if [[ $breaks ]]; then cut=${cut%\"${cut##*[\"$breaks\"]}\"}; else cut=''; fi\n"
    "    COMPREPLY=(\"${COMPREPLY[@]/#/$prefix}\")\n"
    "    COMPREPLY=(\"${COMPREPLY[@]#\"$cut\"}\")\n"
    "}\n"
    "\n"
    "complete -F _weir weir\n";

static void print_flag(const weir_option *option)
{
    if (option->kind != WEIR_OPTION_FLAG)
        return;
    printf(" --%s", option->name);
    if (option->letter)
        printf(" -%c", option->letter);
}

static void print_choices(const weir_option *option)
{
    for (size_t i = 0; option->choices[i]; i++) {
        fputs(i ? " " : "", stdout);
        completion_print_quoted(option->choices[i], quote, "");
    }
}

/* By its name, or by its letter. */
static void print_taker(const weir_option *option, const char *name)
{
    printf("        takes[%s]='", name);
    switch (completion_of_option(option)) {
    case COMPLETES_CHOICES:
        print_choices(option);
        break;
    case COMPLETES_FILES:
        fputs("@files", stdout);
        break;
    case COMPLETES_HOSTS:
        fputs("@hosts", stdout);
        break;
    case COMPLETES_NOTHING:
        fputs("@nothing", stdout);
        break;
    }
    puts("'");
}

static void print_takers(const weir_option *option)
{
    char name[128];
    if (option->kind == WEIR_OPTION_FLAG)
        return;
    snprintf(name, sizeof name, "--%s", option->name);
    print_taker(option, name);
    if (option->letter)
        print_taker(option, (char[]){'-', option->letter, '\0'});
}

static void print_operands(const struct operands *operands)
{
    const char *word = operands->words[0]    ? operands->words
                       : operands->commands  ? "@commands"
                       : operands->services  ? "@services"
                       : operands->endpoints ? "@endpoints"
                                             : "@nothing";
    printf("        operands='%s'\n", word);
    if (operands->program)
        puts("        program=1");
}

static void print_page(const struct page *page, const char *words)
{
    struct operands operands = completion_operands(page);
    printf("    '%s')\n", words);
    print_operands(&operands);
    fputs("        flags='", stdout);
    completion_each_option(page, print_flag);
    puts("'");
    completion_each_option(page, print_takers);
    puts("        ;;");
}

void completion_print_bash(void)
{
    fputs(head, stdout);
    fputs("    '')\n        operands=@commands flags='--help -h --version -V'\n        commands='", stdout);
    completion_print_commands();
    fputs("'\n        services='", stdout);
    completion_print_services();
    puts("'\n        ;;");
    completion_each_page(print_page);
    fputs(tail, stdout);
}
