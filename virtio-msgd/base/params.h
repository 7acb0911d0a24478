/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * name=value pairs, as they come from an option ("device=i2c,page=off"), a
 * section of the config file or a command of the control socket.
 */
#ifndef MSGD_PARAMS_H
#define MSGD_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

struct param {
	struct param *next;
	bool used;
	char *name;
	char *value;
};

struct params {
	struct param *first;
};

/*
 * Parse "a=b,c=d"; ",," is a comma in a value. A first part without "=" is the value of
 * @implied, if that is not NULL. 0, or -1 with @err set.
 */
int params_parse(struct params *params, const char *text, const char *implied,
		 struct errmsg *err);
/* Add a pair, copies of both; -1 if the name is there already. */
int params_add(struct params *params, const char *name, const char *value,
	       struct errmsg *err);
void params_free(struct params *params);
/* What params_parse() would take for @params; to be freed by the caller. NULL: no memory */
char *params_text(const struct params *params);

/* The value of @name, NULL if it was not given. */
const char *params_get(struct params *params, const char *name);
/*
 * Typed values: 0 with @value set, or left alone if @name was not given; -1
 * with @err set if it is no on/off, or no number from @min to @max (decimal,
 * hexadecimal with 0x).
 */
int params_bool(struct params *params, const char *name, bool *value,
		struct errmsg *err);
int params_number(struct params *params, const char *name, uint64_t min,
		  uint64_t max, uint64_t *value, struct errmsg *err);
/* To be called last: -1 with @err set if a name was given that nobody asked for. */
int params_unknown(struct params *params, struct errmsg *err);

#endif
