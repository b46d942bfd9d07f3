/* Child processes as this floor has them inside: what a child is told, and what it reports. */
#ifndef WEIR_OS_PROCESS_H
#define WEIR_OS_PROCESS_H

#include <pthread.h>
#include <weir/process.h>

#include "engine/engine.h"

/* What could not be done before the child's program began. */
enum weir__child_step {
    WEIR__CHILD_PIPE,  /* by the parent */
    WEIR__CHILD_CLONE, /* by the parent */
    WEIR__CHILD_SETUP,
    WEIR__CHILD_DIRECTORY,
    WEIR__CHILD_EXEC,
};

/* A child writes it into the pipe `report`; one whose program has begun closes that without a word. */
struct weir__child_report {
    int step;
    int number; /* errno */
};

/*
 * All that a child needs, made before it is: between its beginning and its program it shares the parent's memory and may
 * neither allocate nor look things up.
 */
struct weir__child {
    char **programs; /* the paths to try, in order; NULL-terminated */
    char *const *arguments;
    char **environment;
    const char *directory;
    int descriptors[3]; /* what its 0 to 2 are to be; -1 as the parent's */
    int report;         /* above 2, close-on-exec */
    bool new_group;
    bool die_with_parent;
    pid_t parent;
    sigset_t mask;
    struct rlimit files;

    pid_t id; /* out, and so are these */
    int pidfd;
    struct weir__child_report failure;
};

/* The child's main, on a stack of its own in the parent's memory. Does not return. */
int weir__child_main(void *arg);

/*
 * What the child is to be: the environment with `changes` (may be NULL) made to the program's own, and where its program may
 * be, for a name by the PATH of that environment. NULL-terminated, one block each, to be freed with free(3). NULL with an error.
 */
char **weir__child_environment(const char *const *changes);
char **weir__child_programs(const char *name, char *const *environment);

/* What becomes of the descriptors of a child. */
struct weir__child_stdio {
    int child[3];   /* what the child is to have, -1: as the parent */
    bool opened[3]; /* `child` was opened for it, and is closed when it has it */
    int ours[3];    /* our ends of pipes, -1: none */
};

/* Opens what the options ask for. 0, or -1 with an error. */
int weir__child_stdio_open(struct weir__child_stdio *stdio, const weir_process_options *options);

/* Closes what was opened for the child alone; and our ends too. Keep errno. */
void weir__child_stdio_close_child(struct weir__child_stdio *stdio);
void weir__child_stdio_close(struct weir__child_stdio *stdio);

/* Starts a child: its id and pidfd are set. 0, or -1 with an error, and nothing is left of it. Parks. */
int weir__child_start(struct weir__child *child);

#endif
