#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"

#define SH(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

static const char *const plain_env[] = {"PATH=/usr/bin:/bin", NULL};

/* What a child said: its lines joined by '|', and how often it was asked whether to stop. */
struct heard {
	struct buf text;
	size_t longest, lines;
	int ticks, stop_at;
};

static void hear(void *self, const char *line, size_t size)
{
	struct heard *heard = self;

	if (heard->lines++)
		buf_addc(&heard->text, '|');
	buf_add(&heard->text, line, size);
	if (size > heard->longest)
		heard->longest = size;
}

static int ask(void *self)
{
	struct heard *heard = self;

	return ++heard->ticks == heard->stop_at;
}

static struct heard heard;

/* Runs it with these arguments; returns its status, or minus the kind of the error. */
static int run_child(struct child child)
{
	struct err err = ERR_INIT;
	int status = -1;

	buf_free(&heard.text);
	heard = (struct heard){.text = {.limit = 1 << 20}, .stop_at = heard.stop_at};
	child.output = hear;
	child.self = &heard;
	if (!child.env)
		child.env = plain_env;
	if (child_run(&child, &status, &err) < 0) {
		tap_note("%s", err.text);
		return -(int)err.kind;
	}
	return status;
}

static int run(const char *const *argv)
{
	return run_child((struct child){.argv = argv});
}

static int64_t since(int64_t start)
{
	return clock_ticks(&clock_system) - start;
}

static bool alive(pid_t pid)
{
	char path[40], state = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';
	fclose(f);
	return state != 'Z' && state != 'X';
}

/* Dead within two seconds? */
static bool dies(pid_t pid)
{
	for (int i = 0; i < 100 && alive(pid); i++)
		clock_sleep(&clock_system, 20);
	return !alive(pid);
}

/* The process id that a child left in a file; waits for it. */
static pid_t pid_in(const char *path)
{
	int pid = 0;

	for (int i = 0; i < 200 && !pid; i++) {
		FILE *f = fopen(path, "re");

		if (f && fscanf(f, "%d\n", &pid) != 1)
			pid = 0;
		if (f)
			fclose(f);
		if (!pid)
			clock_sleep(&clock_system, 20);
	}
	return pid;
}

static void statuses(void)
{
	same_int(run(SH("exit 0")), 0, "exit 0");
	same_int(run(SH("exit 7")), 7, "exit 7");
	same_int(run(SH("kill -9 $$")), 137, "a signal is 128 + its number");
	same_int(run((const char *const[]){"no-such-program", NULL}), -ERR_ABSENT,
		 "a program that isn't in PATH is ERR_ABSENT");
	same_int(run((const char *const[]){"/no/such", NULL}), -ERR_ABSENT, "nor at its path");
	same_int(run((const char *const[]){"/etc/passwd", NULL}), -ERR_SYSTEM, "not a program");
	same_int(run_child((struct child){.argv = SH("exit 0"), .dir = "/no/such"}), -ERR_ABSENT,
		 "no such folder");
}

static void lines_and_ends(void)
{
	same_int(run(SH("printf 'one\\r\\ntwo\\n\\nlast' >&2")), 0, "prints");
	same_str(buf_text(&heard.text), "one|two||last", "lines come without their ends");
	same_int(run(SH("printf 'a\\0b\\n'")), 0, "prints NUL");
	ok(heard.text.size == 3 && memcmp(heard.text.data, "a\0b", 3) == 0, "a NUL stays");
	same_int(run(SH("printf '10%%\\r20%%\\n'")), 0, "prints CR");
	same_str(buf_text(&heard.text), "10%\r20%", "a CR inside a line stays");
	same_int(run(SH("head -c 200000 /dev/zero | tr '\\0' x; echo; echo y")), 0, "long");
	same_int((intmax_t)heard.longest, 65536, "a long line comes in pieces of 64 KiB");
	same_int((intmax_t)heard.lines, 5, "three whole, a rest, and the next line");
	same_int(run(SH("head -c 65536 /dev/zero | tr '\\0' x; printf '\\r\\n'; echo y")), 0,
		 "just");
	same_int((intmax_t)heard.lines, 2, "one of just 64 KiB is one line");
	same_int(run(SH("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done")), 0, "many");
	same_int((intmax_t)heard.lines, 20000, "no line is lost");
}

