/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the user wants served: the same sections from the command line
 * (--SECTION VALUE[,name=value]...) and from a file ([SECTION] with name =
 * value lines), so that each works in both.
 */
#ifndef MSGD_CONFIG_H
#define MSGD_CONFIG_H

#include <stdbool.h>

#include "model/model.h"
#include "base/base.h"
#include "program/child.h"
#include "program/confine.h"

struct guest;

/**
 * struct config - what was said so far
 * @listen: path of the control socket, or NULL
 * @counters: path of the file for the counters at the end, or NULL
 * @confinement: of each guest's process
 * @guest: for the parent: the one that windows are added to
 * @rules: for the parent: what guests that are found are told
 * @where: prefix of what is wrong, e.g. "FILE: "
 * @is_child: this is the process of a guest
 * @child: what that was given
 * @carrier: for the child: the one that windows are added to
 * @window: for the child: the one that devices are added to
 * @domain: for the child: the Xen guest to serve, -1: none
 */
struct config {
	char *listen;
	char *counters;
	struct confinement confinement;
	struct guest *guest;
	struct params rules;
	const char *where;
	bool is_child;
	struct child child;
	struct carrier *carrier;
	struct window *window;
	int domain;
};

/**
 * enum config_use - what a section is for
 * @CONFIG_PROGRAM: for the program itself
 * @CONFIG_GUEST: a guest, which has a process of its own
 * @CONFIG_PART: a part of the guest before it, for its process
 * @CONFIG_RULE: for the process of any guest that is found
 * @CONFIG_CHILD: the parent's words to a guest's process, not the user's
 */
enum config_use {
	CONFIG_PROGRAM,
	CONFIG_GUEST,
	CONFIG_PART,
	CONFIG_RULE,
	CONFIG_CHILD,
};

/**
 * struct config_section - a thing that can be configured
 * @name: of the option and of the section
 * @implied: the name of a value without a name, NULL if there is none
 * @use: whom it concerns. The parent applies what is CONFIG_PROGRAM, and keeps the rest
 *	for the processes of the guests, which apply all that they get
 * @apply: does it; -1 with @err set. Asks @params for all it knows; the caller
 *	complains about the rest
 */
struct config_section {
	const char *name;
	const char *implied;
	enum config_use use;
	int (*apply)(struct config *config, struct params *params, struct errmsg *err);
};

extern const struct config_section config_sections[];
extern const unsigned int config_num_sections;

/* One option. */
int config_option(struct config *config, const struct config_section *section,
		  const char *value, struct errmsg *err);
/* All of a file. */
int config_file(struct config *config, const char *path, struct errmsg *err);
void config_init(struct config *config);
void config_free(struct config *config);
/* For the parent: what the process of a Xen guest that was found is told */
struct guest *config_xen_guest(const struct config *config, unsigned int domid,
			       const char *name);

/*
 * What is wanted of a window, from its parameters: the window's own, then its
 * device (NULL: empty for now). For sections of carriers that make windows
 * themselves.
 */
int config_window(struct params *params, struct window_config *wc,
		  struct device **dev, struct errmsg *err);

#endif
