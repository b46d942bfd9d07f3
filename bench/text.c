/*
 * What decoding costs, beside iconv(3) and beside copying: GB/s of CPU time, medians of interleaved rounds, 64 KiB at a time as
 * text arrives.
 *
 *     text [ROUNDS]
 */
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/weir.h>

enum { PIECE = 65536, PIECES = 160, MOST_ROUNDS = 101, DEFAULT_ROUNDS = 15 };

static char piece[PIECE], out[4 * PIECE + WEIR_DECODER_ROOM];
static const char *encoding;
static weir_decoder *decoder;
static iconv_t converter;
static volatile size_t sink; /* so that nothing is left out */

static void stop(const char *what)
{
    fprintf(stderr, "text: %s\n", what);
    exit(1);
}

/* --- who decodes --- */

static void by_decoder(void)
{
    size_t used;
    ssize_t length = weir_decoder_decode(decoder, piece, PIECE, &used, out, sizeof out);
    if (length < 0 || used != PIECE)
        stop("weir's decoder refuses");
    sink += (size_t)length;
}

static void at_once(void)
{
    size_t length;
    char *text = weir_decode(piece, PIECE, encoding, WEIR_TEXT_REPLACE, &length);
    if (!text)
        stop("weir_decode refuses");
    sink += length;
    free(text);
}

static void by_iconv(void)
{
    char *from = piece, *to = out;
    size_t left = PIECE, room = sizeof out;
    iconv(converter, &from, &left, &to, &room);
    /* What a piece ends with may be half a character. */
    if (left > 3)
        stop("iconv refuses");
    sink += sizeof out - room;
}

static void by_copying(void)
{
    memcpy(out, piece, PIECE);
    sink += (unsigned char)out[sink % PIECE];
}

static void (*const ways[])(void) = {by_decoder, at_once, by_iconv, by_copying};
enum { WAYS = 4 };

/* --- what is decoded --- */

static const struct work {
    const char *name, *encoding, *text; /* UTF-8, again and again */
} works[] = {
    {"ASCII as UTF-8", "utf-8", "GET /index.html HTTP/1.1\r\nHost: example.org\r\nAccept: text/html\r\n\r\n"},
    {"German as UTF-8", "utf-8", "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. "},
    {"Russian as UTF-8", "utf-8", "Съешь же ещё этих мягких французских булок, да выпей чаю. "},
    {"Japanese as UTF-8", "utf-8", "色は匂へど散りぬるを我が世誰ぞ常ならむ有為の奥山今日越えて浅き夢見じ酔ひもせず"},
    {"ASCII as Latin-1", "latin-1", "GET /index.html HTTP/1.1\r\nHost: example.org\r\nAccept: text/html\r\n\r\n"},
    {"German as Latin-1", "latin-1", "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. "},
    {"German as UTF-16", "utf-16-le", "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. "},
    {"German as cp1252", "cp1252", "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. "},
};

static const char *iconv_name(const char *name)
{
    return strcmp(name, "utf-16-le") == 0 ? "UTF-16LE" : strcmp(name, "latin-1") == 0 ? "ISO-8859-1" : name;
}

static void fill(const struct work *work)
{
    size_t length;
    char *bytes = weir_encode(work->text, strlen(work->text), work->encoding, WEIR_TEXT_STRICT, &length);
    if (!bytes)
        stop(weir_error()->sentence);
    for (size_t i = 0; i < PIECE; i++)
        piece[i] = bytes[i % length];
    free(bytes);
    encoding = work->encoding;
    decoder = weir_decoder_new(encoding, WEIR_TEXT_REPLACE);
    converter = iconv_open("UTF-8", iconv_name(encoding));
    if (!decoder || converter == (iconv_t)-1)
        stop("no such encoding");
}

/* --- measuring --- */

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double rate_of(void (*way)(void))
{
    double began = cpu_seconds();
    for (int i = 0; i < PIECES; i++)
        way();
    return (double)PIECE * PIECES / 1e9 / (cpu_seconds() - began);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const struct work *work, int rounds)
{
    static double rates[WAYS][MOST_ROUNDS];
    double medians[WAYS];
    fill(work);
    for (int round = -1; round < rounds; round++) /* the first warms up */
        for (int i = 0; i < WAYS; i++) {
            int way = (i + round + 1) % WAYS;
            rates[way][round < 0 ? 0 : round] = rate_of(ways[way]);
        }
    for (int way = 0; way < WAYS; way++) {
        qsort(rates[way], (size_t)rounds, sizeof **rates, compare);
        medians[way] = rates[way][rounds / 2];
    }
    printf("| %s | %.2f | %.2f | %.3f | %.1f | %.2f |\n", work->name, medians[0], medians[1], medians[2],
           medians[0] / medians[2], medians[3]);
    weir_decoder_free(decoder);
    iconv_close(converter);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : DEFAULT_ROUNDS;
    if (rounds < 1 || rounds > MOST_ROUNDS)
        stop("1 to 101 rounds");
    puts("| GB/s | in pieces | at once | iconv | pieces to iconv | memcpy |");
    puts("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        measure(&works[i], rounds);
    return 0;
}
