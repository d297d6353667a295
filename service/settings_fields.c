#include "service/settings_fields.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "net/url.h"

const char *const settings_rule_events[] = {
	"push", "release", "workflow_run", "deployment", "registry_package", NULL,
};
static const char *const rights[] = {"read", "metrics", "redeploy", "rollback", NULL};
static const char *const open_rights[] = {"read", "metrics", NULL};
static const char *const log_formats[] = {"text", "json", NULL};
static const char *const sources[] = {"github", NULL};

/* ip:port or [ip6]:port; names are refused, because what they mean can change under a running
 * server. */
static int valid_listen(const char *text, struct err *err)
{
	const char *colon = strrchr(text, ':');
	unsigned char parsed[16];
	char host[64] = "";
	struct err why = ERR_INIT;
	int64_t port;
	size_t size = colon ? (size_t)(colon - text) : 0;
	bool bracketed = size > 2 && text[0] == '[' && text[size - 1] == ']';

	if (size > 0 && size < sizeof host)
		memcpy(host, text + bracketed, size - (bracketed ? 2 : 0));
	if (inet_pton(bracketed ? AF_INET6 : AF_INET, host, parsed) == 1
	    && text_number(colon + 1, 0, 65535, &port, &why) == 0)
		return 0;
	return err_set(
		err, ERR_USAGE, 0,
		"expected an address and a port such as 127.0.0.1:8080 or [::1]:8080 (no host "
		"names), found '%.80s'",
		text);
}

static bool has_control(const char *text)
{
	while (*text && !iscntrl((unsigned char)*text))
		text++;
	return *text;
}

static bool climbs(const char *path)
{
	for (; *path; path += *path == '/') {
		size_t size = strcspn(path, "/");

		if (size == 2 && path[0] == '.' && path[1] == '.')
			return true;
		path += size;
	}
	return false;
}

static int valid_folder(const char *text, struct err *err)
{
	if (*text == '/' && text[strspn(text, "/")] && !climbs(text) && !has_control(text)
	    && strlen(text) < 1000)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected the absolute path of a folder, without '..', found '%.80s'", text);
}

static int valid_store(const char *text, struct err *err)
{
	if (text_same(text, "sqlite"))
		return 0;
	if (text_starts(text, "postgres://") || text_starts(text, "postgresql://"))
		return err_set(err, ERR_USAGE, 0,
			       "this build has no PostgreSQL store; expected sqlite");
	return err_set(err, ERR_USAGE, 0, "expected sqlite, found '%.80s'", text);
}

static int valid_socket(const char *text, struct err *err)
{
	if (*text == '/' && !climbs(text))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected the absolute path of Docker's socket, such as "
		       "/var/run/docker.sock, found '%.80s'",
		       text);
}

static int valid_hook_path(const char *text, struct err *err)
{
	static const char *const taken[] = {"/v1", "/healthz", "/readyz", "/metrics"};
	bool good = *text == '/' && text[1] && strlen(text) <= 200 && !climbs(text)
		    && !strstr(text, "//") && !text_ends(text, "/");

	for (const char *c = text; *c; c++)
		good &= isalnum((unsigned char)*c) || strchr("/._~-", *c);
	if (!good)
		return err_set(
			err, ERR_USAGE, 0,
			"expected a path such as /hooks/github (letters, digits and '/._~-'), "
			"found '%.80s'",
			text);
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
		size_t size = strlen(taken[i]);

		if (text_starts(text, taken[i]) && (!text[size] || text[size] == '/'))
			return err_set(
				err, ERR_USAGE, 0,
				"'%.80s' is under %s, which is the service's own; take another "
				"such as /hooks/github",
				text, taken[i]);
	}
	return 0;
}

static int valid_name(const char *text, struct err *err)
{
	if (text_is_name(text))
		return 0;
	return err_set(
		err, ERR_USAGE, 0,
		"'%.80s' is not a name: up to 63 letters, digits, '.', '_' and '-', the first "
		"a letter or digit",
		text);
}

