/* SPDX-License-Identifier: MIT */
/* The daemon around the engine: options, configuration, signals, control socket, the loop. */
#include "slotd/daemon.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "notify.h"
#include "privacy.h"
#include "slotd/config.h"
#include "slotd/control.h"
#include "slotd/engine.h"
#include "slotd/error.h"
#include "slotd/log.h"
#include "slotd/mem.h"
#include "slotd/text.h"
#include "slotd/web.h"

#define DAEMON_STATUS_MS 5000 /* how often the service manager's status line is looked after */
#define DAEMON_MAX_STATUS 400
#define DAEMON_GRACE_MS 1000 /* for what is still under way when it stops */

static const char usage[] = "usage: slotd [-c FILE] [-t] [-d] [--confirm] [--log-format text|json] [-V] [-h]\n"
                            "\n"
                            "Keeps HAProxy's server slots in step with Marathon, without a reload.\n"
                            "\n"
                            "  -c, --config FILE         configuration, " CONFIG_DEFAULT_FILE " by default\n"
                            "  -t, --test                check the configuration and exit: 0 good, 1 bad\n"
                            "  -d, --debug               say more, each Runtime API command among it\n"
                            "      --confirm             believe the first answer of Marathon whatever it lacks\n"
                            "      --log-format FORMAT   text or json\n"
                            "  -V, --version             show the version\n"
                            "  -h, --help                show this\n";

struct options {
    const char *file;
    bool test, debug, confirm;
    enum log_format format;
};

struct daemon {
    uv_loop_t loop;
    struct options options;
    struct config *config;
    struct engine *engine;
    struct control *control;
    struct web *web; /* NULL without control.http */
    uv_signal_t terminate, interrupt, hangup;
    uv_timer_t watchdog, status, grace;
    char *shown_status; /* what the service manager was told last */
    bool stopping;
};

/* ---- options ---- */

/* Returns true when the daemon should go on; else *ret_exit is the process's exit code. */
static bool options_parse(int argc, char **argv, struct options *options, int *ret_exit)
{
    enum { OPTION_CONFIRM = 256, OPTION_LOG_FORMAT };
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'}, {"test", no_argument, NULL, 't'},
        {"debug", no_argument, NULL, 'd'},        {"confirm", no_argument, NULL, OPTION_CONFIRM},
        {"version", no_argument, NULL, 'V'},      {"log-format", required_argument, NULL, OPTION_LOG_FORMAT},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    int option;
    *ret_exit = DAEMON_EXIT_USAGE;
    while ((option = getopt_long(argc, argv, "c:tdVh", longs, NULL)) != -1) {
        if (option == 'c') {
            options->file = optarg;
        } else if (option == 't') {
            options->test = true;
        } else if (option == 'd') {
            options->debug = true;
        } else if (option == OPTION_CONFIRM) {
            options->confirm = true;
        } else if (option == OPTION_LOG_FORMAT && strcmp(optarg, "text") == 0) {
            options->format = LOG_FORMAT_TEXT;
        } else if (option == OPTION_LOG_FORMAT && strcmp(optarg, "json") == 0) {
            options->format = LOG_FORMAT_JSON;
        } else if (option == OPTION_LOG_FORMAT) {
            fprintf(stderr, "slotd: --log-format is text or json, not `%s`\n", optarg);
            return false;
        } else if (option == 'V') {
            puts("slotd " PACKAGE_VERSION);
            *ret_exit = DAEMON_EXIT_GOOD;
            return false;
        } else if (option == 'h') {
            fputs(usage, stdout);
            *ret_exit = DAEMON_EXIT_GOOD;
            return false;
        } else {
            fputs(usage, stderr);
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "slotd: `%s` is one argument too many\n%s", argv[optind], usage);
        return false;
    }
    return true;
}

/* ---- the service manager ---- */

static void daemon_show_alive(uv_timer_t *timer)
{
    (void)timer;
    notify_alive();
}

/* Said when it changes. Foreign text may be in it: a line end would be read as another word to the manager. */
static void daemon_show_status(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    cleanup_buf struct buf text = BUF_INIT;
    cleanup_buf struct buf safe = BUF_INIT;
    engine_describe(daemon->engine, &text);
    text_append_safe(&safe, buf_text(&text), text.len, DAEMON_MAX_STATUS);
    if (!daemon->shown_status || strcmp(daemon->shown_status, buf_text(&safe)) != 0) {
        notify_status(buf_text(&safe));
        free(daemon->shown_status);
        daemon->shown_status = buf_steal(&safe);
    }
}

