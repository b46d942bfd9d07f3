/* Plots in SVG; see plot.h. */
#include "plot.h"

#include <math.h>
#include <string.h>

/* --- scales --- */

double scale_place(const struct scale *scale, double value)
{
    double part = scale->logarithmic ? log10(value / scale->from) / log10(scale->to / scale->from)
                                     : (value - scale->from) / (scale->to - scale->from);
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    return scale->begin + part * (scale->end - scale->begin);
}

/* 1, 2 or 5 times a power of ten: the greatest that is at most `value`. */
static double round_down(double value)
{
    double power = pow(10, floor(log10(value) + 1e-9)), first = value / power * (1 + 1e-9);
    return power * (first >= 5 ? 5 : first >= 2 ? 2 : 1);
}

/* The next of them. */
static double next_round(double round)
{
    double first = round / pow(10, floor(log10(round) + 1e-9));
    return round * (first > 1.5 && first < 3 ? 2.5 : 2);
}

static double round_up(double value)
{
    double round = round_down(value);
    return value > round * (1 + 1e-9) ? next_round(round) : round;
}

/* Between the ticks of a scale that begins at zero. */
static double step_of(const struct scale *scale)
{
    return round_up(scale->to / 6);
}

void scale_round(struct scale *scale)
{
    if (scale->logarithmic) {
        scale->from = round_down(scale->from);
        scale->to = round_up(scale->to);
        if (scale->to <= scale->from)
            scale->to = next_round(scale->from);
        return;
    }
    if (scale->to <= scale->from)
        scale->to = scale->from + 1;
    double step = step_of(scale);
    scale->to = ceil(scale->to / step - 1e-9) * step;
}

static size_t linear_ticks(const struct scale *scale, double ticks[PLOT_TICKS])
{
    double step = step_of(scale);
    size_t count = 0;
    for (; count < PLOT_TICKS && (double)count * step <= scale->to * (1 + 1e-9); count++)
        ticks[count] = (double)count * step;
    return count;
}

/* Every round number, or of a scale that has too many of them every power of ten. */
static size_t logarithmic_ticks(const struct scale *scale, double ticks[PLOT_TICKS])
{
    bool powers = log10(scale->to / scale->from) > 2.5;
    size_t count = 0;
    for (double at = scale->from; count < PLOT_TICKS && at <= scale->to * (1 + 1e-9); at = next_round(at)) {
        double first = at / pow(10, floor(log10(at) + 1e-9));
        if (!powers || first < 1.5)
            ticks[count++] = at;
    }
    return count;
}

size_t scale_ticks(const struct scale *scale, double ticks[PLOT_TICKS])
{
    return scale->logarithmic ? logarithmic_ticks(scale, ticks) : linear_ticks(scale, ticks);
}

/* --- drawing --- */

static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '"')
            fputs("&quot;", out);
        else
            fputc(*text, out);
    }
}

void plot_begin(FILE *out, int width, int height, const char *title)
{
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" ", width,
            height, width, height);
    fputs("role=\"img\" aria-label=\"", out);
    put_escaped(out, title);
    fputs("\">\n"
          "<style>\n"
          "  svg { font: 13px system-ui, sans-serif; }\n"
          "  .ground { fill: #ffffff; }\n"
          "  text { fill: #1f2328; }\n"
          "  .title { font-weight: 600; font-size: 14px; }\n"
          "  .quiet { fill: #59636e; }\n"
          "  .grid { stroke: #d1d9e0; }\n"
          "  path, .sample { fill: none; stroke-width: 1.6; stroke-linejoin: round; }\n"
          "  path.area { opacity: 0.15; stroke: none; }\n"
          "  .line0 { stroke: #0969da; }\n"
          "  .area.line0 { fill: #0969da; }\n"
          "  .line1 { stroke: #1a7f37; }\n"
          "  .line2 { stroke: #9a6700; }\n"
          "  .line3 { stroke: #cf222e; stroke-dasharray: 4 2; }\n"
          "  @media (prefers-color-scheme: dark) {\n"
          "    .ground { fill: #0d1117; }\n"
          "    text { fill: #e6edf3; }\n"
          "    .quiet { fill: #9198a1; }\n"
          "    .grid { stroke: #30363d; }\n"
          "    .line0 { stroke: #4493f8; }\n"
          "    .area.line0 { fill: #4493f8; }\n"
          "    .line1 { stroke: #3fb950; }\n"
          "    .line2 { stroke: #d29922; }\n"
          "    .line3 { stroke: #f85149; }\n"
          "  }\n"
          "</style>\n",
          out);
    fprintf(out, "<rect class=\"ground\" width=\"%d\" height=\"%d\"/>\n", width, height);
}

