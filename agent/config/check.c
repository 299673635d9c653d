/* SPDX-License-Identifier: MIT */
/* Checks of single values. A value with a password in it is never shown. */
#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "slotd/config.h"
#include "slotd/mem.h"
#include "slotd/text.h"

enum { CONFIG_MAX_STRING = 1024, CONFIG_MAX_SHOWN = 128 };

static const char config_check_alnum[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/* Always false, so that a check can return it. */
static bool config_check_refuse(const char *value, const char *right, struct buf *why)
{
    buf_puts(why, " is \"");
    if (why) {
        text_append_safe(why, value, strlen(value), CONFIG_MAX_SHOWN);
    }
    buf_printf(why, "\"; it must be %s", right);
    return false;
}

/* How many bytes at the start of value are letters, digits or in also. */
static size_t config_check_span(const char *value, const char *also)
{
    size_t len = 0;
    while (value[len] && (strchr(config_check_alnum, value[len]) || strchr(also, value[len]))) {
        len++;
    }
    return len;
}

static bool config_check_consists_of(const char *value, const char *also)
{
    return *value && value[config_check_span(value, also)] == '\0';
}

bool config_check_text(const char *value, struct buf *why)
{
    size_t len = strlen(value);
    if (len > CONFIG_MAX_STRING) {
        buf_printf(why, " has %zu bytes; it may have at most %d", len, CONFIG_MAX_STRING);
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c < 0x20 || c == 0x7f) {
            buf_printf(why,
                       " contains the control character 0x%02x; remove it (a string ends in the line where it begins)",
                       c);
            return false;
        }
    }
    return true;
}

bool config_check_path(const char *value, struct buf *why)
{
    return *value == '/' || config_check_refuse(value, "an absolute path, which begins with /", why);
}

bool config_check_maps_dir(const char *value, struct buf *why)
{
    enum { MAX_FOLDER = 1024 };
    return config_check_path(value, why) &&
           ((strlen(value) <= MAX_FOLDER && text_is_map_word(value)) ||
            config_check_refuse(value,
                                "a path that HAProxy's command line takes: at most 1024 bytes of letters, digits "
                                "and -._~!$&()*+,=:@/?%",
                                why));
}

bool config_check_rendered_path(const char *value, struct buf *why)
{
    return config_check_path(value, why) &&
           (config_check_span(value, "/-._~+=@:") == strlen(value) ||
            config_check_refuse(value, "a path that haproxy.cfg takes as it is: letters, digits and /-._~+=@:", why));
}

bool config_check_socket_path(const char *value, struct buf *why)
{
    const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
    if (!config_check_path(value, why)) {
        return false;
    }
    if (strlen(value) > max) {
        buf_printf(why, " has %zu bytes; the path of a unix socket may have at most %zu", strlen(value), max);
        return false;
    }
    return true;
}

static bool config_check_is_port(const char *text)
{
    int64_t port;
    return *text >= '0' && *text <= '9' && text_parse_int(text, 1, 65535, &port) == 0;
}

/* Whether text is HOST:PORT, with brackets around an IPv6 address; `*` and no host only where one listens. */
static bool config_check_is_address(const char *text, bool listens)
{
    const char *colon = strrchr(text, ':');
    if (!colon || !config_check_is_port(colon + 1)) {
        return false;
    }
    cleanup_free char *host = mem_strndup(text, (size_t)(colon - text));
    size_t len = strlen(host);
    if (*host == '[') {
        host[len - 1] = host[len - 1] == ']' ? '\0' : ' ';
        return strchr(host, ':') && text_is_ip(host + 1);
    }
    return (listens && (len == 0 || strcmp(host, "*") == 0)) || text_is_host_name(host);
}

bool config_check_socket(const char *value, struct buf *why)
{
    if (*value == '/') {
        return config_check_socket_path(value, why);
    }
    return config_check_is_address(value, false) ||
           config_check_refuse(
               value, "an absolute path such as \"/run/haproxy/admin.sock\", or HOST:PORT such as \"127.0.0.1:9999\"",
               why);
}