static void daemon_tell_manager(struct daemon *daemon)
{
    uint64_t patience = notify_watchdog_ms();
    uv_timer_init(&daemon->loop, &daemon->watchdog);
    uv_timer_init(&daemon->loop, &daemon->status);
    daemon->watchdog.data = daemon->status.data = daemon;
    if (!notify_is_wanted()) {
        return;
    }
    uv_timer_start(&daemon->status, daemon_show_status, DAEMON_STATUS_MS / 10, DAEMON_STATUS_MS);
    if (patience > 0) {
        uv_timer_start(&daemon->watchdog, daemon_show_alive, 0, patience / 2 > 0 ? patience / 2 : 1);
    }
}

/* ---- signals ---- */

static void daemon_leave(uv_timer_t *grace)
{
    uv_stop(grace->loop);
}

/* A look-up that is stuck in a thread cannot be ended: it is left behind when nothing else keeps the loop. */
static void daemon_stop_soon(struct daemon *daemon)
{
    uv_timer_start(&daemon->grace, daemon_leave, DAEMON_GRACE_MS, 0);
    uv_unref((uv_handle_t *)&daemon->grace);
}

static void daemon_stop(struct daemon *daemon)
{
    if (daemon->stopping) {
        return;
    }
    daemon->stopping = true;
    log_notice("slotd", "stops; HAProxy stays as it is");
    notify_stopping();
    if (daemon->control) {
        control_close(daemon->control);
    }
    web_close(daemon->web);
    engine_close(daemon->engine);
    uv_close((uv_handle_t *)&daemon->terminate, NULL);
    uv_close((uv_handle_t *)&daemon->interrupt, NULL);
    uv_close((uv_handle_t *)&daemon->hangup, NULL);
    uv_close((uv_handle_t *)&daemon->watchdog, NULL);
    uv_close((uv_handle_t *)&daemon->status, NULL);
    daemon_stop_soon(daemon);
}

static void daemon_terminated(uv_signal_t *signal, int number)
{
    (void)number;
    daemon_stop(signal->data);
}

/* What is set and does nothing yet, so that nobody believes it is in use. */
static void daemon_warn_of_later(const struct config *config)
{
    const struct {
        const char *name;
        bool is_set;
    } later[] = {
        {"mapping.vocabulary = \"marathon-lb\"", config->mapping.vocabulary == CONFIG_VOCABULARY_MARATHON_LB},
        {"mapping.groups", config->mapping.groups.count > 0},
        {"mapping.strict", config->mapping.strict},
        {"mapping.script", config->mapping.script[0] != '\0'},
        {"spoe.listen", config->spoe.listen[0] != '\0'},
    };
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        if (later[i].is_set) {
            log_warning("config", "%s has no effect in this version", later[i].name);
        }
    }
}

/* What is as it was asked for, and should not stay so. */
static void daemon_warn_of_risks(const struct config *config)
{
    if (config->marathon.insecure_skip_verify) {
        log_warning(
            "config",
            "marathon.insecure_skip_verify: whoever answers is taken for Marathon, and is sent the password or token");
    }
}

/* Before a secret is read. */
static int daemon_keep_secrets(const struct config *config, struct buf *why)
{
    int err = config_names_secret(config) ? privacy_forbid_dumps() : 0;
    if (err) {
        buf_printf(why, "core dumps, which would have Marathon's secrets in them, cannot be switched off: %s",
                   error_text(err));
    }
    return err;
}

/* Each finding is a line of its own, as `slotd -t` has it. */
static void daemon_refuse(const char *why)
{
    log_error("config", "the new configuration is refused, the old one stays");
    while (*why) {
        size_t len = strcspn(why, "\n");
        log_error("config", "%.*s", (int)len, why);
        why += len + (why[len] == '\n');
    }
}

/* An address that is not to be had is no reason to refuse the rest; the next reload tries it again. */
static void daemon_move_web(struct daemon *daemon, const struct config *fresh)
{
    cleanup_buf struct buf why = BUF_INIT;
    const char *address = fresh->control.http;
    bool was_on = daemon->web != NULL;
    if (web_listen(&daemon->web, &daemon->loop, daemon->engine, address, &why)) {
        const char *stays = web_address(daemon->web);
        log_error("http", "%s; %s%s", buf_text(&why), stays[0] ? "it stays at " : "there is no HTTP", stays);
    } else if (was_on && !daemon->web) {
        log_notice("http", "control.http is empty: nothing is listened for any more");
    }
}

/* A bad configuration is refused, the old one stays. */
static int daemon_reload(struct daemon *daemon, struct buf *why)
{
    struct config *fresh = NULL;
    int err = config_load(daemon->options.file, &fresh, why);
    if (!err && (strcmp(fresh->control.socket, daemon->config->control.socket) != 0 ||
                 strcmp(fresh->control.group, daemon->config->control.group) != 0)) {
        log_warning("config", "control.socket and control.group change at a restart, not at a reload");
    }
    if (!err && strcmp(fresh->control.state_dir, daemon->config->control.state_dir) != 0) {
        log_warning("config", "control.state_dir changes at a restart, not at a reload");
    }
    err = err ? err : daemon_keep_secrets(fresh, why);
    err = err ? err : engine_reload(daemon->engine, fresh, why);
    if (err) {
        config_free(fresh);
        return err;
    }
    daemon_move_web(daemon, fresh);
    config_free(daemon->config);
    daemon->config = fresh;
    daemon_warn_of_later(fresh);
    daemon_warn_of_risks(fresh);
    return 0;
}

