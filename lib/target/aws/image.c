#include "target/aws/image.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cloud/aws/ecr.h"
#include "image/registry.h"
#include "net/url.h"

#define LOOKS      4 /* at what was just pushed */
#define LOOK_PAUSE 1500

/* The work on one image. */
struct work {
	const struct aws_image_job *job;
	struct cloud_site cloud;
	struct ecr *ecr;
	struct aws_image *out;
};

static void begin(struct work *work, const struct aws_image_job *job, struct aws_image *out)
{
	const struct site *site = job->site;

	*out = (struct aws_image){0};
	*work = (struct work){
		.job = job,
		.cloud =
			{
				.http = site->http,
				.clock = site->clock,
				.env = site->env,
				.id_token = site->id_token,
				.mask = site->mask,
				.say = site->say,
				.tick = site->tick,
				.self = site->self,
			},
		.out = out,
	};
	work->ecr = ecr_new(job->aws, &work->cloud);
}

#define SAY(work, ...)                                                                \
	do {                                                                          \
		if ((work)->job->site->say)                                           \
			(work)->job->site->say((work)->job->site->self, __VA_ARGS__); \
	} while (0)

static void say_line(void *self, const char *line, size_t size)
{
	const struct work *work = self;

	SAY(work, "%.*s", (int)size, line);
}

static int look_in(void *self)
{
	const struct work *work = self;
	const struct site *site = work->job->site;

	if (work->job->deadline && clock_ticks(site->clock) >= work->job->deadline)
		return 1;
	return site->tick ? site->tick(site->self) : 0;
}

/* ECR's registry, as we are logged in. `login` NULL: anybody's. */
static struct registry registry_of(struct work *work, const char *host,
				   const struct ecr_login *login)
{
	struct registry registry = {
		.http = work->job->site->http,
		.clock = work->job->site->clock,
		.host = host,
		.folder = work->job->site->data,
		.say = say_line,
		.tick = look_in,
		.self = work,
	};

	if (login)
		registry.auth = (struct engine_auth){
			.username = login->username, .password = login->password, .server = host};
	return registry;
}

/* A deadline that passed looks like being cancelled from below. */
static int time_out(const struct work *work, struct err *err)
{
	const struct aws_image_job *job = work->job;

	if (err->kind == ERR_CANCELLED && job->deadline
	    && clock_ticks(job->site->clock) >= job->deadline
	    && !(job->site->tick && job->site->tick(job->site->self)))
		return err_set(err, ERR_LIMIT, 0, "the time for it ran out");
	return -1;
}

/* ---- platforms ---- */

/* "linux/amd64" also does for "linux/amd64/v1". */
static bool runs_on(const char *platform, const char *wanted)
{
	size_t size = strlen(wanted);

	return text_starts(platform, wanted) && (platform[size] == '\0' || platform[size] == '/');
}

static int wrong_platform(const struct work *work, const char *image, const char *found,
			  struct err *err)
{
	const char *wanted = work->job->platform;

	return err_set(err, ERR_USAGE, 0,
		       "image %.120s is made for %s, and %s runs %s: build it for that "
		       "(build: {platform: %s}), or on such a machine",
		       image, found, work->job->runner, wanted, wanted);
}

static int check_platforms(const struct work *work, const char *image, const char *const *platforms,
			   struct err *err)
{
	cleanup(buf_free) struct buf all = BUF_INIT(200);

	for (size_t i = 0; platforms[i]; i++) {
		if (runs_on(platforms[i], work->job->platform))
			return 0;
		buf_addf(&all, "%s%s", i ? ", " : "", platforms[i]);
	}
	return wrong_platform(work, image, all.size ? buf_text(&all) : "nothing known", err);
}

static int check_built(const struct work *work, const char *image, size_t *names, struct err *err)
{
	json_auto json_t *json = NULL;
	const char *os, *architecture, *platforms[2] = {NULL};

	if (engine_image(work->job->site->engine, image, &json, err))
		return -1;
	*names = json_array_size(json_object_get(json, "RepoTags"));
	os = json_text(json, "Os");
	architecture = json_text(json, "Architecture");
	platforms[0] = arena_printf(work->job->arena, "%s/%s", os && *os ? os : "linux",
				    architecture ? architecture : "unknown");
	return check_platforms(work, image, platforms, err);
}

/* ---- pushing ---- */

