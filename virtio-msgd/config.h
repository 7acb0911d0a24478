/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the user wants served: the same sections from the command line
 * (--SECTION VALUE[,name=value]...) and from a file ([SECTION] with name =
 * value lines), so that each works in both.
 */
#ifndef MSGD_CONFIG_H
#define MSGD_CONFIG_H

#include <stdbool.h>

#include "carrier.h"
#include "params.h"
#include "window.h"

/**
 * struct config - what was said so far
 * @carrier: the one that windows are added to
 * @listen: path of the control socket, or NULL
 * @counters: path of the file for the counters at the end, or NULL
 */
struct config {
	struct carrier *carrier;
	char *listen;
	char *counters;
};

/**
 * struct config_section - a thing that can be configured
 * @name: of the option and of the section
 * @implied: the name of a value without a name, NULL if there is none
 * @apply: does it; -1 with @err set. Asks @params for all it knows; the caller
 *	complains about the rest
 */
struct config_section {
	const char *name;
	const char *implied;
	int (*apply)(struct config *config, struct params *params, struct errmsg *err);
};

extern const struct config_section config_sections[];
extern const unsigned int config_num_sections;

/* One option. */
int config_option(struct config *config, const struct config_section *section,
		  const char *value, struct errmsg *err);
/* All of a file. */
int config_file(struct config *config, const char *path, struct errmsg *err);
void config_free(struct config *config);

/*
 * What is wanted of a window, from its parameters: the window's own, then its
 * device (NULL: empty for now). For sections of carriers that make windows
 * themselves.
 */
int config_window(struct params *params, struct window_config *wc,
		  struct device **dev, struct errmsg *err);

#endif
