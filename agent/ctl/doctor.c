/* SPDX-License-Identifier: MIT */
/* `slotctl doctor`: words, slotd.conf, slotd's own status, and the list of findings. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl_private.h"
#include "doctor.h"
#include "slotd/config.h"
#include "slotd/error.h"
#include "slotd/mem.h"
#include "slotd/text.h"

/* ---- output ---- */

static void print_text(const char *text, int colour, bool colours)
{
    cleanup_buf struct buf safe = BUF_INIT;
    text_append_safe(&safe, text, strlen(text), 4096);
    if (colours && colour) {
        printf("\033[%dm%s\033[0m", colour, buf_text(&safe));
    } else {
        fputs(buf_text(&safe), stdout);
    }
}

static const char *text_of(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    return value ? json_object_get_string(value) : NULL;
}

static int64_t number_of(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    return json_object_get_int64(value);
}

static int find_colour(const char *severity)
{
    enum { GREEN = 32, RED = 31, YELLOW = 33, PLAIN = 0 };
    return strcmp(severity, "ok") == 0        ? GREEN
           : strcmp(severity, "error") == 0   ? RED
           : strcmp(severity, "warning") == 0 ? YELLOW
                                              : PLAIN;
}

static void print_finding(struct json_object *finding, bool colours)
{
    enum { SEVERITY_WIDTH = 9 };
    const char *severity = text_of(finding, "severity");
    const char *remedy = text_of(finding, "remedy");
    print_text(severity, find_colour(severity), colours);
    printf("%*s", (int)(SEVERITY_WIDTH - strlen(severity)), "");
    print_text(text_of(finding, "subject"), 0, false);
    fputs(": ", stdout);
    print_text(text_of(finding, "message"), 0, false);
    if (remedy) {
        printf("\n%*s-> ", SEVERITY_WIDTH, "");
        print_text(remedy, 0, false);
    }
    putchar('\n');
}

static void print_findings(const struct ctl *ctl, struct json_object *document)
{
    struct json_object *list = NULL;
    json_object_object_get_ex(document, "findings", &list);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        print_finding(json_object_array_get_idx(list, i), ctl->colour);
    }
    printf("\nerrors: %lld, warnings: %lld, hints: %lld\n", (long long)number_of(document, "errors"),
           (long long)number_of(document, "warnings"), (long long)number_of(document, "hints"));
}

/* ---- slotd.conf ---- */

/* Each line is `FILE:LINE: what is wrong`. */
static void report_configuration(const char *path, char *lines, struct doctor_findings *findings)
{
    for (char *line; (line = strsep(&lines, "\n"));) {
        char *place = strchr(line, ':');
        char *message = place ? strstr(place, ": ") : NULL;
        if (line[0] && message) {
            *message = '\0';
            doctor_report(findings, DOCTOR_ERROR, "configuration", line, "%s", message + 2);
        } else if (line[0]) {
            doctor_report(findings, DOCTOR_ERROR, "configuration", path, "%s", line);
        }
    }
}

static struct config *load_config(const char *path, struct doctor_findings *findings)
{
    struct config *config = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    int err = config_load(path, &config, &why);
    if (err == 0) {
        doctor_report(findings, DOCTOR_OK, "configuration", path, "it is good");
    } else if (why.len > 0) {
        cleanup_free char *lines = buf_steal(&why);
        report_configuration(path, lines, findings);
    } else {
        doctor_report(findings, DOCTOR_ERROR, "configuration", path, "it cannot be read: %s", error_text(err));
    }
    return config;
}

static void judge_secrets(const struct config *config, const struct doctor_user *user, struct doctor_findings *findings)
{
    const struct config_marathon *marathon = &config->marathon;
    const struct {
        const char *key, *path;
    } secrets[] = {
        {"marathon.password_file", marathon->password_file},
        {"marathon.dcos_token_file", marathon->dcos_token_file},
        {"marathon.key_file", marathon->key_file},
    };
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        if (secrets[i].path[0]) {
            struct doctor_file file;
            doctor_file_look(secrets[i].path, 0, &file);
            doctor_judge_secret(secrets[i].key, &file, user, findings);
            doctor_file_free(&file);
        }
    }
}

