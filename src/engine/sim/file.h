/* The files of a host, as the parts of file.c and folder.c share them. */
#ifndef WEIR_ENGINE_SIM_FILE_H
#define WEIR_ENGINE_SIM_FILE_H

#include "engine/sim/sim.h"

/* Something in the files of a host. It lives until it is unlinked and closed. */
struct weir__sim_node {
    struct weir__list link; /* in the files of its host; alone once it is unlinked */
    struct weir_sim_host *host;
    uint64_t inode;
    mode_t mode;                     /* with its type */
    unsigned users;                  /* open files */
    struct weir__sim_object *socket; /* of a Unix socket's node, while it is open */
    unsigned char *bytes;
    size_t size, room;
    size_t synced; /* this many of the bytes outlive a kill */
    char path[];   /* absolute */
};

/* The node of a path, NULL with ENOENT. */
struct weir__sim_node *weir__sim_node_find(struct weir_sim_host *host, const char *path);
/* A new one, which must not be there yet. NULL with ENOMEM or ENAMETOOLONG. */
struct weir__sim_node *weir__sim_node_new(struct weir_sim_host *host, const char *path, mode_t mode);
/* Frees it unless somebody needs it. */
void weir__sim_node_drop(struct weir__sim_node *node);
void weir__sim_node_stat(const struct weir__sim_node *node, struct stat *status);

#endif
