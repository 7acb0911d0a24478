/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MSGD_CARRIER_UML_H
#define MSGD_CARRIER_UML_H

#include "carrier.h"
#include "params.h"

/* Wait for a User Mode Linux guest at the socket "path"; NULL with @err set. */
struct carrier *carrier_uml_create(struct params *params, struct errmsg *err);

#endif
