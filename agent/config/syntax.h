/* SPDX-License-Identifier: MIT */
/* What libconfig would explain badly, accept silently or not survive. Internal to config/. */
#ifndef SLOTD_CONFIG_SYNTAX_H
#define SLOTD_CONFIG_SYNTAX_H

#include "source.h"
#include "token.h"

/* Checks the token that comes next at source->line. */
void config_syntax_check(struct config_source *source, const struct config_token *token);
/* Checks that nothing is left open. */
void config_syntax_finish(struct config_source *source);
/* Finds the first key that its group has already; returns false when there is none. The name is part of text. */
bool config_duplicate_find(const char *text, size_t len, struct config_token *ret_name);

#endif
