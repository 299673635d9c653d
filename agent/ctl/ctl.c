/* SPDX-License-Identifier: MIT */
/* The command table and what comes out of it: parsing, abbreviations, usage. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl_private.h"
#include "slotd/config.h"
#include "slotd/mem.h"

struct command {
    const char *name;
    const char *arguments;
    const char *help;
    int (*run)(const struct ctl *ctl, const struct command *command, int argc, char **argv);
    void (*text)(const struct ctl *ctl, struct json_object *document);
    /* Returns NULL, or what is wrong with the words behind the command; NULL: it takes none. */
    const char *(*complain)(int argc, char **argv);
    const char *kind; /* of what its words name, as a message about an unknown one says it */
};

static int run_plain(const struct ctl *ctl, const struct command *command, int argc, char **argv);
static int run_events(const struct ctl *ctl, const struct command *command, int argc, char **argv);
static int run_map(const struct ctl *ctl, const struct command *command, int argc, char **argv);
static int run_drain(const struct ctl *ctl, const struct command *command, int argc, char **argv);
static int run_render(const struct ctl *ctl, const struct command *command, int argc, char **argv);
static int run_doctor(const struct ctl *ctl, const struct command *command, int argc, char **argv);
static int run_route(const struct ctl *ctl, const struct command *command, int argc, char **argv);
static int run_help(const struct ctl *ctl, const struct command *command, int argc, char **argv);

static const char *complain_never(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return NULL;
}

static const char *complain_of_undrain(int argc, char **argv)
{
    return drain_target_complain((size_t)argc, argc > 0 ? argv[0] : NULL);
}

static const char *complain_of_weight(int argc, char **argv)
{
    if (argc == 0 || (argc == 3 && (strcmp(argv[0], "app") == 0 || strcmp(argv[0], "task") == 0))) {
        return NULL;
    }
    return "needs app ID or task ID, and N, N% or reset";
}

