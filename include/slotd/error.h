/* SPDX-License-Identifier: MIT */
/* The one error space: 0 is good, errno values are negative as they are, our own lie below them. */
#ifndef SLOTD_ERROR_H
#define SLOTD_ERROR_H

enum slotd_error {
    SLOTD_E_PARSE = -4097,   /* input does not follow its grammar */
    SLOTD_E_LIMIT = -4098,   /* input is larger than a bound of ours */
    SLOTD_E_TYPE = -4099,    /* a value has another type than it must have */
    SLOTD_E_CONFIG = -4100,  /* slotd.conf is not usable */
    SLOTD_E_REFUSED = -4101, /* the peer understood and said no */
    SLOTD_E_CLOSED = -4102,  /* the peer closed the connection */
    SLOTD_E_TIMEOUT = -4103, /* no answer within the time allowed */
    SLOTD_E_HTTP = -4104,    /* an HTTP answer with a status that is no success */
};

/* A short sentence for err (0, a negative errno or an enum slotd_error). Never NULL; static storage or strerror's. */
const char *error_text(int err);

#endif