static const char *host_of(const struct ecr_login *login, struct arena *arena)
{
	return arena_strdup(arena, strstr(login->endpoint, "://") + 3);
}

/* A file without a name, in our folder. */
static int passing_file(const struct work *work, struct err *err)
{
	autofree char *path = NULL;
	int fd;

	path = file_join(work->job->site->data ? work->job->site->data : "/tmp",
			 "slipway-image.XXXXXX");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "make a file for the image at %s", path);
	(void)unlink(path);
	return fd;
}

static int push_straight(struct work *work, const struct aws_image_push *push, const char **digest,
			 struct err *err)
{
	cleanup(file_close_at) int fd = passing_file(work, err);
	const struct ecr_login *login;
	struct registry registry;
	int status;

	if (fd < 0 || engine_save(work->job->site->engine, push->image, fd, err))
		return -1;
	for (int tried = 1;; tried++) {
		if (ecr_login(work->ecr, work->job->deadline, &login, err))
			return -1;
		registry = registry_of(work, host_of(login, work->job->arena), login);
		status = registry_push(&registry, fd, push->repository, push->tag, work->job->arena,
				       digest, err);
		if (status == 0 || err->kind != ERR_AUTH || tried == 2)
			return status ? time_out(work, err) : 0;
		ecr_forget(work->ecr);
	}
}

static int push_by_engine(struct work *work, const struct aws_image_push *push, size_t names,
			  const char **digest, struct err *err)
{
	struct engine *engine = work->job->site->engine;
	struct arena *arena = work->job->arena;
	const struct ecr_login *login;
	struct engine_auth auth;
	struct err ignored = ERR_INIT;
	const char *host, *name;
	int status;

	if (ecr_login(work->ecr, work->job->deadline, &login, err))
		return -1;
	host = host_of(login, arena);
	auth = (struct engine_auth){
		.username = login->username, .password = login->password, .server = host};
	name = arena_printf(arena, "%s/%s:%s", host, push->repository, push->tag);
	if (engine_tag(engine, push->image, name, err))
		return -1;
	status = engine_push(engine, name, &auth, arena, digest, err);
	/* Not the image's only name: that would remove the image. */
	if (names > 0 && engine_untag(engine, name, &ignored))
		SAY(work, "the name %s stays: %s", name, ignored.text);
	return status;
}

/* Has the tag this image already? Who may not look finds out by pushing. */
static bool is_there(struct work *work, const struct aws_image_push *push, const char **digest)
{
	const struct ecr_login *login;
	struct registry registry;
	struct err ignored = ERR_INIT;
	const char *id;

	if (ecr_login(work->ecr, work->job->deadline, &login, &ignored))
		return false;
	registry = registry_of(work, host_of(login, work->job->arena), login);
	return registry_image(&registry, push->repository, push->tag, work->job->arena, &id, digest,
			      &ignored)
		       == 0
	       && id && text_same(id, push->image);
}

static int send(struct work *work, const struct aws_image_push *push, size_t names,
		const char **digest, struct err *err)
{
	const struct site *site = work->job->site;

	if (push->straight)
		return push_straight(work, push, digest, err);
	if (push_by_engine(work, push, names, digest, err) == 0)
		return 0;
	if (err->kind == ERR_CANCELLED || (site->tick && site->tick(site->self)))
		return -1;
	SAY(work, "the engine couldn't push it (%s): pushing it without the engine", err->text);
	if (err->kind == ERR_AUTH)
		ecr_forget(work->ecr);
	return push_straight(work, push, digest, err);
}

/* ---- what is there ---- */

/* What was just stored may not be seen at once. */
static int look(struct work *work, const struct ecr_name *name, const char **digest,
		struct err *err)
{
	const struct aws_image_job *job = work->job;

	for (int looked = 1;; looked++) {
		int status = ecr_digest(work->ecr, name, job->deadline, job->arena, digest, err);

		if (status == 0 || err->kind != ERR_ABSENT || looked == LOOKS)
			return status;
		if (cloud_wait(&work->cloud, clock_ticks(job->site->clock) + LOOK_PAUSE, err))
			return -1;
	}
}

static int check_stored(struct work *work, const struct ecr_name *name, const char *digest,
			struct err *err)
{
	const char *stored = NULL;

