#include "target/aws/open.h"

#include "cloud/aws/region.h"

#define FIRST_MS 250
#define LAST_MS  10000
#define PIECE_MS 250

/* Its site stays where it is: the session points to it. */
struct aws_holder {
	struct aws *aws;
	struct cloud_site site;
	int64_t looked;
};

int aws_open_alone(struct aws_holder **out, const struct site *site,
		   const struct aws_settings *settings, struct err *err)
{
	struct aws_holder *holder = xalloc(sizeof *holder);

	holder->site = (struct cloud_site){
		.http = site->http,
		.clock = site->clock,
		.env = site->env,
		.id_token = site->id_token,
		.mask = site->mask,
		.say = site->say,
		.tick = site->tick,
		.self = site->self,
	};
	if (aws_new(&holder->aws, settings, &holder->site, err)) {
		free(holder);
		return -1;
	}
	*out = holder;
	return 0;
}

struct aws *aws_holder_aws(struct aws_holder *holder)
{
	return holder->aws;
}

void aws_open_free(struct aws_holder *holder)
{
	if (holder)
		aws_free(holder->aws);
	free(holder);
}

static void let_go(void *held)
{
	aws_open_free(held);
}

int aws_open(struct aws **out, struct deploy *deploy, const struct aws_settings *settings,
	     struct err *err)
{
	struct aws_holder *holder = deploy->held;

	if (!holder && aws_open_alone(&holder, deploy->site, settings, err))
		return -1;
	deploy->held = holder;
	deploy->let_go = let_go;
	*out = holder->aws;
	return 0;
}

int64_t *aws_open_looked(struct deploy *deploy)
{
	struct aws_holder *holder = deploy->held;

	return &holder->looked;
}

int aws_pause(const struct site *site, int64_t milliseconds, int64_t deadline, struct err *err)
{
	int64_t now = clock_ticks(site->clock), until = now + milliseconds;

	if (deadline && now >= deadline)
		return err_set(err, ERR_LIMIT, 0, "the time is up");
	if (deadline && until > deadline)
		until = deadline;
	for (;;) {
		if (site->tick && site->tick(site->self))
			return err_set(err, ERR_CANCELLED, 0, "stopped while waiting for AWS");
		now = clock_ticks(site->clock);
		if (now >= until)
			return 0;
		clock_sleep(site->clock, until - now < PIECE_MS ? until - now : PIECE_MS);
	}
}

int64_t aws_poll(const struct site *site, unsigned look)
{
	int64_t wait = FIRST_MS;

	for (unsigned i = 0; i < look && wait < LAST_MS; i++)
		wait += wait / 3;
	if (wait < LAST_MS)
		return wait;
	/* Jobs of a matrix begin at the same moment; their ticks aren't the same. */
	return LAST_MS - 1000 + (clock_ticks(site->clock) * 7919) % 2000;
}

const char *aws_console(const struct aws *aws, const char *path, struct arena *arena)
{
	const char *region = aws_region(aws);

	return arena_printf(arena, "https://%s.console.aws.amazon.com%s", region, path);
}
