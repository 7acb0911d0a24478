// SPDX-License-Identifier: GPL-2.0-only
#include "base/params.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than anything knows. Each new one is compared with all that are there. */
#define MAX_PARAMS	64

static struct param *params_find(struct params *params, const char *name)
{
	struct param *param;

	for (param = params->first; param; param = param->next) {
		if (!strcmp(param->name, name))
			return param;
	}
	return NULL;
}

int params_add(struct params *params, const char *name, const char *value,
	       struct errmsg *err)
{
	struct param *param, **end = &params->first;
	unsigned int num = 0;

	if (params_find(params, name))
		return errmsg_set(err, "%s is given twice", name);
	for (; *end; end = &(*end)->next)
		num++;
	if (num == MAX_PARAMS)
		return errmsg_set(err, "there are too many parameters");
	param = calloc(1, sizeof(*param));
	if (!param)
		return errmsg_set(err, "out of memory");
	param->name = strdup(name);
	param->value = strdup(value);
	*end = param;
	if (!param->name || !param->value)
		return errmsg_set(err, "out of memory");
	return 0;
}

/* As strsep(rest, ","), but two commas are one that does not end the part */
static char *next_part(char **rest)
{
	char *part = *rest, *from = part, *to = part;

	if (!part)
		return NULL;
	while (*from && (*from != ',' || from[1] == ',')) {
		from += *from == ',';
		*to++ = *from++;
	}
	*rest = *from ? from + 1 : NULL;
	*to = '\0';
	return part;
}

int params_parse(struct params *params, const char *text, const char *implied,
		 struct errmsg *err)
{
	char *copy = strdup(text), *rest = copy, *part, *equals;
	int ret = 0;

	if (!copy)
		return errmsg_set(err, "out of memory");
	/* Nothing is no parameter, unless there is one without a name */
	if (!*text && !implied)
		rest = NULL;
	while (!ret && (part = next_part(&rest))) {
		equals = strchr(part, '=');
		if (equals) {
			*equals = '\0';
			ret = params_add(params, part, equals + 1, err);
		} else if (implied && part == copy) {
			ret = params_add(params, implied, part, err);
		} else {
			ret = errmsg_set(err, "\"%s\" is not of the form name=value", part);
		}
	}
	free(copy);
	return ret;
}

char *params_text(const struct params *params)
{
	const struct param *param;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	const char *c;

	if (!out)
		return NULL;
	for (param = params->first; param; param = param->next) {
		fprintf(out, "%s%s=", param == params->first ? "" : ",", param->name);
		for (c = param->value; *c; c++)
			fputs(*c == ',' ? ",," : (const char []) { *c, '\0' }, out);
	}
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

void params_free(struct params *params)
{
	struct param *param;

	while ((param = params->first)) {
		params->first = param->next;
		free(param->name);
		free(param->value);
		free(param);
	}
}

const char *params_get(struct params *params, const char *name)
{
	struct param *param = params_find(params, name);

	if (!param)
		return NULL;
	param->used = true;
	return param->value;
}

int params_bool(struct params *params, const char *name, bool *value,
		struct errmsg *err)
{
	const char *text = params_get(params, name);

	if (!text)
		return 0;
	if (!strcmp(text, "on"))
		*value = true;
	else if (!strcmp(text, "off"))
		*value = false;
	else
		return errmsg_set(err, "%s=%s: on or off is expected", name, text);
	return 0;
}

int params_number(struct params *params, const char *name, uint64_t min,
		  uint64_t max, uint64_t *value, struct errmsg *err)
{
	const char *text = params_get(params, name);
	unsigned long long number;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	number = strtoull(text, &end, 0);
	if (errno || end == text || *end || text[0] == '-' || number < min || number > max)
		return errmsg_set(err, "%s=%s: a number from %llu to %llu is expected", name, text,
				  (unsigned long long)min, (unsigned long long)max);
	*value = number;
	return 0;
}

int params_unknown(struct params *params, struct errmsg *err)
{
	struct param *param;

	for (param = params->first; param; param = param->next) {
		if (!param->used)
			return errmsg_set(err, "%s is not known here", param->name);
	}
	return 0;
}
