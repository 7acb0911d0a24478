// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the process of a guest is asked, and who is told what it answers.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/base.h"
#include "program/channel.h"
#include "program/guests_internal.h"

static uint64_t last_question;

static struct question **find_question(struct guest *guest, json_int_t id)
{
	struct question **at = &guest->questions;

	while (*at && (*at)->id != (uint64_t)id)
		at = &(*at)->next;
	return at;
}

void guest_answered(struct guest *guest, json_int_t id, json_t *reply)
{
	struct question **at = find_question(guest, id), *question = *at;

	if (!question)
		return;
	*at = question->next;
	event_free(question->patience);
	question->answer(question->arg, json_incref(reply));
	free(question);
}

void guest_forget_questions(struct guest *guest)
{
	struct question *question;

	while ((question = guest->questions)) {
		guest->questions = question->next;
		question->answer(question->arg, NULL);
		event_free(question->patience);
		free(question);
	}
}

static json_t *no_answer(const struct guest *guest)
{
	return json_pack("{s:s++}", "error", guest->name, ": ", "its process does not answer");
}

/* It does not answer: what it says later is for nobody. */
static void out_of_patience(evutil_socket_t fd, short what, void *arg)
{
	struct question *question = arg, **at = &question->guest->questions;

	(void)fd;
	(void)what;
	while (*at != question)
		at = &(*at)->next;
	*at = question->next;
	question->answer(question->arg, no_answer(question->guest));
	event_free(question->patience);
	free(question);
}

void guest_ask(struct guest *guest, const json_t *request, control_answer *answer, void *arg)
{
	static const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	struct question *question = NULL;

	if (guest->channel && !channel_takes(guest->channel)) {
		answer(arg, no_answer(guest));
		return;
	}
	/* It has no channel any more when it is ready no longer, which is known a moment later. */
	if (guest->state == GUEST_READY && guest->channel)
		question = calloc(1, sizeof(*question));
	if (question)
		question->patience = evtimer_new(loop, out_of_patience, question);
	if (!question || !question->patience) {
		free(question);
		answer(arg, NULL);
		return;
	}
	question->id = ++last_question;
	question->guest = guest;
	question->answer = answer;
	question->arg = arg;
	question->next = guest->questions;
	guest->questions = question;
	event_add(question->patience, &patience);
	channel_send(guest->channel, json_pack("{s:I,s:O}", "id", (json_int_t)question->id,
					       "request", request));
}
