/* Drawing plots in SVG: scales and their ticks, lines, legends. Colours follow the reader's, light or dark. */
#ifndef CLI_PLOT_H
#define CLI_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Values along a stretch of the page. */
struct scale {
    double from, to;
    bool logarithmic;
    double begin, end; /* on the page */
};

/* Where a value stands on the page. */
double scale_place(const struct scale *scale, double value);

/*
 * Widens `to`, or both ends of a logarithmic scale, to a round number. A scale that spans nothing comes to span
 * something.
 */
void scale_round(struct scale *scale);

enum { PLOT_TICKS = 24 };

/* The values that are marked. Returns how many. */
size_t scale_ticks(const struct scale *scale, double ticks[PLOT_TICKS]);

/* How a value is written; `text` has room. */
typedef void plot_label(double value, char text[32]);

/* A drawing of lines over axes. */
struct panel {
    const char *title;
    struct scale x, y;
    plot_label *x_label, *y_label;
};

void plot_begin(FILE *out, int width, int height, const char *title);
void plot_end(FILE *out);

/* A text in one of the classes "title" and "quiet". */
void plot_text(FILE *out, double x, double y, const char *class, const char *text);

/* The axes of a panel, with `count` marks on the x axis, or those of its scale where that is 0. */
void plot_axes(FILE *out, const struct panel *panel, const double *marks, size_t count);

/* A line, one of PLOT_LINES kinds. A value below zero is a gap. */
enum { PLOT_LINES = 4 };
struct plot_point {
    double begin, end, value; /* the value holds from begin to end */
};
void plot_line(FILE *out, const struct panel *panel, const struct plot_point *points, size_t count, int kind);

/* The same, with the area below it filled. */
void plot_area(FILE *out, const struct panel *panel, const struct plot_point *points, size_t count, int kind);

/* What the lines of a panel are, above it at the right. */
void plot_legend(FILE *out, const struct panel *panel, const char *const *names, size_t count);

#endif
