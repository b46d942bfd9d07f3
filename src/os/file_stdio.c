/* The three standard files. They are no heap's: getting one never fails, and they outlive every loop. */
#include <pthread.h>

#include "os/file.h"
#include "os/original.h"

static struct weir_file standard[3];
static pthread_once_t made = PTHREAD_ONCE_INIT;

/*
 * A descriptor that the program was started without counts as closed for good: by now something else may have its number, and
 * what is meant for people may not go there.
 */
static void make_one(int fd, const char *name)
{
    struct stat status;
    struct weir_file *file = &standard[fd];
    if (weir__original()->open[fd] && weir__system()->fstat(fd, &status) == 0) {
        weir__file_init(file, fd, &status, name);
    } else {
        file->fd = -1;
        file->name = name;
        weir__watch_init(&file->watch, -1);
    }
    file->standard = true;
}

static void make(void)
{
    make_one(0, "stdin");
    make_one(1, "stdout");
    make_one(2, "stderr");
}

weir_file *weir_stdin(void)
{
    pthread_once(&made, make);
    return &standard[0];
}

weir_file *weir_stdout(void)
{
    pthread_once(&made, make);
    return &standard[1];
}

weir_file *weir_stderr(void)
{
    pthread_once(&made, make);
    return &standard[2];
}
