/* The help of an option table: names to the left, sentences in a column to the right, wrapped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/option.h"
#include "base/text.h"

enum {
    FEWEST_COLUMNS = 40,
    USUAL_COLUMNS = 80,
    WIDEST_NAMES = 32, /* a row with longer names has its sentence on the next line */
    GAP = 2,
};

/* A column of words being written. */
struct column {
    FILE *out;
    size_t left;  /* where lines begin */
    size_t right; /* where they end */
    size_t at;    /* where the last one has come to */
};

const char *weir_option_argument(const weir_option *option)
{
    static const char *const words[] = {
        [WEIR_OPTION_TEXT] = "TEXT", [WEIR_OPTION_INTEGER] = "N",   [WEIR_OPTION_INT] = "N",
        [WEIR_OPTION_LIMIT] = "N",   [WEIR_OPTION_SIZE] = "SIZE",   [WEIR_OPTION_SIZE_LIMIT] = "SIZE",
        [WEIR_OPTION_TIME] = "TIME", [WEIR_OPTION_CHOICE] = "WORD", [WEIR_OPTION_LIST] = "TEXT",
    };
    return option->argument ? option->argument : words[option->kind];
}

/* How many columns a text takes: one a character. */
static size_t width(const char *text, size_t length)
{
    size_t columns = 0;
    for (size_t i = 0; i < length; i++)
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    return columns;
}

static bool is_on(const weir_option *option)
{
    bool on = false;
    weir_option flag = {.kind = WEIR_OPTION_FLAG};
    return option->preset && weir__option_set(&flag, &on, "", option->preset) == 0 && on;
}

/* "  -p, --port PORT"; a flag that is on by itself is there to be switched off: "      --[no-]nodelay" */
static void put_names(struct weir__text *text, const weir_option *option)
{
    weir__text_put(text, option->letter ? "  -" : "     ");
    if (option->letter) {
        weir__text_put_char(text, option->letter);
        weir__text_put_char(text, ',');
    }
    bool flag = option->kind == WEIR_OPTION_FLAG;
    weir__text_put(text, flag && is_on(option) ? " --[no-]" : " --");
    weir__text_put(text, option->name);
    if (!flag) {
        weir__text_put_char(text, ' ');
        weir__text_put(text, weir_option_argument(option));
    }
}

static size_t names_width(const weir_option *option)
{
    char names[256];
    struct weir__text text = weir__text(names, sizeof names);
    put_names(&text, option);
    return width(names, text.length);
}

/* Where the sentences begin: beside the widest names that are not too wide. */
static size_t sentences_column(const weir_option *options)
{
    size_t column = 0;
    for (const weir_option *option = options; !weir__option_is_end(option); option++) {
        size_t names = names_width(option);
        if (names <= WIDEST_NAMES && names > column)
            column = names;
    }
    return column + GAP;
}

static void indent(struct column *column)
{
    fprintf(column->out, "%*s", (int)(column->left - column->at), "");
    column->at = column->left;
}

static void begin_line(struct column *column)
{
    fputc('\n', column->out);
    column->at = 0;
    indent(column);
}

static void put_word(struct column *column, const char *word, size_t length)
{
    size_t columns = width(word, length);
    bool first = column->at == column->left;
    if (!first && column->at + 1 + columns > column->right) {
        begin_line(column);
        first = true;
    }
    if (!first)
        fputc(' ', column->out);
    fwrite(word, 1, length, column->out);
    column->at += columns + !first;
}

static void put_words(struct column *column, const char *text)
{
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        size_t length = strcspn(text, " ");
        put_word(column, text, length);
        text += length;
    }
}

/* Begins the next remark in a row's parentheses. */
static void put_remark(struct weir__text *text, const char *remark)
{
    weir__text_put(text, text->length == 0 ? "(" : "; ");
    weir__text_put(text, remark);
}

static void put_choices(struct weir__text *text, const char *const *choices)
{
    for (size_t i = 0; choices[i]; i++) {
        if (i > 0)
            weir__text_put(text, choices[i + 1] ? ", " : " or ");
        weir__text_put(text, choices[i]);
    }
}

static const char *shown_preset(const weir_option *option)
{
    if (option->kind == WEIR_OPTION_FLAG)
        return is_on(option) ? "on" : "";
    return option->preset ? option->preset : "";
}

/* "(fiber, thread or iterative; default fiber)" */
static void put_remarks(struct weir__text *text, const weir_option *option)
{
    if (option->kind == WEIR_OPTION_CHOICE) {
        put_remark(text, "");
        put_choices(text, option->choices);
    }
    if (option->kind == WEIR_OPTION_LIST)
        put_remark(text, "repeatable");
    const char *preset = shown_preset(option);
    if (*preset) {
        put_remark(text, "default ");
        weir__text_put(text, preset);
    }
    if (text->length > 0)
        weir__text_put_char(text, ')');
}

static void put_row(struct column *column, const weir_option *option)
{
    char line[512];
    struct weir__text names = weir__text(line, sizeof line);
    put_names(&names, option);
    fputs(line, column->out);
    column->at = width(line, names.length);
    if (column->at + GAP > column->left)
        begin_line(column);
    indent(column);

    put_words(column, option->help);
    struct weir__text remarks = weir__text(line, sizeof line);
    put_remarks(&remarks, option);
    put_words(column, line);
    fputc('\n', column->out);
}

char *weir_options_help(const weir_option *options, int columns)
{
    if (columns <= 0)
        columns = USUAL_COLUMNS;
    char *help = NULL;
    size_t size;
    FILE *out = open_memstream(&help, &size);
    if (!out)
        goto no_memory;
    struct column column = {.out = out, .left = sentences_column(options)};
    column.right = columns < FEWEST_COLUMNS ? FEWEST_COLUMNS : (size_t)columns;
    for (const weir_option *option = options; !weir__option_is_end(option); option++)
        put_row(&column, option);
    bool failed = ferror(out);
    if (fclose(out) == 0 && !failed)
        return help;
no_memory:
    free(help);
    weir__fail_memory("help");
    return NULL;
}
