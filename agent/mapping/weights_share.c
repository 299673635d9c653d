/* SPDX-License-Identifier: MIT */
/* Shares of a service's traffic as HAProxy's weights: one factor is searched for that makes every app's part right;
 * only where none does, an app's part is dealt out among its endpoints unit by unit. */
#include <string.h>

#include "slotd/mapping.h"
#include "slotd/mem.h"

#define HAPROXY_MAX_WEIGHT 256
#define SHARE_GOOD (1.0 / 512)   /* an error that equal weights for equal endpoints are worth */
#define SHARE_SLACK (1.0 / 4096) /* an error of apps that better proportions within them are worth */
#define SHARE_TIE 1e-9           /* errors closer than this are the same */

struct share_app {
    double part;   /* of the service's traffic, 0..1 */
    int64_t sum;   /* of its active endpoints' weights */
    size_t active; /* endpoints that take traffic */
    bool is_share;
    int64_t units; /* of weight that its endpoints get together */
};

/* Endpoints of one app with the same weight. */
struct share_class {
    size_t app;
    int64_t weight;
    size_t first, count; /* in points */
    size_t active;
    double unit; /* one endpoint's part of the service's traffic */
};

struct share_point {
    size_t app;
    int64_t weight;
    size_t index; /* in the caller's endpoints */
    bool idle;
    double want; /* when units are dealt out: what is left to get */
};

struct share {
    struct share_app *apps; /* behind the caller's one more, for all without a share */
    size_t n_apps;
    struct share_point *points; /* sorted by app, weight, index */
    size_t n_points;
    struct share_class *classes;
    size_t n_classes;
    double largest; /* unit of an active class */
};

struct share_error {
    double apps;    /* the largest error of an app's part */
    double classes; /* the same of a class's part */
};

static void share_free(struct share *share)
{
    free(share->apps);
    free(share->points);
    free(share->classes);
}

/* ---- what everybody should get ---- */

static int64_t effective_weight(const struct weight_endpoint *endpoint, const struct weight_override *app)
{
    int64_t weight = app->kind == WEIGHT_ABSOLUTE && !endpoint->fixed ? app->value : endpoint->weight;
    return weight > 0 ? weight : 0;
}

static void share_sum(struct share *share)
{
    for (size_t i = 0; i < share->n_apps; i++) {
        share->apps[i].sum = 0;
    }
    for (size_t i = 0; i < share->n_points; i++) {
        share->apps[share->points[i].app].sum += share->points[i].idle ? 0 : share->points[i].weight;
    }
}

static void share_take(struct share *share, const struct weight_endpoint *endpoints, size_t count,
                       const struct weight_override *overrides, size_t n_apps)
{
    share->apps = mem_alloc_array(n_apps + 1, sizeof(*share->apps));
    share->points = mem_alloc_array(count, sizeof(*share->points));
    share->classes = mem_alloc_array(count, sizeof(*share->classes));
    share->n_apps = n_apps;
    share->n_points = count;
    for (size_t i = 0; i < n_apps; i++) {
        share->apps[i].is_share = overrides[i].kind == WEIGHT_SHARE;
    }
    for (size_t i = 0; i < count; i++) {
        const struct weight_endpoint *endpoint = &endpoints[i];
        share->points[i] = (struct share_point){.app = endpoint->app,
                                                .weight = effective_weight(endpoint, &overrides[endpoint->app]),
                                                .index = i,
                                                .idle = endpoint->idle};
        share->apps[endpoint->app].active += endpoint->idle ? 0 : 1;
    }
    share_sum(share);
}

/* Weights of 0 would leave nobody: such apps' endpoints are equal then. */
static void share_make_equal(struct share *share, bool is_share)
{
    for (size_t i = 0; i < share->n_points; i++) {
        const struct share_app *app = &share->apps[share->points[i].app];
        if (app->is_share == is_share && app->sum == 0) {
            share->points[i].weight = 1;
        }
    }
    share_sum(share);
}

struct share_totals {
    size_t apps;    /* with active endpoints */
    size_t shares;  /* those of them with a share */
    double percent; /* asked for together */
    int64_t rest;   /* the others' weights together */
};