/* ---- slotd ---- */

static bool take_status(void *arg, struct json_object *result)
{
    *(struct json_object **)arg = json_object_get(result);
    return false;
}

static struct json_object *ask_status(void *arg)
{
    struct json_object *status = NULL;
    int code = ctl_call(arg, "status", json_object_new_object(), false, take_status, &status);
    return code == CTL_EXIT_DONE ? status : NULL;
}

/* Returns slotd's process, 0 when it does not run or may not be asked. */
static pid_t judge_slotd(struct ctl *quiet, const struct config *config, struct doctor_findings *findings)
{
    pid_t pid = 0;
    int err = doctor_find_listener(quiet->socket, &pid);
    struct json_object *status = err == 0 ? ask_status(quiet) : NULL;
    if (status) {
        doctor_judge_status(config, status, findings);
        json_object_put(status);
    } else if (err == -EACCES) {
        doctor_report(findings, DOCTOR_HINT, "slotd-denied", quiet->socket,
                      "this user may not ask slotd for its status");
        doctor_remedy(findings, "sudo slotctl doctor");
    } else if (err == 0) {
        doctor_report(findings, DOCTOR_ERROR, "slotd-silent", quiet->socket, "slotd does not answer");
        doctor_remedy(findings, "journalctl -u slotd");
    } else {
        doctor_report(findings, DOCTOR_HINT, "slotd-down", quiet->socket, "slotd does not run: %s", error_text(err));
        doctor_remedy(findings, "systemctl start slotd");
    }
    return pid;
}

/* ---- all of it ---- */

static void examine_haproxy(struct ctl *quiet, const struct config *config, const struct config_haproxy *which,
                            const struct doctor_user *user, struct doctor_findings *findings)
{
    struct doctor_haproxy haproxy;
    doctor_look_at(which, user->runs ? ask_status : NULL, quiet, &haproxy);
    if (doctor_judge_socket(&haproxy, user, findings)) {
        doctor_judge_process(&haproxy, findings);
        doctor_judge_slots(&haproxy, findings);
        if (haproxy.state) {
            doctor_judge_pools(config, &haproxy, findings);
            doctor_judge_maps(&haproxy, user, findings);
        }
    }
    doctor_judge_state_file(&haproxy, user, findings);
    doctor_haproxy_free(&haproxy);
}

static void examine(const struct ctl *ctl, const char *path, struct doctor_findings *findings)
{
    struct doctor_user user;
    struct config *config = load_config(path, findings);
    if (!config) {
        return;
    }
    struct ctl quiet = *ctl;
    quiet.quiet = true;
    /* -s names another one than slotd.conf does. */
    quiet.socket = strcmp(ctl->socket, CONFIG_DEFAULT_SOCKET) == 0 ? config->control.socket : ctl->socket;
    doctor_user_find(judge_slotd(&quiet, config, findings), &user);
    judge_secrets(config, &user, findings);
    for (size_t i = 0; i < config->n_haproxy; i++) {
        examine_haproxy(&quiet, config, &config->haproxy[i], &user, findings);
    }
    doctor_user_free(&user);
    config_free(config);
}

int ctl_doctor(const struct ctl *ctl, int argc, char **argv, struct buf *complaint)
{
    const char *path = CONFIG_DEFAULT_FILE;
    struct doctor_findings findings = {0};
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "-c") != 0 || i + 1 == argc) {
            buf_printf(complaint, strcmp(argv[i], "-c") == 0 ? "-c needs a value" : "takes -c FILE alone, not %s",
                       argv[i]);
            return CTL_EXIT_USAGE;
        }
        path = argv[++i];
    }
    examine(ctl, path, &findings);
    doctor_sort(&findings);
    struct json_object *document = doctor_document(&findings);
    ctl_print(ctl, document, print_findings);
    json_object_put(document);
    int code = doctor_count(&findings, DOCTOR_ERROR) > 0 ? CTL_EXIT_FAILED : CTL_EXIT_DONE;
    doctor_findings_free(&findings);
    return code;
}