static void daemon_hung_up(uv_signal_t *signal, int number)
{
    cleanup_buf struct buf why = BUF_INIT;
    (void)number;
    notify_reloading();
    int err = daemon_reload(signal->data, &why);
    if (err) {
        daemon_refuse(why.len ? buf_text(&why) : error_text(err));
    }
    notify_ready();
}

static void daemon_watch_signals(struct daemon *daemon)
{
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(&daemon->loop, &daemon->terminate);
    uv_signal_init(&daemon->loop, &daemon->interrupt);
    uv_signal_init(&daemon->loop, &daemon->hangup);
    daemon->terminate.data = daemon->interrupt.data = daemon->hangup.data = daemon;
    uv_signal_start(&daemon->terminate, daemon_terminated, SIGTERM);
    uv_signal_start(&daemon->interrupt, daemon_terminated, SIGINT);
    uv_signal_start(&daemon->hangup, daemon_hung_up, SIGHUP);
}

/* ---- life ---- */

static int daemon_start(struct daemon *daemon)
{
    struct engine_options options = {.confirm = daemon->options.confirm};
    cleanup_buf struct buf why = BUF_INIT;
    if (getrandom(&options.seed, sizeof(options.seed), 0) != (ssize_t)sizeof(options.seed)) {
        options.seed = uv_hrtime();
    }
    int err = daemon_keep_secrets(daemon->config, &why);
    err = err ? err : engine_new(&daemon->loop, daemon->config, &options, &daemon->engine, &why);
    if (err) {
        log_error("config", "%s", why.len ? buf_text(&why) : error_text(err));
        return err;
    }
    daemon_watch_signals(daemon);
    daemon_tell_manager(daemon);
    err = control_new(&daemon->loop, &daemon->config->control, daemon->engine, &daemon->control, &why);
    if (err) {
        log_error("control", "%s", why.len ? buf_text(&why) : error_text(err));
        daemon_stop(daemon);
        return err;
    }
    err = web_listen(&daemon->web, &daemon->loop, daemon->engine, daemon->config->control.http, &why);
    if (err) {
        log_error("http", "%s", buf_text(&why));
        daemon_stop(daemon);
        return err;
    }
    engine_start(daemon->engine);
    notify_ready();
    return 0;
}

static int daemon_run(struct daemon *daemon)
{
    uv_loop_init(&daemon->loop);
    uv_timer_init(&daemon->loop, &daemon->grace);
    log_notice("slotd", "version " PACKAGE_VERSION " starts");
    if (geteuid() == 0) {
        log_warning("slotd",
                    "runs as root, and needs no right of root's; the unit slotd.service runs it as a user of its own");
    }
    daemon_warn_of_later(daemon->config);
    daemon_warn_of_risks(daemon->config);
    int err = daemon_start(daemon);
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    if (uv_loop_alive(&daemon->loop)) {
        /* exit() would wait for the thread. */
        (void)fflush(NULL);
        _exit(err ? DAEMON_EXIT_FAILED : DAEMON_EXIT_GOOD);
    }
    uv_close((uv_handle_t *)&daemon->grace, NULL);
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    uv_loop_close(&daemon->loop);
    config_free(daemon->config);
    free(daemon->shown_status);
    return err ? DAEMON_EXIT_FAILED : DAEMON_EXIT_GOOD;
}

/* The findings as they are: one line each, file and line in front, so that an editor can jump to them. */
static int daemon_load(struct daemon *daemon)
{
    cleanup_buf struct buf why = BUF_INIT;
    int err = config_load(daemon->options.file, &daemon->config, &why);
    if (err) {
        fprintf(stderr, "%s%s", buf_text(&why), why.len && why.data[why.len - 1] == '\n' ? "" : "\n");
    }
    return err;
}

int daemon_main(int argc, char **argv)
{
    struct daemon daemon = {.options = {.file = CONFIG_DEFAULT_FILE, .format = LOG_FORMAT_TEXT}};
    int code = DAEMON_EXIT_USAGE;
    if (!options_parse(argc, argv, &daemon.options, &code)) {
        return code;
    }
    log_open(daemon.options.format, daemon.options.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    if (daemon_load(&daemon)) {
        return DAEMON_EXIT_FAILED;
    }
    if (daemon.options.test) {
        daemon_warn_of_later(daemon.config);
        daemon_warn_of_risks(daemon.config);
        printf("%s: good\n", daemon.options.file);
        config_free(daemon.config);
        return DAEMON_EXIT_GOOD;
    }
    return daemon_run(&daemon);
}