static struct share_totals share_count(const struct share *share, const struct weight_override *overrides)
{
    struct share_totals totals = {0};
    for (size_t i = 0; i < share->n_apps; i++) {
        const struct share_app *app = &share->apps[i];
        if (app->active == 0) {
            continue;
        }
        totals.apps++;
        totals.shares += app->is_share;
        totals.percent += app->is_share ? overrides[i].value : 0;
        totals.rest += app->is_share ? 0 : app->sum;
    }
    return totals;
}

/* Each app's part. Returns false when the shares say nothing: there are none, or nobody to share with. */
static bool share_divide(struct share *share, const struct weight_override *overrides)
{
    struct share_totals totals = share_count(share, overrides);
    bool nothing = totals.percent == 0;
    if (totals.shares == 0 || totals.apps == 1 || (nothing && totals.shares == totals.apps)) {
        return false;
    }
    share_make_equal(share, true);
    if (nothing && totals.rest == 0) {
        share_make_equal(share, false);
        totals = share_count(share, overrides);
    }
    double whole = totals.percent > 100 || totals.rest == 0 ? totals.percent : 100;
    double left = 1 - totals.percent / whole;
    for (size_t i = 0; i < share->n_apps; i++) {
        struct share_app *app = &share->apps[i];
        if (app->active == 0) {
            continue;
        }
        if (app->is_share) {
            app->part = overrides[i].value / whole;
        } else if (totals.rest > 0) {
            app->part = left * (double)app->sum / (double)totals.rest;
        }
    }
    return true;
}

static int compare_points(const void *a, const void *b)
{
    const struct share_point *left = a;
    const struct share_point *right = b;
    if (left->app != right->app) {
        return left->app < right->app ? -1 : 1;
    }
    if (left->weight != right->weight) {
        return left->weight < right->weight ? -1 : 1;
    }
    return left->index < right->index ? -1 : 1;
}

/* The class that point, the next in order, belongs to: the last one, or a new one. */
static struct share_class *share_find_class(struct share *share, const struct share_point *point)
{
    if (share->n_classes > 0) {
        struct share_class *last = &share->classes[share->n_classes - 1];
        if (last->app == point->app && last->weight == point->weight) {
            return last;
        }
    }
    const struct share_app *app = &share->apps[point->app];
    struct share_class *class = &share->classes[share->n_classes++];
    *class = (struct share_class){.app = point->app, .weight = point->weight, .first = (size_t)(point - share->points)};
    class->unit = app->sum > 0 ? app->part * (double)point->weight / (double)app->sum : 0;
    return class;
}

static void share_classify(struct share *share)
{
    qsort(share->points, share->n_points, sizeof(*share->points), compare_points);
    for (size_t i = 0; i < share->n_points; i++) {
        struct share_class *class = share_find_class(share, &share->points[i]);
        class->count++;
        if (share->points[i].idle) {
            continue;
        }
        class->active++;
        share->largest = class->unit > share->largest ? class->unit : share->largest;
    }
}

/* ---- equal weights for equal endpoints ---- */

/* The class's weight when the largest one's is scale. */
static int64_t class_weight(const struct share *share, const struct share_class *class, int scale)
{
    const struct share_app *app = &share->apps[class->app];
    if (class->weight == 0 || (app->active > 0 && class->unit <= 0)) {
        return 0;
    }
    double exact = scale * class->unit / share->largest;
    int64_t weight = exact >= HAPROXY_MAX_WEIGHT ? HAPROXY_MAX_WEIGHT : (int64_t)(exact + 0.5);
    return weight > 0 ? weight : 1;
}

static double distance(double a, double b)
{
    return a > b ? a - b : b - a;
}

/* Of the apps' units as they stand. */
static double apps_error(const struct share *share)
{
    int64_t total = 0;
    double worst = 0;
    for (size_t i = 0; i < share->n_apps; i++) {
        total += share->apps[i].units;
    }
    for (size_t i = 0; i < share->n_apps; i++) {
        double error = distance((double)share->apps[i].units / (double)total, share->apps[i].part);
        worst = error > worst ? error : worst;
    }
    return worst;
}

