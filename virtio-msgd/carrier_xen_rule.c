// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the user wants the guests' devices to be.
 */
#include <stdlib.h>
#include <string.h>

#include "carrier_xen_internal.h"
#include "devices.h"
#include "params.h"

struct rule {
	struct rule *next;
	char *text;
};

static struct rule *rules;

/* Without a rule, a device that this program has built in is what its type says. */
static const char *const default_rules[] = {
	"type=device22,device=i2c",
	"type=device4,device=rng",
};

/* Understand all of a rule but whom it applies to. */
static int parse_choice(struct params *params, struct xen_choice *choice,
			struct errmsg *err)
{
	*choice = (struct xen_choice) {
		.use_ioeventfd = true,
		.use_irqfd = true,
	};
	if (window_config_params(params, &choice->window, err) ||
	    params_bool(params, "ioeventfd", &choice->use_ioeventfd, err) ||
	    params_bool(params, "irqfd", &choice->use_irqfd, err))
		return -1;
	return devices_create(params, &choice->device, err);
}

static bool same_type(const char *wanted, const char *type)
{
	const char *comma = strchr(type, ',');

	return !strcmp(wanted, type) || (comma && !strcmp(wanted, comma + 1));
}

/* Whether a rule applies; -1 with @err set if it says nonsense */
static int applies(struct params *params, const struct xen_guest *guest,
		   unsigned int index, const char *type, struct errmsg *err)
{
	const char *wanted_guest = params_get(params, "guest");
	const char *wanted_type = params_get(params, "type");
	uint64_t wanted_index = index;

	if (params_number(params, "index", 0, UINT32_MAX, &wanted_index, err))
		return -1;
	return (!wanted_guest || !strcmp(wanted_guest, guest->name)) &&
	       (!wanted_type || same_type(wanted_type, type)) &&
	       wanted_index == index;
}

int carrier_xen_rule(const char *text, struct errmsg *err)
{
	const struct xen_guest nobody = { .name = "" };
	struct rule *rule, **at;
	struct params params = {};
	struct xen_choice choice = {};
	int ret;

	ret = params_parse(&params, text, NULL, err);
	if (!ret && applies(&params, &nobody, 0, "", err) < 0)
		ret = -1;
	if (!ret)
		ret = parse_choice(&params, &choice, err);
	if (!ret)
		ret = params_unknown(&params, err);
	if (choice.device)
		choice.device->ops->destroy(choice.device);
	params_free(&params);
	if (ret)
		return -1;

	rule = calloc(1, sizeof(*rule));
	if (rule)
		rule->text = strdup(text);
	if (!rule || !rule->text) {
		free(rule);
		return errmsg_set(err, "out of memory");
	}
	for (at = &rules; *at; at = &(*at)->next)
		;
	*at = rule;
	return 0;
}

/* 1: the rule applied; 0: it did not; -1 with @err set */
static int try_rule(const char *text, const struct xen_guest *guest,
		    unsigned int index, const char *type,
		    struct xen_choice *choice, struct errmsg *err)
{
	struct params params = {};
	int ret;

	ret = params_parse(&params, text, NULL, err);
	if (!ret)
		ret = applies(&params, guest, index, type, err);
	if (ret == 1 && parse_choice(&params, choice, err))
		ret = -1;
	params_free(&params);
	return ret;
}

int xen_choose(const struct xen_guest *guest, unsigned int index,
	       const char *type, struct xen_choice *choice, struct errmsg *err)
{
	const struct rule *rule;
	size_t i;
	int ret;

	*choice = (struct xen_choice) { .window = window_config_default };
	for (rule = rules; rule; rule = rule->next) {
		ret = try_rule(rule->text, guest, index, type, choice, err);
		if (ret)
			return ret < 0 ? -1 : 0;
	}
	for (i = 0; i < sizeof(default_rules) / sizeof(default_rules[0]); i++) {
		ret = try_rule(default_rules[i], guest, index, type, choice, err);
		if (ret)
			return ret < 0 ? -1 : 0;
	}
	return errmsg_set(err, "no rule says what a %s is", type);
}
