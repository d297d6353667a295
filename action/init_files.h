#ifndef ACTION_INIT_FILES_H
#define ACTION_INIT_FILES_H

#include "action/init_app.h"
#include "base/buf.h"

/* The texts that slipway init writes, for an app of a known kind. */

/** slipway.yml, with comments; slipway check accepts it as it is. */
void init_files_project(const struct init_app *app, struct buf *out);

/** A Dockerfile for an app that has none. */
void init_files_dockerfile(const struct init_app *app, struct buf *out);

/** .dockerignore: what no image needs. */
void init_files_ignore(const struct init_app *app, struct buf *out);

/** .github/workflows/deploy.yml */
void init_files_workflow(const struct init_app *app, struct buf *out);

#endif
