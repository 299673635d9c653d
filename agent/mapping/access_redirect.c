/* SPDX-License-Identifier: MIT */
/* Redirects that a look-up can express: to another entry point, and from one host to another URL with the same path. */
#include <stdlib.h>
#include <string.h>

#include "slotd/access.h"
#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/text.h"

void access_redirect_format(const struct access_redirect *redirect, struct buf *value)
{
    buf_printf(value, "%d=%s", redirect->permanent ? 301 : 302, redirect->target);
}

bool access_redirects(const struct access *access, enum access_point point, const char *host)
{
    const struct access_redirect *redirect = &access->redirect;
    if (!redirect->target || !(redirect->points & (1U << point))) {
        return false;
    }
    /* To where it already is: Traefik serves that. */
    size_t scheme = strlen(access_point_name(point));
    bool is_there = strncmp(redirect->target, access_point_name(point), scheme) == 0 &&
                    strncmp(redirect->target + scheme, "://", 3) == 0 &&
                    strcmp(redirect->target + scheme + 3, host) == 0;
    return !is_there && (!redirect->host || strcmp(redirect->host, host) == 0);
}

/* ---- a regular expression of the one kind ---- */

static bool take(const char **text, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(*text, word, len) != 0) {
        return false;
    }
    *text += len;
    return true;
}

/* A slash: labels have it as it is, or escaped once, or twice (Traefik's template wanted that). */
static bool take_slash(const char **text)
{
    return take(text, "\\\\/") || take(text, "\\/") || take(text, "/");
}

/* The host in lower case, with its dots, escaped or not. Stops before the first byte that is no part of one. */
static void take_host(const char **text, struct buf *host)
{
    while (**text) {
        char c = **text;
        if (take(text, "\\\\.") || take(text, "\\.") || take(text, "\\\\-") || take(text, "\\-")) {
            buf_putc(host, (*text)[-1]);
        } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.') {
            buf_putc(host, c);
            (*text)++;
        } else if (c >= 'A' && c <= 'Z') {
            buf_putc(host, (char)(c + ('a' - 'A')));
            (*text)++;
        } else {
            return;
        }
    }
}

static bool read_regex(const char *regex, unsigned *ret_points, struct buf *host)
{
    (void)take(&regex, "^");
    if (!take(&regex, "http")) {
        return false;
    }
    *ret_points = take(&regex, "s?") ? ACCESS_EVERYWHERE : take(&regex, "s") ? 1U << ACCESS_HTTPS : 1U << ACCESS_HTTP;
    if (!take(&regex, ":") || !take_slash(&regex) || !take_slash(&regex)) {
        return false;
    }
    take_host(&regex, host);
    if (!take_slash(&regex) || !take(&regex, "(.*)")) {
        return false;
    }
    (void)take(&regex, "$");
    return *regex == '\0' && text_is_host_name(buf_text(host));
}

/* Host, port and path as they are; nothing that would end the value, or that Traefik would expand. */
static bool target_is_plain(const char *target)
{
    for (const char *c = target; *c; c++) {
        bool plain =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("-._~:/", *c);
        if (!plain) {
            return false;
        }
    }
    return true;
}

static char *read_replacement(const char *replacement)
{
    size_t len = strlen(replacement);
    static const char *const ends[] = {"/$1", "/${1}"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t end = strlen(ends[i]);
        if (len > end && len - end <= ACCESS_MAX_TARGET && strcmp(replacement + len - end, ends[i]) == 0) {
            char *target = mem_strndup(replacement, len - end);
            const char *rest = target;
            bool good =
                (take(&rest, "http://") || take(&rest, "https://")) && *rest && *rest != '/' && target_is_plain(target);
            if (good) {
                return target;
            }
            free(target);
        }
    }
    return NULL;
}

int access_redirect_parse(const char *regex, const char *replacement, struct access_redirect *ret_redirect)
{
    struct buf host = BUF_INIT;
    unsigned points = 0;
    char *target = read_regex(regex, &points, &host) ? read_replacement(replacement) : NULL;
    if (!target) {
        buf_free(&host);
        return SLOTD_E_REFUSED;
    }
    ret_redirect->target = target;
    ret_redirect->host = buf_steal(&host);
    ret_redirect->points = points;
    return 0;
}
