// SPDX-License-Identifier: GPL-2.0-only
/*
 * VERSION: which protocol, and what each side can.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "carriers/vfio_user/internal.h"

/* What the peer offers is taken, but no more than that: QEMU insists on it */
static void take_number(json_t *ours, json_t *theirs, const char *name, json_int_t most)
{
	json_t *offer = json_object_get(theirs, name);
	json_int_t value;

	if (!json_is_integer(offer))
		return;
	value = json_integer_value(offer);
	if (value > 0)
		json_object_set_new(ours, name, json_integer(value < most ? value : most));
}

/* The peer's capabilities, NULL: it names none. -EPROTO: that is nonsense */
static int parse(const struct vf_conn *conn, json_t **version)
{
	size_t len = vf_payload(conn) - sizeof(struct vf_version);
	const char *text = conn->msg.json;

	if (!len)
		return 0;
	if (text[len - 1] || strlen(text) != len - 1)
		return -EPROTO;
	if (len == 1)
		return 0;
	*version = json_loadb(text, len - 1, JSON_REJECT_DUPLICATES, NULL);
	return json_is_object(*version) ? 0 : -EPROTO;
}

/* A number that is not ours to have said stays unsaid: then it is the default */
static json_t *answer(json_t *version)
{
	json_t *theirs = json_object_get(version, "capabilities"), *ours = json_object();

	take_number(ours, theirs, "max_msg_fds", VF_MAX_FDS);
	take_number(ours, theirs, "max_data_xfer_size", VF_MAX_DATA);
	take_number(ours, theirs, "max_dma_maps", MEMORY_MAX_REGIONS);
	if (json_is_integer(json_object_get(theirs, "pgsizes")))
		json_object_set_new(ours, "pgsizes", json_integer(VF_PAGE_SIZE));
	return json_pack("{s:o}", "capabilities", ours);
}

static int fill_in(struct vf_conn *conn, json_t *version)
{
	json_t *reply = answer(version);
	char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) + 1 : 0;

	json_decref(reply);
	if (!text)
		return -ENOMEM;
	conn->msg.version.major = VF_MAJOR;
	conn->msg.version.minor = VF_MINOR;
	memcpy(conn->msg.json, text, len);
	free(text);
	return sizeof(struct vf_version) + len;
}

int vf_do_version(struct vf_conn *conn)
{
	json_t *version = NULL;
	int ret;

	if (conn->state == VF_SERVED)
		return -EINVAL;
	ret = conn->msg.version.major == VF_MAJOR ? parse(conn, &version) : -EPROTO;
	if (ret) {
		log_limited(&conn->vf->carrier.log, "%s: a peer speaks another protocol",
			    conn->vf->carrier.name);
	} else {
		ret = vf_take_guest(conn);
		if (!ret)
			ret = fill_in(conn, version);
	}
	json_decref(version);
	return ret;
}
