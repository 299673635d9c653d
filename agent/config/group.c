/* SPDX-License-Identifier: MIT */
/* Walks the tree of keys: defaults, freeing, reading, and unknown keys. */
#include "group.h"

#include <stdlib.h>
#include <string.h>

#include "slotd/mem.h"

enum { CONFIG_MAX_GROUPS = 64, CONFIG_MAX_NAME = 40 };

/* The array of structs of a GROUPS key. */
struct config_array {
    void **items;
    size_t *count;
};

static struct config_array config_array_of(const struct config_key *key, void *base)
{
    return (struct config_array){config_key_field(key, base), (size_t *)(void *)((char *)base + key->count_offset)};
}

static void config_array_free(const struct config_key *key, void *base)
{
    struct config_array array = config_array_of(key, base);
    for (size_t i = 0; i < *array.count; i++) {
        config_group_free(key->group, (char *)*array.items + i * key->group->size);
    }
    free(*array.items);
    *array.items = NULL;
    *array.count = 0;
}

/* Reports entries whose value of key is that of an earlier entry. */
static void config_array_check_unique(const struct config_array *array, const struct config_group *group,
                                      const struct config_key *key, struct config_source *source, const char *name,
                                      const config_setting_t *setting)
{
    cleanup_free char **values = mem_alloc_array(*array->count, sizeof(*values));
    for (size_t i = 0; i < *array->count; i++) {
        memcpy(&values[i], (char *)*array->items + i * group->size + key->offset, sizeof(values[i]));
        size_t same = 0;
        while (same < i && strcmp(values[same], values[i]) != 0) {
            same++;
        }
        if (same == i || *values[i] == '\0') {
            continue;
        }
        const config_setting_t *entry = config_setting_get_elem(setting, (unsigned)i);
        const config_setting_t *member = config_setting_get_member(entry, key->name);
        config_source_report(source, config_setting_source_line(member ? member : entry),
                             "%s.%s \"%s\" is that of another entry too; each entry needs its own", name, key->name,
                             values[i]);
    }
}

/* Replaces the array by the groups of a list. */
static void config_array_read(const struct config_key *key, struct config_source *source, const char *name,
                              const config_setting_t *setting, void *base)
{
    if (!config_setting_is_list(setting)) {
        config_value_report_type(key, source, name, setting);
        return;
    }
    int count = config_setting_length(setting);
    if (count > CONFIG_MAX_GROUPS) {
        config_source_report(source, config_setting_source_line(setting), "%s has %d entries; it may have at most %d",
                             name, count, CONFIG_MAX_GROUPS);
        return;
    }
    size_t findings = source->n_findings;
    config_array_free(key, base);
    struct config_array array = config_array_of(key, base);
    *array.items = mem_alloc_array((size_t)count, key->group->size);
    for (int i = 0; i < count; i++) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
        void *item = (char *)*array.items + (size_t)i * key->group->size;
        config_group_set_defaults(key->group, item);
        ++*array.count;
        if (config_setting_is_group(element)) {
            config_group_read(key->group, source, name, element, item);
        } else {
            config_value_report_type(key, source, name, element);
        }
    }
    for (size_t i = 0; i < key->group->n_keys && source->n_findings == findings; i++) {
        if (key->group->keys[i].unique) {
            config_array_check_unique(&array, key->group, &key->group->keys[i], source, name, setting);
        }
    }
}

/* The default of an array is text as in a file, read as a file is. */
static void config_array_set_default(const struct config_key *key, void *base)
{
    if (!key->fallback) {
        return;
    }
    config_t file;
    struct config_source source;
    cleanup_free char *text = mem_printf("%s = %s;", key->name, key->fallback);
    config_source_init(&source, NULL);
    config_init(&file);
    if (config_read_string(&file, text) == CONFIG_TRUE) {
        config_array_read(key, &source, key->name, config_lookup(&file, key->name), base);
    }
    config_destroy(&file);
    config_source_free(&source);
}

void config_group_set_defaults(const struct config_group *group, void *base)
{
    for (size_t i = 0; i < group->n_keys; i++) {
        const struct config_key *key = &group->keys[i];
        if (key->type == CONFIG_KEY_GROUP) {
            config_group_set_defaults(key->group, config_key_field(key, base));
        } else if (key->type == CONFIG_KEY_GROUPS) {
            config_array_set_default(key, base);
        } else {
            config_value_set_default(key, base);
        }
    }
}

void config_group_free(const struct config_group *group, void *base)
{
    for (size_t i = 0; i < group->n_keys; i++) {
        const struct config_key *key = &group->keys[i];
        if (key->type == CONFIG_KEY_GROUP) {
            config_group_free(key->group, config_key_field(key, base));
        } else if (key->type == CONFIG_KEY_GROUPS) {
            config_array_free(key, base);
        } else {
            config_value_free(key, base);
        }
    }
}