static const struct command commands[] = {
    {"status", "", "connections, leader, versions, counts, guard; exit 1 when degraded", run_plain, text_print_status,
     NULL, NULL},
    {"services", "[NAME...]", "services, their endpoints, phases and slots", run_plain, text_print_services,
     complain_never, "service"},
    {"slots", "[BACKEND...]", "each slot: state, address, weight, sessions, task", run_plain, text_print_slots,
     complain_never, "backend"},
    {"routes", "", "each rule, port and server name, what decides it, where it leads, and for whom", run_plain,
     text_print_routes, NULL, NULL},
    {"plan", "", "the commands that would be sent now", run_plain, text_print_plan, NULL, NULL},
    {"sync", "", "a complete fetch, a look at every slot, and reconciliation now; waits", run_plain, text_print_sync,
     NULL, NULL},
    {"confirm", "", "let a removal through that the guard holds", run_plain, text_print_confirm, NULL, NULL},
    {"drain", "app ID|task ID|host NAME|slot BACKEND/SLOT [--timeout D] [--for D] [--wait]",
     "no new sessions; maint when none is left or the time is over", run_drain, text_print_drains, NULL, NULL},
    {"undrain", "app ID|task ID|host NAME|slot BACKEND/SLOT", "end a drain", run_plain, text_print_drains,
     complain_of_undrain, NULL},
    {"drains", "", "the drains that were asked for, and what is left of them", run_plain, text_print_drains, NULL,
     NULL},
    {"weight", "[app ID|task ID N|N%|reset]", "another weight than the labels', or a share of the traffic", run_plain,
     text_print_weights, complain_of_weight, NULL},
    {"events", "[-f]", "what changed, when it was received, when HAProxy acknowledged; -f follows", run_events,
     text_print_events, NULL, NULL},
    {"map", "FILE|-|URL [-c FILE]", "no daemon: map a saved or live answer of /v2/apps", run_map, NULL, NULL, NULL},
    {"render", "[-c FILE] [--name NAME] [--backends N] [--slots N] [--init]",
     "no daemon: a whole haproxy.cfg; --init creates the map and state files that are missing", run_render, NULL, NULL,
     NULL},
    {"route",
     "METHOD URL [-H 'Name: value']... [--src IP] --apps FILE [-c FILE] | --apps FILE [-c FILE] --requests FILE",
     "no daemon: what the routing rules of a saved answer decide, and why", run_route, NULL, NULL, NULL},
    {"doctor", "[-c FILE]", "no daemon needed: what is wrong between slotd.conf and HAProxy, and what would help",
     run_doctor, NULL, NULL, NULL},
    {"help", "[COMMAND]", "this, or the usage of one command", run_help, NULL, NULL, NULL},
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* How wide the calls are in the list of the commands; what is longer has its help on the next line. */
#define CALL_WIDTH 28

static void print_usage(FILE *out)
{
    fputs("usage: slotctl [-s SOCKET] [-o text|json] COMMAND [ARGUMENT...]\n\n", out);
    for (size_t i = 0; i < N_COMMANDS; i++) {
        cleanup_free char *call = mem_printf("%s %s", commands[i].name, commands[i].arguments);
        if (strlen(call) > CALL_WIDTH) {
            fprintf(out, "  %s\n  %*s %s\n", call, CALL_WIDTH, "", commands[i].help);
        } else {
            fprintf(out, "  %-*s %s\n", CALL_WIDTH, call, commands[i].help);
        }
    }
    fputs("\n  -s, --socket SOCKET        slotd's control socket, " CONFIG_DEFAULT_SOCKET " by default\n"
          "  -o, --output text|json     for people or for programs\n"
          "  -V, --version              show the version\n"
          "  -h, --help                 show this\n"
          "\nD is a duration: 500ms, 5s, 1m, or a number of seconds.\n"
          "Exit: 0 done, 1 refused or failed, 2 usage, 3 slotd not reachable.\n",
          out);
}

static int usage_of(const struct command *command, const char *complaint, const char *word)
{
    fprintf(stderr, "slotctl: %s: %s%s%s\nusage: slotctl %s%s%s\n", command->name, complaint, word ? " " : "",
            word ? word : "", command->name, command->arguments[0] ? " " : "", command->arguments);
    return CTL_EXIT_USAGE;
}

/* ---- commands that ask slotd ---- */

struct printing {
    const struct ctl *ctl;
    const struct command *command;
    bool degraded;
    bool incomplete; /* something that was asked for is not known */
    bool lines;      /* JSON as one line an answer */
};

void ctl_print(const struct ctl *ctl, struct json_object *document,
               void (*text)(const struct ctl *ctl, struct json_object *document))
{
    if (ctl->json) {
        puts(json_object_to_json_string_ext(document, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                          JSON_C_TO_STRING_NOSLASHESCAPE));
    } else {
        text(ctl, document);
    }
}

/* Of the names that were asked for. Returns whether there are such. */
static bool print_unknown(struct json_object *result, const char *kind)
{
    struct json_object *unknown = NULL;
    bool is_there = json_object_object_get_ex(result, "unknown", &unknown);
    size_t count = is_there ? json_object_array_length(unknown) : 0;
    for (size_t i = 0; i < count; i++) {
        fprintf(stderr, "slotctl: no %s %s\n", kind, json_object_get_string(json_object_array_get_idx(unknown, i)));
    }
    return count > 0;
}

static bool print_answer(void *arg, struct json_object *result)
{
    struct printing *printing = arg;
    struct json_object *degraded = NULL;
    printing->degraded = json_object_object_get_ex(result, "degraded", &degraded) && json_object_get_boolean(degraded);
    printing->incomplete = printing->command->kind && print_unknown(result, printing->command->kind);
    if (printing->ctl->json) {
        json_object_object_del(result, "unknown"); /* the exit code says it; the document keeps its form */
    }
    if (printing->ctl->json && printing->lines) {
        puts(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    } else {
        ctl_print(printing->ctl, result, printing->command->text);
    }
    return fflush(stdout) == 0;
}

static int run_plain(const struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct printing printing = {.ctl = ctl, .command = command};
    if (argc > 0 && !command->complain) {
        return usage_of(command, "takes no argument, not", argv[0]);
    }
    const char *complaint = command->complain ? command->complain(argc, argv) : NULL;
    if (complaint) {
        return usage_of(command, complaint, NULL);
    }
    struct json_object *names = json_object_new_array();
    struct json_object *arguments = json_object_new_object();
    for (int i = 0; i < argc; i++) {
        if (argv[i][0] == '-') {
            json_object_put(names);
            json_object_put(arguments);
            return usage_of(command, "knows no option", argv[i]);
        }
        json_object_array_add(names, json_object_new_string(argv[i]));
    }
    json_object_object_add(arguments, "names", names);
    int code = ctl_call(ctl, command->name, arguments, false, print_answer, &printing);
    return code == CTL_EXIT_DONE && (printing.degraded || printing.incomplete) ? CTL_EXIT_FAILED : code;
}

static int run_events(const struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct printing printing = {.ctl = ctl, .command = command};
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "-f") != 0 && strcmp(argv[i], "--follow") != 0) {
            return usage_of(command, "takes -f alone, not", argv[i]);
        }
        printing.lines = true;
    }
    struct json_object *arguments = json_object_new_object();
    json_object_object_add(arguments, "follow", json_object_new_boolean(printing.lines));
    return ctl_call(ctl, command->name, arguments, printing.lines, print_answer, &printing);
}