static void clean_start(void)
{
	int fd = open("/etc/passwd", O_RDONLY); /* not close-on-exec, on purpose */
	sigset_t block, old;

	same_int(run_child((struct child){.argv = (const char *const[]){"/usr/bin/env", NULL},
					  .env = (const char *const[]){"A=1", "B=2", NULL}}),
		 0, "env");
	same_str(buf_text(&heard.text), "A=1|B=2", "the environment is the given one");
	same_int(run(SH("ls /proc/self/fd | tr '\\n' ' '")), 0, "ls");
	same_str(buf_text(&heard.text), "0 1 2 3 ", "no descriptor is inherited (3 is ls's own)");
	close(fd);
	same_int(run(SH("cat; echo end")), 0, "stdin is empty");
	same_str(buf_text(&heard.text), "end", "it is /dev/null");
	same_int(run_child((struct child){.argv = SH("pwd"), .dir = "/usr"}), 0, "dir");
	same_str(buf_text(&heard.text), "/usr", "it runs in its folder");
	same_int(run_child((struct child){.argv = (const char *const[]){"mine", NULL},
					  .dir = scratch_folder,
					  .env = (const char *const[]){"PATH=.::/bin", NULL}}),
		 -ERR_ABSENT, "a relative folder in PATH is not looked at");
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, &old);
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	same_int(run(SH("grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f2 |"
			" sed s/0000000180000000/0000000000000000/")),
		 0, "signals");
	same_str(buf_text(&heard.text), "0000000000000000|0000000000000000",
		 "no signal is blocked or ignored (but glibc's own two)");
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void time_limits(void)
{
	int64_t start = clock_ticks(&clock_system);

	same_int(run_child((struct child){.argv = SH("sleep 60"), .timeout = 1}), -ERR_LIMIT,
		 "too long is ERR_LIMIT");
	ok(since(start) < 3000, "and soon over");
	start = clock_ticks(&clock_system);
	same_int(run_child((struct child){.argv = SH("trap '' TERM; while :; do sleep 1; done"),
					  .timeout = 1,
					  .grace = 1}),
		 -ERR_LIMIT, "one that ignores SIGTERM");
	ok(since(start) >= 1900 && since(start) < 5000, "is killed after the grace time");
	same_int(run_child((struct child){.argv = SH("exec 2>/dev/null; trap 'echo bye; exit 3' "
						     "TERM; while :; do sleep 0.1; done"),
					  .timeout = 1}),
		 -ERR_LIMIT, "one that ends itself");
	same_str(buf_text(&heard.text), "bye", "has the time to say so");
	start = clock_ticks(&clock_system);
	same_int(run_child((struct child){.argv = SH("kill -STOP $$"), .timeout = 1}), -ERR_LIMIT,
		 "one that stopped itself ends, too");
	ok(since(start) < 4000, "at once");
}

static void ticks(void)
{
	int64_t start = clock_ticks(&clock_system);

	heard.stop_at = 0;
	same_int(run_child((struct child){.argv = SH("sleep 1.3"), .tick = ask}), 0, "ticks");
	ok(heard.ticks >= 3, "at least twice a second");
	same_int(run_child((struct child){
			 .argv = SH("yes | head -c 3000000 | tr -d '\\n'; sleep 1"), .tick = ask}),
		 0, "also while it talks");
	heard.stop_at = 2;
	start = clock_ticks(&clock_system);
	same_int(run_child((struct child){.argv = SH("sleep 60"), .tick = ask}), -ERR_CANCELLED,
		 "a tick can stop it: ERR_CANCELLED");
	ok(since(start) < 3000, "soon");
	heard.stop_at = 0;
}

