/* SPDX-License-Identifier: MIT */
/* The whole way of `slotctl map`: what Traefik computed for the golden cases, and the form of the document. */
#include <glob.h>

#include "mapping_fixture.h"
#include "slotd/error.h"
#include "slotd/map_output.h"

/* ---- golden cases ---- */

static void read_file(const char *folder, const char *name, struct buf *content)
{
    cleanup_free char *path = mem_printf("%s%s", folder, name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    size_t len;
    do {
        len = fread(buf_reserve(content, 65536), 1, 65536, file);
        buf_commit(content, len);
    } while (len > 0);
    fclose(file);
}

static struct json_object *map_folder(const char *folder)
{
    struct json_object *document = NULL;
    struct config *config = NULL;
    cleanup_buf struct buf apps = BUF_INIT;
    cleanup_buf struct buf why = BUF_INIT;
    cleanup_free char *path = mem_printf("%sslotd.conf", folder);
    read_file(folder, "apps.json", &apps);
    ck_assert_msg(config_load_offline(path, &config, &why) == 0, "%s", buf_text(&why));
    ck_assert_msg(map_output_file(buf_text(&apps), apps.len, config, FIXTURE_NOW_MS, &document, &why) == 0, "%s: %s",
                  folder, buf_text(&why));
    config_free(config);
    return document;
}

static const char *text_of(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    ck_assert_msg(json_object_object_get_ex(object, key, &value), "no %s", key);
    return json_object_get_string(value);
}

static int64_t number_of(struct json_object *object, const char *key)
{
    return json_object_get_int64(json_object_object_get(object, key));
}

static int compare_by_text(const void *a, const void *b, const char *key)
{
    return strcmp(text_of(*(struct json_object *const *)a, key), text_of(*(struct json_object *const *)b, key));
}

static int compare_names(const void *a, const void *b)
{
    return compare_by_text(a, b, "name");
}

static int compare_servers(const void *a, const void *b)
{
    return compare_by_text(a, b, "server");
}

static struct json_object *sorted(struct json_object *owner, const char *key,
                                  int (*compare)(const void *, const void *))
{
    struct json_object *array = json_object_object_get(owner, key);
    ck_assert(json_object_is_type(array, json_type_array));
    json_object_array_sort(array, compare);
    return array;
}

static void check_endpoint(struct json_object *got, struct json_object *expected)
{
    ck_assert_str_eq(text_of(got, "server"), text_of(expected, "server"));
    ck_assert_str_eq(text_of(got, "host"), text_of(expected, "host"));
    ck_assert_str_eq(text_of(got, "protocol"), text_of(expected, "protocol"));
    ck_assert_int_eq(number_of(got, "port"), number_of(expected, "port"));
    if (number_of(expected, "weight") >= 0) {
        ck_assert_int_eq(number_of(got, "weight"), number_of(expected, "weight"));
    }
}

static void check_text_unless_null(struct json_object *got, struct json_object *expected, const char *key)
{
    const char *text = text_of(expected, key);
    ck_assert_str_eq(text ? text_of(got, key) : "", text ? text : "");
}

static void check_service(struct json_object *got, struct json_object *expected)
{
    struct json_object *endpoints = sorted(got, "endpoints", compare_servers);
    struct json_object *wanted = sorted(expected, "endpoints", compare_servers);
    ck_assert_str_eq(text_of(got, "name"), text_of(expected, "name"));
    check_text_unless_null(got, expected, "frontend");
    check_text_unless_null(got, expected, "rule");
    ck_assert_msg(json_object_array_length(endpoints) == json_object_array_length(wanted), "%s has %s",
                  text_of(got, "name"), json_object_get_string(endpoints));
    for (size_t i = 0; i < json_object_array_length(wanted); i++) {
        check_endpoint(json_object_array_get_idx(endpoints, i), json_object_array_get_idx(wanted, i));
    }
}

static size_t check_folder(const char *folder)
{
    cleanup_buf struct buf text = BUF_INIT;
    read_file(folder, "expected.json", &text);
    struct json_object *expected = json_tokener_parse(buf_text(&text));
    struct json_object *document = map_folder(folder);
    struct json_object *services = sorted(document, "services", compare_names);
    struct json_object *wanted = sorted(expected, "services", compare_names);
    size_t count = json_object_array_length(wanted);
    ck_assert_msg(json_object_array_length(services) == count, "%s: %zu services, expected %zu", folder,
                  json_object_array_length(services), count);
    for (size_t i = 0; i < count; i++) {
        check_service(json_object_array_get_idx(services, i), json_object_array_get_idx(wanted, i));
    }
    json_object_put(document);
    json_object_put(expected);
    return count;
}

START_TEST(what_traefik_makes_of_generated_apps)
{
    glob_t folders = {0};
    size_t count = 0;
    cleanup_free char *pattern = mem_strdup(suite_fixture("golden/*/"));
    ck_assert_int_eq(glob(pattern, 0, NULL, &folders), 0);
    for (size_t i = 0; i < folders.gl_pathc; i++) {
        count += check_folder(folders.gl_pathv[i]);
    }
    ck_assert_uint_ge(folders.gl_pathc, 10);
    ck_assert_uint_eq(count, 494);
    globfree(&folders);
}
END_TEST

/* ---- order ---- */

static uint64_t random_state;

static size_t random_below(size_t limit)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(random_state >> 33) % limit;
}