static int valid_variable(const char *text, struct err *err)
{
	if (text_is_variable(text))
		return 0;
	return err_set(
		err, ERR_USAGE, 0,
		"'%.80s' is no name of a variable: expected letters, digits and '_', the first "
		"not a digit",
		text);
}

static int valid_repository(const char *text, struct err *err)
{
	if (text_is_repository(text))
		return 0;
	return err_set(err, ERR_USAGE, 0, "expected owner/name as on GitHub, found '%.100s'", text);
}

static int valid_config(const char *text, struct err *err)
{
	if (*text != '/' && !climbs(text) && !has_control(text) && !text_ends(text, "/"))
		return 0;
	return err_set(err, ERR_USAGE, 0, "expected a path within the repository, found '%.80s'",
		       text);
}

static int valid_api(const char *text, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct url url = {0};

	if (url_parse(&url, text, arena, err) < 0)
		return -1;
	if (url.user || url.password || url.query)
		return err_set(err, ERR_USAGE, 0, "expected a URL without user, password or query");
	if (text_same(url.scheme, "https")
	    || (text_same(url.scheme, "http") && url_is_loopback(url.host)))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected https:// (or http:// to this machine itself), found '%.80s'",
		       text);
}

/* What git would take as an option, or as the name of a helper program, isn't a repository. */
static int valid_git(const char *text, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct url url = {0};

	if (*text == '-' || strstr(text, "::") || has_control(text))
		return err_set(err, ERR_USAGE, 0,
			       "expected a URL or the path of a repository, found '%.80s'", text);
	if (!strstr(text, "://"))
		return 0;
	if (text_starts(text, "file:///"))
		return 0;
	if (url_parse(&url, text, arena, err) < 0)
		return -1;
	if (url.password)
		return err_set(err, ERR_USAGE, 0,
			       "a password in the URL would end in logs; put it into 'password: "
			       "{file: …}' beside 'git'");
	if (text_same(url.scheme, "https") || text_same(url.scheme, "http")
	    || text_same(url.scheme, "ssh") || text_same(url.scheme, "git"))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected https, http, ssh, git or file, found '%.20s://'", url.scheme);
}

static int valid_path_list(const char *text, struct err *err)
{
	const char *at = text;

	for (; *at == '/'; at += *at == ':' && at[1]) {
		at += strcspn(at, ":");
		if (!*at)
			return has_control(text) ? err_set(err, ERR_USAGE, 0, "control characters")
						 : 0;
	}
	return err_set(
		err, ERR_USAGE, 0,
		"expected absolute folders such as /usr/local/bin:/usr/bin:/bin, found '%.80s'",
		text);
}

static int valid_app_id(const char *text, struct err *err)
{
	size_t good =
		strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.");

	if (!text[good] && good <= 60)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected the App's client id (Iv1.…) or number, found '%.80s'", text);
}

static const struct field itself_fields[] = {
	{.name = "",
	 .type = FIELD_SECRET,
	 .at = offsetof(struct settings_secret, secret),
	 .help = "One of the hook's secrets."},
	{0},
};

static const struct field hook_fields[] = {
	{.name = "path",
	 .type = FIELD_TEXT,
	 .at = offsetof(struct settings_hook, path),
	 .required = true,
	 .valid = valid_hook_path,
	 .help = "The path of the webhook's URL."},
	{.name = "secrets",
	 .type = FIELD_GROUPS,
	 .at = offsetof(struct settings_hook, secrets),
	 .max = 20,
	 .fields = itself_fields,
	 .size = sizeof(struct settings_secret),
	 .help = "Required: the webhook's secret, at least 8 bytes. Several while one replaces "
		 "another: a delivery signed with any of them is taken."},
	{0},
};

