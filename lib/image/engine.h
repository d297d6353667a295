#ifndef IMAGE_ENGINE_H
#define IMAGE_ENGINE_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/http.h"

/*
 * The Docker Engine, through the HTTP interface on its socket; no docker program is needed.
 * https://docs.docker.com/engine/api/ : v1.41 (20.10) is what is asked for.
 */
struct engine;

/** What an engine may use of the world outside; outlives it. */
struct engine_site {
	struct http *http;
	struct clock *clock;
	/** Tell whoever follows, a line without its end. May be NULL. */
	void (*say)(void *self, const char *line, size_t size);
	/** Not 0: stop waiting. May be NULL. */
	int (*tick)(void *self);
	void *self;
};

/** `socket`: the path, "/var/run/docker.sock". Looks nothing up. Copies what it is given. */
struct engine *engine_new(const char *socket, const struct engine_site *site);
void engine_free(struct engine *engine);
DEFINE_FREEP(struct engine, engine_free);

/** Does an engine answer? ERR_ABSENT: no socket or nobody behind it; ERR_AUTH: not allowed; the
 * message says what to do. *arch ("amd64") and *version in the arena; both may be NULL. */
int engine_ping(struct engine *engine, struct arena *arena, const char **arch, const char **version,
		struct err *err) MUST_CHECK;

/* ---- images ---- */

struct engine_build {
	const char *folder;        /* the context, absolute */
	const char *dockerfile;    /* relative to the folder; NULL: "Dockerfile" */
	const char *target;        /* stage; NULL: the last */
	const char *platform;      /* "linux/amd64"; NULL: the engine's own */
	const char *const *args;   /* "NAME=value", NULL-ended; NULL */
	const char *const *labels; /* "name=value", NULL-ended; NULL */
	const char *tag;           /* a name for it; NULL */
	bool pull;                 /* look for newer base images */
	int64_t timeout;           /* seconds */
};

/**
 * Build an image; its log is told line by line. The context goes as a stream, less what the
 * folder's .dockerignore (or <dockerfile>.dockerignore) leaves out. *id: "sha256:…", in the arena.
 * ERR_REMOTE when a step fails (an error inside the 200 stream), ERR_LIMIT at the time-out.
 */
int engine_build(struct engine *engine, const struct engine_build *build, struct arena *arena,
		 const char **id, struct err *err) MUST_CHECK;

/** What the engine knows of an image (GET /images/{name}/json), new reference. ERR_ABSENT. */
int engine_image(struct engine *engine, const char *image, json_t **out,
		 struct err *err) MUST_CHECK;

int engine_pull(struct engine *engine, const char *reference, struct err *err) MUST_CHECK;
int engine_tag(struct engine *engine, const char *image, const char *reference,
	       struct err *err) MUST_CHECK;
/** Remove a name, and the image with its last one. 0 also when it is gone or in use. */
int engine_untag(struct engine *engine, const char *reference, struct err *err) MUST_CHECK;

/** The same for every name "repository:tag" whose image was made before `before` (seconds since
 * 1970), but not for `except`. */
int engine_untag_old(struct engine *engine, const char *repository, int64_t before,
		     const char *except, struct err *err) MUST_CHECK;

struct engine_auth {
	const char *username, *password, *server; /* NULL username: anonymous */
};

/** Push "registry/name:tag" (tagged before). *digest: what the registry stored, "sha256:…", in the
 * arena, read from the stream. An error inside the 200 stream is an error: ERR_AUTH when it says
 * so, ERR_TRANSIENT when it may pass. */
int engine_push(struct engine *engine, const char *reference, const struct engine_auth *auth,
		struct arena *arena, const char **digest, struct err *err) MUST_CHECK;

/** Write the image as a tar (docker save) into the open file. */
int engine_save(struct engine *engine, const char *image, int fd, struct err *err) MUST_CHECK;

/* ---- containers ---- */

struct engine_mount {
	const char *source, *target; /* a path of the engine's own machine; where it is seen */
	bool read_only;
	bool make; /* the source, a folder of root's, when it isn't there; no ':' in either path */
};

struct engine_container {
	const char *name;              /* NULL: the engine chooses */
	const char *image;             /* id or reference */
	const char *const *entrypoint; /* NULL: the image's */
	const char *const *argv;       /* NULL: the image's */
	const char *const *env;        /* "NAME=value"; NULL */
	const char *const *labels;     /* "name=value"; NULL */
	const struct engine_mount *mounts;
	size_t mount_count;
	const char *workdir; /* NULL: the image's */
	const char *user;    /* "1000:1000"; NULL: the image's */
	const char *network; /* "host", a network's name; NULL: bridge */
	const char *restart; /* "unless-stopped"; NULL: no */
	int port;            /* TCP port inside that is published; 0: none */
	int host_port;       /* at 127.0.0.1 of the engine's machine; 0: the engine chooses */
	int64_t memory;      /* bytes; 0: no limit */
	int64_t cpus;        /* thousandths of a processor; 0: no limit */
	int64_t pids;        /* 0: no limit */
	bool confined;       /* no new privileges, all capabilities dropped */
	bool init;           /* a small init reaps orphans */
};

/** *id in the arena. ERR_CONFLICT: the name is taken; ERR_ABSENT: no such image. */
int engine_create(struct engine *engine, const struct engine_container *container,
		  struct arena *arena, const char **id, struct err *err) MUST_CHECK;
/** 0 also when it runs. ERR_CONFLICT when the port is taken. */
int engine_start(struct engine *engine, const char *container, struct err *err) MUST_CHECK;
/** SIGTERM, SIGKILL after `grace` seconds. 0 also when it has stopped or is gone. */
int engine_stop(struct engine *engine, const char *container, int64_t grace,
		struct err *err) MUST_CHECK;
int engine_signal(struct engine *engine, const char *container, const char *signal,
		  struct err *err) MUST_CHECK;
/** Stop and remove, its anonymous volumes too. 0 also when it is gone. */
int engine_remove(struct engine *engine, const char *container, struct err *err) MUST_CHECK;
/** GET /containers/{id}/json, new reference. ERR_ABSENT. */
int engine_container(struct engine *engine, const char *container, json_t **out,
		     struct err *err) MUST_CHECK;
/** Those with the label ("slipway.app=x"), stopped ones too: an array, new reference. */
int engine_list(struct engine *engine, const char *label, json_t **out, struct err *err) MUST_CHECK;
/** Append its last lines, stdout and stderr together. */
int engine_logs(struct engine *engine, const char *container, unsigned lines, struct buf *out,
		struct err *err) MUST_CHECK;

/** Start it, tell its output line by line until it ends: *status. On tick or after `timeout`
 * seconds it is stopped (ERR_CANCELLED, ERR_LIMIT). It is not removed. */
int engine_follow(struct engine *engine, const char *container, int64_t timeout, int *status,
		  struct err *err) MUST_CHECK;

/** Run a command in a running container; its output is appended to `out`. */
int engine_exec(struct engine *engine, const char *container, const char *const *argv,
		struct buf *out, int *status, struct err *err) MUST_CHECK;

/** If this process runs in a container of that engine: its id, in the arena; else NULL. */
const char *engine_self(struct engine *engine, struct arena *arena);

/** The path on the engine's machine of a path of ours, found through the mounts of `self`; the path
 * itself when self is NULL; NULL when no mount has it. In the arena. */
int engine_host_path(struct engine *engine, const char *self, const char *path, struct arena *arena,
		     const char **out, struct err *err) MUST_CHECK;

#endif
