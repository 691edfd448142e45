/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/aside.h"

#include <pthread.h>
#include <signal.h>

#define STACK (256 << 10)

struct aside {
	pthread_mutex_t lock;
	struct loop *loop;
	struct aside_job job;
	bool left; /* nobody waits; under the lock */
};

static void
aside_free(struct aside *a)
{
	pthread_mutex_destroy(&a->lock);
	free(a);
}

/* On the loop. */
static void
arrived(void *arg)
{
	struct aside *a = arg;
	void (*end)(void *) = a->left ? a->job.drop : a->job.done;
	void *job_arg = a->job.arg;
	aside_free(a);
	end(job_arg);
}

static void *
run(void *arg)
{
	struct aside *a = arg;
	a->job.work(a->job.arg);
	/* Under the lock: who leaves may free the loop as soon as it has it. */
	pthread_mutex_lock(&a->lock);
	bool left = a->left;
	if (!left)
		loop_post(a->loop, arrived, a);
	pthread_mutex_unlock(&a->lock);
	if (left) {
		a->job.drop(a->job.arg);
		aside_free(a);
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
	pthread_mutex_init(&a->lock, NULL);
	int rc = start_thread(a);
	if (rc == 0)
		return a;
	aside_free(a);
	err_set(e, ERR_UNAVAILABLE, "starting a thread: %s", strerror(rc));
	return NULL;
}

void
aside_leave(struct aside *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->left = true;
	pthread_mutex_unlock(&a->lock);
}