static const struct field token_fields[] = {
	{.name = "name",
	 .type = FIELD_TEXT,
	 .at = offsetof(struct settings_token, name),
	 .required = true,
	 .valid = valid_name,
	 .help = "Who it is for: stands in logs and with each deployment it asked for."},
	{.name = "secret",
	 .type = FIELD_SECRET,
	 .at = offsetof(struct settings_token, secret),
	 .required = true,
	 .help = "The token itself, at least 8 bytes."},
	{.name = "may",
	 .type = FIELD_LIST,
	 .at = offsetof(struct settings_token, may),
	 .required = true,
	 .min = 1,
	 .choices = rights,
	 .help = "What it may do."},
	{0},
};

static const struct field app_fields[] = {
	{.name = "id",
	 .type = FIELD_TEXT,
	 .at = offsetof(struct settings_app, id),
	 .required = true,
	 .valid = valid_app_id,
	 .help = "The App's client id (or number)."},
	{.name = "key",
	 .type = FIELD_SECRET,
	 .at = offsetof(struct settings_app, key),
	 .required = true,
	 .help = "The App's private key, as GitHub gave it (PEM)."},
	{0},
};

const struct field settings_github_fields[] = {
	{.name = "api",
	 .type = FIELD_TEXT,
	 .at = offsetof(struct settings_github, api),
	 .fallback = "https://api.github.com",
	 .valid = valid_api,
	 .help = "The API's URL; for GitHub Enterprise Server https://HOST/api/v3."},
	{.name = "app",
	 .type = FIELD_GROUP,
	 .at = offsetof(struct settings_github, app),
	 .fields = app_fields,
	 .size = sizeof(struct settings_app),
	 .help = "Log in as a GitHub App."},
	{.name = "token",
	 .type = FIELD_SECRET,
	 .at = offsetof(struct settings_github, token),
	 .help = "Log in with a token instead. With neither, only public repositories can be "
		 "read."},
	{0},
};

const struct field settings_source_fields[] = {
	{.name = "git",
	 .type = FIELD_TEXT,
	 .at = offsetof(struct settings_repository, git),
	 .required = true,
	 .valid = valid_git,
	 .help = "URL or path of a git repository."},
	{.name = "user",
	 .type = FIELD_TEXT,
	 .at = offsetof(struct settings_repository, git_user),
	 .help = "The user that git logs in as."},
	{.name = "password",
	 .type = FIELD_SECRET,
	 .at = offsetof(struct settings_repository, git_password),
	 .help = "The user's password, or a token."},
	{0},
};

#define RULE(member) offsetof(struct settings_rule, member)
static const struct field rule_fields[] = {
	{.name = "on",
	 .type = FIELD_CHOICE,
	 .at = RULE(on),
	 .required = true,
	 .choices = settings_rule_events,
	 .help = "The event that deploys."},
	{.name = "environment",
	 .type = FIELD_TEXT,
	 .at = RULE(environment),
	 .valid = valid_name,
	 .help = "Where to. Required, except for `deployment`, which names its own: then only "
		 "this one is taken."},
	{.name = "branches",
	 .type = FIELD_LIST,
	 .at = RULE(branches),
	 .min = 1,
	 .max = 100,
	 .help = "push, workflow_run, deployment: patterns of branches, as in a workflow. A push "
		 "rule with neither branches nor tags takes both."},
	{.name = "tags",
	 .type = FIELD_LIST,
	 .at = RULE(tags),
	 .min = 1,
	 .max = 100,
	 .help = "push, release, registry_package: patterns of tags."},
	{.name = "paths",
	 .type = FIELD_LIST,
	 .at = RULE(paths),
	 .min = 1,
	 .max = 100,
	 .help = "push: patterns of changed files; none of them changed, nothing is deployed."},
	{.name = "workflows",
	 .type = FIELD_LIST,
	 .at = RULE(workflows),
	 .min = 1,
	 .max = 100,
	 .help = "workflow_run: names of workflows."},
	{.name = "packages",
	 .type = FIELD_LIST,
	 .at = RULE(packages),
	 .min = 1,
	 .max = 100,
	 .help = "registry_package: names of packages."},
	{.name = "services",
	 .type = FIELD_LIST,
	 .at = RULE(services),
	 .min = 1,
	 .max = 100,
	 .valid = valid_name,
	 .help = "Only these services; otherwise all that have the environment."},
	{.name = "prereleases",
	 .type = FIELD_FLAG,
	 .at = RULE(prereleases),
	 .help = "release: take prereleases too."},
	{0},
};

