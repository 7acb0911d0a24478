/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ground floor: what every part of the program needs and what knows nothing of
 * virtio. Words to the user, the event loop, parameters, sockets, work that
 * has to wait, and guest memory that may go away under one's hands.
 */
#ifndef MSGD_BASE_H
#define MSGD_BASE_H

#include "base/guard.h"
#include "base/listener.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/params.h"
#include "base/sock.h"
#include "base/task.h"

#endif
