/*
 * Gives a fuzz target every input that is kept in the tree, in an ordinary build: a directory named `corpus` is one test,
 * of any other each file is one. Prints TAP.
 *
 *     replay_NAME CORPUS CRASHES
 */
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

enum { LONGEST_RUN = 120 }; /* seconds, for what hangs */

static char current[PATH_MAX]; /* the input that is being replayed, to be named where it breaks something */

static void name_current(int signal_number)
{
    static const char what[] = "# the input is ";
    ssize_t ignored = write(STDERR_FILENO, what, sizeof what - 1);
    ignored = write(STDERR_FILENO, current, strlen(current));
    ignored = write(STDERR_FILENO, "\n", 1);
    (void)ignored;
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* The file's bytes in memory of just their size. NULL: it cannot be read. */
static uint8_t *read_input(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = fuzz_alloc(*size);
    bool whole = fread(data, 1, *size, file) == *size;
    fclose(file);
    if (whole)
        return data;
    free(data);
    return NULL;
}

static bool replay(const char *path)
{
    size_t size;
    uint8_t *data = read_input(path, &size);
    if (!data)
        return false;
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return true;
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Replays all of a directory. Returns how many inputs there were; each its own test, or together one. */
static int replay_directory(const char *directory, bool together, int *tests)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_input, alphasort), bad = 0;
    if (count < 0) /* a target may have broken nothing yet, but it has a corpus */
        count = 0;
    for (int i = 0; i < count; i++) {
        snprintf(current, sizeof current, "%s/%s", directory, entries[i]->d_name);
        bool good = replay(current);
        bad += !good;
        if (!together)
            printf("%sok %d - %s\n", good ? "" : "not ", ++*tests, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (together)
        printf("%sok %d - %d inputs\n", bad || !count ? "not " : "", ++*tests, count);
    fflush(stdout);
    return count;
}

int main(int argc, char **argv)
{
    int tests = 0;
    signal(SIGABRT, name_current);
    signal(SIGSEGV, name_current);
    signal(SIGALRM, name_current);
    alarm(LONGEST_RUN);
    for (int i = 1; i < argc; i++)
        replay_directory(argv[i], i == 1, &tests);
    printf("1..%d\n", tests);
    return 0;
}
