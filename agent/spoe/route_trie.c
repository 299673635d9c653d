/* SPDX-License-Identifier: MIT */
/* A hash trie of 32 ways whose paths are copied where they change: all else is shared. What has an equal hash shares a
 * list, since a rule looks at the host itself again. */
#include <string.h>

#include "route_private.h"
#include "slotd/mem.h"

#define BITS 5
#define MASK 31U

struct node {
    struct route_item item;
    uint32_t present; /* which of the 32 are there */
    struct route_item *children[];
};

/* ---- references ---- */

void route_item_hold(struct route_item *item)
{
    if (item) {
        item->refs++;
    }
}

static size_t count_bits(uint32_t bits)
{
    return (size_t)__builtin_popcount(bits);
}

void route_item_drop(struct route_item *item)
{
    if (!item || --item->refs > 0) {
        return;
    }
    if (item->is_list) {
        struct route_list *list = (struct route_list *)item;
        for (size_t i = 0; i < list->count; i++) {
            route_rule_drop(list->candidates[i].rule);
        }
    } else {
        struct node *node = (struct node *)item;
        for (size_t i = 0; i < count_bits(node->present); i++) {
            route_item_drop(node->children[i]);
        }
    }
    free(item);
}

/* ---- lists ---- */

bool route_rule_precedes(const struct route_rule *a, const struct route_rule *b)
{
    if (a->entry.priority != b->entry.priority) {
        return a->entry.priority > b->entry.priority;
    }
    int order = strcmp(a->entry.frontend, b->entry.frontend);
    return order != 0 ? order < 0 : strcmp(a->entry.service, b->entry.service) < 0;
}

/* host may be NULL. */
static struct route_list *list_new(uint64_t hash, const char *host, size_t count)
{
    size_t len = host ? strlen(host) : 0;
    size_t size = sizeof(struct route_list) + count * sizeof(struct route_candidate);
    struct route_list *list = mem_alloc(size + len + 1);
    list->item = (struct route_item){.refs = 1, .is_list = true};
    list->hash = hash;
    if (host) {
        list->host = memcpy((char *)list + size, host, len);
        list->host_len = len;
    }
    return list;
}

static void list_append(struct route_list *list, const struct route_candidate *candidate)
{
    candidate->rule->refs++;
    list->candidates[list->count++] = *candidate;
}

static struct route_candidate candidate_of(struct route_rule *rule)
{
    const struct route_compiled *compiled = rule->compiled;
    size_t len = compiled->begin_len < ROUTE_BEGIN ? compiled->begin_len : ROUTE_BEGIN;
    struct route_candidate candidate = {.rule = rule, .points = (uint8_t)rule->entry.points, .begin_len = (uint8_t)len};
    memcpy(candidate.begin, compiled->begin, len);
    return candidate;
}

struct route_list *route_list_add(struct route_list *list, uint64_t hash, const char *host, struct route_rule *rule)
{
    size_t count = list ? list->count : 0;
    bool is_one = !list || (list->host && host && strcmp(list->host, host) == 0);
    struct route_list *made = list_new(hash, is_one ? host : NULL, count + 1);
    const struct route_candidate candidate = candidate_of(rule);
    size_t i = 0;
    for (; i < count && !route_rule_precedes(rule, list->candidates[i].rule); i++) {
        list_append(made, &list->candidates[i]);
    }
    list_append(made, &candidate);
    for (; i < count; i++) {
        list_append(made, &list->candidates[i]);
    }
    return made;
}

struct route_list *route_list_remove(struct route_list *list, const struct route_rule *rule)
{
    struct route_list *made = list->count > 1 ? list_new(list->hash, list->host, list->count - 1) : NULL;
    bool is_gone = false;
    for (size_t i = 0; made && i < list->count; i++) {
        if (!is_gone && list->candidates[i].rule == rule) {
            is_gone = true;
        } else {
            list_append(made, &list->candidates[i]);
        }
    }
    return made;
}

