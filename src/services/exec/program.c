/* Where the program is, found out before anybody is served. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exec.h"

/* 0, or the errno of why it cannot be executed. */
static int try(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return errno;
    if (!S_ISREG(status.st_mode))
        return EACCES;
    return access(path, X_OK) < 0 ? errno : 0;
}

/* In each folder of PATH; that one was there which may not be executed is remembered. 0 or an errno. */
static int search(const char *name, char *found, size_t size)
{
    const char *path = getenv("PATH");
    int result = ENOENT;
    for (path = path ? path : "/bin:/usr/bin"; path; path = strchr(path, ':') ? strchr(path, ':') + 1 : NULL) {
        int length = (int)strcspn(path, ":");
        snprintf(found, size, "%.*s%s%s", length, path, length > 0 ? "/" : "", name);
        int error = try(found);
        if (error == 0)
            return 0;
        if (error == EACCES)
            result = EACCES;
    }
    return result;
}

char *exec_find_program(const char *name)
{
    char path[PATH_MAX];
    bool searched = *name && !strchr(name, '/');
    int error = searched ? search(name, path, sizeof path) : try(name);
    if (error != 0) {
        weir_fail(WEIR_ERROR_USAGE, error, "exec", name, error == ENOENT ? "there is no such program" : NULL);
        return NULL;
    }
    char *found = strdup(searched ? path : name);
    if (!found)
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "exec", name, NULL);
    return found;
}
