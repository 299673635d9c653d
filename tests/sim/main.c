/* SPDX-License-Identifier: MIT */
/* marathon-sim: options and the loop. Prints `listening on URL` when it is ready. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

static void stop(uv_signal_t *signal, int number)
{
    (void)number;
    uv_stop(signal->loop);
}

static int usage(void)
{
    fputs("usage: marathon-sim [--listen HOST:PORT] [--backends] [--host IP] [--starting-ms N] [--running-ms N] "
          "[--killing-ms N] "
          "[--killed-ms N]\n       [--linger-ms N] [--keepalive-ms N] [--attach-delay-ms N] [--basic BASE64] [--token "
          "T] [--leader URL]\n",
          stderr);
    return 2;
}

static int *number_option(struct options *options, const char *name)
{
    const struct {
        const char *name;
        int *value;
    } numbers[] = {
        {"starting-ms", &options->starting_ms},
        {"running-ms", &options->running_ms},
        {"killing-ms", &options->killing_ms},
        {"killed-ms", &options->killed_ms},
        {"linger-ms", &options->linger_ms},
        {"keepalive-ms", &options->keepalive_ms},
        {"attach-delay-ms", &options->attach_delay_ms},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(numbers[i].name, name) == 0) {
            return numbers[i].value;
        }
    }
    return NULL;
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
        {"starting-ms", required_argument, NULL, 'n'},
        {"running-ms", required_argument, NULL, 'n'},
        {"killing-ms", required_argument, NULL, 'n'},
        {"killed-ms", required_argument, NULL, 'n'},
        {"linger-ms", required_argument, NULL, 'n'},
        {"keepalive-ms", required_argument, NULL, 'n'},
        {"attach-delay-ms", required_argument, NULL, 'n'},
        {NULL, 0, NULL, 0},
    };
    int option;
    int index = 0;
    while ((option = getopt_long(argc, argv, "", longs, &index)) != -1) {
        if (option == 'l') {
            *listen = optarg;
        } else if (option == 'b') {
            options->backends = true;
        } else if (option == 'h') {
            options->host = optarg;
        } else if (option == 'p') {
            options->user = "set";
            options->password = optarg;
        } else if (option == 't') {
            options->token = optarg;
        } else if (option == 'L') {
            options->leader = optarg;
        } else if (option == 'n') {
            *number_option(options, longs[index].name) = (int)strtol(optarg, NULL, 10);
        } else {
            return false;
        }
    }
    return optind == argc;
}

int main(int argc, char **argv)
{
    static struct sim sim;
    static uv_signal_t terminate;
    const char *listen = "127.0.0.1:0";
    sim.options = (struct options){.host = "127.0.0.1",
                                   .starting_ms = 100,
                                   .running_ms = 250,
                                   .killing_ms = 50,
                                   .killed_ms = 300,
                                   .keepalive_ms = 10000};
    if (!parse(argc, argv, &sim.options, &listen)) {
        return usage();
    }
    const char *colon = strrchr(listen, ':');
    if (!colon) {
        return usage();
    }
    cleanup_free char *host = mem_strndup(listen, (size_t)(colon - listen));
    sim.loop = uv_default_loop();
    int err = http_listen(&sim, host, (int)strtol(colon + 1, NULL, 10));
    if (err) {
        fprintf(stderr, "marathon-sim: %s: %s\n", listen, uv_strerror(err));
        return 1;
    }
    sim.leader = sim.options.leader ? mem_strdup(sim.options.leader) : mem_printf("http://%s:%d", host, sim.port);
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(sim.loop, &terminate);
    uv_signal_start(&terminate, stop, SIGTERM);
    printf("listening on http://%s:%d\n", host, sim.port);
    fflush(stdout);
    uv_run(sim.loop, UV_RUN_DEFAULT);
    return 0;
}
