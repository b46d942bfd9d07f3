/* The plot of weir bench: the rate and the latencies over time, and the latencies of the whole run by percentile. */
#include "bench_plot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "figures.h"
#include "plot.h"

enum {
    WIDTH = 900,
    LEFT = 90,
    RIGHT = 870,
    PANEL_HEIGHT = 160,
    FIRST_PANEL = 110,
    PANEL_STEP = 244,
    HEIGHT = FIRST_PANEL + 2 * PANEL_STEP + PANEL_HEIGHT + 40,
    CURVE_POINTS = 160,
};

static const char *const line_names[] = {"50 %", "90 %", "99 %", "most"};
static const double line_parts[] = {0.5, 0.9, 0.99, 1};

/* --- keeping --- */

/*
 * The file is opened before the run, so that a path that is wrong is told at once; what is in it stays until the plot
 * comes.
 */
int bench_plot_open(struct bench *bench)
{
    const char *path = bench->settings.plot;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return weir_fail(WEIR_ERROR_SYSTEM, errno, "open", path, NULL);
    bench->plot = calloc(1, sizeof *bench->plot);
    FILE *file = bench->plot ? fdopen(fd, "w") : NULL;
    if (!file) {
        close(fd);
        free(bench->plot);
        bench->plot = NULL;
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "open", path, NULL);
    }
    bench->plot->file = file;
    bench->plot->path = path;
    return 0;
}

void bench_plot_close(struct bench *bench)
{
    if (bench->plot)
        fclose(bench->plot->file);
    free(bench->plot);
    bench->plot = NULL;
}

/* Hands what all workers have counted until now to one of the series' functions. */
static void sample(struct bench *bench, int64_t now, void (*take)(struct series *, int64_t, const struct histogram *))
{
    struct bench_total *total = bench_total(bench);
    if (total)
        take(&bench->plot->series, now, &total->latency);
    free(total);
}

void bench_plot_begin(struct bench *bench, int64_t begin)
{
    struct bench_total *total = bench->plot ? bench_total(bench) : NULL;
    if (total)
        series_begin(&bench->plot->series, begin, bench->settings.duration, &total->latency);
    free(total);
}

int64_t bench_plot_due(const struct bench *bench)
{
    return bench->plot ? bench->plot->series.next : WEIR_FOREVER;
}

void bench_plot_sample(struct bench *bench, int64_t now)
{
    if (now >= bench_plot_due(bench))
        sample(bench, now, series_add);
}

void bench_plot_end(struct bench *bench, int64_t now)
{
    if (bench->plot)
        sample(bench, now, series_end);
}

/* --- drawing --- */

static void label_number(double value, char text[32])
{
    if (value < 10)
        snprintf(text, 32, "%g", value);
    else
        figure_grouped((uint64_t)(value + 0.5), text);
}

static void label_seconds(double value, char text[32])
{
    snprintf(text, 32, "%g s", value);
}

/* A round one: "20 us". */
static void label_duration(double value, char text[32])
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    int unit = 0;
    for (; value >= 999.5 && unit < 3; unit++)
        value /= 1000;
    snprintf(text, 32, "%g %s", value, units[unit]);
}

/* On the third panel a place is how many nines a percentile has: 0 % at 0, 90 % at 1, 99 % at 2. */
static void label_percentile(double nines, char text[32])
{
    snprintf(text, 32, "%g %%", 100 - 100 * pow(10, -nines));
}

static struct panel panel_at(int number, const char *title, plot_label *x_label, plot_label *y_label)
{
    double top = FIRST_PANEL + number * PANEL_STEP;
    return (struct panel){
        .title = title,
        .x = {.begin = LEFT, .end = RIGHT},
        .y = {.begin = top + PANEL_HEIGHT, .end = top},
        .x_label = x_label,
        .y_label = y_label,
    };
}

static struct plot_point point_of(const struct series *series, size_t moment, double value)
{
    return (struct plot_point){
        .begin = (double)(series_start(series, moment) - series->begin) / 1e9,
        .end = (double)(series->moments[moment].end - series->begin) / 1e9,
        .value = value,
    };
}

static double length_of(const struct series *series)
{
    return series->count ? point_of(series, series->count - 1, 0).end : 0;
}

static void draw_rate(FILE *out, const struct series *series)
{
    struct panel panel = panel_at(0, "Messages a second", label_seconds, label_number);
    struct plot_point points[SERIES_MOMENTS];
    panel.x.to = length_of(series);
    for (size_t i = 0; i < series->count; i++) {
        struct plot_point *point = &points[i];
        *point = point_of(series, i, 0);
        double seconds = point->end - point->begin;
        point->value = seconds > 0 ? (double)histogram_total(&series->moments[i].latency) / seconds : 0;
        panel.y.to = point->value > panel.y.to ? point->value : panel.y.to;
    }
    scale_round(&panel.y);
    if (panel.x.to <= 0)
        scale_round(&panel.x);
    plot_axes(out, &panel, NULL, 0);
    plot_area(out, &panel, points, series->count, 0);
}

