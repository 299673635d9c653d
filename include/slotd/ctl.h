/* SPDX-License-Identifier: MIT */
/* slotctl as a function: one command table, one display path. */
#ifndef SLOTD_CTL_H
#define SLOTD_CTL_H

enum ctl_exit {
    CTL_EXIT_DONE = 0,
    CTL_EXIT_FAILED = 1,      /* refused, failed, or `status` of a degraded slotd */
    CTL_EXIT_USAGE = 2,       /* words that are no command or argument */
    CTL_EXIT_UNREACHABLE = 3, /* no slotd answers at the socket */
};

/* Runs one command; the exit code of the process. */
int ctl_main(int argc, char **argv);

#endif
