/* SPDX-License-Identifier: MIT */
/* PREFIX.frontend.*: entry points, whitelist, redirect, authentication, passHostHeader. What protects fails closed: a
 * label that asks for a protection which cannot be given means that nobody is served. */
#include <stdlib.h>
#include <string.h>

#include "mapping_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

/* ---- labels that protect ---- */

static char fold(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* Without case: who writes `frontend.whitelist.sourceRange` means to be protected. word: in lower case. */
static bool begins_folded(const char *text, const char *word)
{
    while (*word && fold(*text) == *word) {
        text++;
        word++;
    }
    return *word == '\0';
}

static bool is_known_whitelist(const char *property)
{
    static const char *const known[] = {"frontend.whiteList.sourceRange", "frontend.whiteList.useXForwardedFor",
                                        "frontend.whitelistSourceRange"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(property, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* What a key is behind "PREFIX.", and behind "PREFIX.SEGMENT." where it begins so; NULL: it is neither. */
static const char *find_property(const struct segment_view *view, const char *key)
{
    size_t prefix = strlen(view->mapper->config->label_prefix);
    size_t segment = strlen(view->segment);
    if (strncmp(key, view->mapper->config->label_prefix, prefix) != 0 || key[prefix] != '.') {
        return NULL;
    }
    const char *property = key + prefix + 1;
    bool has_segment = segment > 0 && strncmp(property, view->segment, segment) == 0 && property[segment] == '.';
    return has_segment ? property + segment + 1 : property;
}

static void check_protection(const struct segment_view *view, const char *property, struct access *access)
{
    const char *prefix = view->mapper->config->label_prefix;
    bool is_auth = begins_folded(property, "frontend.auth");
    bool is_unknown = begins_folded(property, "frontend.whitelist") && !is_known_whitelist(property);
    if ((!is_auth && !is_unknown) || !labels_get(view, property)) {
        return;
    }
    cleanup_free char *shown = label_to_shown(property);
    access->closed = true;
    if (is_auth) {
        view_add_problem(view, NULL, "auth-unsupported",
                         "%s.%s asks for authentication, which slotd cannot give yet: its routes answer 503, to "
                         "everybody. Let the app ask for it itself and remove the labels, or use "
                         "%s.frontend.whiteList.sourceRange",
                         prefix, shown, prefix);
    } else {
        view_add_problem(view, NULL, "whitelist-unknown",
                         "%s.%s is no label that is known, but looks as if it were to protect: its routes answer 503, "
                         "to everybody. %s.frontend.whiteList.sourceRange would be right",
                         prefix, shown, prefix);
    }
}

static void find_protections(const struct segment_view *view, struct access *access)
{
    for (size_t i = 0; i < view->app->n_labels; i++) {
        const char *property = find_property(view, view->app->labels[i].key);
        if (property) {
            check_protection(view, property, access);
        }
    }
}

static void find_whitelist(const struct segment_view *view, struct access *access)
{
    const char *prefix = view->mapper->config->label_prefix;
    const char *property = "frontend.whiteList.sourceRange";
    const char *label = labels_get(view, property);
    cleanup_buf struct buf why = BUF_INIT;
    if (!label) {
        property = "frontend.whitelistSourceRange";
        label = labels_get(view, property);
    }
    if (!label) {
        return;
    }
    if (access_read_list(access, label, &why)) {
        access->closed = true;
        view_add_problem(view, NULL, "whitelist-invalid",
                         "%s.%s cannot be read: %s. Its routes answer 503, to everybody (Traefik would serve "
                         "everybody); up to %d ranges joined by commas would be right",
                         prefix, property, buf_text(&why), ACCESS_MAX_RANGES);
    }
}

static bool find_switch(const struct segment_view *view, const char *property, const char *code, bool otherwise)
{
    const char *label = labels_get(view, property);
    bool value = otherwise;
    if (label && text_parse_bool(label, &value)) {
        cleanup_free char *shown = label_to_shown(label);
        view_add_problem(view, NULL, code, "%s.%s is `%s`; true or false would be right, %s is taken",
                         view->mapper->config->label_prefix, property, shown, otherwise ? "true" : "false");
    }
    return value;
}

/* Any client can write the header, and Traefik believes every address in it. */
static void check_forwarded(const struct segment_view *view)
{
    if (find_switch(view, "frontend.whiteList.useXForwardedFor", "whitelist-forwarded-invalid", false)) {
        view_add_problem(view, NULL, "whitelist-forwarded",
                         "%s.frontend.whiteList.useXForwardedFor has no effect: any client can write that header. "
                         "The address that a connection comes from decides; behind another proxy HAProxy's frontend "
                         "needs `accept-proxy` on its bind line, or `http-request set-src "
                         "req.hdr_ip(x-forwarded-for,-1) if { src ADDRESS-OF-THAT-PROXY }` as its first rule",
                         view->mapper->config->label_prefix);
    }
}

/* ---- entry points ---- */

static void find_points(const struct segment_view *view, struct access *access)
{
    const char *label = labels_get(view, "frontend.entryPoints");
    const char *prefix = view->mapper->config->label_prefix;
    unsigned points = 0;
    bool any = false;
    for (const char *piece = label; piece && *piece; piece += *piece == ',') {
        const char *end = piece + strcspn(piece, ",");
        piece += strspn(piece, " \t");
        size_t len = piece < end ? (size_t)(end - piece) : 0;
        while (len > 0 && (piece[len - 1] == ' ' || piece[len - 1] == '\t')) {
            len--;
        }
        enum access_point point = access_point_find(piece, len);
        any = any || len > 0;
        if (point < ACCESS_POINTS) {
            points |= 1U << point;
        } else if (len > 0) {
            cleanup_free char *shown = label_to_shown(label);
            view_add_problem(view, NULL, "entry-point-unknown",
                             "%s.frontend.entryPoints is `%s`; http and https are the entry points that there are, and "
                             "what is no name of theirs is left out",
                             prefix, shown);
        }
        piece = end;
    }
    if (any && points == 0) {
        access->closed = true;
        view_add_problem(view, NULL, "entry-point-missing",
                         "%s.frontend.entryPoints names no entry point that there is: its routes answer 503. http, "
                         "https or both would be right",
                         prefix);
    }
    access->points = points ? points : ACCESS_EVERYWHERE;
}

/* ---- redirect ---- */

static void redirect_to_point(const struct segment_view *view, const char *label, struct access *access)
{
    enum access_point point = access_point_find(label, strlen(label));
    if (point < ACCESS_POINTS) {
        access->redirect.target = mem_strdup(label);
        access->redirect.points = ACCESS_EVERYWHERE & ~(1U << point);
        return;
    }
    cleanup_free char *shown = label_to_shown(label);
    access->closed = true;
    view_add_problem(view, NULL, "redirect-entry-point-unknown",
                     "%s.frontend.redirect.entryPoint is `%s`: its routes answer 503; http or https would be right",
                     view->mapper->config->label_prefix, shown);
}

static void redirect_by_regex(const struct segment_view *view, const char *regex, const char *replacement,
                              struct access *access)
{
    const char *prefix = view->mapper->config->label_prefix;
    if (!regex || !replacement) {
        view_add_problem(view, NULL, "redirect-incomplete",
                         "%s.frontend.redirect.%s has no effect without %s.frontend.redirect.%s", prefix,
                         regex ? "regex" : "replacement", prefix, regex ? "replacement" : "regex");
    } else if (access_redirect_parse(regex, replacement, &access->redirect)) {
        cleanup_free char *shown = label_to_shown(regex);
        access->closed = true;
        view_add_problem(view, NULL, "redirect-unsupported",
                         "%s.frontend.redirect.regex `%s` with its replacement is none that a look-up can express: its "
                         "routes answer 503. ^http://HOST/(.*) or ^https?://HOST/(.*) with https://OTHER/$1 would do, "
                         "or %s.frontend.redirect.entryPoint; for all else a redirect rule in HAProxy's frontend",
                         prefix, shown, prefix);
    }
}

static void find_redirect(const struct segment_view *view, struct access *access)
{
    const char *point = labels_get(view, "frontend.redirect.entryPoint");
    const char *regex = labels_get(view, "frontend.redirect.regex");
    const char *replacement = labels_get(view, "frontend.redirect.replacement");
    access->redirect.permanent =
        find_switch(view, "frontend.redirect.permanent", "redirect-permanent-invalid", false) &&
        (point || (regex && replacement));
    if (point) {
        redirect_to_point(view, point, access);
    } else if (regex || replacement) {
        redirect_by_regex(view, regex, replacement, access);
    }
}

/* ---- all of them ---- */

/* A server's address is not known before HAProxy has chosen it, and no rule for requests comes after that. */
static void check_host_header(const struct segment_view *view)
{
    if (!find_switch(view, "frontend.passHostHeader", "pass-host-header-invalid", true)) {
        view_add_problem(view, NULL, "pass-host-header-fixed",
                         "%s.frontend.passHostHeader=false cannot be done at run time: the app sees the Host header of "
                         "the client. A backend of the service's own name in HAProxy's configuration can have "
                         "`http-request set-header Host ...`",
                         view->mapper->config->label_prefix);
    }
}

struct access access_find(const struct segment_view *view)
{
    struct access access = access_open();
    find_protections(view, &access);
    find_whitelist(view, &access);
    check_forwarded(view);
    find_points(view, &access);
    find_redirect(view, &access);
    check_host_header(view);
    return access;
}

const char *access_find_clash(const struct access *access, const struct access *part)
{
    const struct access_redirect *redirect = &part->redirect;
    if (access->closed && !part->closed) {
        return "frontend.*";
    }
    if (access->points != part->points) {
        return "frontend.entryPoints";
    }
    if (!access_lists_equal(access, part)) {
        return "frontend.whiteList.sourceRange";
    }
    bool other = redirect->target && (!text_equal(redirect->target, access->redirect.target) ||
                                      !text_equal(redirect->host, access->redirect.host) ||
                                      redirect->permanent != access->redirect.permanent);
    return other ? "frontend.redirect" : NULL;
}
