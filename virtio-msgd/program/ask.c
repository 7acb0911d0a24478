// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whom a control request concerns. One with a window is for that window's guest; one
 * without is for all, whose answers become one, in the order in which the guests are.
 */
#include <stdlib.h>
#include <string.h>

#include "program/control.h"
#include "program/guests_internal.h"

/**
 * struct gathering - one answer of several
 * @answer: who wants it
 * @arg: for that
 * @result: of no guest, to which theirs are added
 * @parts: by guest
 * @num: how many guests
 * @missing: how many have not answered
 */
struct gathering {
	control_answer *answer;
	void *arg;
	json_t *result;
	struct part *parts;
	unsigned int num;
	unsigned int missing;
};

struct part {
	struct gathering *gathering;
	char *name;
	json_t *reply;
};

static bool of_guest(const char *window, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(window, name, len) && window[len] == '/';
}

/* "1" is a window of the first guest, "uml:/run/guest/1" of that one */
static struct guest *find(const char *window)
{
	struct guest *guest = guests;

	while (guest && strchr(window, '/') && !of_guest(window, guest->name))
		guest = guest->next;
	return guest;
}

static void finish(struct gathering *gathering)
{
	json_t *all = json_object_get(json_object_get(gathering->result, "ok"), "carriers");
	json_t *error = NULL;
	unsigned int i;

	for (i = 0; i < gathering->num; i++) {
		struct part *part = &gathering->parts[i];
		json_t *ok = json_object_get(part->reply, "ok");

		if (!part->reply)
			json_array_append_new(all, json_pack("{s:s,s:[],s:b}", "name", part->name,
							     "windows", "starting", 1));
		else if (ok)
			json_array_extend(all, json_object_get(ok, "carriers"));
		else if (!error)
			error = json_incref(part->reply);
		json_decref(part->reply);
		free(part->name);
	}
	if (error)
		json_decref(gathering->result);
	gathering->answer(gathering->arg, error ?: gathering->result);
	free(gathering->parts);
	free(gathering);
}

static void on_part(void *arg, json_t *reply)
{
	struct part *part = arg;

	part->reply = reply;
	if (!--part->gathering->missing)
		finish(part->gathering);
}

static void ask_all(const json_t *request, json_t *result, control_answer *answer, void *arg)
{
	struct gathering *gathering = calloc(1, sizeof(*gathering));
	struct guest *guest, *next;
	unsigned int num = 0, i = 0;

	for (guest = guests; guest; guest = guest->next)
		num++;
	if (gathering)
		gathering->parts = calloc(num, sizeof(*gathering->parts));
	if (!gathering || !gathering->parts) {
		free(gathering);
		json_decref(result);
		answer(arg, json_pack("{s:s}", "error", "out of memory"));
		return;
	}
	gathering->answer = answer;
	gathering->arg = arg;
	gathering->result = result;
	gathering->num = num;
	/* One more, so that it is not complete before all were asked */
	gathering->missing = num + 1;
	for (guest = guests; guest; guest = next, i++) {
		next = guest->next;
		gathering->parts[i].gathering = gathering;
		gathering->parts[i].name = strdup(guest->name);
		guest_ask(guest, request, on_part, &gathering->parts[i]);
	}
	if (!--gathering->missing)
		finish(gathering);
}

/* The one guest that was asked has no process just now. */
struct single {
	control_answer *answer;
	void *arg;
};

static void on_single(void *arg, json_t *reply)
{
	struct single *single = arg;

	if (!reply)
		reply = json_pack("{s:s}", "error",
				  "the guest's process is being started; try again in a moment");
	single->answer(single->arg, reply);
	free(single);
}

void guests_ask(const json_t *request, control_answer *answer, void *arg)
{
	const char *window = json_string_value(json_object_get(request, "window"));
	struct guest *guest = window ? find(window) : NULL;
	struct single *single;
	json_t *result;

	if (guest) {
		single = malloc(sizeof(*single));
		if (single) {
			*single = (struct single) { .answer = answer, .arg = arg };
			guest_ask(guest, request, on_single, single);
			return;
		}
	}
	/* As if there were no guests: what is wrong with the request is wrong with it here */
	result = control_execute(request);
	if (window || !guests || json_object_get(result, "error"))
		answer(arg, result);
	else
		ask_all(request, result, answer, arg);
}
