/* What the threat service and the command of the same name have in common: where the level comes from. */
#ifndef SERVICES_THREAT_THREAT_H
#define SERVICES_THREAT_THREAT_H

#include <weir/option.h>

#include "fetch.h"

struct threat_settings {
    int64_t keep;
    struct threat_origin origin;
};

/* The service's options; from the second on they are about the origin alone. */
extern const weir_option threat_options[];
#define THREAT_ORIGIN_OPTIONS (threat_options + 1)

#endif
