#ifndef TARGET_AWS_VALID_H
#define TARGET_AWS_VALID_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/fields.h"
#include "target/target.h"

/* What AWS's targets ask of their settings alike. */

/* For struct field's `valid`: the name of an ECR repository, a role's ARN, a variable but not PORT,
 * a path of a URL. */
int valid_repository(const char *text, struct err *err);
int valid_role(const char *text, struct err *err);
int valid_variable(const char *text, struct err *err);
int valid_path(const char *text, struct err *err);

/** Add a mistake to a list in one line: "one; two". */
void valid_wrong(struct buf *out, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** Is the entry ("NAME=value") of app->env one of its secrets? */
bool valid_is_secret(const struct app *app, const char *entry);

/** Mistakes of env, secrets and runtime-secrets: too long (`most` bytes), a secret whose value
 * isn't an ARN and would be shown by `platform`, named twice. */
void valid_env(const struct app *app, const struct field_pair *runtime_secrets,
	       const char *platform, size_t most, struct buf *out);

/** Mistakes of tags. */
void valid_tags(const struct field_pair *tags, struct buf *out);

/** What a service is called that has no name of its own: "shop-production". In the arena. */
const char *valid_default_name(const struct app *app, struct arena *arena);

#endif
