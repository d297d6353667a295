#include "service/attempt.h"

#include "base/file.h"
#include "scratch.h"
#include "tap.h"

static struct {
	int put_off, given_up;
	int64_t until;
} seen;

static int put_off(struct store *store, const char *guid, const char *why, int64_t until,
		   struct err *err)
{
	(void)store;
	(void)guid;
	(void)why;
	(void)err;
	seen.put_off++;
	seen.until = until;
	return 0;
}

static int give_up(struct store *store, const char *guid, const char *repository, const char *why,
		   struct err *err)
{
	(void)store;
	(void)guid;
	(void)repository;
	(void)why;
	seen.given_up++;
	return err_set(err, ERR_ABSENT, 0, "none of that id waits");
}

/* A router's life: settle what the one before left, then read this and die, or not. */
static void life(const char *folder, const char *guid, bool dies)
{
	struct store store = {.put_off = put_off, .give_up = give_up};
	cleanup(attempt_close) struct attempt attempt;
	struct err err = ERR_INIT;

	if (attempt_open(&attempt, folder, &err) < 0
	    || attempt_settle(&attempt, &store, &clock_system, &err) < 0)
		bail_out(err.text);
	attempt_begin(&attempt, guid);
	if (!dies)
		attempt_end(&attempt);
}

int main(void)
{
	scratch_begin();
	life(scratch_folder, "a-longer-guid-than-the-next", false);
	life(scratch_folder, "a", false);
	same_int(seen.put_off + seen.given_up, 0, "an orderly end leaves nothing to settle");
	life(scratch_folder, "a", true);
	life(scratch_folder, "b", false);
	same_int(seen.put_off, 1, "what it died of is put off");
	ok(seen.until > clock_ticks(&clock_system), "for a while");
	life(scratch_folder, "c", false);
	same_int(seen.put_off, 1, "once");
	for (int i = 0; i < 10; i++)
		life(scratch_folder, "a", true);
	same_int(seen.put_off, 10, "each death puts it off again");
	life(scratch_folder, "c", false);
	same_int(seen.given_up, 1, "after ten in a row it is given up, also when it is gone");
	return tap_done();
}
