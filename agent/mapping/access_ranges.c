/* SPDX-License-Identifier: MIT */
/* Ranges of clients' addresses: read, made canonical, and turned into beginnings of hexadecimal text, which is what a
 * look-up by prefix in HAProxy can compare. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slotd/access.h"
#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/table.h"
#include "slotd/text.h"

#define RANGE_MAX_TEXT 50 /* bytes: the longest address, a slash and three digits are 49 */

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* ---- one range ---- */

static void range_clear_rest(struct access_range *range)
{
    for (unsigned bit = range->length; bit < 8 * sizeof(range->bytes); bit++) {
        range->bytes[bit / 8] &= (uint8_t) ~(0x80U >> (bit % 8));
    }
}

/* ::ffff:10.0.0.0/104 is 10.0.0.0/8. */
static void range_unmap(struct access_range *range)
{
    if (range->is_v6 && range->length >= 96 && memcmp(range->bytes, mapped, sizeof(mapped)) == 0) {
        range->is_v6 = false;
        range->length = (uint8_t)(range->length - 96);
        memmove(range->bytes, range->bytes + 12, 4);
        memset(range->bytes + 4, 0, 12);
    }
}

static bool range_read_length(const char *text, uint8_t max, uint8_t *ret_length)
{
    int64_t length = 0;
    if (text[0] < '0' || text[0] > '9' || text_parse_int(text, 0, max, &length)) {
        return false;
    }
    *ret_length = (uint8_t)length;
    return true;
}

static bool range_read(const char *text, size_t len, struct access_range *ret_range)
{
    char copy[RANGE_MAX_TEXT + 1];
    struct access_range range = {0};
    if (len > RANGE_MAX_TEXT || memchr(text, '\0', len)) {
        return false;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    char *slash = strchr(copy, '/');
    if (slash) {
        *slash = '\0';
    }
    range.is_v6 = strchr(copy, ':') != NULL;
    if (inet_pton(range.is_v6 ? AF_INET6 : AF_INET, copy, range.bytes) != 1) {
        return false;
    }
    uint8_t max = range.is_v6 ? 128 : 32;
    range.length = max;
    if (slash && !range_read_length(slash + 1, max, &range.length)) {
        return false;
    }
    range_clear_rest(&range);
    range_unmap(&range);
    *ret_range = range;
    return true;
}

static bool range_contains(const struct access_range *outer, const struct access_range *inner)
{
    struct access_range cut = *inner;
    if (outer->is_v6 != inner->is_v6 || outer->length > inner->length) {
        return false;
    }
    cut.length = outer->length;
    range_clear_rest(&cut);
    return memcmp(cut.bytes, outer->bytes, sizeof(cut.bytes)) == 0;
}

void access_range_format(const struct access_range *range, char ret_text[ACCESS_CIDR_BYTES])
{
    char address[INET6_ADDRSTRLEN];
    (void)inet_ntop(range->is_v6 ? AF_INET6 : AF_INET, range->bytes, address, sizeof(address));
    (void)snprintf(ret_text, ACCESS_CIDR_BYTES, "%s/%u", address, (unsigned)range->length);
}

size_t access_range_expand(const struct access_range *range,
                           char ret_prefixes[ACCESS_MAX_PREFIXES][ACCESS_PREFIX_BYTES])
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n_digits = (range->length + 3U) / 4;
    size_t count = (size_t)1 << (4 * n_digits - range->length);
    for (size_t i = 0; i < count; i++) {
        char *prefix = ret_prefixes[i];
        *prefix++ = range->is_v6 ? '6' : '4';
        for (size_t d = 0; d < n_digits; d++) {
            unsigned digit = ((unsigned)range->bytes[d / 2] >> (d % 2 == 0 ? 4 : 0)) & 15U;
            *prefix++ = digits[d + 1 == n_digits ? digit + i : digit];
        }
        *prefix = '\0';
    }
    return count;
}

/* ---- lists ---- */

/* What contains others comes right before them. */
static int compare_ranges(const void *left, const void *right)
{
    const struct access_range *a = left;
    const struct access_range *b = right;
    int order = (int)a->is_v6 - (int)b->is_v6;
    order = order != 0 ? order : memcmp(a->bytes, b->bytes, sizeof(a->bytes));
    return order != 0 ? order : (int)a->length - (int)b->length;
}

/* Sorts, and leaves out what is within another. Returns how many stay. */
static size_t ranges_tidy(struct access_range *ranges, size_t count)
{
    size_t kept = 0;
    if (count > 1) {
        qsort(ranges, count, sizeof(*ranges), compare_ranges);
    }
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || !range_contains(&ranges[kept - 1], &ranges[i])) {
            ranges[kept++] = ranges[i];
        }
    }
    return kept;
}