/* From the least to the most there was, in round numbers; something where there was nothing. */
static struct scale latency_scale(struct scale scale, const struct histogram *latency)
{
    scale.logarithmic = true;
    scale.from = (double)histogram_lowest(latency);
    scale.to = (double)histogram_highest(latency);
    scale.from = scale.from < 1 ? 1 : scale.from;
    scale.to = scale.to < scale.from ? scale.from : scale.to;
    scale_round(&scale);
    return scale;
}

static void draw_latencies(FILE *out, const struct series *series, const struct histogram *all, bool since_due)
{
    const char *title = since_due ? "Latency, from when a message was due" : "Latency";
    struct panel panel = panel_at(1, title, label_seconds, label_duration);
    struct plot_point points[SERIES_MOMENTS];
    panel.x.to = length_of(series);
    if (panel.x.to <= 0)
        scale_round(&panel.x);
    panel.y = latency_scale(panel.y, all);
    plot_axes(out, &panel, NULL, 0);
    plot_legend(out, &panel, line_names, PLOT_LINES);
    for (int line = PLOT_LINES - 1; line >= 0; line--) {
        for (size_t i = 0; i < series->count; i++) {
            const struct histogram *latency = &series->moments[i].latency;
            bool any = histogram_total(latency) > 0;
            points[i] = point_of(series, i, any ? (double)histogram_percentile(latency, line_parts[line]) : -1);
        }
        plot_line(out, &panel, points, series->count, line);
    }
}

static void draw_percentiles(FILE *out, const struct histogram *all)
{
    static const double marks[] = {0, 0.30103, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct panel panel = panel_at(2, "Latency of the whole run, by percentile", label_percentile, label_duration);
    struct plot_point points[CURVE_POINTS];
    size_t count = 0;
    /* One of a million messages says something of the percentile 99.9999 and nothing of the next. */
    panel.x.to = histogram_total(all) > 10 ? log10((double)histogram_total(all)) : 1;
    panel.y = latency_scale(panel.y, all);
    while (count < sizeof marks / sizeof *marks && marks[count] <= panel.x.to)
        count++;
    plot_axes(out, &panel, marks, count);
    for (size_t i = 0; i < CURVE_POINTS; i++) {
        double begin = panel.x.to * (double)i / CURVE_POINTS, end = panel.x.to * (double)(i + 1) / CURVE_POINTS;
        points[i] = (struct plot_point){begin, end, (double)histogram_percentile(all, 1 - pow(10, -end))};
    }
    plot_line(out, &panel, points, histogram_total(all) ? CURVE_POINTS : 0, 0);
}

static void draw_head(FILE *out, const struct bench *bench, const struct bench_total *total, int64_t elapsed)
{
    const struct bench_settings *settings = &bench->settings;
    const char *backend = atomic_load(&bench->backend);
    char text[600], connections[32], size[32], count[32], half[32], most[32], faults[32];
    plot_text(out, 20, 30, "title", bench->target);
    snprintf(text, sizeof text, "%s: %s connections, messages of %s, depth %zu, %d worker%s, %s", bench->mode->name,
             figure_grouped((uint64_t)settings->connections, connections), figure_bytes((double)settings->size, size),
             bench_depth(bench), (int)settings->workers, settings->workers == 1 ? "" : "s",
             backend ? backend : "no backend");
    plot_text(out, 20, 50, "quiet", text);
    snprintf(text, sizeof text, "%s messages in %.1f s, 50 %% within %s, 99 %% within %s, errors: %s",
             figure_grouped(total->answered, count), (double)elapsed / 1e9,
             figure_duration((double)histogram_percentile(&total->latency, 0.5), half),
             figure_duration((double)histogram_percentile(&total->latency, 0.99), most),
             figure_grouped(bench_total_faults(total), faults));
    plot_text(out, 20, 68, "quiet", text);
}

static void draw(FILE *out, const struct bench *bench, const struct bench_total *total, int64_t elapsed)
{
    const struct series *series = &bench->plot->series;
    char title[500];
    snprintf(title, sizeof title, "weir bench %s: rate and latency over time", bench->target);
    plot_begin(out, WIDTH, HEIGHT, title);
    draw_head(out, bench, total, elapsed);
    draw_rate(out, series);
    draw_latencies(out, series, &total->latency, bench->settings.rate > 0);
    draw_percentiles(out, &total->latency);
    plot_end(out);
}

int bench_plot_write(const struct bench *bench, const struct bench_total *total, int64_t elapsed)
{
    if (!bench->plot)
        return 0;
    FILE *out = bench->plot->file;
    const char *path = bench->plot->path;
    /* What is no file, a pipe, has no length. */
    if (ftruncate(fileno(out), 0) < 0 && errno != EINVAL)
        return weir_fail(WEIR_ERROR_SYSTEM, errno, "write", path, NULL);
    errno = 0;
    draw(out, bench, total, elapsed);
    if (fflush(out) == 0 && !ferror(out))
        return 0;
    return weir_fail(WEIR_ERROR_SYSTEM, errno ? errno : EIO, "write", path, NULL);
}
