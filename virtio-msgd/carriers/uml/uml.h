/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MSGD_CARRIER_UML_H
#define MSGD_CARRIER_UML_H

#include "model/model.h"
#include "base/base.h"

/*
 * Wait for a User Mode Linux guest at the socket "path"; @listening: that socket, which
 * somebody else made and will remove, or -1. NULL with @err set.
 */
struct carrier *carrier_uml_create(struct params *params, int listening, struct errmsg *err);

#endif