/* An address, not a name: who asks for a name waits. Port 0 is the kernel's choice. */
static bool config_check_is_literal(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (!colon || !(strcmp(colon, ":0") == 0 || config_check_is_port(colon + 1))) {
        return false;
    }
    cleanup_free char *host = mem_strndup(text, (size_t)(colon - text));
    size_t len = strlen(host);
    if (len > 2 && *host == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        return strchr(host, ':') && text_is_ip(host + 1);
    }
    return len == 0 || strcmp(host, "*") == 0 || (!strchr(host, ':') && text_is_ip(host));
}

bool config_check_listen(const char *value, struct buf *why)
{
    return config_check_is_literal(value) ||
           config_check_refuse(value, "ADDRESS:PORT such as \"127.0.0.1:9100\", \"[::1]:9100\" or \"*:9100\"", why);
}

/* Cuts `-PORT` off ADDRESS:PORT-PORT. Returns whether it is a range, if there is one. */
static bool config_check_cut_range(char *address)
{
    char *colon = strrchr(address, ':');
    char *dash = colon ? strchr(colon, '-') : NULL;
    int64_t first = 0;
    int64_t last = 0;
    if (!dash) {
        return true;
    }
    *dash = '\0';
    return config_check_is_port(colon + 1) && config_check_is_port(dash + 1) &&
           text_parse_int(colon + 1, 1, 65535, &first) == 0 && text_parse_int(dash + 1, first, 65535, &last) == 0;
}

/* Addresses joined by commas. */
static bool config_check_are_addresses(const char *value, bool ranges)
{
    const char *end;
    for (const char *part = value;; part = end + 1) {
        end = strchrnul(part, ',');
        cleanup_free char *address = mem_strndup(part, (size_t)(end - part));
        if ((ranges && !config_check_cut_range(address)) || !config_check_is_address(address, true)) {
            return false;
        }
        if (*end == '\0') {
            return true;
        }
    }
}

bool config_check_bind(const char *value, struct buf *why)
{
    return config_check_are_addresses(value, false) ||
           config_check_refuse(value, "ADDRESS:PORT such as \"*:80\", or several joined by commas", why);
}

bool config_check_bind_range(const char *value, struct buf *why)
{
    return config_check_are_addresses(value, true) ||
           config_check_refuse(
               value, "ADDRESS:PORT-PORT or ADDRESS:PORT such as \"*:10000-10099\", or several joined by commas", why);
}

bool config_bind_has_port(const char *bind, uint16_t port)
{
    for (const char *part = bind; part; part = strchr(part, ',') ? strchr(part, ',') + 1 : NULL) {
        cleanup_free char *address = mem_strndup(part, strcspn(part, ","));
        const char *colon = strrchr(address, ':');
        char *end = NULL;
        unsigned long first = colon ? strtoul(colon + 1, &end, 10) : 0;
        unsigned long last = end && *end == '-' ? strtoul(end + 1, NULL, 10) : first;
        if (port >= first && port <= last) {
            return true;
        }
    }
    return false;
}

bool config_check_spoe_listen(const char *value, struct buf *why)
{
    static const char abstract[] = "abns@";
    if (*value == '/') {
        return config_check_socket_path(value, why);
    }
    if (strncmp(value, abstract, sizeof(abstract) - 1) == 0) {
        return config_check_consists_of(value + sizeof(abstract) - 1, "_-.") ||
               config_check_refuse(value, "abns@ and a name of letters, digits, '_', '-' and '.'", why);
    }
    return config_check_is_address(value, true) ||
           config_check_refuse(value, "ADDRESS:PORT such as \"127.0.0.1:9876\", \"abns@slotd\", or an absolute path",
                               why);
}

/* The part of an endpoint behind its scheme. */
static bool config_check_endpoint_rest(const char *value, const char *rest, struct buf *why)
{
    size_t authority = strcspn(rest, "/?#");
    if (memchr(rest, '@', authority)) {
        buf_puts(
            why,
            " contains credentials; they go into user and password_file, because URLs are shown in logs and in status");
        return false;
    }
    if (strpbrk(rest, "?#")) {
        buf_puts(why, " has a query (?) or a fragment (#); remove it: slotd appends /v2/... to the URL");
        return false;
    }
    if (config_check_span(rest + authority, "/-._~!$&'()*+,;=:@%") != strlen(rest + authority)) {
        return config_check_refuse(value, "free of blanks, quotes and letters outside ASCII", why);
    }
    cleanup_free char *host = mem_strndup(rest, authority);
    cleanup_free char *with_port = mem_printf("%s:80", host);
    const char *behind = strrchr(host, ']') ? strrchr(host, ']') : host;
    return config_check_is_address(strchr(behind, ':') ? host : with_port, false) ||
           config_check_refuse(
               value,
               "a URL such as \"http://marathon.example.com:8080\": scheme, host, and perhaps a port from 1 to 65535",
               why);
}

