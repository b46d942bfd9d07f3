/* Suggestions for words that were mistyped: the nearest by how many letters must be changed, or what it begins with. */
#include "suggest.h"

#include <limits.h>
#include <string.h>

#include "commands.h"

enum { LONGEST = 31, FURTHEST = 2 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned both = a < b ? a : b;
    return both < c ? both : c;
}

/* How many letters must be put in, left out or changed to make b of a (Levenshtein), a row of the table at a time. */
static unsigned distance(const char *a, const char *b)
{
    size_t length = strlen(b);
    if (length > LONGEST || strlen(a) > LONGEST)
        return UINT_MAX;
    unsigned row[LONGEST + 1];
    for (unsigned j = 0; j <= length; j++)
        row[j] = j;
    for (unsigned i = 1; *a; a++, i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            unsigned changed = diagonal + (*a != b[j - 1]);
            diagonal = row[j];
            row[j] = least(changed, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[length];
}

struct search {
    const char *word, *nearest;
    unsigned distance;
};

static void look_at(struct search *search, const char *name)
{
    unsigned d = distance(search->word, name);
    if (search->word[0] && strncmp(name, search->word, strlen(search->word)) == 0)
        d = 0;
    /* Of two letters two may not be wrong: that would be another word. */
    if (d <= FURTHEST && d < strlen(name) - 1 && d < search->distance) {
        search->distance = d;
        search->nearest = name;
    }
}

const char *suggest_command(const char *word)
{
    struct search search = {.word = word, .distance = UINT_MAX};
    for (const struct command *const *each = commands; *each; each++)
        look_at(&search, (*each)->name);
    return search.nearest;
}

const char *suggest_service(const char *word)
{
    struct search search = {.word = word, .distance = UINT_MAX};
    const weir_service *service;
    for (size_t i = 0; (service = weir_service_at(i)); i++)
        look_at(&search, service->name);
    return search.nearest;
}