/* ---- the trie ---- */

static uint32_t bit_at(uint64_t hash, unsigned shift)
{
    return 1U << ((hash >> shift) & MASK);
}

static struct node *node_new(uint32_t present)
{
    struct node *node = mem_alloc(sizeof(*node) + count_bits(present) * sizeof(struct route_item *));
    node->item = (struct route_item){.refs = 1};
    node->present = present;
    return node;
}

/* A copy of the node with child, whose reference it takes, in that place; NULL: without. node may be NULL. */
static struct node *node_with(const struct node *node, uint32_t bit, struct route_item *child)
{
    uint32_t before = node ? node->present : 0;
    struct node *made = node_new(child ? before | bit : before & ~bit);
    size_t from = 0;
    size_t to = 0;
    for (uint32_t at = 1; at; at <<= 1) {
        struct route_item *old = before & at ? node->children[from++] : NULL;
        if (at == bit) {
            old = child;
        } else {
            route_item_hold(old);
        }
        if (old) {
            made->children[to++] = old;
        }
    }
    return made;
}

static struct route_item *node_child(const struct node *node, uint32_t bit)
{
    return node->present & bit ? node->children[count_bits(node->present & (bit - 1))] : NULL;
}

/* None of the three takes a reference of item; what they return is the caller's. */
static struct route_item *item_add(struct route_item *item, unsigned shift, uint64_t hash, const char *host,
                                   struct route_rule *rule)
{
    if (!item) {
        return &route_list_add(NULL, hash, host, rule)->item;
    }
    const struct route_list *list = (const struct route_list *)item;
    if (item->is_list && list->hash == hash) {
        return &route_list_add((struct route_list *)item, hash, host, rule)->item;
    }
    uint32_t bit = bit_at(hash, shift);
    if (!item->is_list) {
        const struct node *node = (const struct node *)item;
        return &node_with(node, bit, item_add(node_child(node, bit), shift + BITS, hash, host, rule))->item;
    }
    /* Another hash has this place: a node for both. */
    route_item_hold(item);
    struct node *lower = node_with(NULL, bit_at(list->hash, shift), item);
    struct route_item *made = item_add(&lower->item, shift, hash, host, rule);
    route_item_drop(&lower->item);
    return made;
}

static struct route_item *item_remove(struct route_item *item, unsigned shift, uint64_t hash,
                                      const struct route_rule *rule)
{
    if (item->is_list) {
        struct route_list *left = route_list_remove((struct route_list *)item, rule);
        return left ? &left->item : NULL;
    }
    const struct node *node = (const struct node *)item;
    uint32_t bit = bit_at(hash, shift);
    struct route_item *left = item_remove(node_child(node, bit), shift + BITS, hash, rule);
    struct node *made = node_with(node, bit, left);
    if (made->present == 0 || (count_bits(made->present) == 1 && made->children[0]->is_list)) {
        struct route_item *only = made->present ? made->children[0] : NULL;
        route_item_hold(only);
        route_item_drop(&made->item);
        return only;
    }
    return &made->item;
}

struct route_item *route_trie_add(struct route_item *root, uint64_t hash, const char *host, struct route_rule *rule)
{
    struct route_item *made = item_add(root, 0, hash, host, rule);
    route_item_drop(root);
    return made;
}

struct route_item *route_trie_remove(struct route_item *root, uint64_t hash, const struct route_rule *rule)
{
    struct route_item *made = item_remove(root, 0, hash, rule);
    route_item_drop(root);
    return made;
}

const struct route_list *route_trie_find(const struct route_item *root, uint64_t hash)
{
    const struct route_item *item = root;
    for (unsigned shift = 0; item && !item->is_list; shift += BITS) {
        item = node_child((const struct node *)item, bit_at(hash, shift));
    }
    const struct route_list *list = (const struct route_list *)item;
    return list && list->hash == hash ? list : NULL;
}
