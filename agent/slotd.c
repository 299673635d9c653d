/* SPDX-License-Identifier: MIT */
/* The daemon's program; everything is in the library. */
#include "slotd/daemon.h"

int main(int argc, char **argv)
{
    return daemon_main(argc, argv);
}
