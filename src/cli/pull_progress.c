/* What pull tells meanwhile: a line on a terminal, titles, and whether anything comes at all. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>

#include "figures.h"
#include "pull.h"

enum { LINE_MOST = 2048, BAR = 20 };

#define DRAWN_EVERY  WEIR_MS(200)
#define LOOKED_EVERY WEIR_S(1)

/* --- the line --- */

/* Of a terminal that scrolls by itself the line would run on: it is cut there. */
static void draw(const char *text)
{
    char line[LINE_MOST + 32];
    int length = snprintf(line, sizeof line, "\r\033[?7l%s\033[K\033[?7h", text);
    weir_file_write_all(weir_stderr(), line, (size_t)length, weir_deadline(WEIR_MS(100)));
}

static void wipe(const struct pull *pull)
{
    if (pull->progress.shown)
        draw("");
}

/* "0:07", "1:02:03" */
static char *clock_text(double seconds, char text[32])
{
    uint64_t whole = seconds < 0 ? 0 : seconds > 359999 ? 359999 : (uint64_t)seconds;
    if (whole >= 3600)
        snprintf(text, 32, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(text, 32, "%" PRIu64 ":%02" PRIu64, whole / 60, whole % 60);
    return text;
}

/* The rate of late, which follows within a few seconds; at the end, of all of it. */
static double measure(struct pull_progress *progress, uint64_t bytes, int64_t now)
{
    double passed = (double)(now - progress->drawn) / 1e9;
    if (passed > 0) {
        double rate = (double)(bytes - progress->drawn_bytes) / passed, weight = passed < 2 ? passed / 2 : 1;
        progress->rate = progress->rate > 0 ? progress->rate + weight * (rate - progress->rate) : rate;
    }
    progress->drawn = now;
    progress->drawn_bytes = bytes;
    return progress->rate;
}

/* "12.0 MiB of 100.0 MiB   12 % [##------------------] 11.2 MiB/s  0:08 left" */
static int write_known(char *line, uint64_t bytes, uint64_t all, double rate)
{
    char bar[BAR + 1], have[32], whole[32], speed[32], left[32];
    double part = all > 0 ? (double)bytes / (double)all : 1;
    size_t full = part > 1 ? BAR : (size_t)(part * BAR);
    memset(bar, '-', BAR);
    memset(bar, '#', full);
    bar[BAR] = '\0';
    return snprintf(line, LINE_MOST, "%s of %s %3.0f %% [%s] %s/s  %s left", figure_bytes((double)bytes, have),
                    figure_bytes((double)all, whole), 100 * part, bar, figure_bytes(rate, speed),
                    rate > 0 ? clock_text((double)(all - bytes) / rate, left) : "-:--");
}

/* "0:42  672.0 KiB  16.0 KiB/s" */
static int write_open(char *line, uint64_t bytes, double seconds, double rate)
{
    char passed[32], have[32], speed[32];
    return snprintf(line, LINE_MOST, "%s  %s  %s/s", clock_text(seconds, passed), figure_bytes((double)bytes, have),
                    figure_bytes(rate, speed));
}

static void draw_progress(struct pull *pull, bool last)
{
    char line[LINE_MOST];
    struct pull_progress *progress = &pull->progress;
    int64_t now = weir_now();
    uint64_t bytes = pull_bytes(pull);
    double passed = (double)(now - progress->began) / 1e9, rate = measure(progress, bytes, now);
    uint64_t had = (uint64_t)pull->rest.have, all = had + (uint64_t)pull->source.length;
    if (last && passed > 0)
        rate = (double)(bytes - had) / passed;
    int length = pull->source.length >= 0 && bytes <= all ? write_known(line, bytes, all, rate)
                                                          : write_open(line, bytes, passed, rate);
    if (*progress->title)
        snprintf(line + length, sizeof line - (size_t)length, "  %s", progress->title);
    draw(line);
}

/* --- what is said --- */

void pull_say(struct pull *pull, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    wipe(pull);
    weir_log(WEIR_LOG_INFO, "%s", text);
}

/* The line has it too, escaped: a stranger has written it. */
void pull_tell(struct pull *pull, const char *what, const char *title)
{
    char shown[ICY_TITLE_MOST];
    weir_escape(title, strlen(title), shown, sizeof shown);
    if (strcmp(shown, pull->progress.title) == 0)
        return;
    memcpy(pull->progress.title, shown, sizeof shown);
    if (*title)
        pull_say(pull, "%s: %s", what, title);
}

/* --- every now and then --- */

/* Bytes that wait to be received are no silence: then it is the sink that takes its time. */
static bool is_silent(const struct pull *pull)
{
    struct pollfd query = {weir_fd(pull->source.conn), POLLIN, 0};
    return poll(&query, 1, 0) == 0;
}

static void look_for_silence(struct pull *pull)
{
    struct pull_progress *progress = &pull->progress;
    uint64_t bytes = pull_bytes(pull);
    if (!pull->receiving || bytes != progress->changed_bytes || !is_silent(pull)) {
        progress->changed_bytes = bytes;
        progress->changed = weir_now();
        return;
    }
    if (weir_now() - progress->changed < pull->settings.timeout)
        return;
    pull->stalled = true;
    weir_set_deadline(pull->source.conn, WEIR_READ, WEIR_NOW);
}

static int64_t interval(const struct pull *pull)
{
    int64_t time = pull->settings.timeout / 4;
    if (time > LOOKED_EVERY)
        time = LOOKED_EVERY;
    if (pull->progress.shown && time > DRAWN_EVERY)
        time = DRAWN_EVERY;
    return time < WEIR_MS(10) ? WEIR_MS(10) : time;
}

static int tick(void *arg)
{
    struct pull *pull = arg;
    while (weir_sleep(interval(pull)) == 0) {
        if (pull->progress.shown && pull->receiving)
            draw_progress(pull, false);
        if (pull->settings.timeout != WEIR_FOREVER)
            look_for_silence(pull);
    }
    return 0;
}

/* Where what is pulled goes to the terminal itself there is no place for a line. */
static bool may_draw(const struct pull *pull)
{
    return !pull->settings.quiet && weir_file_is_terminal(weir_stderr()) && !weir_file_is_terminal(pull->sink.file);
}

int pull_progress_begin(struct pull *pull)
{
    struct pull_progress *progress = &pull->progress;
    progress->shown = may_draw(pull);
    progress->began = progress->changed = progress->drawn = weir_now();
    progress->drawn_bytes = progress->changed_bytes = pull->done;
    if (!progress->shown && pull->settings.timeout == WEIR_FOREVER)
        return 0;
    progress->ticker = weir_spawn(tick, pull, WEIR_OPTIONS(weir_fiber_options, .name = "progress"));
    return progress->ticker ? 0 : -1;
}

void pull_progress_end(struct pull *pull)
{
    struct pull_progress *progress = &pull->progress;
    int number = errno;
    if (progress->ticker) {
        weir_cancel_fiber(progress->ticker);
        weir_join(progress->ticker, NULL, WEIR_FOREVER);
    }
    if (progress->shown) {
        draw_progress(pull, true);
        weir_file_write_all(weir_stderr(), "\n", 1, weir_deadline(WEIR_MS(100)));
    }
    progress->ticker = NULL;
    progress->shown = false;
    errno = number;
}