struct drain_printing {
    struct printing printing;
    const struct drain_call *call;
};

static bool print_drain(void *arg, struct json_object *result)
{
    struct drain_printing *drain = arg;
    if (!drain->printing.ctl->json) {
        drain_note_empty(drain->call, result);
    }
    return drain->call->waits || print_answer(&drain->printing, result);
}

static int run_drain(const struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct drain_call call = {0};
    struct drain_printing drain = {.printing = {.ctl = ctl, .command = command}, .call = &call};
    const char *complaint = drain_call_parse(argc, argv, &call);
    if (complaint) {
        return usage_of(command, complaint, NULL);
    }
    if (call.waits) {
        ctl_catch_interrupt();
    }
    int code = ctl_call(ctl, command->name, drain_call_arguments(&call), false, print_drain, &drain);
    if (code != CTL_EXIT_DONE && ctl_is_interrupted()) {
        drain_say_interrupted(&call, false);
    }
    return code == CTL_EXIT_DONE && call.waits ? drain_wait(ctl, &call) : code;
}

/* ---- commands that need no daemon ---- */

static int run_map(const struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    int code = ctl_map(ctl, argc, argv);
    return code == CTL_EXIT_USAGE ? usage_of(command, "one FILE, `-` for standard input, or URL is needed", NULL)
                                  : code;
}

static int run_render(const struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    cleanup_buf struct buf complaint = BUF_INIT;
    int code = ctl_render(ctl, argc, argv, &complaint);
    return code == CTL_EXIT_USAGE ? usage_of(command, buf_text(&complaint), NULL) : code;
}

static int run_doctor(const struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    cleanup_buf struct buf complaint = BUF_INIT;
    int code = ctl_doctor(ctl, argc, argv, &complaint);
    return code == CTL_EXIT_USAGE ? usage_of(command, buf_text(&complaint), NULL) : code;
}

static int run_route(const struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    cleanup_buf struct buf complaint = BUF_INIT;
    int code = ctl_route(ctl, argc, argv, &complaint);
    return code == CTL_EXIT_USAGE ? usage_of(command, buf_text(&complaint), NULL) : code;
}

/* The command of that name or unambiguous beginning. */
static const struct command *find_command(const char *word)
{
    cleanup_buf struct buf candidates = BUF_INIT;
    const struct command *found = NULL;
    size_t n_found = 0;
    size_t len = strlen(word);
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i].name, word) == 0) {
            return &commands[i];
        }
        if (len > 0 && strncmp(commands[i].name, word, len) == 0) {
            buf_printf(&candidates, "%s%s", n_found++ > 0 ? " or " : "", commands[i].name);
            found = &commands[i];
        }
    }
    if (n_found == 0) {
        fprintf(stderr, "slotctl: there is no command `%s`; `slotctl help` lists them\n", word);
    } else if (n_found > 1) {
        fprintf(stderr, "slotctl: `%s` may be %s\n", word, buf_text(&candidates));
    }
    return n_found == 1 ? found : NULL;
}

static void print_help(const struct command *command)
{
    printf("usage: slotctl %s%s%s\n%s\n", command->name, command->arguments[0] ? " " : "", command->arguments,
           command->help);
}

