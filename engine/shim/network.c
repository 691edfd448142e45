/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod's own network, made by netlink messages (rtnetlink(7)): the namespace is new when this runs; a pair of virtual
 * interfaces leads out of it, one end in the host's network. Each pair has two neighbouring addresses of the range in
 * the settings: the host's is even, the pod's odd. The host's end is named after the pair's number, and the kernel gives
 * a name away once only: so no list of addresses is kept, and daemons beside each other do not take each other's.
 * Everything goes when the last process of the pod does, however it ends.
 *
 * From the pod the host is reached, and through it the other pods of the range. There is no way further out: that would
 * take a translation of addresses, which is the host's firewall's business.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/shim/shim.h"

#define PREFIX "tgp" /* of the names of the host's ends */

struct request {
	struct nlmsghdr head;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
		struct rtmsg route;
		char room[1024];
	} body;
};

int
network_open(struct why *w)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	return fd < 0 ? why_errno(w, "netlink") : fd;
}

static void
begin(struct request *q, uint16_t type, uint16_t flags, size_t body)
{
	*q = (struct request){ .head = { .nlmsg_len = NLMSG_LENGTH((uint32_t)body),
				       .nlmsg_type = type,
				       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags } };
}

/* All attributes together are far smaller than the room. Returns the place of its header, to close a nest. */
static struct rtattr *
put(struct request *q, unsigned short type, const void *p, size_t n)
{
	struct rtattr *a = (struct rtattr *)(void *)((char *)q + NLMSG_ALIGN(q->head.nlmsg_len));
	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	if (n)
		memcpy(RTA_DATA(a), p, n);
	q->head.nlmsg_len = NLMSG_ALIGN(q->head.nlmsg_len) + (uint32_t)RTA_ALIGN(a->rta_len);
	return a;
}

static void
put_text(struct request *q, unsigned short type, const char *s)
{
	put(q, type, s, strlen(s) + 1);
}

static void
close_nest(struct request *q, struct rtattr *a)
{
	a->rta_len = (unsigned short)((char *)q + q->head.nlmsg_len - (char *)a);
}

