/* SPDX-License-Identifier: MIT */
/* Texts for the error space of slotd/error.h. */
#include "slotd/error.h"

#include <string.h>

const char *error_text(int err)
{
    if (err == 0) {
        return "success";
    }
    if (err > SLOTD_E_PARSE) {
        return strerror(-err);
    }
    /* No default: the compiler names an error that has no text. */
    switch ((enum slotd_error)err) {
    case SLOTD_E_PARSE:
        return "not well-formed";
    case SLOTD_E_LIMIT:
        return "larger than allowed";
    case SLOTD_E_TYPE:
        return "wrong type of value";
    case SLOTD_E_CONFIG:
        return "configuration not usable";
    case SLOTD_E_REFUSED:
        return "refused by the peer";
    case SLOTD_E_CLOSED:
        return "connection closed by the peer";
    case SLOTD_E_TIMEOUT:
        return "no answer in time";
    case SLOTD_E_HTTP:
        return "HTTP error status";
    }
    return "unknown error";
}
