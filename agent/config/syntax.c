/* SPDX-License-Identifier: MIT */
/* Brackets, numbers and strings, checked token by token before libconfig sees the text. */
#include "syntax.h"

#include <string.h>

static const char config_syntax_open[] = "{[(";
static const char config_syntax_close[] = "}])";

static void config_syntax_break(struct config_source *source)
{
    source->brackets_broken = true;
}

static void config_syntax_open_bracket(struct config_source *source, char sign)
{
    if (source->n_open == CONFIG_MAX_NESTING) {
        config_source_report(source, source->line,
                             "brackets are nested deeper than %d levels; no key needs more than 4", CONFIG_MAX_NESTING);
        config_syntax_break(source);
        return;
    }
    source->open[source->n_open].sign = sign;
    source->open[source->n_open].line = source->line;
    source->n_open++;
}

static void config_syntax_close_bracket(struct config_source *source, char sign)
{
    if (source->n_open == 0) {
        config_source_report(source, source->line, "`%c` closes nothing; remove it or open the bracket that it ends",
                             sign);
        config_syntax_break(source);
        return;
    }
    char open = source->open[source->n_open - 1].sign;
    char expected = config_syntax_close[strchr(config_syntax_open, open) - config_syntax_open];
    if (sign != expected) {
        config_source_report(source, source->line, "`%c` stands where `%c` must close the `%c` of line %u", sign,
                             expected, open, config_source_file_line(source, source->open[source->n_open - 1].line));
        config_syntax_break(source);
        return;
    }
    source->n_open--;
}

/* libconfig compares each key with all others of its group. */
static void config_syntax_count_key(struct config_source *source)
{
    if (++source->n_keys > CONFIG_MAX_KEYS) {
        config_source_report(source, source->line, "the configuration has more than %d keys", CONFIG_MAX_KEYS);
        source->stopped = true;
    }
}

static void config_syntax_check_sign(struct config_source *source, char sign)
{
    if (sign == '@') {
        config_source_report(
            source, source->line,
            "`@` must begin a line of its own such as @include \"more.conf\"; text stands in double quotes");
    } else if (sign == '=' || sign == ':') {
        config_syntax_count_key(source);
    } else if (source->brackets_broken) {
        return;
    } else if (strchr(config_syntax_open, sign)) {
        config_syntax_open_bracket(source, sign);
    } else if (strchr(config_syntax_close, sign)) {
        config_syntax_close_bracket(source, sign);
    }
}

/* libconfig 1.5 cuts larger numbers to 32 bits without a word. */
static void config_syntax_check_number(struct config_source *source, const struct config_token *token)
{
    enum { MAX_LENGTH = 9 };
    size_t digits = 0;
    while (digits < token->len && token->text[digits] >= '0' && token->text[digits] <= '9') {
        digits++;
    }
    bool is_hex = token->len > 1 && (token->text[1] == 'x' || token->text[1] == 'X');
    if ((is_hex ? token->len : digits) > MAX_LENGTH) {
        config_source_report(source, source->line, "the number %.*s%s is too large; numbers have at most %d digits",
                             token->len > 20 ? 20 : (int)token->len, token->text, token->len > 20 ? "..." : "",
                             MAX_LENGTH);
    }
}

/* libconfig ends a string at the NUL that \x00 stands for. */
static void config_syntax_check_string(struct config_source *source, const struct config_token *token)
{
    for (size_t i = 0; i + 3 < token->len; i++) {
        if (token->text[i] != '\\') {
            continue;
        }
        const char *escape = token->text + i + 1;
        if ((escape[0] == 'x' || escape[0] == 'X') && escape[1] == '0' && escape[2] == '0') {
            config_source_report(source, source->line, "a string cannot contain \\x00; remove it");
            return;
        }
        i++;
    }
}

void config_syntax_check(struct config_source *source, const struct config_token *token)
{
    switch (token->kind) {
    case CONFIG_TOKEN_SIGN:
        config_syntax_check_sign(source, *token->text);
        break;
    case CONFIG_TOKEN_NUMBER:
        config_syntax_check_number(source, token);
        break;
    case CONFIG_TOKEN_STRING:
    case CONFIG_TOKEN_INCLUDE:
        config_syntax_check_string(source, token);
        break;
    case CONFIG_TOKEN_OPEN_STRING:
        config_source_report(source, source->line, "this string has no end; close it with \"");
        config_syntax_break(source);
        break;
    case CONFIG_TOKEN_OPEN_COMMENT:
        config_source_report(source, source->line, "this comment has no end; close it with */");
        config_syntax_break(source);
        break;
    case CONFIG_TOKEN_BLANK:
    case CONFIG_TOKEN_COMMENT:
    case CONFIG_TOKEN_NAME:
        break;
    }
}

void config_syntax_finish(struct config_source *source)
{
    if (source->n_open > 0 && !source->brackets_broken) {
        char open = source->open[source->n_open - 1].sign;
        char expected = config_syntax_close[strchr(config_syntax_open, open) - config_syntax_open];
        config_source_report(source, source->open[source->n_open - 1].line,
                             "unexpected end of the file: this `%c` is never closed; a `%c` is missing", open,
                             expected);
    }
}