void plot_end(FILE *out)
{
    fputs("</svg>\n", out);
}

static void put_text(FILE *out, double x, double y, const char *class, const char *anchor, const char *text)
{
    fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class, x, y, anchor);
    put_escaped(out, text);
    fputs("</text>\n", out);
}

void plot_text(FILE *out, double x, double y, const char *class, const char *text)
{
    put_text(out, x, y, class, "start", text);
}

static void put_grid(FILE *out, double x1, double y1, double x2, double y2)
{
    fprintf(out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x1, y1, x2, y2);
}

void plot_axes(FILE *out, const struct panel *panel, const double *marks, size_t count)
{
    double ticks[PLOT_TICKS];
    char text[32];
    const struct scale *x = &panel->x, *y = &panel->y;
    plot_text(out, x->begin, y->end - 12, "title", panel->title);
    put_grid(out, x->begin, y->begin, x->end, y->begin);
    size_t rows = scale_ticks(y, ticks);
    for (size_t i = 0; i < rows; i++) {
        double place = scale_place(y, ticks[i]);
        put_grid(out, x->begin, place, x->end, place);
        panel->y_label(ticks[i], text);
        put_text(out, x->begin - 8, place + 4, "quiet", "end", text);
    }
    if (count == 0) {
        count = scale_ticks(x, ticks);
        marks = ticks;
    }
    for (size_t i = 0; i < count; i++) {
        double place = scale_place(x, marks[i]);
        put_grid(out, place, y->begin, place, y->begin + 4);
        panel->x_label(marks[i], text);
        put_text(out, place, y->begin + 18, "quiet", "middle", text);
    }
}

/* The steps of a line: along each value, and up or down to the next. */
static void put_steps(FILE *out, const struct panel *panel, const struct plot_point *points, size_t count)
{
    bool drawing = false;
    for (size_t i = 0; i < count; i++) {
        if (points[i].value < 0) {
            drawing = false;
            continue;
        }
        double place = scale_place(&panel->y, points[i].value);
        if (drawing)
            fprintf(out, "V%.1f", place);
        else
            fprintf(out, "M%.1f %.1f", scale_place(&panel->x, points[i].begin), place);
        fprintf(out, "H%.1f", scale_place(&panel->x, points[i].end));
        drawing = true;
    }
}

void plot_line(FILE *out, const struct panel *panel, const struct plot_point *points, size_t count, int kind)
{
    fprintf(out, "<path class=\"line%d\" d=\"", kind);
    put_steps(out, panel, points, count);
    fputs("\"/>\n", out);
}

void plot_area(FILE *out, const struct panel *panel, const struct plot_point *points, size_t count, int kind)
{
    if (count == 0)
        return;
    fprintf(out, "<path class=\"area line%d\" d=\"", kind);
    put_steps(out, panel, points, count);
    fprintf(out, "V%.1fH%.1fZ\"/>\n", panel->y.begin, scale_place(&panel->x, points[0].begin));
    plot_line(out, panel, points, count, kind);
}

void plot_legend(FILE *out, const struct panel *panel, const char *const *names, size_t count)
{
    const double room = 76, sample = 18;
    double x = panel->x.end - room * (double)count, y = panel->y.end - 16;
    for (size_t i = 0; i < count; i++, x += room) {
        fprintf(out, "<line class=\"sample line%zu\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", i, x, y,
                x + sample, y);
        plot_text(out, x + sample + 6, y + 4, "quiet", names[i]);
    }
}