static void shuffle_array(struct json_object *array)
{
    for (size_t i = json_object_array_length(array); i > 1; i--) {
        size_t other = random_below(i);
        struct json_object *last = json_object_get(json_object_array_get_idx(array, i - 1));
        json_object_array_put_idx(array, i - 1, json_object_get(json_object_array_get_idx(array, other)));
        json_object_array_put_idx(array, other, last);
    }
}

/* Takes members out and puts them back at the end, in another order. */
static void shuffle_members(struct json_object *object)
{
    for (size_t i = 0; object && i < 2 * (size_t)json_object_object_length(object); i++) {
        size_t left = random_below((size_t)json_object_object_length(object));
        struct json_object_iterator at = json_object_iter_begin(object);
        while (left-- > 0) {
            json_object_iter_next(&at);
        }
        cleanup_free char *key = mem_strdup(json_object_iter_peek_name(&at));
        struct json_object *value = json_object_get(json_object_iter_peek_value(&at));
        json_object_object_del(object, key);
        json_object_object_add(object, key, value);
    }
}

static char *map_to_text(struct json_object *answer, const struct config *config)
{
    const char *json = json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN);
    struct json_object *document = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    int err = map_output_file(json, strlen(json), config, FIXTURE_NOW_MS, &document, &why);
    ck_assert_msg(err == 0, "%s", buf_text(&why));
    char *text = mem_strdup(json_object_to_json_string_ext(document, JSON_C_TO_STRING_PRETTY));
    json_object_put(document);
    return text;
}

static void shuffle_answer(struct json_object *answer)
{
    struct json_object *apps = json_object_object_get(answer, "apps");
    shuffle_array(apps);
    for (size_t i = 0; i < json_object_array_length(apps); i++) {
        struct json_object *app = json_object_array_get_idx(apps, i);
        shuffle_members(json_object_object_get(app, "labels"));
        shuffle_array(json_object_object_get(app, "tasks"));
    }
}

START_TEST(order_decides_nothing)
{
    static const char *const folders[] = {"golden/defaults/", "golden/marathon-lb/", "golden/subdomains/"};
    cleanup_free char *folder = mem_strdup(suite_fixture(folders[_i]));
    cleanup_buf struct buf apps = BUF_INIT;
    read_file(folder, "apps.json", &apps);
    struct json_object *answer = json_tokener_parse(buf_text(&apps));
    cleanup_free char *first = map_to_text(answer, fixture_config);
    for (uint64_t seed = 1; seed < 6; seed++) {
        random_state = seed;
        shuffle_answer(answer);
        cleanup_free char *again = map_to_text(answer, fixture_config);
        ck_assert_msg(strcmp(first, again) == 0, "%s shuffled with %llu", folder, (unsigned long long)seed);
    }
    json_object_put(answer);
}
END_TEST

/* ---- the document ---- */

#define OPEN                                                                                                           \
    "'access':{'summary':'open','entry_points':['http','https'],'closed':false,'whitelist':null,'redirect':null},"

static void check_document(const char *input, const char *expected)
{
    cleanup_free char *json = fixture_json(input);
    cleanup_free char *wanted = fixture_json(expected);
    cleanup_buf struct buf why = BUF_INIT;
    struct json_object *document = NULL;
    int err = map_output_file(json, strlen(json), fixture_config, FIXTURE_NOW_MS, &document, &why);
    ck_assert_msg(err == 0, "%s: %s", input, buf_text(&why));
    ck_assert_str_eq(json_object_to_json_string_ext(document, JSON_C_TO_STRING_NOSLASHESCAPE), wanted);
    json_object_put(document);
}

#define WEB                                                                                                            \
    "{'name':'backend-web','apps':['/web'],'segment':'','mode':'http','rule':'Host:web.marathon.localhost',"           \
    "'backend':null,'frontend':'frontend-web'," OPEN "'endpoints':[{'app':'/web','task':'web.1','segment':'',"         \
    "'server':'server-web-web-1','host':'node1','address':null,'port':31000,'protocol':'http','weight':1,"             \
    "'phase':'ready','slot':null}]}"

START_TEST(a_document_has_every_key_of_the_contract)
{
    check_document("{'apps':[]}", "{'services':[],'problems':[]}");
    check_document("{'apps':[" LABELLED("") "]}", "{'services':[" WEB "],'problems':[]}");
}
END_TEST

