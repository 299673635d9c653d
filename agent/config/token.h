/* SPDX-License-Identifier: MIT */
/* libconfig's lexical rules, as far as slotd needs to see a file before libconfig does. Internal to config/. */
#ifndef SLOTD_CONFIG_TOKEN_H
#define SLOTD_CONFIG_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

enum config_token_kind {
    CONFIG_TOKEN_BLANK,   /* blanks and line ends */
    CONFIG_TOKEN_COMMENT, /* without its line end */
    CONFIG_TOKEN_NAME,
    CONFIG_TOKEN_NUMBER,
    CONFIG_TOKEN_STRING,       /* with its quotes */
    CONFIG_TOKEN_INCLUDE,      /* from the start of its line to the closing quote of the file name */
    CONFIG_TOKEN_SIGN,         /* any other byte */
    CONFIG_TOKEN_OPEN_STRING,  /* a string without its end */
    CONFIG_TOKEN_OPEN_COMMENT, /* a comment without its end */
};

struct config_token {
    enum config_token_kind kind;
    const char *text; /* borrowed from the text that is read */
    size_t len;
};

/* The token at *position, which moves behind it; false at the end. All tokens together are the text. */
bool config_token_next(const char *text, size_t len, size_t *position, struct config_token *ret_token);

#endif
