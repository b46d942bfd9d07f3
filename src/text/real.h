/* Numbers with a fraction: what reading and writing them share. */
#ifndef WEIR_TEXT_REAL_H
#define WEIR_TEXT_REAL_H

/* As strtod(3) of a whole string in the locale "C"; errno is left alone. */
double weir__strtod(const char *text);

#endif