static const struct config_key *config_group_find(const struct config_group *group, const char *name)
{
    for (size_t i = 0; i < group->n_keys; i++) {
        if (strcmp(group->keys[i].name, name) == 0) {
            return &group->keys[i];
        }
    }
    return NULL;
}

static char config_fold(char c)
{
    return c == '-' ? '_' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* How many letters differ (Levenshtein), case and the kind of dash aside. */
static size_t config_distance(const char *a, const char *b)
{
    size_t row[CONFIG_MAX_NAME + 1];
    size_t len = strnlen(b, CONFIG_MAX_NAME);
    for (size_t j = 0; j <= len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= strnlen(a, CONFIG_MAX_NAME); i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            size_t change = diagonal + (config_fold(a[i - 1]) != config_fold(b[j - 1]));
            diagonal = row[j];
            size_t insert = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < insert ? change : insert;
        }
    }
    return row[len];
}

/* The key whose name is so near that it is likely meant, or NULL. */
static const struct config_key *config_group_find_near(const struct config_group *group, const char *name)
{
    const struct config_key *nearest = NULL;
    size_t best = 1 + strlen(name) / 4;
    for (size_t i = 0; i < group->n_keys; i++) {
        size_t distance = config_distance(name, group->keys[i].name);
        if (distance < best || (distance == best && !nearest)) {
            best = distance;
            nearest = &group->keys[i];
        }
    }
    return nearest;
}

/* The section that has a key of that name, or NULL. */
static const struct config_key *config_root_find_owner(const char *name)
{
    for (size_t i = 0; i < config_root.n_keys; i++) {
        if (config_group_find(config_root.keys[i].group, name)) {
            return &config_root.keys[i];
        }
    }
    return NULL;
}

static void config_group_append_keys(const struct config_group *group, struct buf *text)
{
    for (size_t i = 0; i < group->n_keys; i++) {
        buf_printf(text, "%s%s", i == 0 ? "" : ", ", group->keys[i].name);
    }
}

/* name is the group's, "" for the whole file. */
static void config_group_report_unknown(const struct config_group *group, struct config_source *source,
                                        const char *name, const config_setting_t *member)
{
    const char *unknown = config_setting_name(member);
    const struct config_key *near = config_group_find_near(group, unknown);
    const struct config_key *owner = config_root_find_owner(unknown);
    cleanup_buf struct buf help = BUF_INIT;
    if (near) {
        buf_printf(&help, "did you mean `%s`?", near->name);
    } else if (owner) {
        buf_printf(&help, "that is a key of %s", owner->name);
    } else {
        buf_puts(&help, *name ? "its keys are " : "the sections are ");
        config_group_append_keys(group, &help);
    }
    config_source_report(source, config_setting_source_line(member), "unknown %s `%.*s`%s%s; %s",
                         *name ? "key" : "section", CONFIG_MAX_NAME, unknown, *name ? " in " : "", name,
                         buf_text(&help));
}

static void config_group_read_key(const struct config_key *key, struct config_source *source, const char *name,
                                  const config_setting_t *setting, void *base)
{
    if (key->type == CONFIG_KEY_GROUPS) {
        config_array_read(key, source, name, setting, base);
    } else if (key->type != CONFIG_KEY_GROUP) {
        config_value_read(key, source, name, setting, base);
    } else if (config_setting_is_group(setting)) {
        config_group_read(key->group, source, name, setting, config_key_field(key, base));
    } else {
        config_value_report_type(key, source, name, setting);
    }
}

/* Keys that have no default must be there. */
static void config_group_check_missing(const struct config_group *group, struct config_source *source, const char *name,
                                       const config_setting_t *setting)
{
    for (size_t i = 0; i < group->n_keys; i++) {
        const struct config_key *key = &group->keys[i];
        if (key->required && !key->fallback && !config_setting_get_member(setting, key->name)) {
            config_source_report(source, config_setting_source_line(setting),
                                 "%s.%s is missing; set it to a string such as \"%s\"", name, key->name, key->example);
        }
    }
}

void config_group_read(const struct config_group *group, struct config_source *source, const char *name,
                       const config_setting_t *setting, void *base)
{
    int count = config_setting_length(setting);
    for (int i = 0; i < count; i++) {
        const config_setting_t *member = config_setting_get_elem(setting, (unsigned)i);
        const struct config_key *key = config_group_find(group, config_setting_name(member));
        if (!key) {
            config_group_report_unknown(group, source, name, member);
            continue;
        }
        cleanup_free char *key_name = mem_printf("%s%s%s", name, *name ? "." : "", key->name);
        config_group_read_key(key, source, key_name, member, base);
    }
    config_group_check_missing(group, source, name, setting);
}
