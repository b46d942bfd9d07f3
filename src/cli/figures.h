/* Figures as people read them. */
#ifndef CLI_FIGURES_H
#define CLI_FIGURES_H

#include <stdint.h>

/* Each writes to `text`, which has room for any figure, and returns it. */

/* "1,234,567" */
char *figure_grouped(uint64_t number, char text[32]);

/* Three digits that count and a unit: "41.2 us". */
char *figure_duration(double nanoseconds, char text[32]);

/* "12.5 MiB" */
char *figure_bytes(double count, char text[32]);

#endif