/* Sends it and waits for the answer. -1 with errno. */
static int
ask(int fd, struct request *q)
{
	union {
		struct nlmsghdr head;
		char room[4096];
	} answer;
	if (send(fd, q, q->head.nlmsg_len, 0) < 0)
		return -1;
	ssize_t n;
	do
		n = recv(fd, &answer, sizeof answer, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	if ((size_t)n < NLMSG_LENGTH(sizeof(struct nlmsgerr)) || answer.head.nlmsg_type != NLMSG_ERROR)
		return 0; /* an answer with something in it */
	const struct nlmsgerr *e = NLMSG_DATA(&answer.head);
	errno = -e->error;
	return e->error ? -1 : 0;
}

/* The pair, its inner end in our namespace. EEXIST: the name is taken. */
static int
make_pair(int host, const char *name)
{
	struct request q;
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return -1;
	begin(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof q.body.link);
	put_text(&q, IFLA_IFNAME, name);
	struct rtattr *info = put(&q, IFLA_LINKINFO, NULL, 0);
	put_text(&q, IFLA_INFO_KIND, "veth");
	struct rtattr *data = put(&q, IFLA_INFO_DATA, NULL, 0);
	const struct ifinfomsg nothing = { 0 };
	struct rtattr *peer = put(&q, VETH_INFO_PEER, &nothing, sizeof nothing);
	put_text(&q, IFLA_IFNAME, "eth0");
	put(&q, IFLA_NET_NS_FD, &own, sizeof own);
	close_nest(&q, peer);
	close_nest(&q, data);
	close_nest(&q, info);
	int rc = ask(host, &q), code = errno;
	close(own);
	errno = code;
	return rc;
}

/* Up; on the host also: packets that come in here may be sent on. */
static int
set_up(int fd, const char *name, bool forward)
{
	struct request q;
	begin(&q, RTM_NEWLINK, 0, sizeof q.body.link);
	q.body.link.ifi_flags = q.body.link.ifi_change = IFF_UP;
	put_text(&q, IFLA_IFNAME, name);
	if (forward) {
		const uint32_t on = 1;
		struct rtattr *spec = put(&q, IFLA_AF_SPEC, NULL, 0), *inet = put(&q, AF_INET, NULL, 0);
		struct rtattr *conf = put(&q, IFLA_INET_CONF, NULL, 0);
		put(&q, IPV4_DEVCONF_FORWARDING, &on, sizeof on);
		close_nest(&q, conf);
		close_nest(&q, inet);
		close_nest(&q, spec);
	}
	return ask(fd, &q);
}

/* The kernel's number of an interface; names are asked for because the host's are not in our namespace. */
static int
index_of(int fd, const char *name)
{
	struct request q;
	union {
		struct nlmsghdr head;
		char room[8192];
	} answer;
	begin(&q, RTM_GETLINK, 0, sizeof q.body.link);
	q.head.nlmsg_flags = NLM_F_REQUEST;
	put_text(&q, IFLA_IFNAME, name);
	if (send(fd, &q, q.head.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0)
		return -1;
	if (answer.head.nlmsg_type != RTM_NEWLINK) {
		errno = ENODEV;
		return -1;
	}
	const struct ifinfomsg *link = NLMSG_DATA(&answer.head);
	return link->ifi_index;
}

static int
add_address(int fd, const char *name, uint32_t address)
{
	struct request q;
	int index = index_of(fd, name);
	if (index < 0)
		return -1;
	begin(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof q.body.addr);
	q.body.addr = (struct ifaddrmsg){ .ifa_family = AF_INET, .ifa_prefixlen = 31, .ifa_index = (uint32_t)index };
	const uint32_t net = htonl(address);
	put(&q, IFA_LOCAL, &net, sizeof net);
	put(&q, IFA_ADDRESS, &net, sizeof net);
	return ask(fd, &q);
}

static int
add_default_route(int fd, uint32_t gateway)
{
	struct request q;
	begin(&q, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof q.body.route);
	q.body.route = (struct rtmsg){ .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT,
		.rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST };
	const uint32_t net = htonl(gateway);
	put(&q, RTA_GATEWAY, &net, sizeof net);
	return ask(fd, &q);
}

/* The length of the prefix by which the host sends that address somewhere: 31 is a pod's, 0 with everything else. */
static int
routed_by(int host, uint32_t address)
{
	struct request q;
	union {
		struct nlmsghdr head;
		char room[4096];
	} answer;
	begin(&q, RTM_GETROUTE, 0, sizeof q.body.route);
	q.head.nlmsg_flags = NLM_F_REQUEST;
	q.body.route = (struct rtmsg){ .rtm_family = AF_INET, .rtm_dst_len = 32, .rtm_flags = RTM_F_FIB_MATCH };
	const uint32_t net = htonl(address);
	put(&q, RTA_DST, &net, sizeof net);
	if (send(host, &q, q.head.nlmsg_len, 0) < 0 || recv(host, &answer, sizeof answer, 0) < 0 ||
		answer.head.nlmsg_type != RTM_NEWROUTE)
		return 0; /* there is no route at all */
	const struct rtmsg *route = NLMSG_DATA(&answer.head);
	return route->rtm_dst_len;
}

/* "10.214.0.0/16": its first address and how many pairs it has. */
static int
read_range(const char *text, uint32_t *first, uint32_t *pairs, struct why *w)
{
	char address[32];
	struct in_addr in;
	const char *slash = strchr(text, '/');
	long bits = slash ? strtol(slash + 1, NULL, 10) : 0;
	if (!slash || (size_t)(slash - text) >= sizeof address || bits < 8 || bits > 31)
		return why_set(w, "podNetwork %s: must be a range like 10.214.0.0/16", text);
	snprintf(address, sizeof address, "%.*s", (int)(slash - text), text);
	if (inet_pton(AF_INET, address, &in) != 1)
		return why_set(w, "podNetwork %s: must be a range like 10.214.0.0/16", text);
	*first = ntohl(in.s_addr) & ~(uint32_t)((UINT64_C(1) << (32 - bits)) - 1);
	*pairs = UINT32_C(1) << (31 - bits);
	return 0;
}

static int
fill(int host, int own, const char *name, uint32_t even, struct why *w)
{
	if (add_address(host, name, even) < 0 || set_up(host, name, true) < 0)
		return why_errno(w, "network of the pod: set up %s", name);
	if (set_up(own, "lo", false) < 0 || add_address(own, "eth0", even + 1) < 0 || set_up(own, "eth0", false) < 0 ||
		add_default_route(own, even) < 0)
		return why_errno(w, "network of the pod: set up its inside");
	return 0;
}

int
network_make(int host, const char *range, char address[16], struct why *w)
{
	uint32_t first = 0, pairs = 1;
	int own = network_open(w);
	if (host < 0 || own < 0)
		return why_set(w, "netlink cannot be opened");
	if (read_range(range, &first, &pairs, w) < 0)
		return -1;
	/* Beginning anywhere, so that an address is not soon somebody else's. */
	uint32_t from = (uint32_t)(now_mono() / 1000) % pairs;
	for (uint32_t i = 0; i < pairs; i++) {
		uint32_t pair = (from + i) % pairs, even = first + 2 * pair;
		char name[IFNAMSIZ];
		snprintf(name, sizeof name, PREFIX "%08x", even);
		int prefix = routed_by(host, even + 1);
		if (prefix && prefix != 31)
			return why_set(w, "podNetwork %s: this host has a route there already; choose another range in the settings",
				range);
		int rc = prefix ? (errno = EEXIST, -1) : make_pair(host, name);
		if (rc < 0 && errno == EEXIST)
			continue;
		if (rc < 0)
			return why_errno(w, "network of the pod: make a pair of interfaces");
		const struct in_addr in = { htonl(even + 1) };
		inet_ntop(AF_INET, &in, address, 16);
		rc = fill(host, own, name, even, w);
		close(own);
		close(host);
		return rc;
	}
	return why_set(w, "podNetwork %s: every address is in use", range);
}
