/* Manual pages: a page in roff with the man macros, as groff_man(7) describes them. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"

/* Text with what roff takes for its own escaped: backslashes, dashes that are to be dashes, dots and quotes that begin a line. */
static void put(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length && text[i]; i++) {
        bool begins = i == 0 || text[i - 1] == '\n';
        if (begins && (text[i] == '.' || text[i] == '\''))
            fputs("\\&", out);
        if (text[i] == '\\')
            fputs("\\e", out);
        else if (text[i] == '-')
            fputs("\\-", out);
        else if (text[i] == '\'')
            fputs("\\(aq", out);
        else if (text[i] == '^')
            fputs("\\(ha", out);
        else if (text[i] == '~')
            fputs("\\(ti", out);
        else
            fputc(text[i], out);
    }
}

static void put_all(FILE *out, const char *text)
{
    put(out, text, strlen(text));
}

/* "weir serve echo" as "weir-serve-echo". */
static void put_file_name(FILE *out, const char *name)
{
    for (; *name; name++)
        fputs(*name == ' ' ? "\\-" : (char[]){*name, '\0'}, out);
}

static void put_title(FILE *out, const struct page *page)
{
    fputs(".TH ", out);
    for (const char *at = page->name; *at; at++)
        fputs(*at == ' ' ? "\\-" : (char[]){(char)toupper((unsigned char)*at), '\0'}, out);
    /* Names of options and variables are not to be hyphenated, nor lines stretched for want of that. */
    fprintf(out, " 1 \"\" \"weir %s\" \"weir\"\n.nh\n.ad l\n.SH NAME\n", WEIR_VERSION);
    put_file_name(out, page->name);
    fputs(" \\- ", out);
    put_all(out, page->summary);
    fputc('\n', out);
}

/* Words in capitals are what the reader puts something in place of: italic; "..." and brackets stay as they are. */
static void put_form(FILE *out, const char *form)
{
    for (size_t at = 0; form[at];) {
        size_t length = strcspn(form + at, " []");
        if (length == 0) {
            put(out, form + at++, 1);
            continue;
        }
        bool capitals = isupper((unsigned char)form[at]);
        fputs(capitals ? "\\fI" : "\\fR", out);
        put(out, form + at, length);
        fputs("\\fR", out);
        at += length;
    }
}

static void put_synopsis(FILE *out, const struct page *page)
{
    fputs(".SH SYNOPSIS\n", out);
    for (size_t i = 0; page->usage[i]; i++) {
        fputs(i ? ".br\n\\fB" : "\\fB", out);
        put_all(out, page->name);
        fputs("\\fR ", out);
        put_form(out, page->usage[i]);
        fputc('\n', out);
    }
}

/* A paragraph of a description that begins with one of these words is a section of its own in a manual. */
static const struct {
    const char *begins, *title;
} section_paragraphs[] = {
    {"Exit status: ", "EXIT STATUS"},
    {"Environment: ", "ENVIRONMENT"},
};
enum { SECTION_PARAGRAPHS = sizeof section_paragraphs / sizeof *section_paragraphs };

static size_t paragraph_length(const char *text)
{
    const char *end = strstr(text, "\n\n");
    return end ? (size_t)(end - text) : strlen(text);
}

/* The paragraph behind, or NULL. */
static const char *next_paragraph(const char *text)
{
    const char *end = strstr(text, "\n\n");
    return end ? end + 2 : NULL;
}

