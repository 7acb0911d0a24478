// SPDX-License-Identifier: GPL-2.0-only
#include "base/loop.h"

struct event_base *loop;