static struct share_error scale_error(const struct share *share, int scale)
{
    struct share_error error = {0};
    int64_t total = 0;
    for (size_t i = 0; i < share->n_apps; i++) {
        share->apps[i].units = 0;
    }
    for (size_t i = 0; i < share->n_classes; i++) {
        const struct share_class *class = &share->classes[i];
        int64_t units = class_weight(share, class, scale) * (int64_t) class->active;
        share->apps[class->app].units += units;
        total += units;
    }
    for (size_t i = 0; i < share->n_classes; i++) {
        const struct share_class *class = &share->classes[i];
        double active = (double)class->active;
        double part = (double)class_weight(share, class, scale) * active / (double)total;
        double wrong = distance(part, class->unit * active);
        error.classes = wrong > error.classes ? wrong : error.classes;
    }
    error.apps = apps_error(share);
    return error;
}

/* The best factor, and the apps' error with it. Among those that are as good for the apps the one that is best within
 * them, and the smallest of those. */
static int share_find_scale(const struct share *share, double *ret_error)
{
    struct share_error errors[HAPROXY_MAX_WEIGHT + 1];
    double least = 1;
    for (int scale = 1; scale <= HAPROXY_MAX_WEIGHT; scale++) {
        errors[scale] = scale_error(share, scale);
        least = errors[scale].apps < least ? errors[scale].apps : least;
    }
    int best = 0;
    for (int scale = 1; scale <= HAPROXY_MAX_WEIGHT; scale++) {
        if (errors[scale].apps <= least + SHARE_SLACK &&
            (best == 0 || errors[scale].classes < errors[best].classes - SHARE_TIE)) {
            best = scale;
        }
    }
    *ret_error = errors[best].apps;
    return best;
}

static void share_write(const struct share *share, int scale, uint16_t *ret_scaled)
{
    for (size_t i = 0; i < share->n_classes; i++) {
        const struct share_class *class = &share->classes[i];
        uint16_t weight = (uint16_t)class_weight(share, class, scale);
        for (size_t j = 0; j < class->count; j++) {
            ret_scaled[share->points[class->first + j].index] = weight;
        }
    }
}

/* ---- unit by unit ---- */

/* Apps without a share become one: rounded each for itself, many small ones would be wrong together. */
static void share_pool_rest(struct share *share)
{
    struct share_app *pool = &share->apps[share->n_apps];
    for (size_t i = 0; i < share->n_apps; i++) {
        struct share_app *app = &share->apps[i];
        if (!app->is_share) {
            pool->part += app->part;
            pool->sum += app->sum;
            *app = (struct share_app){0};
        }
    }
    for (size_t i = 0; i < share->n_points; i++) {
        if (!share->apps[share->points[i].app].is_share) {
            share->points[i].app = share->n_apps;
        }
    }
    share->n_apps++;
    qsort(share->points, share->n_points, sizeof(*share->points), compare_points);
}

static void apps_round(const struct share *share, double scale)
{
    for (size_t i = 0; i < share->n_apps; i++) {
        struct share_app *app = &share->apps[i];
        app->units = (int64_t)(app->part * scale + 0.5);
        app->units += app->part > 0 && app->units == 0;
    }
}

/* How many units each app gets: their number is searched for downwards from the most that keeps everybody below 257.
 * Returns the apps' error. */
static double share_find_units(const struct share *share)
{
    int64_t most = (int64_t)(HAPROXY_MAX_WEIGHT / share->largest + SHARE_TIE);
    int64_t best = most;
    double least = 1;
    for (int64_t units = most; units > 0 && units > most - HAPROXY_MAX_WEIGHT; units--) {
        apps_round(share, (double)units);
        double error = apps_error(share);
        if (error < least - SHARE_TIE) {
            least = error;
            best = units;
        }
    }
    apps_round(share, (double)best);
    return least;
}

static int compare_wants(const void *a, const void *b)
{
    const struct share_point *left = a;
    const struct share_point *right = b;
    if (left->want != right->want) {
        return left->want > right->want ? -1 : 1;
    }
    return left->index < right->index ? -1 : 1;
}

/* Gives left units to those that want most, one each, over and over. */
static void deal_rest(struct share_point *points, size_t count, int64_t left, uint16_t *ret_scaled)
{
    bool dealt = true;
    qsort(points, count, sizeof(*points), compare_wants);
    while (left > 0 && dealt) {
        dealt = false;
        for (size_t i = 0; i < count && left > 0; i++) {
            uint16_t *weight = &ret_scaled[points[i].index];
            if (!points[i].idle && points[i].weight > 0 && *weight < HAPROXY_MAX_WEIGHT) {
                (*weight)++;
                left--;
                dealt = true;
            }
        }
    }
}

