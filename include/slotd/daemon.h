/* SPDX-License-Identifier: MIT */
/* slotd as a function: options, configuration, signals, the loop. */
#ifndef SLOTD_DAEMON_H
#define SLOTD_DAEMON_H

enum daemon_exit {
    DAEMON_EXIT_GOOD = 0,
    DAEMON_EXIT_FAILED = 1, /* the configuration is bad, or the control socket cannot be had */
    DAEMON_EXIT_USAGE = 2,  /* options that cannot be read */
};

/* Runs slotd until SIGTERM or SIGINT; the exit code of the process. */
int daemon_main(int argc, char **argv);

#endif
