/* What a child's program is and finds in its environment, worked out before there is a child. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "os/process.h"

/* The length of NAME in "NAME=value"; 0 if it is no such thing. */
static size_t name_length(const char *variable)
{
    const char *equals = strchr(variable, '=');
    return equals ? (size_t)(equals - variable) : 0;
}

/* Where a variable with the name of `variable` stands in `list`; NULL if it does not. */
static char **find(char **list, const char *variable)
{
    size_t length = name_length(variable);
    for (; *list; list++)
        if (name_length(*list) == length && memcmp(*list, variable, length) == 0)
            return list;
    return NULL;
}

static size_t count(char *const *list)
{
    size_t number = 0;
    while (list && list[number])
        number++;
    return number;
}

static int check(const char *const *changes)
{
    for (; *changes; changes++)
        if (name_length(*changes) == 0)
            return weir_fail(WEIR_ERROR_USAGE, EINVAL, "start", *changes, "is no NAME=value");
    return 0;
}

char **weir__child_environment(const char *const *changes)
{
    static const char *const none[] = {NULL};
    changes = changes ? changes : none;
    if (check(changes) < 0)
        return NULL;
    size_t own = count(environ);
    char **merged = calloc(own + count((char *const *)changes) + 1, sizeof *merged);
    if (!merged) {
        weir__fail_memory("start");
        return NULL;
    }
    for (size_t index = 0; index < own; index++)
        merged[index] = environ[index];
    for (; *changes; changes++) {
        char **place = find(merged, *changes);
        *(place ? place : merged + count(merged)) = (char *)(uintptr_t)*changes;
    }
    return merged;
}

/* The directories to search; execvp(3)'s where there is no PATH. */
static const char *search_path(char *const *environment)
{
    char **variable = find((char **)(uintptr_t)environment, "PATH=");
    return variable ? *variable + strlen("PATH=") : "/bin:/usr/bin";
}

static size_t directories_in(const char *path)
{
    size_t number = 1;
    for (; *path; path++)
        number += *path == ':';
    return number;
}

/* Writes "directory/name"; an empty directory is the current one. Returns behind its NUL. */
static char *put_program(char *to, const char *directory, size_t length, const char *name)
{
    to = mempcpy(to, directory, length);
    if (length > 0)
        *to++ = '/';
    return stpcpy(to, name) + 1;
}

char **weir__child_programs(const char *name, char *const *environment)
{
    const char *path = strchr(name, '/') || !*name ? "" : search_path(environment);
    size_t number = directories_in(path);
    /* One block: the list, and the strings behind it. */
    char **programs = malloc((number + 1) * sizeof *programs + strlen(path) + number * (strlen(name) + 2));
    if (!programs) {
        weir__fail_memory("start");
        return NULL;
    }
    char *text = (char *)(programs + number + 1);
    for (size_t index = 0; index < number; index++) {
        size_t length = strcspn(path, ":");
        programs[index] = text;
        text = put_program(text, path, length, name);
        path += length + (path[length] == ':');
    }
    programs[number] = NULL;
    return programs;
}
