/* SPDX-License-Identifier: MIT */
/* Checks of single values, as config_check in key.h. Internal to config/. */
#ifndef SLOTD_CONFIG_CHECK_H
#define SLOTD_CONFIG_CHECK_H

#include "key.h"

config_check config_check_endpoint;          /* an http or https URL of a Marathon */
config_check config_check_user;              /* of basic authentication */
config_check config_check_path;              /* absolute */
config_check config_check_maps_dir;          /* absolute, and a word in a Runtime API line */
config_check config_check_rendered_path;     /* absolute, and a word in haproxy.cfg */
config_check config_check_socket_path;       /* absolute and short enough for a unix socket */
config_check config_check_socket;            /* a socket path, or host:port */
config_check config_check_listen;            /* a literal address, or *, and a port to listen on */
config_check config_check_bind;              /* one or several of them, as in HAProxy's `bind` */
config_check config_check_bind_range;        /* the same with ranges of ports */
config_check config_check_spoe_listen;       /* that, a socket path, or abns@NAME */
config_check config_check_name;              /* letters, digits, '_', '-' */
config_check config_check_haproxy_name;      /* as HAProxy allows in names */
config_check config_check_server_options;    /* one line of a `server` without command separators */
config_check config_check_class;             /* one of enum config_class */
config_check config_check_rendered_prefix;   /* a pool's; numbers follow it */
config_check config_check_rendered_defaults; /* a name that render does not use itself */
config_check config_check_label_prefix;
config_check config_check_domain;
config_check config_check_lb_group;
config_check config_check_constraint;

/* What every string must keep. */
config_check config_check_text;

#endif
