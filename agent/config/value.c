/* SPDX-License-Identifier: MIT */
/* The value of one key: its default, its reading and its error texts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "group.h"
#include "slotd/config.h"
#include "slotd/mem.h"
#include "slotd/text.h"

enum { CONFIG_MAX_LIST = 64 };

/* A duration in the largest unit that leaves no rest, for texts. */
static void config_value_append_duration(struct buf *text, int64_t ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ms % units[i].ms == 0) {
            buf_printf(text, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
            return;
        }
    }
}

static const char *config_value_example(const struct config_key *key)
{
    return key->example ? key->example : key->fallback;
}

static void config_value_append_words(struct buf *text, const struct config_key *key)
{
    for (size_t i = 0; key->words[i]; i++) {
        buf_printf(text, "%s\"%s\"", i == 0 ? "" : " or ", key->words[i]);
    }
}

/* What the key wants, such as `a string such as "edge"`. */
static void config_value_append_wanted(struct buf *text, const struct config_key *key)
{
    switch (key->type) {
    case CONFIG_KEY_STRING:
        buf_printf(text, "a string such as \"%s\"", config_value_example(key));
        break;
    case CONFIG_KEY_LIST:
        buf_printf(text, "a list of strings such as [ \"%s\" ]", config_value_example(key));
        break;
    case CONFIG_KEY_BOOL:
        buf_puts(text, "true or false");
        break;
    case CONFIG_KEY_INT:
        buf_printf(text, "a whole number from %lld to %lld", (long long)key->min, (long long)key->max);
        break;
    case CONFIG_KEY_DURATION:
        buf_printf(text, "a duration such as \"%s\", above 0 and at most ", config_value_example(key));
        config_value_append_duration(text, key->max);
        break;
    case CONFIG_KEY_CHOICE:
        config_value_append_words(text, key);
        break;
    case CONFIG_KEY_GROUP:
        buf_printf(text, "a group such as %s = { %s = ...; }", key->name, key->group->keys[0].name);
        break;
    case CONFIG_KEY_GROUPS:
        buf_printf(text, "a list of groups such as %s", key->example);
        break;
    }
}

static const char *config_value_type_text(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        return "a group";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return "a number";
    case CONFIG_TYPE_FLOAT:
        return "a number with a fraction";
    case CONFIG_TYPE_STRING:
        return "a string";
    case CONFIG_TYPE_BOOL:
        return "a boolean";
    case CONFIG_TYPE_ARRAY:
        return "a list in [ ]";
    default:
        return "a list";
    }
}

void config_value_report_type(const struct config_key *key, struct config_source *source, const char *name,
                              const config_setting_t *setting)
{
    cleanup_buf struct buf wanted = BUF_INIT;
    config_value_append_wanted(&wanted, key);
    config_source_report(source, config_setting_source_line(setting), "%s must be %s, not %s", name, buf_text(&wanted),
                         config_value_type_text(setting));
}

static void config_value_report_range(const struct config_key *key, struct config_source *source, const char *name,
                                      const config_setting_t *setting, const char *shown)
{
    cleanup_buf struct buf wanted = BUF_INIT;
    config_value_append_wanted(&wanted, key);
    config_source_report(source, config_setting_source_line(setting), "%s is %s; it must be %s", name, shown,
                         buf_text(&wanted));
}

/* Runs the checks of one string; reports and returns false when it may not be used. */
static bool config_value_check_string(const struct config_key *key, struct config_source *source, const char *name,
                                      const config_setting_t *setting, const char *value)
{
    cleanup_buf struct buf why = BUF_INIT;
    bool may_be_empty = key->type == CONFIG_KEY_STRING && !key->required;
    if (config_check_text(value, &why) &&
        ((*value == '\0' && may_be_empty) || !key->check || key->check(value, &why))) {
        return true;
    }
    config_source_report(source, config_setting_source_line(setting), "%s%s", name, buf_text(&why));
    return false;
}

static void config_value_set_string(char **field, const char *value)
{
    free(*field);
    *field = mem_strdup(value);
}

static void config_value_read_string(const struct config_key *key, struct config_source *source, const char *name,
                                     const config_setting_t *setting, char **field)
{
    const char *value = config_setting_get_string(setting);
    if (!value) {
        config_value_report_type(key, source, name, setting);
    } else if (config_value_check_string(key, source, name, setting, value)) {
        config_value_set_string(field, value);
    }
}

