/* The completions for zsh: a function for each page, which gives its options to _arguments (zshcompsys(1)). */
#include "completion.h"

#include <string.h>

static const char *const quote = "'\\''";

static const char head[] = "#compdef weir\n"
                           "# zsh's completion of weir, written by `weir completion zsh` from its option tables.\n";

static const char tail[] =
    "\n"
    "_weir_endpoints() {\n"
    "    if compset -P 'unix:'; then\n"
    "        _files\n"
    "    elif compset -P '*://'; then\n"
    "        _hosts -S ''\n"
    "    else\n"
    "        compadd -S '' -- tcp:// udp:// unix:\n"
    "        _hosts -S ''\n"
    "    fi\n"
    "}\n"
    "\n"
    "# Behind --: a command of the system, completed as it is elsewhere.\n"
    "_weir_program() {\n"
    "    local -i dashes=${words[(i)--]}\n"
    "    (( dashes < CURRENT )) || return 1\n"
    "    words=(\"${(@)words[dashes + 1, -1]}\")\n"
    "    (( CURRENT -= dashes ))\n"
    "    _normal\n"
    "}\n"
    "\n"
    "# The page of a service that is named, else that of serve.\n"
    "_weir_serve_any() {\n"
    "    local word\n"
    "    for word in \"${(@)words[2, CURRENT - 1]}\"; do\n"
    "        if (( ${weir_services[(I)${(b)word}:*]} )); then\n"
    "            _weir_serve_$word\n"
    "            return\n"
    "        fi\n"
    "    done\n"
    "    _weir_serve\n"
    "}\n"
    "\n"
    "_weir() {\n"
    "    local curcontext=$curcontext state line ret=1\n"
    "    local -A opt_args\n"
    "    local -a weir_commands weir_services\n"
    "    _weir_names\n"
    "    _arguments -C -A '-*' '(- *)'{-h,--help}'[prints help]' '(- *)'{-V,--version}'[tells what this program is]' "
    "\\\n"
    "        '1:command:_weir_commands' '*::argument:->page' && ret=0\n"
    "    [[ $state == page ]] || return ret\n"
    "    curcontext=\"${curcontext%:*:*}:weir-$words[1]:\"\n"
    "    case $words[1] in\n"
    "    (serve) _weir_serve_any ;;\n"
    "    (*) (( $+functions[_weir_$words[1]] && ${weir_commands[(I)${(b)words[1]}:*]} )) && _weir_$words[1] ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "_weir_commands() { _describe -t commands command weir_commands }\n"
    "_weir_services() { _describe -t services service weir_services }\n"
    "\n"
    "# Autoloaded by its name it completes at once; sourced it tells compinit.\n"
    "if [[ $funcstack[1] == _weir ]]; then\n"
    "    _weir \"$@\"\n"
    "else\n"
    "    compdef _weir weir\n"
    "fi\n";

static void print_action(const weir_option *option)
{
    completion_print_quoted(weir_option_argument(option), quote, ":[]\\");
    switch (completion_of_option(option)) {
    case COMPLETES_CHOICES:
        fputs(":(", stdout);
        for (size_t i = 0; option->choices[i]; i++) {
            fputs(i ? " " : "", stdout);
            completion_print_quoted(option->choices[i], quote, ":()\\ ");
        }
        putchar(')');
        break;
    case COMPLETES_FILES:
        fputs(":_files", stdout);
        break;
    case COMPLETES_HOSTS:
        fputs(":_hosts", stdout);
        break;
    case COMPLETES_NOTHING:
        fputs(": ", stdout);
        break;
    }
}

/* '(-c --connections)'{-c+,--connections=}'[connections at once]:N: ' */
static void print_option(const weir_option *option)
{
    bool flag = option->kind == WEIR_OPTION_FLAG, again = option->kind == WEIR_OPTION_LIST;
    fputs(" \\\n        ", stdout);
    if (option->letter && !again)
        printf("'(-%c --%s)'", option->letter, option->name);
    if (again)
        fputs("'*'", stdout);
    if (option->letter)
        printf("{-%c%s,--%s%s}'", option->letter, flag ? "" : "+", option->name, flag ? "" : "=");
    else
        printf("--%s%s'", option->name, flag ? "" : "=");
    putchar('[');
    completion_print_summary(option, quote, ":[]\\");
    putchar(']');
    if (!flag) {
        putchar(':');
        print_action(option);
    }
    putchar('\'');
}

static void print_operands(const struct operands *operands, const weir_service *service)
{
    if (service)
        printf(" \\\n        '1:service:(%s)'", service->name);
    if (operands->words[0])
        printf(" \\\n        '1:word:(%s)'", operands->words);
    if (operands->commands)
        fputs(" \\\n        '1:command:_weir_commands' '2:service:_weir_services'", stdout);
    if (operands->services)
        fputs(" \\\n        '1:service:_weir_services'", stdout);
    if (operands->endpoints && !operands->services)
        fputs(" \\\n        '*:endpoint:_weir_endpoints'", stdout);
}

static void print_page(const struct page *page, const char *words)
{
    struct operands operands = completion_operands(page);
    fputs("\n_weir_", stdout);
    for (; *words; words++)
        putchar(*words == ' ' ? '_' : *words);
    puts("() {");
    if (operands.program)
        puts("    _weir_program && return");
    fputs("    _arguments -s -S", stdout);
    completion_each_option(page, print_option);
    print_operands(&operands, page->service);
    puts("\n}");
}

static void print_name(const char *name, const char *summary)
{
    printf("        '%s:", name);
    completion_print_quoted(summary, quote, "\\:");
    puts("'");
}

static void print_names(void)
{
    const weir_service *service;
    puts("\n_weir_names() {\n    weir_commands=(");
    for (const struct command *const *each = commands; *each; each++)
        print_name((*each)->name, (*each)->summary);
    puts("    )\n    weir_services=(");
    for (size_t i = 0; (service = weir_service_at(i)); i++)
        print_name(service->name, service->summary);
    puts("    )\n}");
}

void completion_print_zsh(void)
{
    fputs(head, stdout);
    print_names();
    completion_each_page(print_page);
    fputs(tail, stdout);
}