static int ranges_refuse(const char *piece, size_t len, struct buf *why)
{
    buf_puts(why, "`");
    text_append_safe(why, piece, len, 60);
    buf_puts(why, "` is neither an address nor a range such as 10.0.0.0/8 or fd00::/8");
    return SLOTD_E_PARSE;
}

static int ranges_parse(const char *text, struct access_range *ranges, size_t *ret_count, struct buf *why)
{
    static const char blanks[] = " \t\n\v\f\r";
    size_t count = 0;
    for (const char *piece = text; *piece; piece += *piece == ',') {
        piece += strspn(piece, blanks);
        const char *end = piece + strcspn(piece, ",");
        size_t len = (size_t)(end - piece);
        while (len > 0 && strchr(blanks, piece[len - 1])) {
            len--;
        }
        if (len > 0 && count == ACCESS_MAX_RANGES) {
            buf_printf(why, "it has more than %d ranges", ACCESS_MAX_RANGES);
            return SLOTD_E_REFUSED;
        }
        if (len > 0 && !range_read(piece, len, &ranges[count++])) {
            return ranges_refuse(piece, len, why);
        }
        piece = end;
    }
    if (count == 0) {
        buf_puts(why, "it has no address in it");
        return SLOTD_E_PARSE;
    }
    *ret_count = ranges_tidy(ranges, count);
    return 0;
}

/* ---- of an access ---- */

static void access_set_ranges(struct access *access, struct access_range *ranges, size_t count)
{
    cleanup_buf struct buf content = BUF_INIT;
    char text[ACCESS_CIDR_BYTES];
    for (size_t i = 0; i < count; i++) {
        access_range_format(&ranges[i], text);
        buf_printf(&content, "%s ", text);
    }
    free(access->ranges);
    access->listed = true;
    access->ranges = ranges;
    access->n_ranges = count;
    access->digest = table_hash(0, buf_text(&content), content.len);
}

int access_read_list(struct access *access, const char *text, struct buf *why)
{
    struct access_range *ranges = mem_alloc_array(ACCESS_MAX_RANGES, sizeof(*ranges));
    size_t count = 0;
    int err = ranges_parse(text, ranges, &count, why);
    access_set_ranges(access, ranges, count);
    return err;
}

/* Of two ranges that are not apart one is within the other; both lists are sorted, and so is what comes out. */
static size_t ranges_cut(const struct access *a, const struct access *b, struct access_range *ranges)
{
    size_t count = 0;
    size_t i = 0;
    size_t j = 0;
    while (i < a->n_ranges && j < b->n_ranges) {
        const struct access_range *left = &a->ranges[i];
        const struct access_range *right = &b->ranges[j];
        bool ends_left = range_contains(right, left);
        bool ends_right = !ends_left && range_contains(left, right);
        if (ends_left || ends_right) {
            ranges[count++] = ends_left ? *left : *right;
        } else {
            ends_left = compare_ranges(left, right) < 0;
        }
        i += ends_left;
        j += !ends_left;
    }
    return count;
}

static void access_join_lists(struct access *access, const struct access *other)
{
    bool cut = access->listed && other->listed;
    if (!other->listed || access_lists_equal(access, other)) {
        return;
    }
    const struct access *one = access->listed ? access : other;
    /* Neither list has a range within another of its own, so that there are no more cuts than that. */
    size_t most = cut ? access->n_ranges + other->n_ranges : one->n_ranges;
    struct access_range *ranges = mem_alloc_array(most, sizeof(*ranges));
    size_t count = one->n_ranges;
    if (cut) {
        count = ranges_cut(access, other, ranges);
    } else if (count > 0) {
        memcpy(ranges, one->ranges, count * sizeof(*ranges));
    }
    access->closed = access->closed || count > ACCESS_MAX_JOINED;
    access_set_ranges(access, ranges, count > ACCESS_MAX_JOINED ? 0 : count);
}

void access_join(struct access *access, const struct access *other)
{
    access->closed = access->closed || other->closed || (access->points & other->points) == 0;
    access->points = access->points & other->points ? access->points & other->points : ACCESS_EVERYWHERE;
    access_join_lists(access, other);
    if (!access->redirect.target && other->redirect.target) {
        struct access copy = access_copy(other);
        access->redirect = copy.redirect;
        copy.redirect = (struct access_redirect){0};
        access_free(&copy);
    }
}

void access_whitelist_name(const struct access *access, const char *backend, struct buf *name)
{
    buf_printf(name, "%s~%016llx", backend, (unsigned long long)access->digest);
}