static void config_list_free(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct config_list){0};
}

static void config_list_add(struct config_list *list, const char *value, size_t len)
{
    list->items = mem_resize_array(list->items, list->count + 1, sizeof(*list->items));
    list->items[list->count++] = mem_strndup(value, len);
}

static bool config_list_contains(const struct config_list *list, const char *value, size_t len)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strlen(list->items[i]) == len && memcmp(list->items[i], value, len) == 0) {
            return true;
        }
    }
    return false;
}

static void config_value_read_element(const struct config_key *key, struct config_source *source, const char *name,
                                      const config_setting_t *element, struct config_list *list)
{
    const char *value = config_setting_get_string(element);
    if (!value) {
        config_value_report_type(key, source, name, element);
        return;
    }
    cleanup_free char *element_name = mem_printf("an entry of %s", name);
    if (!config_value_check_string(key, source, element_name, element, value)) {
        return;
    }
    size_t len = strlen(value);
    while (key->trim_slashes && len > 0 && value[len - 1] == '/') {
        len--;
    }
    if (config_list_contains(list, value, len)) {
        config_source_report(source, config_setting_source_line(element), "%s lists \"%.*s\" twice; remove one of them",
                             name, (int)len, value);
        return;
    }
    config_list_add(list, value, len);
}

static void config_value_read_list(const struct config_key *key, struct config_source *source, const char *name,
                                   const config_setting_t *setting, struct config_list *field)
{
    if (!config_setting_is_array(setting) && !config_setting_is_list(setting)) {
        config_value_report_type(key, source, name, setting);
        return;
    }
    int count = config_setting_length(setting);
    if (count > CONFIG_MAX_LIST || (count == 0 && key->required)) {
        config_source_report(source, config_setting_source_line(setting), "%s has %d entries; it must have %d to %d",
                             name, count, key->required ? 1 : 0, CONFIG_MAX_LIST);
        return;
    }
    struct config_list list = {0};
    for (int i = 0; i < count; i++) {
        config_value_read_element(key, source, name, config_setting_get_elem(setting, (unsigned)i), &list);
    }
    config_list_free(field);
    *field = list;
}

static void config_value_read_bool(const struct config_key *key, struct config_source *source, const char *name,
                                   const config_setting_t *setting, bool *field)
{
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL) {
        config_value_report_type(key, source, name, setting);
        return;
    }
    *field = config_setting_get_bool(setting) != 0;
}

/* `5` and `5L`: which of them libconfig makes of a number is its own affair. */
static bool config_value_is_whole(const config_setting_t *setting)
{
    return config_setting_type(setting) == CONFIG_TYPE_INT || config_setting_type(setting) == CONFIG_TYPE_INT64;
}

static void config_value_read_int(const struct config_key *key, struct config_source *source, const char *name,
                                  const config_setting_t *setting, int *field)
{
    if (!config_value_is_whole(setting)) {
        config_value_report_type(key, source, name, setting);
        return;
    }
    long long value = config_setting_get_int64(setting);
    if (value < key->min || value > key->max) {
        char shown[24];
        (void)snprintf(shown, sizeof(shown), "%lld", value);
        config_value_report_range(key, source, name, setting, shown);
        return;
    }
    *field = (int)value;
}

/* Milliseconds of a string or a bare number of seconds; 0 (which no duration may be) for what is none. */
static int64_t config_value_get_duration(const config_setting_t *setting, struct buf *shown)
{
    int64_t ms = 0;
    if (config_setting_type(setting) == CONFIG_TYPE_STRING) {
        const char *text = config_setting_get_string(setting);
        buf_putc(shown, '"');
        text_append_safe(shown, text, strlen(text), 32);
        buf_putc(shown, '"');
        return text_parse_duration(text, &ms) == 0 ? ms : 0;
    }
    if (config_setting_type(setting) == CONFIG_TYPE_FLOAT) {
        const double max_seconds = 1e9;
        double seconds = config_setting_get_float(setting);
        buf_printf(shown, "%g", seconds);
        return seconds > 0 && seconds < max_seconds ? (int64_t)(seconds * 1000 + 0.5) : 0;
    }
    buf_printf(shown, "%lld", config_setting_get_int64(setting));
    return (int64_t)config_setting_get_int64(setting) * 1000;
}

