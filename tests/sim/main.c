/* SPDX-License-Identifier: MIT */
/* marathon-sim: options and the loop. Prints `listening on URL` when it is ready. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "sim.h"

static void stop(uv_signal_t *signal, int number)
{
    (void)number;
    uv_stop(signal->loop);
}

static int usage(void)
{
    fputs("usage: marathon-sim [--listen HOST:PORT] [--backends] [--host IP[,IP...]] [--basic BASE64] [--token T]\n"
          "       [--leader URL | --second HOST:PORT] [--locks] [--record FILE] [--replay FOLDER [--speed N|hold]] "
          "[--offer-ms N]\n"
          "       [--starting-ms N]\n"
          "       [--running-ms N] [--killing-ms N] [--killed-ms N] [--linger-ms N] [--backoff-ms N] [--healthy-ms N]\n"
          "       [--check-ms N] [--ready-ms N] [--inactive-delay-ms N] [--keepalive-ms N] [--attach-delay-ms N]\n"
          "       [--cluster N]\n",
          stderr);
    return 2;
}

static int *number_option(struct options *options, const char *name)
{
    const struct {
        const char *name;
        int *value;
    } numbers[] = {
        {"offer-ms", &options->offer_ms},
        {"starting-ms", &options->starting_ms},
        {"running-ms", &options->running_ms},
        {"killing-ms", &options->killing_ms},
        {"killed-ms", &options->killed_ms},
        {"linger-ms", &options->linger_ms},
        {"backoff-ms", &options->backoff_ms},
        {"healthy-ms", &options->healthy_ms},
        {"check-ms", &options->check_ms},
        {"ready-ms", &options->ready_ms},
        {"keepalive-ms", &options->keepalive_ms},
        {"attach-delay-ms", &options->attach_delay_ms},
        {"inactive-delay-ms", &options->inactive_delay_ms},
        {"cluster", &options->cluster},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(numbers[i].name, name) == 0) {
            return numbers[i].value;
        }
    }
    return NULL;
}

static void take_option(struct options *options, int option, const char *name, char *value)
{
    if (option == 'b') {
        options->backends = true;
    } else if (option == 'h') {
        options->hosts = value;
    } else if (option == 'p') {
        options->user = "set";
        options->password = value;
    } else if (option == 't') {
        options->token = value;
    } else if (option == 'S') {
        options->second = value;
    } else if (option == 'L') {
        options->leader = value;
    } else if (option == 'k') {
        options->locks = true;
    } else if (option == 'R') {
        options->record = value;
    } else if (option == 'r') {
        options->replay = value;
    } else if (option == 's') {
        options->speed = strcmp(value, "hold") == 0 ? -1 : strtod(value, NULL);
    } else {
        *number_option(options, name) = (int)strtol(value, NULL, 10);
    }
}

static bool parse(int argc, char **argv, struct options *options, const char **listen)
{
    static const struct option longs[] = {
        {"listen", required_argument, NULL, 'l'},
        {"backends", no_argument, NULL, 'b'},
        {"host", required_argument, NULL, 'h'},
        {"basic", required_argument, NULL, 'p'},
        {"token", required_argument, NULL, 't'},
        {"leader", required_argument, NULL, 'L'},
        {"second", required_argument, NULL, 'S'},
        {"locks", no_argument, NULL, 'k'},
        {"record", required_argument, NULL, 'R'},
        {"replay", required_argument, NULL, 'r'},
        {"speed", required_argument, NULL, 's'},
        {"offer-ms", required_argument, NULL, 'n'},
        {"starting-ms", required_argument, NULL, 'n'},
        {"running-ms", required_argument, NULL, 'n'},
        {"killing-ms", required_argument, NULL, 'n'},
        {"killed-ms", required_argument, NULL, 'n'},
        {"linger-ms", required_argument, NULL, 'n'},
        {"backoff-ms", required_argument, NULL, 'n'},
        {"healthy-ms", required_argument, NULL, 'n'},
        {"check-ms", required_argument, NULL, 'n'},
        {"ready-ms", required_argument, NULL, 'n'},
        {"inactive-delay-ms", required_argument, NULL, 'n'},
        {"cluster", required_argument, NULL, 'n'},
        {"keepalive-ms", required_argument, NULL, 'n'},
        {"attach-delay-ms", required_argument, NULL, 'n'},
        {NULL, 0, NULL, 0},
    };
    int option;
    int index = 0;
    while ((option = getopt_long(argc, argv, "", longs, &index)) != -1) {
        if (option == '?') {
            return false;
        }
        if (option == 'l') {
            *listen = optarg;
        } else {
            take_option(options, option, longs[index].name, optarg);
        }
    }
    return optind == argc;
}

/* Each task's server needs a file. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void read_hosts(struct sim *sim)
{
    for (const char *rest = sim->options.hosts; *rest;) {
        size_t len = strcspn(rest, ",");
        sim->hosts = mem_resize_array(sim->hosts, sim->n_hosts + 1, sizeof(*sim->hosts));
        sim->hosts[sim->n_hosts++] = mem_strndup(rest, len);
        rest += len + (rest[len] == ',');
    }
}

static void sim_init(struct sim *sim)
{
    sim->loop = uv_default_loop();
    table_init(&sim->app_table, 1);
    table_init(&sim->task_table, (uint64_t)sim_now_ms());
    read_hosts(sim);
    raise_file_limit();
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    static struct sim sim;
    static uv_signal_t terminate;
    const char *listen = "127.0.0.1:0";
    sim.options = (struct options){.hosts = "127.0.0.1",
                                   .starting_ms = 100,
                                   .running_ms = 250,
                                   .killing_ms = 50,
                                   .killed_ms = 300,
                                   .backoff_ms = -1,
                                   .healthy_ms = 100,
                                   .check_ms = 100,
                                   .ready_ms = -1,
                                   .keepalive_ms = 10000,
                                   .cluster = 1,
                                   .speed = 1};
    bool good = parse(argc, argv, &sim.options, &listen);
    if (!good || !strchr(listen, ':') || !sim.options.hosts[0]) {
        return usage();
    }
    sim_init(&sim);
    if (sim.options.record && record_open(&sim, sim.options.record) < 0) {
        return 1;
    }
    if (sim.options.replay && replay_open(&sim, sim.options.replay, sim.options.speed) < 0) {
        return 1;
    }
    if (members_add(&sim, listen) || (sim.options.second && members_add(&sim, sim.options.second))) {
        return 1;
    }
    const char *address = sim.members[0].address;
    sim.members[0].is_standby = sim.options.leader != NULL;
    sim.leader = sim.options.leader ? mem_strdup(sim.options.leader) : mem_printf("http://%s", address);
    uv_signal_init(sim.loop, &terminate);
    uv_signal_start(&terminate, stop, SIGTERM);
    printf("listening on http://%s\n", address);
    if (sim.n_members > 1) {
        printf("second on http://%s\n", sim.members[1].address);
    }
    fflush(stdout);
    uv_run(sim.loop, UV_RUN_DEFAULT);
    return 0;
}
