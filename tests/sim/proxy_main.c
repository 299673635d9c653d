/* SPDX-License-Identifier: MIT */
/* fault-proxy: options and the loop. Prints `listening on ADDRESS` and `control on URL` when it is ready. */
#include <getopt.h>
#include <signal.h>
#include <string.h>

#include "proxy.h"

/* xorshift: the same seed gives the same faults. */
uint64_t proxy_random(struct proxy *proxy, uint64_t below)
{
    proxy->random ^= proxy->random << 13;
    proxy->random ^= proxy->random >> 7;
    proxy->random ^= proxy->random << 17;
    return below ? proxy->random % below : 0;
}

static void server_closed(uv_handle_t *handle)
{
    free(handle);
}

void proxy_open(struct proxy *proxy)
{
    if (proxy->faults.refuse && proxy->server) {
        uv_close(&proxy->server->handle, server_closed);
        proxy->server = NULL;
    }
    if (proxy->faults.refuse || proxy->server) {
        return;
    }
    /* Once the kernel has chosen a port it stays. */
    cleanup_free char *where = mem_strdup(proxy->address ? proxy->address : proxy->listen);
    proxy->server = MEM_NEW(union stream);
    address_init(proxy->loop, where, proxy->server);
    proxy->server->handle.data = proxy;
    free(proxy->address);
    proxy->address = NULL;
    int err = address_listen(proxy->server, where, pair_accept, &proxy->address);
    if (err) {
        fprintf(stderr, "fault-proxy: %s: %s\n", where, uv_strerror(err));
        exit(1);
    }
}

static void stop(uv_signal_t *signal, int number)
{
    (void)number;
    uv_stop(signal->loop);
}

static int usage(void)
{
    fputs("usage: fault-proxy --listen HOST:PORT|PATH --to HOST:PORT|PATH [--control HOST:PORT] [--seed N] "
          "[--record FILE]\n",
          stderr);
    return 2;
}

static bool parse(int argc, char **argv, struct proxy *proxy, const char **control)
{
    static const struct option longs[] = {
        {"listen", required_argument, NULL, 'l'},  {"to", required_argument, NULL, 't'},
        {"control", required_argument, NULL, 'c'}, {"seed", required_argument, NULL, 's'},
        {"record", required_argument, NULL, 'r'},  {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'l') {
            proxy->listen = optarg;
        } else if (option == 't') {
            proxy->to = optarg;
        } else if (option == 'c') {
            *control = optarg;
        } else if (option == 's') {
            proxy->random = strtoull(optarg, NULL, 10) * 0x9e3779b97f4a7c15U + 1;
        } else if (option == 'r') {
            proxy->record = fopen(optarg, "w");
            if (!proxy->record) {
                perror(optarg);
                return false;
            }
        } else {
            return false;
        }
    }
    return optind == argc && proxy->listen && proxy->to;
}

int main(int argc, char **argv)
{
    static struct proxy proxy = {.random = 0x9e3779b97f4a7c15U, .faults = {.cut = {-1, -1}, .stall = {-1, -1}}};
    static uv_signal_t terminate;
    const char *control = "127.0.0.1:0";
    cleanup_free char *control_address = NULL;
    if (!parse(argc, argv, &proxy, &control)) {
        return usage();
    }
    signal(SIGPIPE, SIG_IGN);
    proxy.loop = uv_default_loop();
    proxy_open(&proxy);
    address_init(proxy.loop, control, &proxy.control);
    proxy.control.handle.data = &proxy;
    int err = address_listen(&proxy.control, control, control_accept, &control_address);
    if (err) {
        fprintf(stderr, "fault-proxy: %s: %s\n", control, uv_strerror(err));
        return 1;
    }
    uv_signal_init(proxy.loop, &terminate);
    uv_signal_start(&terminate, stop, SIGTERM);
    printf("listening on %s\ncontrol on http://%s\n", proxy.address, control_address);
    fflush(stdout);
    uv_run(proxy.loop, UV_RUN_DEFAULT);
    return 0;
}