bool config_check_endpoint(const char *value, struct buf *why)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t len = strlen(schemes[i]);
        if (strncmp(value, schemes[i], len) == 0) {
            return config_check_endpoint_rest(value, value + len, why);
        }
    }
    if (strchr(value, '@')) {
        buf_puts(why, " must begin with http:// or https://");
        return false;
    }
    return config_check_refuse(value, "a URL that begins with http:// or https://", why);
}

bool config_check_user(const char *value, struct buf *why)
{
    return !strchr(value, ':') ||
           config_check_refuse(value, "without ':', which separates it from the password; that goes into password_file",
                               why);
}

bool config_check_name(const char *value, struct buf *why)
{
    return config_check_consists_of(value, "_-") ||
           config_check_refuse(value, "a name of letters, digits, '_' and '-'", why);
}

bool config_check_haproxy_name(const char *value, struct buf *why)
{
    return text_is_haproxy_name(value) ||
           config_check_refuse(value, "a name of letters, digits, '_', '-', '.' and ':', at most 250 bytes", why);
}

/* What would be another server than a slot. */
static const char *find_alien_option(const char *options)
{
    static const char *const words[] = {"enabled", "disabled", "id", "cookie", "init-addr", "resolvers", "track"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (config_options_have(options, words[i])) {
            return words[i];
        }
    }
    return NULL;
}

bool config_check_server_options(const char *value, struct buf *why)
{
    const char *alien = find_alien_option(value);
    if (!text_is_server_options(value)) {
        return config_check_refuse(value,
                                   "options of a HAProxy server such as \"check inter 2s\", at most 56 words and 1000 "
                                   "bytes of letters, digits, blanks and -._~,:/=+@%()*",
                                   why);
    }
    if (alien) {
        buf_printf(why, " has `%s`, which slotd's servers cannot have; leave it out", alien);
    }
    return !alien;
}

bool config_check_class(const char *value, struct buf *why)
{
    enum config_class class;
    return config_class_parse(value, &class) == 0 ||
           config_check_refuse(value, "http, leastconn, sticky, https, h2c or tcp", why);
}

bool config_check_rendered_prefix(const char *value, struct buf *why)
{
    enum { MAX_PREFIX = 240 }; /* what is left of a name's 250 bytes */
    size_t len = strlen(value);
    return (len <= MAX_PREFIX && !strchr("0123456789", value[len - 1])) ||
           config_check_refuse(value, "at most 240 bytes that do not end in a digit, since the pool's numbers follow",
                               why);
}

bool config_check_rendered_defaults(const char *value, struct buf *why)
{
    return strncmp(value, "slotd", 5) != 0 ||
           config_check_refuse(value, "a name that does not begin with slotd: those are render's own", why);
}

bool config_check_label_prefix(const char *value, struct buf *why)
{
    return config_check_consists_of(value, "_-.") ||
           config_check_refuse(value, "a prefix of letters, digits, '_', '-' and '.', such as \"traefik\"", why);
}

bool config_check_domain(const char *value, struct buf *why)
{
    return text_is_host_name(value) ||
           config_check_refuse(value, "a domain name such as \"marathon.localhost\", or \"\" for none", why);
}

bool config_check_lb_group(const char *value, struct buf *why)
{
    return (*value && !strpbrk(value, ", ")) ||
           config_check_refuse(value, "one group's name without commas and blanks, or \"*\" for all groups", why);
}

bool config_check_constraint(const char *value, struct buf *why)
{
    const char *equals = strstr(value, "==");
    const char *differs = strstr(value, "!=");
    const char *sign = !equals || (differs && differs < equals) ? differs : equals;
    return (sign == value + 3 && strncmp(value, "tag", 3) == 0 && sign[2]) ||
           config_check_refuse(value, "tag==GLOB or tag!=GLOB, such as \"tag==edge\" or \"tag!=int*\"", why);
}
