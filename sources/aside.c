/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/aside.h"

#include <pthread.h>
#include <signal.h>

#define STACK (512 << 10) /* resolvers and libssh keep buffers there */

/* One for all: whoever comes last frees the call, and a lock in it would go while the other one is still giving it back. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct aside {
	struct loop *loop;
	struct aside_job job;
	bool left; /* nobody waits; under the lock */
};

/* On the loop. */
static void
arrived(void *arg)
{
	struct aside *a = arg;
	void (*end)(void *) = a->left ? a->job.drop : a->job.done;
	void *job_arg = a->job.arg;
	free(a);
	end(job_arg);
}

static void *
run(void *arg)
{
	struct aside *a = arg;
	a->job.work(a->job.arg);
	/* Under the lock: who leaves may free the loop as soon as it has it. Posted, the call is the loop's. */
	pthread_mutex_lock(&lock);
	bool left = a->left;
	if (!left)
		loop_post(a->loop, arrived, a);
	pthread_mutex_unlock(&lock);
	if (left) {
		a->job.drop(a->job.arg);
		free(a);
	}
	return NULL;
}

static int
start_thread(struct aside *a)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&thread, &attr, run, a);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

struct aside *
aside_start(struct loop *l, const struct aside_job *job, struct err *e)
{
	struct aside *a = MEM_NEW(struct aside);
	a->loop = l;
	a->job = *job;
	int rc = start_thread(a);
	if (rc == 0)
		return a;
	free(a);
	err_set(e, ERR_UNAVAILABLE, "starting a thread: %s", strerror(rc));
	return NULL;
}

void
aside_leave(struct aside *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&lock);
	a->left = true;
	pthread_mutex_unlock(&lock);
}
