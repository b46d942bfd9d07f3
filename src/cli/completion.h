/* Completions for shells, written from the option tables; what the writers of the three shells share. */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "page.h"

/* What an argument is completed to. */
enum completes { COMPLETES_NOTHING, COMPLETES_CHOICES, COMPLETES_FILES, COMPLETES_HOSTS };

/* Of an option that takes an argument. */
enum completes completion_of_option(const weir_option *option);

/* What stands on a command line beside options, as the page's usage shows it. */
struct operands {
    bool endpoints;
    bool commands; /* names of our own */
    bool services;
    bool program;    /* behind "--": a command of the system, with its arguments */
    char words[128]; /* to choose from, a space between them */
};

struct operands completion_operands(const struct page *page);

/* Calls `write` with every page, a command's or a service's, and its words behind the program's name: "serve echo". */
void completion_each_page(void (*write)(const struct page *page, const char *words));

/* Calls `write` with every option of a page. */
void completion_each_option(const struct page *page, void (*write)(const weir_option *option));

/* Prints the names of all commands or services, a space between them. */
void completion_print_commands(void);
void completion_print_services(void);

/*
 * Prints a text inside of single quotes for a shell: a quote in it as `quote` ("'\\''"), each of `escaped` behind a
 * backslash.
 */
void completion_print_quoted(const char *text, const char *quote, const char *escaped);

/* Prints what an option is for: its help up to a semicolon, since a menu has little room. Quoted likewise. */
void completion_print_summary(const weir_option *option, const char *quote, const char *escaped);

/* The scripts, on stdout. */
void completion_print_bash(void);
void completion_print_zsh(void);
void completion_print_fish(void);

#endif
