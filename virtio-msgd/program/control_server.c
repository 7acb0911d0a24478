// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket. Clients are served in turns: one request of each at a time, whose
 * answer the client has to take before its next one is looked at. What a client does,
 * or leaves undone, costs the others nothing.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "program/control.h"
#include "base/base.h"

/* A longer line is no request */
#define MAX_LINE	65536
/* So many answers wait for a client that does not read, before it is not listened to */
#define MAX_OUTPUT	65536
#define MAX_CLIENTS	64

/**
 * struct client - who is connected
 * @next: the next one
 * @control: the socket
 * @bev: the connection; NULL: it is gone, but not what it asked
 * @turn: looks for the next request
 * @question: the request that is being answered, or NULL
 * @ended: it sends nothing more
 */
struct client {
	struct client *next;
	struct control *control;
	struct bufferevent *bev;
	struct event *turn;
	struct question *question;
	bool ended;
};

/**
 * struct question - a request on its way
 * @client: who asked; NULL: the control socket is closed
 */
struct question {
	struct client *client;
};

struct control {
	char *path;
	int fd;
	struct listener *listener;
	control_ask *ask;
	control_stranger *stranger;
	struct client *clients;
	unsigned int num_clients;
};

static void client_free(struct client *client)
{
	struct client **at = &client->control->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	client->control->num_clients--;
	if (client->question)
		client->question->client = NULL;
	if (client->turn)
		event_free(client->turn);
	if (client->bev)
		bufferevent_free(client->bev);
	free(client);
}

/* It counts until what it asked is done, or there would be no end of what is asked. */
static void client_close(struct client *client)
{
	if (!client->question) {
		client_free(client);
		return;
	}
	event_del(client->turn);
	bufferevent_free(client->bev);
	client->bev = NULL;
}

static size_t waiting_output(const struct client *client)
{
	return evbuffer_get_length(bufferevent_get_output(client->bev));
}

/* Not before other events had their turn */
static void next_turn(struct client *client)
{
	static const struct timeval now = { 0 };

	/* To add it once more would take back that its time has come */
	if (!event_pending(client->turn, EV_TIMEOUT, NULL))
		event_add(client->turn, &now);
}

/* In any case there is an answer; jansson writes no text that is not UTF-8 */
static void send_reply(struct client *client, json_t *reply)
{
	struct evbuffer *output = bufferevent_get_output(client->bev);
	char *text = json_dumps(reply, JSON_COMPACT);

	evbuffer_add_printf(output, "%s\n", text ?: "{\"error\":\"out of memory\"}");
	free(text);
}

static void on_reply(void *arg, json_t *reply)
{
	struct question *question = arg;
	struct client *client = question->client;

	if (client)
		client->question = NULL;
	if (client && client->bev) {
		send_reply(client, reply);
		next_turn(client);
	} else if (client) {
		client_free(client);
	}
	json_decref(reply);
	free(question);
}

static void put(struct client *client, const char *line)
{
	json_t *request = json_loads(line, 0, NULL);

	client->question = malloc(sizeof(*client->question));
	if (!client->question || !json_is_object(request)) {
		json_t *reply = json_pack("{s:s}", "error",
					  "request: a JSON object in a line is expected");

		free(client->question);
		client->question = NULL;
		send_reply(client, reply);
		json_decref(reply);
		next_turn(client);
	} else {
		client->question->client = client;
		client->control->ask(request, on_reply, client->question);
	}
	json_decref(request);
}

/* What cannot be a request any more: say so, and end when that is written */
static void refuse(struct client *client)
{
	json_t *reply = json_pack("{s:s}", "error", "request: the line is too long");

	send_reply(client, reply);
	json_decref(reply);
	bufferevent_disable(client->bev, EV_READ);
	client->ended = true;
	evbuffer_drain(bufferevent_get_input(client->bev), -1);
}

static void turn(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	struct evbuffer *input = bufferevent_get_input(client->bev);
	char *line;

	(void)fd;
	(void)what;
	if (client->question || waiting_output(client) > MAX_OUTPUT)
		return;
	line = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF);
	if (line && !client->ended)
		bufferevent_enable(client->bev, EV_READ);
	if (line) {
		put(client, line);
		free(line);
	} else if (evbuffer_get_length(input) >= MAX_LINE) {
		refuse(client);
	}
	/* What it has asked is answered, even if it does not ask any more */
	if (client->ended && !client->question && !line && !waiting_output(client))
		client_close(client);
}

/*
 * A client is not read from while there is enough of it. libevent's watermark does that,
 * too, but calls this over and over meanwhile.
 */
static void on_read(struct bufferevent *bev, void *arg)
{
	if (evbuffer_get_length(bufferevent_get_input(bev)) >= MAX_LINE)
		bufferevent_disable(bev, EV_READ);
	next_turn(arg);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	(void)bev;
	next_turn(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *client = arg;

	(void)bev;
	if (what & BEV_EVENT_ERROR) {
		client_close(client);
	} else if (what & BEV_EVENT_EOF) {
		client->ended = true;
		next_turn(client);
	}
}

/* The kernel knows who has connected */
static bool refused(const struct control *control, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) || control->stranger(cred.pid);
}

static void on_connect(void *arg, int fd)
{
	struct control *control = arg;
	struct client *client = NULL;

	if (control->num_clients < MAX_CLIENTS && !refused(control, fd))
		client = calloc(1, sizeof(*client));
	if (client)
		client->bev = bufferevent_socket_new(loop, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client || !client->bev) {
		close(fd);
		free(client);
		return;
	}
	client->control = control;
	client->next = control->clients;
	control->clients = client;
	control->num_clients++;
	client->turn = evtimer_new(loop, turn, client);
	if (!client->turn) {
		client_close(client);
		return;
	}
	bufferevent_setcb(client->bev, on_read, on_written, on_event, client);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
}

struct control *control_listen(const char *path, control_ask *ask, control_stranger *stranger,
			       struct errmsg *err)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control) {
		errmsg_set(err, "out of memory");
		return NULL;
	}
	control->ask = ask;
	control->stranger = stranger;
	control->fd = sock_listen(path, err);
	if (control->fd < 0) {
		free(control);
		return NULL;
	}
	control->path = strdup(path);
	if (control->path)
		return control;
	control_close(control);
	errmsg_set(err, "out of memory");
	return NULL;
}

int control_serve(struct control *control, struct errmsg *err)
{
	control->listener = listener_new(control->fd, control->path, on_connect, control);
	if (!control->listener)
		return errmsg_set(err, "out of memory");
	control->fd = -1;
	return 0;
}

void control_close(struct control *control)
{
	while (control->clients)
		client_free(control->clients);
	if (control->listener)
		listener_free(control->listener);
	else
		close(control->fd);
	if (control->path)
		unlink(control->path);
	free(control->path);
	free(control);
}