static int run_help(const struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    (void)ctl;
    if (argc > 1) {
        return usage_of(command, "takes one command, not", argv[1]);
    }
    if (argc == 0) {
        print_usage(stdout);
        return CTL_EXIT_DONE;
    }
    const struct command *wanted = find_command(argv[0]);
    if (!wanted) {
        return CTL_EXIT_USAGE;
    }
    print_help(wanted);
    return CTL_EXIT_DONE;
}

/* ---- options ---- */

static bool take_output(struct ctl *ctl, const char *form)
{
    ctl->json = strcmp(form, "json") == 0;
    if (!ctl->json && strcmp(form, "text") != 0) {
        fprintf(stderr, "slotctl: -o is text or json, not `%s`\n", form);
        return false;
    }
    return true;
}

/* Whether word is that option, in any of the forms `-o`, `-oVALUE`, `--output` and `--output=VALUE`; *ret_value is NULL
 * when the value is the next word. */
static bool is_option(const char *word, char letter, const char *name, const char **ret_value)
{
    size_t len = strlen(name);
    if (word[0] == '-' && word[1] == letter) {
        *ret_value = word[2] ? word + 2 : NULL;
        return true;
    }
    if (strncmp(word, "--", 2) != 0 || strncmp(word + 2, name, len) != 0 || !strchr("=", word[len + 2])) {
        return false;
    }
    *ret_value = word[len + 2] ? word + len + 3 : NULL;
    return true;
}

/* -o and -s may stand behind the command too: takes them out of its arguments. Returns how many are left, or -1. */
static int take_trailing_options(struct ctl *ctl, int argc, char **argv)
{
    int left = 0;
    for (int i = 0; i < argc; i++) {
        const char *value = NULL;
        bool is_output = is_option(argv[i], 'o', "output", &value);
        if (!is_output && !is_option(argv[i], 's', "socket", &value)) {
            argv[left++] = argv[i];
            continue;
        }
        if (!value && i + 1 == argc) {
            fprintf(stderr, "slotctl: %s needs a value\n", argv[i]);
            return -1;
        }
        value = value ? value : argv[++i];
        if (!is_output) {
            ctl->socket = value;
        } else if (!take_output(ctl, value)) {
            return -1;
        }
    }
    return left;
}

/* What could not be written is not done: the disk is full, or nobody reads any more. */
static int ctl_finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return code;
    }
    fprintf(stderr, "slotctl: standard output: %s\n", strerror(errno));
    return code == CTL_EXIT_DONE ? CTL_EXIT_FAILED : code;
}

static int ctl_run(struct ctl *ctl, int argc, char **argv)
{
    const struct command *command = find_command(argv[0]);
    int left = command ? take_trailing_options(ctl, argc - 1, argv + 1) : -1;
    if (left < 0) {
        return CTL_EXIT_USAGE;
    }
    if (left > 0 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        print_help(command);
        return ctl_finish(CTL_EXIT_DONE);
    }
    return ctl_finish(command->run(ctl, command, left, argv + 1));
}

int ctl_main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"socket", required_argument, NULL, 's'},
        {"output", required_argument, NULL, 'o'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct ctl ctl = {.socket = CONFIG_DEFAULT_SOCKET, .colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR")};
    static char name[] = "slotctl";
    int option;
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0) {
        /* The next file that is opened, the connection to slotd, would be standard output. */
        fprintf(stderr, "slotctl: standard output: %s\n", strerror(errno));
        return CTL_EXIT_FAILED;
    }
    if (argc > 0) {
        argv[0] = name; /* getopt_long() begins its messages with it */
    }
    while ((option = getopt_long(argc, argv, "+s:o:Vh", longs, NULL)) != -1) {
        if (option == 's') {
            ctl.socket = optarg;
        } else if (option == 'V') {
            puts("slotctl " PACKAGE_VERSION);
            return ctl_finish(CTL_EXIT_DONE);
        } else if (option == 'h') {
            print_usage(stdout);
            return ctl_finish(CTL_EXIT_DONE);
        } else if (option != 'o') {
            fputs("`slotctl help` lists options and commands\n", stderr);
            return CTL_EXIT_USAGE;
        } else if (!take_output(&ctl, optarg)) {
            return CTL_EXIT_USAGE;
        }
    }
    if (optind == argc) {
        print_usage(stderr);
        return CTL_EXIT_USAGE;
    }
    return ctl_run(&ctl, argc - optind, argv + optind);
}