static void leftovers(void)
{
	char script[500];
	int64_t start;
	pid_t pid;

	snprintf(script, sizeof script, "sleep 60 & echo $! > %s; echo out", scratch("member"));
	start = clock_ticks(&clock_system);
	same_int(run(SH(script)), 0, "one leaves a member of its group behind");
	ok(dies(pid_in(scratch("member"))), "which is killed");
	ok(since(start) < 3000, "without waiting for it");
	snprintf(script, sizeof script,
		 "setsid sh -c 'echo $$ > %s; sleep 60' & sleep 0.3; echo out", scratch("daemon"));
	start = clock_ticks(&clock_system);
	same_int(run(SH(script)), 0, "one leaves a daemon that holds the pipe");
	same_str(buf_text(&heard.text), "out", "what it printed is there");
	ok(since(start) < 5000, "and we don't wait for the daemon");
	pid = pid_in(scratch("daemon"));
	ok(alive(pid), "it lives");
	kill(-pid, SIGKILL);
	snprintf(script, sizeof script, "setsid sh -c 'echo $$ > %s; yes' & sleep 0.3",
		 scratch("yes"));
	start = clock_ticks(&clock_system);
	same_int(run(SH(script)), 0, "nor for one that writes for ever");
	ok(since(start) < 5000, "in time");
	kill(-pid_in(scratch("yes")), SIGKILL);
}

static void captures(void)
{
	cleanup(buf_free) struct buf out = BUF_INIT(100);
	struct child child = {.argv = SH("echo out; echo err >&2"), .env = plain_env};
	struct err err = ERR_INIT;
	int64_t start;

	same_int(child_capture(&child, &out, &err), 0, "a capture");
	same_str(buf_text(&out), "out\n", "has stdout alone");
	buf_clear(&out);
	child.argv = SH("echo first >&2; echo 'no such thing' >&2; echo >&2; exit 4");
	same_int(child_capture(&child, &out, &err), -1, "a failing one");
	ok(err.kind == ERR_REMOTE && err.code == 4, "is ERR_REMOTE with its status");
	same_str(err.text, "/bin/sh: exit status 4: no such thing", "and says stderr's last line");
	child.argv = SH("printf unfinished >&2; exit 1");
	ok(child_capture(&child, &out, &err) < 0 && strstr(err.text, "unfinished"),
	   "also one without an end");
	child.argv = SH("yes");
	start = clock_ticks(&clock_system);
	ok(child_capture(&child, &out, &err) < 0 && err.kind == ERR_LIMIT, "too much: ERR_LIMIT");
	ok(since(start) < 3000, "at once");
	buf_clear(&out);
	child.argv = (const char *const[]){"no-such-program", NULL};
	ok(child_capture(&child, &out, &err) < 0 && err.kind == ERR_ABSENT, "absent");
	buf_free(&heard.text);
	heard = (struct heard){.text = {.limit = 1000}};
	child = (struct child){
		.argv = SH("echo o; echo e >&2"), .env = plain_env, .output = hear, .self = &heard};
	same_int(child_capture(&child, &out, &err), 0, "with output");
	same_str(buf_text(&heard.text), "e", "which gets stderr");
}

static void detaches(void)
{
	char script[300];
	struct err err = ERR_INIT;
	struct child child = {.env = plain_env};
	pid_t pid = 0;
	int status = 0;

	snprintf(script, sizeof script, "echo $$ > %s; echo to-log; sleep 60", scratch("left"));
	child.argv = SH(script);
	same_int(child_detach(&child, scratch("log"), &pid, &err), 0, "left alone");
	same_int(pid_in(scratch("left")), pid, "it runs, and we know its number");
	same_int(getsid(pid), pid, "in a session of its own");
	for (int i = 0; i < 100 && !file_exists(scratch("log")); i++)
		clock_sleep(&clock_system, 20);
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	cleanup(buf_free) struct buf log = BUF_INIT(100);
	ok(file_read(scratch("log"), &log, &err) == 0 && strcmp(buf_text(&log), "to-log\n") == 0,
	   "what it prints is in the log");
	ok(child_detach(&child, "/no/such/log", &pid, &err) < 0, "a log that can't be opened");
}

