/* SPDX-License-Identifier: MIT */
/* What is wrong between keys that are each right by themselves. Looks at what was written, so that a value that was
 * refused does not also count as missing. */
#include "group.h"

/* The member when it is there and not "", else NULL. */
static const config_setting_t *config_relations_find(const config_setting_t *group, const char *key)
{
    const config_setting_t *member = config_setting_get_member(group, key);
    const char *text = member ? config_setting_get_string(member) : NULL;
    return text && *text == '\0' ? NULL : member;
}

void config_relations_check_pair(struct config_source *source, const char *name, const config_setting_t *section,
                                 const char *first, const char *second)
{
    const config_setting_t *first_member = config_relations_find(section, first);
    const config_setting_t *second_member = config_relations_find(section, second);
    if (!first_member == !second_member) {
        return;
    }
    config_source_report(source, config_setting_source_line(first_member ? first_member : second_member),
                         "%s.%s is set without %s.%s; set both or none", name, first_member ? first : second, name,
                         first_member ? second : first);
}

static void config_relations_check_marathon(struct config_source *source, const config_setting_t *marathon)
{
    config_relations_check_pair(source, "marathon", marathon, "user", "password_file");
    config_relations_check_pair(source, "marathon", marathon, "cert_file", "key_file");
    const config_setting_t *token = config_relations_find(marathon, "dcos_token_file");
    if (token && config_relations_find(marathon, "user")) {
        config_source_report(
            source, config_setting_source_line(token),
            "marathon.user and marathon.dcos_token_file are both set; a request carries only one of them");
    }
}

void config_relations_check(struct config_source *source, const config_setting_t *root, enum config_use use)
{
    const config_setting_t *marathon = config_setting_get_member(root, "marathon");
    if (marathon && config_setting_is_group(marathon)) {
        config_relations_check_marathon(source, marathon);
    }
    const config_setting_t *edge = config_setting_get_member(root, "edge");
    if (edge && config_setting_is_group(edge)) {
        config_relations_check_pair(source, "edge", edge, "https_bind", "certificates");
    }
    const config_setting_t *haproxy = config_setting_get_member(root, "haproxy");
    bool is_empty = haproxy && config_setting_is_list(haproxy) && config_setting_length(haproxy) == 0;
    if (use != CONFIG_USE_MAP && (!haproxy || is_empty)) {
        config_source_report(source, haproxy ? config_setting_source_line(haproxy) : 1,
                             "haproxy has no entry; name at least one, such as "
                             "haproxy = ( { name = \"edge\"; socket = \"/run/haproxy/admin.sock\"; } );");
    }
    if (use == CONFIG_USE_RENDER) {
        config_rendered_check(source, root);
    }
}