START_TEST(one_app_alone_is_taken_too)
{
    check_document("{'app':" LABELLED("") "}", "{'services':[" WEB "],'problems':[]}");
}
END_TEST

START_TEST(an_address_is_known_when_the_host_is_one)
{
    check_document("{'apps':[{'id':'/a','tasks':[{'id':'a.1','host':'fd00::1','state':'TASK_RUNNING','ports':[80]}]}]}",
                   "{'services':[{'name':'backend-a','apps':['/a'],'segment':'','mode':'http',"
                   "'rule':'Host:a.marathon.localhost','backend':null,'frontend':'frontend-a'," OPEN
                   "'endpoints':[{'app':'/a',"
                   "'task':'a.1','segment':'','server':'server-a-a-1','host':'fd00::1','address':'fd00::1','port':80,"
                   "'protocol':'http','weight':1,'phase':'ready','slot':null}]}],'problems':[]}");
}
END_TEST

START_TEST(an_app_that_does_not_parse_is_a_problem)
{
    check_document("{'apps':[{'id':'/bad','labels':[]}," LABELLED("") "]}",
                   "{'services':[" WEB "],'problems':[{'app':'/bad','task':null,'segment':'','code':'app-malformed',"
                   "'message':'labels: object expected, array found'}]}");
    check_document("{'apps':[7]}", "{'services':[],'problems':[{'app':null,'task':null,'segment':'',"
                                   "'code':'app-malformed','message':'object expected, integer found'}]}");
    check_document("{'app':{'id':'/bad','labels':[]}}",
                   "{'services':[],'problems':[{'app':'/bad','task':null,'segment':'','code':'app-malformed',"
                   "'message':'app.labels: object expected, array found'}]}");
}
END_TEST

START_TEST(a_problem_names_task_and_segment)
{
    check_document(
        "{'apps':[" LABELLED("'traefik.api.portIndex':'9'") "]}",
        "{'services':[{'name':'backend-web-service-api','apps':['/web'],'segment':'api','mode':'http',"
        "'rule':'Host:api.web.marathon.localhost','backend':null,'frontend':'frontend-web-service-api'," OPEN ""
        "'endpoints':[]}],'problems':[{'app':'/web','task':'web.1','segment':'api',"
        "'code':'port-index-out-of-range','message':'traefik.portIndex is 9; there are the ports 0 to 1'}]}");
}
END_TEST

START_TEST(what_is_no_answer_is_refused)
{
    static const char *const bad[] = {
        "",           "{",         "[]", "17", "<html>", "{'apps':{}}", "{'apps':[{'id':'/a'}]", "{'message':'no'}",
        "{'app':{}}", "{'app':[]}"};
    struct json_object *untouched = (struct json_object *)(uintptr_t)8;
    for (size_t i = 0; i < COUNT(bad); i++) {
        cleanup_free char *json = fixture_json(bad[i]);
        cleanup_buf struct buf why = BUF_INIT;
        struct json_object *document = untouched;
        ck_assert_msg(map_output_file(json, strlen(json), fixture_config, 0, &document, &why) < 0, "%s", bad[i]);
        ck_assert_msg(why.len > 0, "%s", bad[i]);
        ck_assert_ptr_eq(document, untouched);
    }
}
END_TEST

START_TEST(a_constraint_that_cannot_be_read_is_refused)
{
    char *items[] = {mem_strdup("label==a")};
    cleanup_buf struct buf why = BUF_INIT;
    struct json_object *document = NULL;
    fixture_config->mapping.constraints = (struct config_list){items, 1};
    ck_assert_int_eq(map_output_file("{}", 2, fixture_config, 0, &document, &why), SLOTD_E_CONFIG);
    ck_assert_str_eq(buf_text(&why),
                     "mapping.constraints: `label==a` is not understood; `tag==GLOB` or `tag!=GLOB` would be right");
    fixture_config->mapping.constraints = (struct config_list){0};
    free(items[0]);
}
END_TEST

static Suite *golden_suite(void)
{
    Suite *suite = suite_create("map");
    TCase *tests = fixture_case(suite, "map");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_is_no_answer_is_refused);
    tcase_add_test(tests, a_constraint_that_cannot_be_read_is_refused);
    tcase_add_test(tests, an_app_that_does_not_parse_is_a_problem);
    tcase_add_test(tests, a_problem_names_task_and_segment);
    tcase_add_test(tests, a_document_has_every_key_of_the_contract);
    tcase_add_test(tests, one_app_alone_is_taken_too);
    tcase_add_test(tests, an_address_is_known_when_the_host_is_one);
    tcase_add_loop_test(tests, order_decides_nothing, 0, 3);
    tcase_add_test(tests, what_traefik_makes_of_generated_apps);
    return suite;
}

SUITE_MAIN(golden_suite)
