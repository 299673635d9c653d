/* SPDX-License-Identifier: MIT */
/* Which key stands in its group twice: libconfig tells its line alone. */
#include <string.h>

#include "slotd/mem.h"
#include "syntax.h"

struct duplicate_key {
    struct config_token name;
    unsigned group;
};

struct duplicate_search {
    struct duplicate_key keys[CONFIG_MAX_KEYS];
    size_t n_keys;
    unsigned open[CONFIG_MAX_NESTING + 1]; /* the groups around this place, by number */
    size_t n_open;
    unsigned last_group;
    struct config_token name; /* the last one seen */
};

/* Whether the name that a `=` follows is in its group already. */
static bool duplicate_add_key(struct duplicate_search *search)
{
    unsigned group = search->open[search->n_open];
    for (size_t i = 0; i < search->n_keys; i++) {
        const struct duplicate_key *key = &search->keys[i];
        if (key->group == group && key->name.len == search->name.len &&
            memcmp(key->name.text, search->name.text, key->name.len) == 0) {
            return true;
        }
    }
    if (search->n_keys < CONFIG_MAX_KEYS) {
        search->keys[search->n_keys++] = (struct duplicate_key){search->name, group};
    }
    return false;
}

static bool duplicate_take_sign(struct duplicate_search *search, char sign)
{
    if (sign == '=' || sign == ':') {
        return duplicate_add_key(search);
    }
    if (strchr("{[(", sign) && search->n_open < CONFIG_MAX_NESTING) {
        search->open[++search->n_open] = ++search->last_group;
    } else if (strchr("}])", sign) && search->n_open > 0) {
        search->n_open--;
    }
    return false;
}

bool config_duplicate_find(const char *text, size_t len, struct config_token *ret_name)
{
    struct duplicate_search *search = MEM_NEW(struct duplicate_search);
    struct config_token token;
    bool found = false;
    for (size_t position = 0; !found && config_token_next(text, len, &position, &token);) {
        if (token.kind == CONFIG_TOKEN_NAME) {
            search->name = token;
        } else if (token.kind == CONFIG_TOKEN_SIGN) {
            found = duplicate_take_sign(search, *token.text);
        }
    }
    if (found) {
        *ret_name = search->name;
    }
    free(search);
    return found;
}
