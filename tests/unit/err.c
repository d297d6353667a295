#include "base/err.h"

#include <errno.h>

#include "tap.h"

static int inner(struct err *err)
{
	return err_set(err, ERR_REMOTE, 503, "status %d", 503);
}

static int outer(struct err *err)
{
	return inner(err) < 0 ? err_within(err, "upload %s", "app.tar.gz") : 0;
}

static void levels(void)
{
	struct err err = ERR_INIT;

	same_int(outer(&err), -1, "a failure is -1 all the way up");
	same_str(err.text, "upload app.tar.gz: status 503", "each level adds what it was doing");
	same_int(err.code, 503, "the code stays");
	same_str(err_kind_name(err.kind), "remote", "the kind stays");
}

static void from_errno(void)
{
	struct err err = ERR_INIT;

	errno = ENOENT;
	same_int(err_errno(&err, "read %s", "a.yml"), -1, "err_errno() is -1");
	same_str(err.text, "read a.yml: No such file or directory", "and says what errno means");
	same_int(err.code, ENOENT, "its code is errno");
	same_int(err.kind, ERR_SYSTEM, "its kind is system");
}

static void one_line(void)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_USAGE, 0, "no such branch: %s", "a\nb\033[2J\x7f");
	same_str(err.text, "no such branch: a b [2J ",
		 "control characters from outside are blanked");
	err_within(&err, "deploy %s", "x\ty");
	same_str(err.text, "deploy x y: no such branch: a b [2J ", "in what is added, too");
}

static void too_long(void)
{
	static char large[2000];
	struct err err = ERR_INIT;

	memset(large, 'x', sizeof large - 1);
	err_set(&err, ERR_USAGE, 0, "%s", large);
	same_int((intmax_t)strlen(err.text), sizeof err.text - 1, "a long text is cut");
	err_within(&err, "doing");
	ok(strncmp(err.text, "doing: xxx", 10) == 0, "at its end, not at its start");
	err_within(&err, "%s", large);
	same_int((intmax_t)strlen(err.text), sizeof err.text - 1, "also when the new part is long");
	errno = EIO;
	err_errno(&err, "%s", large);
	ok(strstr(err.text, "Input/output error") != NULL, "the cause is still there");
}

static void kinds(void)
{
	for (int kind = 0; kind < ERR_KIND_COUNT; kind++)
		ok(err_kind_name((enum err_kind)kind) != NULL, "each kind has a name");
}

int main(void)
{
	levels();
	from_errno();
	one_line();
	too_long();
	kinds();
	return tap_done();
}
