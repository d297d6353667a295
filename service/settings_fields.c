#include "service/settings_fields.h"

#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "service/settings_valid.h"

const char *const settings_rule_events[] = {
	"push", "release", "workflow_run", "deployment", "registry_package", NULL,
};
static const char *const rights[] = {"read", "metrics", "redeploy", "rollback", NULL};
static const char *const open_rights[] = {"read", "metrics", NULL};
static const char *const log_formats[] = {"text", "json", NULL};
static const char *const reports[] = {"deployments", "statuses", "checks", "none", NULL};
static const char *const sources[] = {"github", NULL};

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
	 .valid = settings_valid_hook_path,
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
	 .valid = settings_valid_name,
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
	 .valid = settings_valid_app_id,
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
	 .valid = settings_valid_api,
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
	{.name = "report",
	 .type = FIELD_LIST,
	 .at = offsetof(struct settings_github, report),
	 .min = 1,
	 .choices = reports,
	 .help = "How GitHub is told about each deployment: `deployments`, `statuses` of the "
		 "commit, `checks` (an App only), or `none`. With a login deployments and "
		 "statuses, "
		 "unless it says otherwise."},
	{.name = "deliveries",
	 .type = FIELD_LIST,
	 .at = offsetof(struct settings_github, deliveries),
	 .min = 1,
	 .max = 1000,
	 .valid = settings_valid_deliveries,
	 .help = "Webhooks whose deliveries are looked through for missed ones: `app`, "
		 "`repos/OWNER/NAME` (the webhook there that has a path of `hooks`), "
		 "`repos/OWNER/NAME/hooks/ID`, `orgs/NAME/hooks/ID`, or `none`. With an App `app`, "
		 "with a token each of `repositories`, unless it says otherwise."},
	{.name = "poll",
	 .type = FIELD_SECONDS,
	 .at = offsetof(struct settings_github, poll),
	 .fallback = "60",
	 .min = 1,
	 .max = 86400,
	 .help = "How often they are looked through."},
	{0},
};

const struct field settings_source_fields[] = {
	{.name = "git",
	 .type = FIELD_TEXT,
	 .at = offsetof(struct settings_repository, git),
	 .required = true,
	 .valid = settings_valid_git,
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
	 .valid = settings_valid_name,
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
	 .valid = settings_valid_name,
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
	 .valid = settings_valid_config,
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
	 .valid = settings_valid_variable,
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
	 .valid = settings_valid_listen,
	 .help = "Address and port of the service; put a proxy with TLS before it. `none`: no port "
		 "is opened, and what GitHub would deliver is fetched (`github.deliveries`)."},
	{.name = "url",
	 .type = FIELD_TEXT,
	 .at = AT(settings.url),
	 .valid = settings_valid_link,
	 .help = "Where people reach the service, such as https://deploy.example: links to logs "
		 "begin with it. Without it there are none."},
	{.name = "data",
	 .type = FIELD_TEXT,
	 .at = AT(settings.data),
	 .fallback = "/var/lib/slipway",
	 .valid = settings_valid_folder,
	 .help = "The folder for everything it writes."},
	{.name = "store",
	 .type = FIELD_TEXT,
	 .at = AT(settings.store),
	 .fallback = "sqlite",
	 .valid = settings_valid_store,
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
	 .valid = settings_valid_path_list,
	 .help = "`PATH` of a deployment's commands: build, test, release."},
	{.name = "docker",
	 .type = FIELD_TEXT,
	 .at = AT(settings.docker),
	 .valid = settings_valid_socket,
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
	 .valid = settings_valid_repository,
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
