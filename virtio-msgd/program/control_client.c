// SPDX-License-Identifier: GPL-2.0-only
/*
 * The other end of the control socket: one command, as words of a command line.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "program/control.h"
#include "base/base.h"

/* Longer than anything that is done on request takes: a backend may have its time */
#define PATIENCE_SECONDS	90

/* COMMAND [WINDOW [name=value,...]] */
static json_t *make_request(char *const *words, struct errmsg *err)
{
	json_t *request = json_pack("{s:s}", "command", words[0]);
	json_t *object = json_object();
	struct params params = { 0 };
	struct param *param;

	if (words[1])
		json_object_set_new(request, "window", json_string(words[1]));
	if ((words[1] && words[2] && words[3]) ||
	    (words[1] && words[2] && params_parse(&params, words[2], NULL, err))) {
		if (words[3])
			errmsg_set(err, "too many arguments: %.100s", words[3]);
		params_free(&params);
		json_decref(request);
		json_decref(object);
		return NULL;
	}
	for (param = params.first; param; param = param->next)
		json_object_set_new(object, param->name, json_string(param->value));
	params_free(&params);
	json_object_set_new(request, "params", object);
	return request;
}

/* Print the answer; the exit status */
static int show(const char *line)
{
	json_t *reply = json_loads(line, 0, NULL);
	const char *error = json_string_value(json_object_get(reply, "error"));
	json_t *ok = json_object_get(reply, "ok");
	int ret = 1;

	if (ok) {
		json_dumpf(ok, stdout, JSON_INDENT(2));
		putchar('\n');
		ret = 0;
	} else {
		log_line("%s", error ? error : "the answer makes no sense");
	}
	json_decref(reply);
	return ret;
}

int control_client(const char *path, char *const *words)
{
	static const struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
	struct errmsg err;
	json_t *request;
	FILE *stream;
	char *line = NULL;
	size_t size = 0;
	int fd, ret = 2;

	request = make_request(words, &err);
	fd = request ? sock_connect(path, &err) : -1;
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (fd < 0) {
		log_line("%s", err.text);
		json_decref(request);
		return 2;
	}
	stream = sock_stream(fd);
	if (stream && !json_dumpf(request, stream, JSON_COMPACT) && fputc('\n', stream) != EOF &&
	    !fflush(stream) && getline(&line, &size, stream) > 0)
		ret = show(line);
	else
		log_line("%s: no answer%s", path, errno == EAGAIN ? " in time" : "");
	json_decref(request);
	free(line);
	if (stream)
		fclose(stream);
	return ret;
}
