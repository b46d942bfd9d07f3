/* The plain values of a pickle, read without making anything of them but this. */
#ifndef WEIR_SERVICES_LOG_RECORD_VALUES_H
#define WEIR_SERVICES_LOG_RECORD_VALUES_H

#include <weir/text.h>

enum value_kind {
    VALUE_NONE,
    VALUE_FALSE,
    VALUE_TRUE,
    VALUE_INTEGER, /* the number */
    VALUE_DIGITS,  /* a whole number of any size, as JSON has it: the text */
    VALUE_REAL,
    VALUE_TEXT,
    VALUE_LIST,       /* or a tuple: the values from `first` on */
    VALUE_DICTIONARY, /* keys and values in turn */
    VALUE_SAME,       /* the list or dictionary at `first`, once more */
    VALUE_ENCODE,     /* Python's _codecs.encode, by which it writes bytes; and bytes, by which it writes none */
    VALUE_BYTES,
};

/* A place in the array of values; the first is nobody's. */
typedef uint16_t value_place;

enum { NOWHERE = 0, VALUES_MOST = 4096 };

struct value {
    enum value_kind kind;
    value_place first, last; /* of a list or dictionary; NOWHERE: it is empty */
    value_place next;        /* in the list or dictionary that it belongs to */
    union {
        int64_t number;
        double real;
        weir_part text;
    };
};

/* All zeros at first, and the value at NOWHERE always. */
struct values {
    size_t count; /* of `value` */
    size_t depth; /* of the stack, on which NOWHERE is a mark */
    size_t puts;  /* of the memo, in which NOWHERE is nothing */
    value_place root;
    struct value value[VALUES_MOST];
    value_place stack[VALUES_MOST];
    value_place memo[VALUES_MOST];
};

/*
 * Reads a pickle that ends with the bytes, of which texts stay where they are. The opcodes it knows are those by which
 * protocol 1 writes None, booleans, numbers, texts, bytes, lists, tuples and dictionaries; nothing is called, imported
 * or made. False: there is another, or it is broken, or has too many values.
 */
bool values_read(struct values *values, const char *pickle, size_t length);

/* --- how they are made; false or NULL: it cannot be done, or there are too many --- */

void values_begin(struct values *values);

/* Puts a new value on the stack. */
struct value *values_push(struct values *values, enum value_kind kind);
bool values_push_text(struct values *values, enum value_kind kind, weir_part text);

bool values_mark(struct values *values);

/* What is on top. NOWHERE: a mark or nothing. */
value_place values_top(const struct values *values);

/* The last `count` on the stack, or all above the last mark, go into the list or dictionary below. */
bool values_fill(struct values *values, size_t count, enum value_kind kind);
bool values_fill_from_mark(struct values *values, enum value_kind kind);

/* The last mark and what is above it give way to a list. */
bool values_tuple(struct values *values);

/* The value on top gets a number; Python counts from 0 or from 1 on. */
bool values_remember(struct values *values, uint64_t place);

/* Puts it on the stack once more; a list or dictionary by reference, since it may not be whole yet. */
bool values_recall(struct values *values, uint64_t place);

/* Whether it may be in a list or dictionary. */
bool value_is_plain(const struct value *value);

#endif
