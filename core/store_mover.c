/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mover moves what was committed from the log into the database (a checkpoint) beside the writer, which goes on committing: SQLite
 * lets one connection append to the log while another moves what is there. Only once all of it was moved can the log begin anew, and that
 * a busy writer leaves no moment for; so the last piece is the writer's, and short (store_writer.c).
 *
 * The thread begins with the first log that is worth it.
 */
#include <signal.h>

#include "core/store_impl.h"

static void
open_conn(struct store *s)
{
	struct err e;
	if (conn_open(&s->mover.conn, s->path, SQLITE_OPEN_READWRITE, NULL, &e) || store_run_sql(s->mover.conn.db, "PRAGMA synchronous = FULL", &e))
		store_die(&e);
}

static void *
mover_main(void *arg)
{
	struct store *s = arg;
	struct mover *m = &s->mover;
	open_conn(s);
	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!m->asked && !m->ends)
			pthread_cond_wait(&m->work, &s->lock);
		if (!m->asked)
			break;
		pthread_mutex_unlock(&s->lock);
		int pages = store_move_log(&m->conn);
		pthread_mutex_lock(&s->lock);
		m->asked = false;
		m->pages = pages;
		pthread_cond_signal(&m->idle);
	}
	pthread_mutex_unlock(&s->lock);
	conn_close(&m->conn);
	return NULL;
}

static void
start(struct store *s)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	s->mover.runs = pthread_create(&s->mover.thread, NULL, mover_main, s) == 0; /* else the writer does it all */
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

int
mover_pages(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	int pages = s->mover.pages;
	pthread_mutex_unlock(&s->lock);
	return pages;
}

void
mover_ask(struct store *s)
{
	if (!s->mover.runs)
		start(s);
	pthread_mutex_lock(&s->lock);
	s->mover.asked = s->mover.runs;
	pthread_mutex_unlock(&s->lock);
	pthread_cond_signal(&s->mover.work);
}

void
mover_wait(struct store *s, int pages)
{
	pthread_mutex_lock(&s->lock);
	while (s->mover.asked)
		pthread_cond_wait(&s->mover.idle, &s->lock);
	s->mover.pages = pages;
	pthread_mutex_unlock(&s->lock);
}

void
mover_stop(struct store *s)
{
	if (!s->mover.runs)
		return;
	pthread_mutex_lock(&s->lock);
	s->mover.ends = true;
	pthread_mutex_unlock(&s->lock);
	pthread_cond_signal(&s->mover.work);
	pthread_join(s->mover.thread, NULL);
	s->mover.runs = false;
}
