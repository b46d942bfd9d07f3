/* Pages: what is told of a command or a service, whether by --help or in a manual. */
#ifndef CLI_PAGE_H
#define CLI_PAGE_H

#include "commands.h"

enum { PAGE_SECTIONS = 8 };

struct page {
    char name[64]; /* "weir serve echo" */
    const char *summary;
    const char *const *usage; /* as in struct command; NULL: none */
    const char *description;
    struct option_section sections[PAGE_SECTIONS];
    const char *const *examples;
    const weir_service *service; /* NULL: the page is a command's, or the program's */
    bool lists_commands, lists_services;
};

/* The page of the program itself, of a command, and of a service of `weir serve`. */
void page_of_program(struct page *page);
void page_of_command(struct page *page, const struct command *command);
void page_of_service(struct page *page, const struct command *serve, const weir_service *service);

/* The endpoints or transports of a service in one line: "tcp, unix, udp". Returns `text`. */
char *page_join(const char *const *words, char *text, size_t size);

/* Writes a page to stdout as wide as that is. Returns an exit status. */
int help_print(const struct page *page);

/* Writes a page to stdout as a manual page (roff, man macros). Returns an exit status. */
int manual_print(const struct page *page);

#endif
