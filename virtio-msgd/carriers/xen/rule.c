// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the user wants the guests' devices to be.
 */
#include <stdlib.h>
#include <string.h>

#include "carriers/xen/internal.h"

struct rule {
	struct rule *next;
	struct params params;
};

static struct rule *rules;
static carrier_xen_window *choose_window;

static bool same_type(const char *wanted, const char *type)
{
	const char *comma = strchr(type, ',');

	return !strcmp(wanted, type) || (comma && !strcmp(wanted, comma + 1));
}

/* 1: the rule is for this device; 0: it is not; -1 with @err set: it is nonsense */
static int applies(struct params *params, const struct xen_guest *guest,
		   unsigned int index, const char *type, struct errmsg *err)
{
	const char *wanted_guest = params_get(params, "guest");
	const char *wanted_type = params_get(params, "entry");
	uint64_t wanted_index = index;

	if (params_number(params, "index", 0, UINT16_MAX, &wanted_index, err))
		return -1;
	return (!wanted_guest || !strcmp(wanted_guest, guest->name)) &&
	       (!wanted_type || same_type(wanted_type, type)) &&
	       wanted_index == index;
}

/* All of a rule but whom it applies to */
static int parse_choice(struct params *params, struct xen_choice *choice,
			struct errmsg *err)
{
	choice->use_ioeventfd = true;
	choice->use_irqfd = true;
	if (params_bool(params, "ioeventfd", &choice->use_ioeventfd, err) ||
	    params_bool(params, "irqfd", &choice->use_irqfd, err))
		return -1;
	if (choose_window(params, &choice->window, &choice->device, err))
		return -1;
	if (choice->window.num_slots <= XEN_MAX_SLOTS)
		return 0;
	if (choice->device)
		choice->device->ops->destroy(choice->device);
	choice->device = NULL;
	return errmsg_set(err, "slots=%u: %u are possible in a window of a Xen guest",
			  choice->window.num_slots, XEN_MAX_SLOTS);
}

/* Try it out now, so that the user hears at once of what is wrong with it. */
static int check(struct params *params, struct errmsg *err)
{
	const struct xen_guest nobody = { .name = (char *)"" };
	struct xen_choice choice = { .device = NULL };

	if (applies(params, &nobody, 0, "", err) < 0 ||
	    parse_choice(params, &choice, err))
		return -1;
	if (choice.device)
		choice.device->ops->destroy(choice.device);
	return 0;
}

static int copy(struct params *to, const struct params *from, struct errmsg *err)
{
	const struct param *param;

	for (param = from->first; param; param = param->next)
		if (params_add(to, param->name, param->value, err))
			return -1;
	return 0;
}

int carrier_xen_rule(struct params *params, carrier_xen_window *window, struct errmsg *err)
{
	struct rule *rule, **at;

	choose_window = window;
	if (check(params, err))
		return -1;
	rule = calloc(1, sizeof(*rule));
	if (!rule)
		return errmsg_set(err, "out of memory");
	if (copy(&rule->params, params, err)) {
		params_free(&rule->params);
		free(rule);
		return -1;
	}
	for (at = &rules; *at; at = &(*at)->next)
		;
	*at = rule;
	return 0;
}

bool carrier_xen_wanted(void)
{
	return rules;
}

void xen_rules_free(void)
{
	struct rule *rule;

	while ((rule = rules)) {
		rules = rule->next;
		params_free(&rule->params);
		free(rule);
	}
}

int xen_choose(const struct xen_guest *guest, unsigned int index,
	       const char *type, struct xen_choice *choice, struct errmsg *err)
{
	struct rule *rule;
	int ret;

	*choice = (struct xen_choice) { .window = window_config_default };
	for (rule = rules; rule; rule = rule->next) {
		ret = applies(&rule->params, guest, index, type, err);
		if (ret < 0)
			return -1;
		if (ret)
			return parse_choice(&rule->params, choice, err);
	}
	return errmsg_set(err, "no --xen rule applies to a %.100s", type);
}
