/* SPDX-License-Identifier: MIT */
/* Fuzz target: a line of the control protocol. */
#include "fuzz.h"

#include <stdlib.h>

#include "slotd/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct control_request *request = NULL;
    struct buf why = BUF_INIT;
    if (control_request_parse((const char *)data, size, &request, &why) == 0) {
        control_request_free(request);
    } else if (why.len == 0) {
        abort();
    }
    buf_free(&why);
    return 0;
}