static const struct field value_fields[] = {
	{.name = "",
	 .type = FIELD_SECRET,
	 .at = offsetof(struct settings_value, value),
	 .help = "The secret's value."},
	{0},
};

#define REPOSITORY(member) offsetof(struct settings_repository_text, member)
static const struct field repository_fields[] = {
	{.name = "source",
	 .type = FIELD_ANY,
	 .at = REPOSITORY(source),
	 .choices = sources,
	 .fields = settings_source_fields,
	 .help = "Where its code comes from: GitHub's archive of the commit (unless it says "
		 "otherwise), or a git repository."},
	{.name = "config",
	 .type = FIELD_TEXT,
	 .at = REPOSITORY(repository.config),
	 .fallback = "slipway.yml",
	 .valid = valid_config,
	 .help = "The path of its slipway.yml."},
	{.name = "deploy",
	 .type = FIELD_GROUPS,
	 .at = REPOSITORY(repository.rules),
	 .max = 100,
	 .fields = rule_fields,
	 .size = sizeof(struct settings_rule),
	 .help = "Which events deploy it, and where to. Without a rule only people can."},
	{.name = "secrets",
	 .type = FIELD_NAMED,
	 .at = REPOSITORY(repository.secrets),
	 .max = SETTINGS_MAX_NAMED,
	 .valid = valid_variable,
	 .fields = value_fields,
	 .size = sizeof(struct settings_value),
	 .help = "What the `secrets` of its slipway.yml may name."},
	{0},
};

#define AT(member) offsetof(struct settings_text, member)
const struct field settings_fields[] = {
	{.name = "listen",
	 .type = FIELD_TEXT,
	 .at = AT(settings.listen),
	 .fallback = "127.0.0.1:8080",
	 .valid = valid_listen,
	 .help = "Address and port of the service; put a proxy with TLS before it."},
	{.name = "data",
	 .type = FIELD_TEXT,
	 .at = AT(settings.data),
	 .fallback = "/var/lib/slipway",
	 .valid = valid_folder,
	 .help = "The folder for everything it writes."},
	{.name = "store",
	 .type = FIELD_TEXT,
	 .at = AT(settings.store),
	 .fallback = "sqlite",
	 .valid = valid_store,
	 .help = "Where deliveries and deployments are kept: sqlite, a file in `data`."},
	{.name = "workers",
	 .type = FIELD_COUNT,
	 .at = AT(settings.workers),
	 .fallback = "2",
	 .min = 1,
	 .max = 64,
	 .help = "How many deployments run at a time."},
	{.name = "log",
	 .type = FIELD_TEXT,
	 .at = AT(settings.log_format),
	 .fallback = "text",
	 .choices = log_formats,
	 .help = "The form of the service's own log, on stderr."},
	{.name = "path",
	 .type = FIELD_TEXT,
	 .at = AT(settings.path),
	 .fallback = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	 .valid = valid_path_list,
	 .help = "`PATH` of a deployment's commands: build, test, release."},
	{.name = "docker",
	 .type = FIELD_TEXT,
	 .at = AT(settings.docker),
	 .valid = valid_socket,
	 .help = "The socket of the Docker engine that builds images and runs containers, as in "
		 "/var/run/docker.sock; nothing is done with Docker unless it says so. Whoever may "
		 "use "
		 "that socket is root: see security.md."},
	{.name = "hooks",
	 .type = FIELD_GROUPS,
	 .at = AT(settings.hooks),
	 .max = SETTINGS_MAX_HOOKS,
	 .fields = hook_fields,
	 .size = sizeof(struct settings_hook),
	 .help = "Where GitHub delivers webhooks."},
	{.name = "tokens",
	 .type = FIELD_GROUPS,
	 .at = AT(settings.tokens),
	 .max = SETTINGS_MAX_TOKENS,
	 .fields = token_fields,
	 .size = sizeof(struct settings_token),
	 .help = "Who may use the API, as `Authorization: Bearer …`."},
	{.name = "anonymous",
	 .type = FIELD_LIST,
	 .at = AT(settings.anonymous),
	 .choices = open_rights,
	 .help = "What needs no token; nothing unless it says so."},
	{.name = "github",
	 .type = FIELD_GROUP,
	 .at = AT(settings.github),
	 .fields = settings_github_fields,
	 .size = sizeof(struct settings_github),
	 .help = "How to reach GitHub."},
	{.name = "repositories",
	 .type = FIELD_NAMED,
	 .at = AT(repositories),
	 .max = SETTINGS_MAX_NAMED,
	 .valid = valid_repository,
	 .fields = repository_fields,
	 .size = sizeof(struct settings_repository_text),
	 .help = "What may be deployed, by owner/name. Deliveries of others are recorded and "
		 "deploy nothing."},
	{0},
};

