#ifndef TARGET_ECS_EXPRESS_SHAPE_H
#define TARGET_ECS_EXPRESS_SHAPE_H

#include <jansson.h>

#include "base/buf.h"
#include "target/ecs_express/settings.h"

/*
 * What a service is made of, as JSON objects whose members are those of
 * UpdateExpressGatewayService: primaryContainer, cpu, networkConfiguration, … In a shape
 * `environment` and `secrets` are objects (name to value) and lists without order are sorted, so
 * that shapes can be laid over each other and compared; express_shape_send() makes what ECS takes.
 * No network here. All results are new references unless they are said to be borrowed.
 */

/** What the person asked for, and nothing else. */
json_t *express_shape_wish(const struct express_settings *settings, const struct app *app,
			   const char *image);

/** One of a service's activeConfigurations as a shape. */
json_t *express_shape_live(const json_t *configuration);

/** What the service would be: `live` (NULL: nothing yet) with the wish upon it, and with values for
 * all that a new one is asked for. */
json_t *express_shape_merge(const json_t *live, const json_t *wish, bool replace_env);

/** The members of `merged` that differ from `live` (NULL: all); an empty object when none does. */
json_t *express_shape_change(const json_t *live, const json_t *merged);

/** As ECS takes it. */
json_t *express_shape_send(const json_t *shape);

/** The difference, a line for each setting: "cpu: 256 -> 512". Values of variables are never
 * shown. `live` NULL: all is new. */
void express_shape_diff(const json_t *live, const json_t *merged, struct buf *out);

/** The image's name. Borrowed; NULL. */
const char *express_shape_image(const json_t *shape);

/** What the shape as a whole can't be though each part can. ERR_USAGE. */
int express_shape_check(const json_t *merged, const char *region, struct err *err) MUST_CHECK;

/* ---- a service, as it is described; borrowed ---- */

/** The active configuration of that revision; NULL revision, or none of it: the first. NULL when
 * nothing is active. */
const json_t *express_active(const json_t *service, const char *revision);

/** Is that revision an active one? */
bool express_is_active(const json_t *service, const char *revision);

/** Where a configuration is reached by everybody: "xyz.ecs.eu-west-1.on.aws"; NULL when it is
 * private, or isn't known yet. */
const char *express_url(const json_t *configuration);

/** Is it private, for sure? */
bool express_is_private(const json_t *configuration);

#endif
