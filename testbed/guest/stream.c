// SPDX-License-Identifier: GPL-2.0-only
/*
 * Streams to the host, where a server does what the line says that each begins with
 * (bench/server.py).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

/* With 64 KiB at a time streams to vhost-device-vsock 0.3 halt, by virtio_uml as well */
#define BLOCK		(8UL << 10)

static int connected(int fd, const void *address, socklen_t size)
{
	if (fd < 0 || connect(fd, address, size))
		die("connect");
	return fd;
}

static int connect_vsock(const char *cid, const char *port)
{
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = number(cid),
		.svm_port = number(port),
	};

	return connected(socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0), &address,
			 sizeof(address));
}

static int connect_tcp(const char *host, const char *port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(number(port)),
	};
	int fd, on = 1;

	if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
		fprintf(stderr, "load: \"%s\" is no address\n", host);
		exit(2);
	}
	fd = connected(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), &address, sizeof(address));
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		die("TCP_NODELAY");
	return fd;
}

static void send_bytes(int fd, const void *data, size_t size)
{
	ssize_t sent;

	for (; size; size -= sent, data += sent) {
		sent = send(fd, data, size, MSG_NOSIGNAL);
		if (sent < 0)
			die("send");
	}
}

/* WORDS: tcp HOST PORT or vsock CID PORT */
static int connect_to(char **words)
{
	return strcmp(words[0], "vsock") ? connect_tcp(words[1], words[2]) :
					   connect_vsock(words[1], words[2]);
}

static void tell(int fd, const char *verb, unsigned long size)
{
	char line[64];

	send_bytes(fd, line, snprintf(line, sizeof(line), "%s %lu\n", verb, size));
}

static void receive_bytes(int fd, unsigned long size)
{
	void *buf = buffer(BLOCK);
	ssize_t received;

	for (; size; size -= received) {
		received = recv(fd, buf, size < BLOCK ? size : BLOCK, 0);
		if (!received)
			errno = ECONNRESET;
		if (received <= 0)
			die("receive");
	}
	free(buf);
}

static void there_and_back(struct source *source)
{
	char byte = 'x';

	send_bytes(source->fd, &byte, 1);
	if (recv(source->fd, &byte, 1, 0) != 1)
		die("receive");
}

void ping(char **words)
{
	struct source source = { .fd = connect_to(words) };

	tell(source.fd, "echo", 1);
	one_by_one(&source, there_and_back, number(words[3]));
}

/* All is there when the server says so, by a byte */
void send_all(char **words)
{
	unsigned long size = number(words[3]), left;
	void *buf = buffer(BLOCK);
	int fd = connect_to(words);
	uint64_t started = nanoseconds();

	tell(fd, "take", size);
	for (left = size; left > BLOCK; left -= BLOCK)
		send_bytes(fd, buf, BLOCK);
	send_bytes(fd, buf, left);
	receive_bytes(fd, 1);
	printf("%llu\n", (unsigned long long)(nanoseconds() - started));
}

void receive_all(char **words)
{
	unsigned long size = number(words[3]);
	int fd = connect_to(words);
	uint64_t started = nanoseconds();

	tell(fd, "give", size);
	receive_bytes(fd, size);
	printf("%llu\n", (unsigned long long)(nanoseconds() - started));
}
