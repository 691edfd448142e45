/* SPDX-License-Identifier: Apache-2.0 */
/* pull_impl: what pull.c, pull_messages.c and pull_calls.c know of each other. Nobody else includes it. */
#ifndef TIDEGATE_SOURCES_PULL_IMPL_H
#define TIDEGATE_SOURCES_PULL_IMPL_H

#include "sources/backoff.h"
#include "sources/pull.h"

/* A message that was taken. In its event's arena. */
struct taken {
	struct link link;   /* in kept, done or unwanted */
	struct event *ev;   /* one reference: it holds this */
	str receipt;
	uint64_t number;    /* in order of arrival */
	int64_t hidden_until;
};

enum task { PREPARE, ASK, ACKNOWLEDGE, RELEASE, FINISH, TASKS };

/* A call under way. In its own arena. */
struct exchange {
	struct link link; /* in pull.exchanges */
	struct pull *pull;
	enum task task;
	struct pull_call call;
	struct taken **taken; /* of ACKNOWLEDGE and RELEASE */
	size_t n;
	int64_t sent;
};

struct pull {
	struct source *source;
	struct loop *loop;
	const struct pull_ops *ops;
	void *own;
	struct link exchanges;
	size_t calls[TASKS];      /* under way */
	struct link kept;         /* the bus had no room */
	struct link done;         /* on disk: to be acknowledged */
	struct link unwanted;     /* to be released */
	size_t taken, bytes;
	uint64_t numbers;         /* given so far */
	size_t emitted;           /* on their way to the disk */
	size_t found;             /* messages in the answer that is being read */
	size_t askers;            /* calls for messages that may be under way */
	struct backoff_state waits;
	struct timer trouble, idle, end;
	bool troubled, idling;    /* the timers are set */
	bool unacknowledged;      /* the last acknowledgement failed */
	bool stopping, finished, deferred;
	int64_t refused_told;
	uint64_t refused;
};

/* Calls at a time, of those that are about so many messages each. */
static inline size_t
pull_at_a_time(size_t messages, size_t most)
{
	return messages == 1 ? PULL_SINGLES_MAX : most;
}

/* ---- pull.c: what is sent when -------------------------------------------------------------------------------------------- */

/* Sends what may be sent now; may free `p`. */
void pull_go_on(struct pull *p);
/* The same at the end of the turn. */
void pull_soon(struct pull *p);

/* ---- pull_messages.c ------------------------------------------------------------------------------------------------------- */

/* Gives the message back: it is counted no more. */
void pull_let_go(struct pull *p, struct taken *t);
void pull_let_all_go(struct pull *p, struct link *list);
/* What the bus had no room for, as far as it has now. */
void pull_emit_kept(struct pull *p);

/* ---- pull_calls.c ---------------------------------------------------------------------------------------------------------- */

/* Asks for messages. If that cannot be: p->troubled. */
void pull_ask(struct pull *p);
/* ACKNOWLEDGE or RELEASE: the next batch of the list, which leaves it. False: it cannot be sent. */
bool pull_settle(struct pull *p, enum task task, struct link *list);
/* Asks the kind for a call that may not be necessary, and makes it. As the kind: 1, 0 or -1. `make` may be NULL: 0. */
int pull_call_maybe(struct pull *p, enum task task, int (*make)(struct pull *p, struct pull_call *c, struct err *e));
/* Calls under way end without an answer; their messages are let go. `all`: also those that acknowledge, release or finish. */
void pull_forget_calls(struct pull *p, bool all);

#endif