	if (look(work, name, &stored, err)) {
		/* It told us when it stored it. */
		if (err->kind != ERR_AUTH)
			return err_within(err, "look at what was pushed");
		SAY(work, "we may not ask ECR what it stored (%s): believing the push",
		    aws_last(work->job->aws)->code);
		return 0;
	}
	if (text_same(stored, digest))
		return 0;
	return err_set(err, ERR_CONFLICT, 0,
		       "we pushed %s:%s as %s, and ECR has %s under that tag now: somebody else "
		       "pushed it too",
		       name->repository, name->tag, digest, stored);
}

static void fill(struct work *work, const struct ecr_name *name, const char *digest)
{
	struct arena *arena = work->job->arena;
	struct aws_image *out = work->out;
	const char *repository = arena_printf(arena, "%s/%s", name->registry, name->repository);

	out->account = name->account;
	out->region = name->region;
	out->is_public = name->is_public;
	out->digest = digest;
	out->by_tag = name->tag ? arena_printf(arena, "%s:%s", repository, name->tag) : NULL;
	out->by_digest = digest ? arena_printf(arena, "%s@%s", repository, digest) : NULL;
}

static int publish(struct work *work, const struct aws_image_push *push, struct err *err)
{
	const struct aws_image_job *job = work->job;
	const struct ecr_repository wanted = {
		.name = push->repository,
		.immutable = push->immutable,
		.scan = push->scan,
		.tags = push->tags,
	};
	struct ecr_name name;
	const char *uri, *digest = NULL;
	size_t names = 0;
	int status;

	if (!job->site->engine)
		return err_set(err, ERR_USAGE, 0,
			       "push the image: there is no Docker engine here that has it");
	if (check_built(work, push->image, &names, err)
	    || ecr_ensure(work->ecr, &wanted, job->deadline, job->arena, &uri, &work->out->created,
			  NULL, err))
		return -1;
	if (work->out->created)
		SAY(work, "made the repository %s", uri);
	uri = arena_printf(job->arena, "%s:%s", uri, push->tag);
	status = ecr_name_parse(&name, uri, job->arena, err);
	if (status)
		return -1;
	work->out->was_there = is_there(work, push, &digest);
	if (work->out->was_there)
		SAY(work, "%s has this image already", uri);
	else if (send(work, push, names, &digest, err) || check_stored(work, &name, digest, err))
		return err_within(err, "push the image to %s", uri);
	fill(work, &name, digest);
	return 0;
}

int aws_image_publish(struct aws_image *out, const struct aws_image_job *job,
		      const struct aws_image_push *push, struct err *err)
{
	struct work work;
	int status;

	begin(&work, job, out);
	status = publish(&work, push, err);
	ecr_free(work.ecr);
	return status;
}

/* ---- one that is there ---- */

static int find_public(struct work *work, const struct ecr_name *name, struct err *err)
{
	struct registry registry = registry_of(work, name->registry, NULL);
	const char *reference = name->digest ? name->digest : name->tag;
	const char *digest, *const *platforms;

	if (registry_digest(&registry, name->repository, reference, work->job->arena, &digest, err)
	    || registry_platforms(&registry, name->repository, reference, work->job->arena,
				  &platforms, err)) {
		if (err->kind == ERR_ABSENT || err->kind == ERR_CANCELLED)
			return -1;
		/* The platform will see for itself. */
		SAY(work, "couldn't look at the image, going on without: %s", err->text);
		fill(work, name, name->digest);
		return 0;
	}
	if (check_platforms(work, reference, platforms, err))
		return -1;
	fill(work, name, digest);
	return 0;
}

static int check_there(struct work *work, const struct ecr_name *name, const char *digest,
		       struct err *err)
{
	const struct ecr_login *login;
	struct registry registry;
	const char *host = name->registry, *const * platforms;

	if (ecr_login(work->ecr, work->job->deadline, &login, err) == 0) {
		/* A stand-in is where all images are. */
		if (text_starts(login->endpoint, "http://"))
			host = host_of(login, work->job->arena);
		registry = registry_of(work, host, login);
		if (registry_platforms(&registry, name->repository, digest, work->job->arena,
				       &platforms, err)
		    == 0)
			return check_platforms(work, name->repository, platforms, err);
	}
	if (err->kind == ERR_CANCELLED)
		return time_out(work, err);
	SAY(work, "couldn't see what the image runs on, going on without: %s", err->text);
	return 0;
}

