/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices in another process, by the vhost-user protocol.
 */
#ifndef MSGD_VHOST_USER_H
#define MSGD_VHOST_USER_H

#include <stdbool.h>

#include "model/model.h"

/* device=vhost-user,type=TYPE,socket=PATH, or device=TYPE,socket=PATH */
extern const struct device_kind device_vhost_user;
bool device_is_vhost_user(const char *name);

#endif