static bool begins(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

static bool is_section(const char *paragraph)
{
    for (size_t i = 0; i < SECTION_PARAGRAPHS; i++)
        if (begins(paragraph, section_paragraphs[i].begins))
            return true;
    return false;
}

static void put_description(FILE *out, const char *text)
{
    const char *before = ".SH DESCRIPTION\n";
    for (; text; text = next_paragraph(text)) {
        if (is_section(text))
            continue;
        fputs(before, out);
        put(out, text, paragraph_length(text));
        fputc('\n', out);
        before = ".PP\n";
    }
}

/* The paragraph's first word may be put in lower case in the sentence that it stands in, and begins one here. */
static void put_section_paragraph(FILE *out, const char *text, size_t section)
{
    size_t skipped = strlen(section_paragraphs[section].begins);
    fprintf(out, ".SH %s\n%c", section_paragraphs[section].title, toupper((unsigned char)text[skipped]));
    put(out, text + skipped + 1, paragraph_length(text) - skipped - 1);
    fputc('\n', out);
}

static void put_section_paragraphs(FILE *out, const char *description)
{
    for (size_t i = 0; i < SECTION_PARAGRAPHS; i++)
        for (const char *text = description; text; text = next_paragraph(text))
            if (begins(text, section_paragraphs[i].begins))
                put_section_paragraph(out, text, i);
}

static void put_choices(FILE *out, const weir_option *option)
{
    for (size_t i = 0; option->choices && option->choices[i]; i++) {
        fputs(i ? ", " : "; one of ", out);
        put_all(out, option->choices[i]);
    }
}

static void put_option(FILE *out, const weir_option *option)
{
    fputs(".TP\n", out);
    if (option->letter)
        fprintf(out, "\\fB\\-%c\\fR, ", option->letter);
    fputs("\\fB\\-\\-", out);
    put_all(out, option->name);
    fputs("\\fR", out);
    if (weir_option_argument(option)) {
        fputs(" \\fI", out);
        put_all(out, weir_option_argument(option));
        fputs("\\fR", out);
    }
    fputc('\n', out);
    put_all(out, option->help);
    put_choices(out, option);
    if (option->preset && option->kind != WEIR_OPTION_FLAG) {
        fputs(" (default ", out);
        put_all(out, option->preset);
        fputc(')', out);
    }
    fputs(".\n", out);
}

static void put_sections(FILE *out, const struct option_section *sections)
{
    if (!sections->title)
        return;
    fputs(".SH OPTIONS\n", out);
    for (; sections->title; sections++) {
        fputs(".SS ", out);
        put_all(out, sections->title);
        fputc('\n', out);
        for (const weir_option *option = sections->options; option->kind != WEIR_OPTION_END; option++)
            put_option(out, option);
    }
}

/* A full stop is added where the text does not end in dots of its own. */
static void put_sentence(FILE *out, const char *text)
{
    size_t length = strlen(text);
    put_all(out, text);
    fputs(length > 0 && text[length - 1] == '.' ? "\n" : ".\n", out);
}

static void put_entry(FILE *out, const char *name, const char *summary)
{
    fputs(".TP\n\\fB", out);
    put_all(out, name);
    fputs("\\fR\n", out);
    put_sentence(out, summary);
}

static void put_commands(FILE *out)
{
    fputs(".SH COMMANDS\n", out);
    for (const struct command *const *each = commands; *each; each++)
        put_entry(out, (*each)->name, (*each)->summary);
}

static void put_services(FILE *out)
{
    const weir_service *service;
    fputs(".SH SERVICES\n", out);
    for (size_t i = 0; (service = weir_service_at(i)); i++)
        put_entry(out, service->name, service->summary);
}

static void put_service(FILE *out, const weir_service *service)
{
    char text[256];
    fputs(".SH ENDPOINTS\nTransports: ", out);
    put_all(out, page_join(service->transports, text, sizeof text));
    fputs(". By default it serves on ", out);
    put_all(out, page_join(service->endpoints, text, sizeof text));
    fputs(".\n", out);
}

static void put_examples(FILE *out, const char *const *examples)
{
    if (!examples)
        return;
    fputs(".SH EXAMPLES\n", out);
    for (; examples[0]; examples += 2)
        put_entry(out, examples[0], examples[1]);
}

/* Every other page there is, so that a reader finds on from any of them. */
static void put_see_also(FILE *out, const struct page *page)
{
    const weir_service *service;
    const char *comma = "";
    fputs(".SH SEE ALSO\n", out);
    if (strcmp(page->name, "weir") != 0) {
        fputs("\\fBweir\\fR(1)", out);
        comma = ", ";
    }
    for (const struct command *const *each = commands; *each; each++) {
        if (strcmp(page->name + strcspn(page->name, " ") + (strchr(page->name, ' ') != NULL), (*each)->name) == 0)
            continue;
        fprintf(out, "%s\\fBweir\\-%s\\fR(1)", comma, (*each)->name);
        comma = ", ";
    }
    for (size_t i = 0; (service = weir_service_at(i)); i++)
        if (service != page->service)
            fprintf(out, "%s\\fBweir\\-serve\\-%s\\fR(1)", comma, service->name);
    fputc('\n', out);
}

int manual_print(const struct page *page)
{
    put_title(stdout, page);
    put_synopsis(stdout, page);
    put_description(stdout, page->description);
    if (page->lists_commands)
        put_commands(stdout);
    if (page->lists_services)
        put_services(stdout);
    if (page->service)
        put_service(stdout, page->service);
    put_sections(stdout, page->sections);
    put_section_paragraphs(stdout, page->description);
    put_examples(stdout, page->examples);
    put_see_also(stdout, page);
    return finish_stdout();
}
