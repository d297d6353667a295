#ifndef TARGET_AWS_OPEN_H
#define TARGET_AWS_OPEN_H

#include "cloud/aws/aws.h"
#include "target/target.h"

/** AWS for this deployment: logged in once, kept in deploy->held until target_let_go(). Borrowed.
 */
int aws_open(struct aws **out, struct deploy *deploy, const struct aws_settings *settings,
	     struct err *err) MUST_CHECK;

/** When AWS was last asked whether our version runs, in ticks; 0 at first. It lives as long as the
 * login that aws_open() made. */
int64_t *aws_open_looked(struct deploy *deploy);

/** The same without a deployment to keep it in (plan): the caller frees `holder` by
 * aws_open_free(). */
struct aws_holder;
int aws_open_alone(struct aws_holder **out, const struct site *site,
		   const struct aws_settings *settings, struct err *err) MUST_CHECK;
struct aws *aws_holder_aws(struct aws_holder *holder); /* borrowed */
void aws_open_free(struct aws_holder *holder);
DEFINE_FREEP(struct aws_holder, aws_open_free);

/** Wait so many milliseconds, or until the deadline (ticks). ERR_CANCELLED when the site's tick
 * says so, ERR_LIMIT when the deadline is there already. */
int aws_pause(const struct site *site, int64_t milliseconds, int64_t deadline,
	      struct err *err) MUST_CHECK;

/** How long to wait before the next look, in milliseconds: short at first, 10 s with some jitter
 * later. `look`: how many there have been. */
int64_t aws_poll(const struct site *site, unsigned look);

/** The region's own console, a link to what `path` names there: "/apprunner/home". In the arena. */
const char *aws_console(const struct aws *aws, const char *path, struct arena *arena);

#endif
