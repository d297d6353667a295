#ifndef TARGET_AWS_LIVE_H
#define TARGET_AWS_LIVE_H

#include "target/target.h"

/* What is the same wherever AWS runs an image. */

/** GET the health path at `url`, once. ERR_TRANSIENT when it answers otherwise than health says,
 * or not at all: new names and certificates take a while. */
int aws_live_ask(const struct site *site, const struct health *health, const char *url,
		 struct err *err) MUST_CHECK;

/** "<12 of the commit>-<key>", as every target names its versions. In the arena. */
const char *aws_live_version(const struct deploy *deploy);

/** How people call what an image's name stands for: its digest, else its tag. Borrowed; NULL for
 * NULL. */
const char *aws_live_label(const char *image);

#endif
