/* Adds up the numbers of each line. */
#include <stdio.h>
#include <string.h>
#include <weir/weir.h>

/* Returns what there is to answer, in `answer` or of weir_error(). */
static const char *add_up(const char *line, size_t length, char *answer, size_t size)
{
    double number, total = 0;
    weir_part word;
    weir_splitter words = weir_splitter_begin(line, length, NULL, -1);
    while (weir_splitter_next(&words, &word)) {
        if (weir_parse_float(word.text, word.length, &number) < 0)
            return weir_error()->sentence;
        total += number;
    }
    return weir_float_text(total, answer, size);
}

static void sum(weir_conn *client, void *arg)
{
    char *line, number[WEIR_FLOAT_TEXT], answer[200];
    size_t length;
    while (weir_read_line(client, &line, &length, 1024) > 0) {
        int size = snprintf(answer, sizeof answer, "%s\n", add_up(line, length, number, sizeof number));
        if (weir_send_all(client, answer, size) < 0)
            return;
    }
}

int main(void) { return weir_serve("tcp://127.0.0.1:2000", sum, NULL, NULL); }