/* An entry of this run's own: the same test may run beside us. */
static const char *mark(const char *job)
{
	static char entries[4][60];
	static unsigned turn;
	char *entry = entries[turn++ % 4];

	snprintf(entry, sizeof entries[0], "SLIPWAY_JOB=test-%d-%s", (int)getpid(), job);
	return entry;
}

static void marked(void)
{
	const char *const env[] = {"PATH=/usr/bin:/bin", mark("17"), NULL};
	const char *const other_env[] = {"PATH=/usr/bin:/bin", mark("171"), NULL};
	struct child child = {.env = env}, other = {.argv = SH("exec sleep 60")};
	struct err err = ERR_INIT;
	char script[400];
	pid_t pid = -1, other_pid = -1;
	int status;

	other.env = other_env;
	same_int(child_kill_marked(mark("17")), 0, "none is marked yet");
	snprintf(script, sizeof script,
		 "setsid sh -c 'sleep 61 & echo $! > %s; exec sleep 60' & exec sleep 60",
		 scratch("marked"));
	child.argv = SH(script);
	ok(child_detach(&child, NULL, &pid, &err) == 0
		   && child_detach(&other, NULL, &other_pid, &err) == 0,
	   "some are started");
	ok(alive(pid_in(scratch("marked"))), "they run");
	same_int(child_kill_marked(mark("17")), 3, "all three that are marked are killed");
	ok(!alive(pid_in(scratch("marked"))) && !alive(pid), "and gone");
	ok(alive(other_pid), "one whose entry only begins like it lives");
	same_int(child_kill_marked(mark("17")), 0, "none is left");
	same_int(child_kill_marked(mark("171")), 1, "the other");
	waitpid(pid, &status, 0);
	waitpid(other_pid, &status, 0);
}

/* Forks faster than a reader of /proc: each parent ends at once and its child goes on. */
static void marked_runaway(void)
{
	const char *const env[] = {"PATH=/usr/bin:/bin", mark("18"), NULL};
	struct child child = {.env = env};
	struct err err = ERR_INIT;
	char script[400];
	pid_t pid;
	int status;

	snprintf(script, sizeof script,
		 "f() { sleep 0.05; echo x >> %s; (f) & }; f; for i in 1 2 3 4; do sleep 60 & done",
		 scratch("grows"));
	child.argv = SH(script);
	same_int(child_detach(&child, NULL, &pid, &err), 0, "a runaway is started");
	waitpid(pid, &status, 0);
	ok(child_kill_marked(mark("18")) >= 4, "a runaway is caught");
	same_int(child_kill_marked(mark("18")), 0, "all of it");
}

static void roles(void)
{
	const char *const argv[] = {
		"/bin/sh", "-c",
		"cat <&3 >&4; cat <&4; ls /proc/self/fd | tr '\\n' ' ' >&5; echo $SLIPWAY_TEST >&5",
		NULL};
	struct err err = ERR_INIT;
	int in[2], out[2], keep[3], status = 0;
	char text[100] = "";
	pid_t pid = 0;

	setenv("SLIPWAY_TEST", "inherited", 1);
	ok(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0, "pipes");
	/* Crossed: what goes to 3 and 4 is at 4 and 3, or near. */
	keep[0] = in[0];
	keep[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
	keep[2] = out[1];
	same_int(write(in[1], "x", 1), 1, "something to read");
	close(in[1]);
	same_int(child_start(argv, keep, 3, &pid, &err), 0, "a role is started");
	waitpid(pid, &status, 0);
	same_int(status, 0, "it ends well");
	ok(read(out[0], text, sizeof text - 1) > 0, "it could use what it was given");
	same_str(text, "0 1 2 3 4 5 6 inherited\n", "3 to 5, and no more (6 is ls's own)");
	close(in[0]);
	close(keep[1]);
	close(out[0]);
	close(out[1]);
}

int main(void)
{
	int before = scratch_descriptors();

	scratch_begin();
	statuses();
	lines_and_ends();
	clean_start();
	time_limits();
	ticks();
	leftovers();
	captures();
	detaches();
	marked();
	marked_runaway();
	roles();
	buf_free(&heard.text);
	same_int(scratch_descriptors(), before, "no descriptor is left open");
	return tap_done();
}
