/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest's process gives up once it has what it needs: whoever takes it over, as
 * a guest or a backend that found a fault, is to get nothing that is not that guest's.
 */
#ifndef MSGD_CONFINE_H
#define MSGD_CONFINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/base.h"

/**
 * struct confinement - how far it goes
 * @user: be this one, with its groups; NULL: stay who we are, without capabilities
 *	but the one to reach backends whose sockets are others' (CAP_DAC_OVERRIDE)
 * @filter: no system calls but those that a guest's process needs
 * @memory: bytes of memory of its own at most
 * @files: open files at most
 */
struct confinement {
	char *user;
	bool filter;
	uint64_t memory;
	uint64_t files;
};

extern const struct confinement confinement_default;

/* The value of --sandbox. 0, or -1 with @err set. */
int confine_params(struct confinement *conf, struct params *params, struct errmsg *err);
/* As @conf was given, for the process that is to do it; to be freed by the caller */
char *confine_text(const struct confinement *conf);

/*
 * Do it, for all threads; there is no way back. @xen: the carrier is Xen's, which
 * needs the ioctls of its devices. 0, or -1 with @err set.
 */
int confine(const struct confinement *conf, bool xen, struct errmsg *err);

#endif
