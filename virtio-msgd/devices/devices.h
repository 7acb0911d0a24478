/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The devices that this program has itself, with nobody behind it.
 */
#ifndef MSGD_BUILTIN_DEVICES_H
#define MSGD_BUILTIN_DEVICES_H

#include "model/model.h"

extern const struct device_kind device_blk;
extern const struct device_kind device_i2c;
extern const struct device_kind device_rng;

#endif
