/* SPDX-License-Identifier: MIT */
/* Aligned tables for people. */
#include <stdio.h>
#include <string.h>

#include "ctl_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

#define TABLE_MAX_CELL 512

struct cell {
    char *text;
    size_t width;
    int colour;
};

struct text_table {
    size_t n_columns;
    struct cell *cells; /* headings first */
    size_t count, capacity;
};

static size_t count_characters(const char *text)
{
    size_t count = 0;
    for (const char *c = text; *c; c++) {
        count += ((unsigned char)*c & 0xc0) != 0x80;
    }
    return count;
}

void text_table_add(struct text_table *table, const char *text, int colour)
{
    struct buf safe = BUF_INIT;
    text_append_safe(&safe, text ? text : "-", strlen(text ? text : "-"), TABLE_MAX_CELL);
    MEM_GROW(table->cells, table->capacity, table->count + 1);
    struct cell *cell = &table->cells[table->count++];
    cell->text = buf_steal(&safe);
    cell->width = count_characters(cell->text);
    cell->colour = colour;
}

struct text_table *text_table_new(const char *const *headings, size_t n_columns)
{
    struct text_table *table = MEM_NEW(struct text_table);
    table->n_columns = n_columns;
    for (size_t i = 0; i < n_columns; i++) {
        text_table_add(table, headings[i], 1);
    }
    return table;
}

static void print_cell(const struct cell *cell, size_t width, bool last, bool colours)
{
    if (colours && cell->colour) {
        printf("\033[%dm%s\033[0m", cell->colour, cell->text);
    } else {
        fputs(cell->text, stdout);
    }
    if (!last) {
        printf("%*s", (int)(width - cell->width + 2), "");
    }
}

void text_table_print(struct text_table *table, bool colours)
{
    size_t *widths = mem_alloc_array(table->n_columns, sizeof(*widths));
    for (size_t i = 0; i < table->count; i++) {
        size_t *width = &widths[i % table->n_columns];
        *width = table->cells[i].width > *width ? table->cells[i].width : *width;
    }
    for (size_t i = 0; i < table->count; i++) {
        bool last = i % table->n_columns == table->n_columns - 1;
        print_cell(&table->cells[i], widths[i % table->n_columns], last, colours);
        if (last) {
            putchar('\n');
        }
        free(table->cells[i].text);
    }
    free(widths);
    free(table->cells);
    free(table);
}
