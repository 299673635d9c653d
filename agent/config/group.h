/* SPDX-License-Identifier: MIT */
/* Structs that the key table describes: defaults, freeing, reading, and the checks between their keys. Internal to
 * config/. */
#ifndef SLOTD_CONFIG_GROUP_H
#define SLOTD_CONFIG_GROUP_H

#include <libconfig.h>

#include "key.h"
#include "source.h"

/* base is a zeroed struct of the group's size. */
void config_group_set_defaults(const struct config_group *group, void *base);
/* Frees what the struct owns, not the struct. */
void config_group_free(const struct config_group *group, void *base);
/* Reads a setting of type group over the defaults; what is wrong is reported to source and keeps its default. name is
 * the group's in error texts, "" for the whole file. */
void config_group_read(const struct config_group *group, struct config_source *source, const char *name,
                       const config_setting_t *setting, void *base);
/* Reads one key's value, not a group's. */
void config_value_set_default(const struct config_key *key, void *base);
void config_value_free(const struct config_key *key, void *base);
void config_value_read(const struct config_key *key, struct config_source *source, const char *name,
                       const config_setting_t *setting, void *base);
/* Reports that a value's type is wrong. */
void config_value_report_type(const struct config_key *key, struct config_source *source, const char *name,
                              const config_setting_t *setting);
/* What a configuration is read for. */
enum config_use {
    CONFIG_USE_DAEMON,
    CONFIG_USE_MAP,    /* haproxy may be missing */
    CONFIG_USE_RENDER, /* what goes into haproxy.cfg has to be fit for it */
};

/* Reports what no single key shows. */
void config_relations_check(struct config_source *source, const config_setting_t *root, enum config_use use);
/* Reports that only one of two keys of a section is set. */
void config_relations_check_pair(struct config_source *source, const char *name, const config_setting_t *section,
                                 const char *first, const char *second);
/* Reports what slotd takes and a haproxy.cfg does not. */
void config_rendered_check(struct config_source *source, const config_setting_t *root);

static inline void *config_key_field(const struct config_key *key, void *base)
{
    return (char *)base + key->offset;
}

#endif