static void config_value_read_duration(const struct config_key *key, struct config_source *source, const char *name,
                                       const config_setting_t *setting, int64_t *field)
{
    int type = config_setting_type(setting);
    if (type != CONFIG_TYPE_STRING && type != CONFIG_TYPE_FLOAT && !config_value_is_whole(setting)) {
        config_value_report_type(key, source, name, setting);
        return;
    }
    cleanup_buf struct buf shown = BUF_INIT;
    int64_t ms = config_value_get_duration(setting, &shown);
    if (ms <= 0 || ms > key->max) {
        config_value_report_range(key, source, name, setting, buf_text(&shown));
        return;
    }
    *field = ms;
}

/* Returns the word's place, or -1. */
static int config_value_find_word(const struct config_key *key, const char *word)
{
    for (int i = 0; key->words[i]; i++) {
        if (strcmp(key->words[i], word) == 0) {
            return i;
        }
    }
    return -1;
}

/* Enums are of int's size; their type differs from key to key. */
static void config_value_set_choice(void *field, int place)
{
    memcpy(field, &place, sizeof(place));
}

static void config_value_read_choice(const struct config_key *key, struct config_source *source, const char *name,
                                     const config_setting_t *setting, void *field)
{
    const char *word = config_setting_get_string(setting);
    if (!word) {
        config_value_report_type(key, source, name, setting);
        return;
    }
    int place = config_value_find_word(key, word);
    if (place < 0) {
        cleanup_buf struct buf shown = BUF_INIT;
        buf_putc(&shown, '"');
        text_append_safe(&shown, word, strlen(word), 64);
        buf_putc(&shown, '"');
        config_value_report_range(key, source, name, setting, buf_text(&shown));
        return;
    }
    config_value_set_choice(field, place);
}

void config_value_read(const struct config_key *key, struct config_source *source, const char *name,
                       const config_setting_t *setting, void *base)
{
    void *field = config_key_field(key, base);
    switch (key->type) {
    case CONFIG_KEY_STRING:
        config_value_read_string(key, source, name, setting, field);
        break;
    case CONFIG_KEY_LIST:
        config_value_read_list(key, source, name, setting, field);
        break;
    case CONFIG_KEY_BOOL:
        config_value_read_bool(key, source, name, setting, field);
        break;
    case CONFIG_KEY_INT:
        config_value_read_int(key, source, name, setting, field);
        break;
    case CONFIG_KEY_DURATION:
        config_value_read_duration(key, source, name, setting, field);
        break;
    case CONFIG_KEY_CHOICE:
        config_value_read_choice(key, source, name, setting, field);
        break;
    case CONFIG_KEY_GROUP:
    case CONFIG_KEY_GROUPS:
        abort();
    }
}

void config_value_set_default(const struct config_key *key, void *base)
{
    void *field = config_key_field(key, base);
    int64_t number = 0;
    switch (key->type) {
    case CONFIG_KEY_STRING:
        config_value_set_string(field, key->fallback ? key->fallback : "");
        break;
    case CONFIG_KEY_LIST:
        if (key->fallback) {
            config_list_add(field, key->fallback, strlen(key->fallback));
        }
        break;
    case CONFIG_KEY_BOOL:
        (void)text_parse_bool(key->fallback, field);
        break;
    case CONFIG_KEY_INT:
        (void)text_parse_int(key->fallback, key->min, key->max, &number);
        *(int *)field = (int)number;
        break;
    case CONFIG_KEY_DURATION:
        (void)text_parse_duration(key->fallback, field);
        break;
    case CONFIG_KEY_CHOICE:
        config_value_set_choice(field, config_value_find_word(key, key->fallback));
        break;
    case CONFIG_KEY_GROUP:
    case CONFIG_KEY_GROUPS:
        abort();
    }
}

void config_value_free(const struct config_key *key, void *base)
{
    if (key->type == CONFIG_KEY_STRING) {
        char **field = config_key_field(key, base);
        free(*field);
    } else if (key->type == CONFIG_KEY_LIST) {
        config_list_free(config_key_field(key, base));
    }
}