/* Is it of our account? When nobody tells us, it is taken for ours. */
static void compare_account(struct work *work, const struct ecr_name *name)
{
	const struct sts_identity *identity;
	struct err ignored = ERR_INIT;

	if (aws_identity(work->job->aws, work->job->deadline, &identity, &ignored) == 0)
		work->out->foreign = !text_same(identity->account, name->account);
}

static int find_private(struct work *work, const struct ecr_name *name, struct err *err)
{
	const char *digest = NULL;

	compare_account(work, name);
	if (ecr_digest(work->ecr, name, work->job->deadline, work->job->arena, &digest, err)) {
		if (err->kind != ERR_AUTH)
			return -1;
		SAY(work, "we may not ask ECR about the image (%s), going on without",
		    aws_last(work->job->aws)->code);
		fill(work, name, name->digest);
		return 0;
	}
	if (check_there(work, name, digest, err))
		return -1;
	fill(work, name, digest);
	return 0;
}

/* Its registry is in another region: asked there. */
static int find_far(struct work *work, const struct ecr_name *name, struct err *err)
{
	const struct aws_image_job *here = work->job;
	cleanup(aws_freep) struct aws *aws = NULL;
	struct aws_settings settings = *here->settings;
	struct aws_image_job there = *here;
	struct work far;
	int status;

	SAY(work,
	    "warning: the image is in region %s and %s in %s: every start pulls it from there, and "
	    "%s may refuse to; push it to %s as well",
	    name->region, here->runner, aws_region(here->aws), here->runner, aws_region(here->aws));
	settings.region = name->region;
	if (aws_new(&aws, &settings, &work->cloud, err))
		return -1;
	there.aws = aws;
	there.settings = &settings;
	begin(&far, &there, work->out);
	status = find_private(&far, name, err);
	ecr_free(far.ecr);
	work->out->far = true;
	return status;
}

int aws_image_find(struct aws_image *out, const struct aws_image_job *job, const char *reference,
		   struct err *err)
{
	struct ecr_name name;
	struct work work;
	int status;

	begin(&work, job, out);
	status = ecr_name_parse(&name, reference, job->arena, err);
	if (status == 0 && !name.tag && !name.digest) {
		SAY(&work,
		    "warning: image '%s' has no tag: taking 'latest', which may be another image "
		    "tomorrow",
		    reference);
		name.tag = "latest";
	}
	/* What stands for what is fixed by the digest; nobody promises how both are read. */
	if (status == 0 && name.digest)
		name.tag = NULL;
	if (status == 0)
		status = name.is_public ? find_public(&work, &name, err)
			 : text_same(name.region, aws_region(job->aws))
				 ? find_private(&work, &name, err)
				 : find_far(&work, &name, err);
	ecr_free(work.ecr);
	return status ? -1 : 0;
}

/* ---- */

/* Lower case, and what ECR doesn't take becomes one dash between words. */
static void add_name(struct buf *out, const char *text)
{
	bool gap = false;
	size_t start = out->size;

	for (; *text; text++) {
		char c = (char)tolower((unsigned char)*text);

		if (islower((unsigned char)c) || isdigit((unsigned char)c)) {
			if (gap && out->size > start)
				buf_addc(out, '-');
			buf_addc(out, c);
			gap = false;
		} else if (c == '/' && out->size > start) {
			buf_addc(out, '/');
			start = out->size;
			gap = false;
		} else {
			gap = true;
		}
	}
	while (out->size > 0 && out->data[out->size - 1] == '/')
		out->data[--out->size] = '\0';
}

const char *aws_image_repository(const char *repository, const char *service, struct arena *arena)
{
	cleanup(buf_free) struct buf name = BUF_INIT(1024);
	cleanup(buf_free) struct buf last = BUF_INIT(512);
	const char *slash;

	if (repository)
		add_name(&name, repository);
	add_name(&last, service);
	slash = strrchr(buf_text(&name), '/');
	if (name.size == 0 || !text_same(slash ? slash + 1 : buf_text(&name), buf_text(&last))) {
		if (name.size > 0 && last.size > 0)
			buf_addc(&name, '-');
		buf_adds(&name, buf_text(&last));
	}
	return arena_printf(arena, "%.250s%s", buf_text(&name), name.size < 2 ? "-app" : "");
}