json_t *settings_schema(void)
{
	const struct field *const tables[] = {settings_fields};
	json_t *schema =
		json_pack("{s:s,s:s}", "$schema", "http://json-schema.org/draft-07/schema#",
			  "title", "slipwayd.yml");
	json_auto json_t *rest = fields_schema(tables, 1);
	json_t *hook;

	json_object_update(schema, rest);
	hook = json_at(schema, "properties.hooks.items");
	json_array_append_new(json_object_get(hook, "required"), json_string("secrets"));
	json_object_set_new(json_at(hook, "properties.secrets"), "minItems", json_integer(1));
	return schema;
}

static const char example[] =
	"```yaml\n"
	"listen: 127.0.0.1:8080\n"
	"data: /var/lib/slipway\n"
	"hooks:\n"
	"  - path: /hooks/github\n"
	"    secrets: [{file: /etc/slipway/hook-secret}, {file: /etc/slipway/hook-secret.old}]\n"
	"tokens:\n"
	"  - {name: ops, secret: {file: /etc/slipway/ops-token}, may: [read, redeploy, rollback]}\n"
	"anonymous: [metrics]\n"
	"github: {app: {id: Iv1.0123456789abcdef, key: {file: app.pem}}}\n"
	"workers: 2\n"
	"repositories:\n"
	"  acme/shop:\n"
	"    source: github\n"
	"    deploy:\n"
	"      - {on: push, branches: [main], environment: production}\n"
	"      - {on: release, environment: production}\n"
	"    secrets: {DATABASE_URL: {file: /etc/slipway/shop-database-url}}\n"
	"```\n";

void settings_markdown(struct buf *out)
{
	buf_adds(out,
		 "# slipwayd.yml\n\n"
		 "This file stands on the server and says what `slipwayd` listens to, and what "
		 "may be deployed.\nThis page is made from the tables that the parser uses: "
		 "`make docs`.\n\n");
	buf_adds(out, example);
	buf_adds(
		out,
		"\nCheck one with `slipwayd check FILE`. SIGHUP makes a running `slipwayd` read it "
		"again, all or\nnothing.\n\n"
		"- A **secret** is `{file: PATH}`: a regular file, read without its last line end; "
		"a "
		"relative path starts\n  at this file's folder. It can also be a text in place, "
		"but "
		"then this file is a secret too.\n"
		"- A **pattern** is as in a GitHub workflow: `*` any run without `/`, `**` any "
		"run, "
		"`!` before it takes\n  away again.\n"
		"- A list with one entry may be written as that entry.\n"
		"- Anchors, aliases, tags, merge keys, duplicate keys and further documents are "
		"refused; so is\n  a file over 1 MiB.\n\n## Settings\n\n");
	fields_markdown(settings_fields, out);
}
