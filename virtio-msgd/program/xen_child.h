/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The process of a Xen guest: it has no rights of its own, and has the parent do what
 * needs them.
 */
#ifndef MSGD_XEN_CHILD_H
#define MSGD_XEN_CHILD_H

#include <jansson.h>

#include "base/base.h"
#include "program/child.h"

/* Begin to serve the guest, when the parent has said what there is to know of it. */
int xen_child_serve(struct child *child, unsigned int domid, struct errmsg *err);
#endif
