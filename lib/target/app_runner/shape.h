#ifndef TARGET_APP_RUNNER_SHAPE_H
#define TARGET_APP_RUNNER_SHAPE_H

#include <jansson.h>

#include "base/buf.h"
#include "target/app_runner/settings.h"

/*
 * What a service is made of, as JSON objects whose members are those of UpdateService: the groups
 * SourceConfiguration, InstanceConfiguration, HealthCheckConfiguration, NetworkConfiguration,
 * ObservabilityConfiguration and AutoScalingConfigurationArn. UpdateService replaces a group that
 * it is sent and keeps the others; so a group is read, changed and sent whole, or left out.
 * No network here. All results are new references.
 */

/** What the person asked for, and nothing else. `image`: its name; NULL for code. `scaling`: the
 * ARN to use; NULL. */
json_t *shape_wish(const struct app_runner_settings *settings, const struct app *app,
		   const char *image, const char *scaling);

/** A service as DescribeService gives it, in one spelling: cpu and memory as numbers, defaults
 * written out, nothing that is empty. */
json_t *shape_live(const json_t *service);

/** What the service would be: `live` (NULL: nothing yet) with the wish upon it. ERR_CONFLICT when
 * that can't be done: an image's service becoming code's. */
int shape_merge(json_t **out, const json_t *live, const json_t *wish, bool replace_env,
		struct err *err) MUST_CHECK;

/** The groups of `merged` that differ from `live`; an empty object when none does. */
json_t *shape_change(const json_t *live, const json_t *merged);

/** What CreateService is sent, but for the name: `merged` with tags and key. */
json_t *shape_create(const struct app_runner_settings *settings, const json_t *merged);

/** The difference, a line for each setting: "cpu: 1024 -> 2048". Values of variables are never
 * shown. `live` NULL: all is new. */
void shape_diff(const json_t *live, const json_t *merged, struct buf *out);

/** What runs: the image's name, or "branch main". Borrowed from the shape; NULL. */
const char *shape_runs(const json_t *shape);

/** Do both run the same image (or branch) … */
bool shape_same_source(const json_t *a, const json_t *b);
/** … and is it public? */
bool shape_is_public(const json_t *shape);

/** What the shape as a whole can't be though each part can: secrets without a role, … ERR_USAGE. */
int shape_check(const json_t *merged, const char *region, struct err *err) MUST_CHECK;

#endif
