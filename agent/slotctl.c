/* SPDX-License-Identifier: MIT */
/* The command line's program; everything is in the library. */
#include "slotd/ctl.h"

int main(int argc, char **argv)
{
    return ctl_main(argc, argv);
}