static bool point_counts(const struct share_point *point)
{
    return !point->idle && point->weight > 0;
}

/* One each as long as there are enough, what is left in proportion of what they want beyond that. */
static void app_deal(const struct share_app *app, struct share_point *points, size_t count, uint16_t *ret_scaled)
{
    int64_t eaters = 0;
    double wanted = 0;
    for (size_t i = 0; i < count; i++) {
        eaters += point_counts(&points[i]);
    }
    int first = app->units >= eaters;
    for (size_t i = 0; i < count; i++) {
        double exact = app->sum > 0 ? (double)app->units * (double)points[i].weight / (double)app->sum : 0;
        points[i].want = point_counts(&points[i]) && exact > first ? exact - first : 0;
        wanted += points[i].want;
    }
    int64_t left = app->units - first * eaters;
    double factor = wanted > 0 ? (double)left / wanted : 0;
    for (size_t i = 0; i < count; i++) {
        struct share_point *point = &points[i];
        double exact = point->want * factor;
        int64_t whole = (int64_t)(exact + SHARE_TIE);
        whole = whole > HAPROXY_MAX_WEIGHT - first ? HAPROXY_MAX_WEIGHT - first : whole;
        point->want = exact - (double)whole;
        left -= point_counts(point) ? whole : 0;
        ret_scaled[point->index] = (uint16_t)(point_counts(point) ? whole + first : 0);
    }
    deal_rest(points, count, left, ret_scaled);
}

static void share_deal(const struct share *share, uint16_t *ret_scaled)
{
    size_t first = 0;
    for (size_t i = 0; i < share->n_points; i++) {
        bool last = i + 1 == share->n_points || share->points[i + 1].app != share->points[i].app;
        if (last) {
            app_deal(&share->apps[share->points[i].app], share->points + first, i + 1 - first, ret_scaled);
            first = i + 1;
        }
    }
}

static void share_solve(struct share *share, uint16_t *ret_scaled)
{
    double error = 0;
    share_classify(share);
    int scale = share_find_scale(share, &error);
    share_write(share, scale, ret_scaled);
    if (error <= SHARE_GOOD) {
        return;
    }
    share_pool_rest(share);
    if (share_find_units(share) >= error) {
        return;
    }
    uint16_t *dealt = mem_alloc_array(share->n_points, sizeof(*dealt));
    share_deal(share, dealt);
    for (size_t i = 0; i < share->n_points; i++) {
        /* What is idle keeps what its equals would have had. */
        if (!share->points[i].idle) {
            ret_scaled[share->points[i].index] = dealt[share->points[i].index];
        }
    }
    free(dealt);
}

/* Whether all that is left of the service is an app with a share, whose own weights would give it nothing. */
static bool share_needs_weight(const struct share *share, const struct weight_override *overrides, size_t app)
{
    return share->apps[app].is_share && overrides[app].value > 0 && share->apps[app].active > 0 &&
           share->apps[app].sum == 0;
}

static void share_scale_only(const struct share *share, const struct weight_endpoint *endpoints, size_t count,
                             const struct weight_override *overrides, uint16_t *ret_scaled)
{
    int32_t *weights = mem_alloc_array(count, sizeof(*weights));
    for (size_t i = 0; i < count; i++) {
        size_t app = endpoints[i].app;
        weights[i] = (int32_t)effective_weight(&endpoints[i], &overrides[app]);
        if (weights[i] == 0 && share_needs_weight(share, overrides, app)) {
            weights[i] = 1;
        }
    }
    weights_scale(weights, count, ret_scaled);
    free(weights);
}

void weights_share(const struct weight_endpoint *endpoints, size_t count, const struct weight_override *apps,
                   size_t n_apps, uint16_t *ret_scaled)
{
    struct share share = {0};
    share_take(&share, endpoints, count, apps, n_apps);
    if (share_divide(&share, apps)) {
        share_solve(&share, ret_scaled);
    } else {
        share_scale_only(&share, endpoints, count, apps, ret_scaled);
    }
    share_free(&share);
}
