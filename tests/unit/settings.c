#include "service/settings.h"

#include <sys/stat.h>

#include "base/json.h"
#include "scratch.h"

static struct arena *arena;

/* Read a text that stands for /etc/slipway/d.yml; all mistakes, "" for none. */
static const char *read(const char *yaml, struct settings **settings)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("d.yml");
	struct err err = ERR_INIT;
	int failed = settings_read(settings, "/etc/slipway/d.yml", yaml, strlen(yaml), arena,
				   &mistakes, &err);

	ok(failed ? !*settings && err.kind == ERR_USAGE : *settings != NULL,
	   "settings, or an error of the settings");
	return arena_strdup(arena, buf_text(&mistakes.text));
}

static void says(const char *yaml, const char *want, const char *name)
{
	struct settings *settings;

	same_str(read(yaml, &settings), want, name);
}

#define HOOK "hooks: [{path: /hooks/github, secrets: [{file: secret}]}]\n"

static void whole(void)
{
	const struct settings_repository *repository;
	const struct settings_token *token;
	const struct settings_rule *rule;
	const struct settings_hook *hook;
	struct settings *settings;

	same_str(read("listen: '[::1]:80'\n"
		      "data: /srv/slipway//\n"
		      "store: sqlite\n"
		      "hooks:\n"
		      "  - path: /hooks/github\n"
		      "    secrets: [{file: /run/secret}, {file: old}]\n"
		      "tokens:\n"
		      "  - {name: ops, secret: {file: ops}, may: [read, redeploy]}\n"
		      "anonymous: []\n"
		      "github: {api: https://ghe.example/api/v3/, app: {id: Iv1.x, key: {file: "
		      "app.pem}}}\n"
		      "workers: 4\n"
		      "log: json\n"
		      "repositories:\n"
		      "  acme/shop:\n"
		      "    source: github\n"
		      "    deploy:\n"
		      "      - {on: push, branches: [main], environment: production}\n"
		      "      - {on: release, environment: production, prereleases: true}\n"
		      "      - {on: deployment}\n"
		      "    secrets: {DATABASE_URL: {file: db}}\n"
		      "  acme/other:\n"
		      "    source: {git: 'https://git.example/o.git', user: me, password: {file: "
		      "pw}}\n"
		      "    config: deploy/slipway.yml\n"
		      "  acme/near:\n"
		      "    source: {git: ../repos/near}\n"
		      "  acme/ssh:\n"
		      "    source: {git: 'git@git.example:a/b'}\n",
		      &settings),
		 "", "everything reads");
	if (!settings)
		bail_out("no settings");
	same_str(settings->listen, "[::1]:80", "listen");
	same_str(settings->data, "/srv/slipway", "data, without its end");
	same_str(settings_store(settings, arena), "sqlite:///srv/slipway/store/slipway.db",
		 "store");
	same_int(settings->workers, 4, "workers");
	same_str(settings->log_format, "json", "log");
	same_str(settings->file, "/etc/slipway/d.yml", "file");
	ok(settings->anonymous && !settings->anonymous[0], "anonymous");
	hook = settings->hooks.items;
	same_int((int64_t)hook->secrets.count, 2, "two secrets");
	same_str(((struct settings_secret *)hook->secrets.items)[1].secret.file, "/etc/slipway/old",
		 "relative to the settings");
	token = settings->tokens.items;
	same_str(token->may[1], "redeploy", "a token's rights");
	same_str(settings->github->api, "https://ghe.example/api/v3", "api, without its end");
	same_str(settings->github->app->key.file, "/etc/slipway/app.pem", "the App's key");
	repository = settings_repository(settings, "Acme/Shop");
	ok(repository && !repository->git, "found whatever the case");
	rule = repository->rules.items;
	same_int((int64_t)repository->rules.count, 3, "rules");
	same_str(settings_rule_events[rule[1].on], "release", "on");
	ok(rule[1].prereleases && !rule[2].environment, "a rule's members");
	same_str(((struct settings_value *)repository->secrets.items)->name, "DATABASE_URL",
		 "a secret's name");
	same_str(repository->config, "slipway.yml", "config's default");
	repository = settings_repository(settings, "acme/other");
	same_str(repository->git, "https://git.example/o.git", "git");
	same_str(repository->git_password.file, "/etc/slipway/pw", "git's password");
	same_str(settings_repository(settings, "acme/near")->git, "/etc/slipway/../repos/near",
		 "a path is relative to the settings");
	same_str(settings_repository(settings, "acme/ssh")->git, "git@git.example:a/b",
		 "the short form of an ssh URL");
	ok(!settings_repository(settings, "acme/none"), "no such repository");
}

static void defaults(void)
{
	struct settings *settings;

	same_str(read(HOOK, &settings), "", "a hook is enough");
	if (!settings)
		bail_out("no settings");
	same_str(settings->listen, "127.0.0.1:8080", "listen");
	same_str(settings->data, "/var/lib/slipway", "data");
	same_str(settings->github->api, "https://api.github.com", "github is never NULL");
	same_int(settings->workers, 2, "workers");
	same_str(settings->log_format, "text", "log");
	ok(strstr(settings->path, "/usr/bin") != NULL, "path");
	ok(settings->warnings && !settings->warnings[0], "no warnings");
}

static void top(void)
{
	says("", "d.yml:1:1: expected settings, found nothing\n", "empty");
	says("workers: 0\n",
	     "d.yml:1:10: 'workers': expected a whole number from 1 to 64, found '0'\n"
	     "d.yml:1:1: there are neither 'hooks' nor 'tokens', so nobody could ask for a "
	     "deployment\n",
	     "nobody could ask");
	says(HOOK "listen: localhost:8080\ndata: var\nstore: postgres://slipway@db/slipway\n"
		  "repositorys: {}\nlog: xml\nanonymous: [read, redeploy]\npath: bin:/usr/bin\n",
	     "d.yml:2:9: 'listen': expected an address and a port such as 127.0.0.1:8080 or "
	     "[::1]:8080 (no host names), or none, found 'localhost:8080'\n"
	     "d.yml:3:7: 'data': expected the absolute path of a folder, without '..', found "
	     "'var'\n"
	     "d.yml:4:8: 'store': this build has no PostgreSQL store; expected sqlite\n"
	     "d.yml:5:1: no such setting 'repositorys'; did you mean 'repositories'?\n"
	     "d.yml:6:6: 'log': expected one of text, json, found 'xml'\n"
	     "d.yml:7:19: 'anonymous': expected one of read, metrics, found 'redeploy'\n"
	     "d.yml:8:7: 'path': expected absolute folders such as /usr/local/bin:/usr/bin:/bin, "
	     "found 'bin:/usr/bin'\n",
	     "every mistake at once");
}

static void listens(void)
{
	static const char *const bad[] = {"8080",        ":8080",   "127.0.0.1", "1.2.3.4:65536",
					  "1.2.3.4:-1",  "::1:80",  "[::1]",     "[1.2.3.4]:80",
					  "1.2.3.4:80x", "[::1:80", "[]:80",     "1.2.3:80"};
	static const char *const good[] = {"0.0.0.0:80", "[::]:443", "127.0.0.1:0"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		autofree char *yaml = xprintf(HOOK "listen: '%s'\n", bad[i]);
		struct settings *settings;

		ok(strstr(read(yaml, &settings), "expected an address and a port"), bad[i]);
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		autofree char *yaml = xprintf(HOOK "listen: '%s'\n", good[i]);

		says(yaml, "", good[i]);
	}
}

static void hooks(void)
{
	says("hooks:\n  - path: /a\n  - {path: /b, secrets: []}\n  - {path: /c, secrets: }\n"
	     "  - secrets: [{file: x}]\n",
	     "d.yml:5:5: 'path' is missing; expected a text\n"
	     "d.yml:2:5: a hook without a secret would take anyone's deliveries; expected "
	     "'secrets: "
	     "[{file: …}]' with the webhook's secret\n"
	     "d.yml:3:25: a hook without a secret would take anyone's deliveries; expected "
	     "'secrets: [{file: …}]' with the webhook's secret\n"
	     "d.yml:4:25: a hook without a secret would take anyone's deliveries; expected "
	     "'secrets: [{file: …}]' with the webhook's secret\n",
	     "no secret, no hook");
	says("hooks:\n  - {path: /a, secrets: [{file: x}]}\n  - {path: /a, secrets: [{file: y}]}\n",
	     "d.yml:3:12: 'path': '/a' is another hook's too\n", "the same path twice");
	says("hooks:\n  - {path: /v1/x, secrets: [{file: x}]}\n"
	     "  - {path: /metrics, secrets: [{file: x}]}\n"
	     "  - {path: hooks, secrets: [{file: x}]}\n"
	     "  - {path: /a/../v1, secrets: [{file: x}]}\n"
	     "  - {path: '/a?b', secrets: [{file: x}]}\n"
	     "  - {path: /v1x, secrets: [{file: x}]}\n",
	     "d.yml:2:12: 'path': '/v1/x' is under /v1, which is the service's own; take another "
	     "such as /hooks/github\n"
	     "d.yml:3:12: 'path': '/metrics' is under /metrics, which is the service's own; take "
	     "another such as /hooks/github\n"
	     "d.yml:4:12: 'path': expected a path such as /hooks/github (letters, digits and "
	     "'/._~-'), found 'hooks'\n"
	     "d.yml:5:12: 'path': expected a path such as /hooks/github (letters, digits and "
	     "'/._~-'), found '/a/../v1'\n"
	     "d.yml:6:12: 'path': expected a path such as /hooks/github (letters, digits and "
	     "'/._~-'), found '/a?b'\n",
	     "paths");
}

static void tokens(void)
{
	says("tokens:\n  - {name: a, secret: {file: x}, may: [raed]}\n"
	     "  - {name: a, secret: {file: y}, may: [read]}\n  - {name: b c, may: []}\n",
	     "d.yml:2:40: 'may': expected one of read, metrics, redeploy, rollback, found 'raed'; "
	     "did you mean 'read'?\n"
	     "d.yml:4:12: 'name': 'b c' is not a name: up to 63 letters, digits, '.', '_' and '-', "
	     "the first a letter or digit\n"
	     "d.yml:4:22: 'may': expected at least 1, found none\n"
	     "d.yml:4:5: 'secret' is missing; expected a text, or {file: path}\n"
	     "d.yml:3:12: 'name': 'a' is another token's too\n",
	     "tokens");
}

static void github(void)
{
	says(HOOK "github: {api: http://ghe.example, token: {file: t}, app: {id: 'a b'}}\n",
	     "d.yml:2:15: 'api': expected https:// (or http:// to this machine itself), found "
	     "'http://ghe.example'\n"
	     "d.yml:2:63: 'id': expected the App's client id (Iv1.…) or number, found 'a b'\n"
	     "d.yml:2:58: 'key' is missing; expected a text, or {file: path}\n"
	     "d.yml:2:9: 'github': expected 'app' or 'token', found both\n",
	     "github");
	says(HOOK "github: {api: 'http://127.0.0.1:99'}\n", "", "this machine may speak http");
	says(HOOK "github: {api: 'https://a:b@x/'}\n",
	     "d.yml:2:15: 'api': expected a URL without user, password or query\n", "no password");
}

#define REPO "repositories:\n  acme/shop:\n"

static void watches(const char *yaml, const char *want, const char *name)
{
	struct settings *settings;
	const char *const *list;
	cleanup(buf_free) struct buf out = BUF_INIT(1000);

	same_str(read(yaml, &settings), "", name);
	if (!settings)
		return;
	for (list = settings_deliveries(settings, arena); *list; list++)
		buf_addf(&out, "%s ", *list);
	same_str(buf_text(&out), want, "whose deliveries are looked through");
}

#define TOKEN "github: {token: {file: t}"
#define APP   "github: {app: {id: Iv1.x, key: {file: k}}"
#define SHOPS "repositories: {acme/shop: {}, acme/pay: {}}\n"

static void dealings(void)
{
	struct settings *settings;

	watches(HOOK, "", "no login: nobody's");
	watches(HOOK SHOPS TOKEN "}\n", "repos/acme/shop repos/acme/pay ",
		"a token: each repository's");
	watches(HOOK SHOPS APP "}\n", "app ", "an App: its own");
	watches(HOOK SHOPS APP ", deliveries: none}\n", "", "none: nobody's");
	watches(HOOK TOKEN ", deliveries: [repos/a/b, repos/a/b/hooks/7, orgs/a/hooks/8]}\n",
		"repos/a/b repos/a/b/hooks/7 orgs/a/hooks/8 ", "as it says");
	watches("tokens: [{name: ops, secret: {file: t}, may: [read]}]\n" APP "}\n", "",
		"no hooks: nobody expects any");
	watches("listen: none\n" APP "}\n", "app ", "without a port");
	same_str(read(HOOK TOKEN "}\n", &settings), "", "a token");
	ok(settings_reports(settings, "deployments") && settings_reports(settings, "statuses")
		   && !settings_reports(settings, "checks"),
	   "GitHub is told deployments and statuses");
	same_str(read(HOOK APP ", report: checks}\nurl: https://d.example/\n", &settings), "",
		 "an App");
	ok(!settings_reports(settings, "deployments") && settings_reports(settings, "checks"),
	   "is told as it says");
	same_str(settings->url, "https://d.example", "url, without its end");
	same_str(read(HOOK, &settings), "", "no login");
	ok(!settings_reports(settings, "deployments"), "nothing is told");
}

static void dealings_wrong(void)
{
	says(HOOK TOKEN ", report: checks}\n",
	     "d.yml:2:36: 'checks' can be made by an App only; expected 'app', or 'statuses' "
	     "instead\n",
	     "checks with a token");
	says(HOOK "github: {report: statuses}\n",
	     "d.yml:2:18: 'report': expected 'app' or 'token' beside it: GitHub takes nothing from "
	     "strangers\n",
	     "reports without a login");
	says(HOOK TOKEN ", deliveries: app}\n",
	     "d.yml:2:40: 'app': there is no 'github: {app: …}'; expected repos/OWNER/NAME\n",
	     "an App's deliveries with a token");
	says(HOOK TOKEN ", deliveries: acme/shop}\n",
	     "d.yml:2:40: 'deliveries': expected app, repos/OWNER/NAME, "
	     "repos/OWNER/NAME/hooks/ID, orgs/NAME/hooks/ID or none, found 'acme/shop'\n",
	     "a repository without repos/");
	says("listen: none\n" HOOK APP "}\n",
	     "d.yml:2:1: 'hooks' means nothing with 'listen: none': nobody can call\n",
	     "hooks without a port");
	says("listen: none\n" SHOPS,
	     "d.yml:1:9: 'listen: none' needs 'github: {deliveries: …}' and a login there, or "
	     "nobody "
	     "could ask for a deployment\n",
	     "neither a port nor deliveries");
	says(HOOK "url: deploy.example\n",
	     "d.yml:2:6: 'url': expected an address such as https://deploy.example, found "
	     "'deploy.example'\n",
	     "a url that is none");
}

static void repositories(void)
{
	says(HOOK "repositories: {shop: {}, a/b: {}, A/B: {}}\n",
	     "d.yml:2:16: 'repositories': expected owner/name as on GitHub, found 'shop'\n"
	     "d.yml:2:35: 'A/B' is here already as 'a/b': GitHub's names don't differ by case\n",
	     "names");
	says(HOOK REPO "    source: gitlab\n    config: ../x\n    secrets: {1A: {file: x}}\n",
	     "d.yml:5:13: 'config': expected a path within the repository, found '../x'\n"
	     "d.yml:6:15: 'secrets': '1A' is no name of a variable: expected letters, digits and "
	     "'_', the first not a digit\n"
	     "d.yml:4:13: 'source': expected github, or {git: URL or path}, found something else\n",
	     "members");
	says(HOOK REPO "    source: {git: '--upload-pack=x', usr: a}\n",
	     "d.yml:4:19: 'git': expected a URL or the path of a repository, found "
	     "'--upload-pack=x'\n"
	     "d.yml:4:38: no such setting 'usr'; did you mean 'user'?\n",
	     "an option isn't a repository");
	says(HOOK REPO "    source: {git: 'ext::sh -c x'}\n",
	     "d.yml:4:19: 'git': expected a URL or the path of a repository, found 'ext::sh -c "
	     "x'\n",
	     "nor is a command");
	says(HOOK REPO "    source: {git: 'https://me:hunter2@h/x'}\n",
	     "d.yml:4:19: 'git': a password in the URL would end in logs; put it into 'password: "
	     "{file: …}' beside 'git'\n",
	     "no password in the URL, nor in the message");
	says(HOOK REPO "    source: {git: 'http://h.example/x', user: me, password: {file: p}}\n",
	     "d.yml:4:13: 'git': the password would travel in the clear; use https://\n",
	     "no password in the clear");
}

static void rules(void)
{
	says(HOOK REPO "    deploy:\n"
		       "      - {on: push}\n"
		       "      - {on: release, environment: e, branches: [main], paths: [x]}\n"
		       "      - {on: pull_request, environment: e}\n"
		       "      - {environment: e}\n"
		       "      - {on: push, environment: e, branches: ['!x'], tags: []}\n"
		       "      - {on: deployment, tags: [v1]}\n"
		       "      - {on: push, environment: a/b}\n",
	     "d.yml:7:14: 'on': expected one of push, release, workflow_run, deployment, "
	     "registry_package, found 'pull_request'\n"
	     "d.yml:8:9: 'on' is missing; expected one of push, release, workflow_run, deployment, "
	     "registry_package\n"
	     "d.yml:9:60: 'tags': expected at least 1, found none\n"
	     "d.yml:11:33: 'environment': 'a/b' is not a name: up to 63 letters, digits, '.', '_' "
	     "and '-', the first a letter or digit\n"
	     "d.yml:5:9: 'environment' is missing; 'on: push' needs one\n"
	     "d.yml:6:39: 'branches' means nothing for 'on: release'; it is for push, "
	     "workflow_run, "
	     "deployment\n"
	     "d.yml:6:57: 'paths' means nothing for 'on: release'; it is for push\n"
	     "d.yml:9:46: 'branches': every pattern begins with '!' and takes away, so nothing "
	     "matches; put '**' first\n"
	     "d.yml:10:26: 'tags' means nothing for 'on: deployment'; it is for push, release, "
	     "registry_package\n",
	     "rules");
}

static void put(const char *name, const char *text, mode_t mode)
{
	struct err err = ERR_INIT;

	if (file_write(scratch(name), text, strlen(text), mode, &err) < 0)
		bail_out(err.text);
}

/* Load <scratch>/d.yml. */
static const char *load(const char *yaml, struct settings **settings)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("d.yml");
	struct err err = ERR_INIT;

	put("d.yml", yaml, 0644);
	(void)!settings_load(settings, scratch("d.yml"), arena, &mistakes, &err);
	return arena_strdup(arena, buf_text(&mistakes.text));
}

static void secret_files(void)
{
	autofree char *want = NULL;
	struct settings *settings;

	put("good", "0123456789abcdef0123456789abcdef\n", 0600);
	put("same", "0123456789abcdef0123456789abcdef", 0600);
	put("empty", "\n", 0600);
	put("weak", "1234567", 0600);
	put("open", "0123456789\n", 0644);
	same_str(load("hooks: [{path: /h, secrets: [{file: good}]}]\n", &settings), "",
		 "a good file");
	ok(settings && !settings->warnings[0], "no warnings");
	same_str(load("hooks:\n  - path: /h\n    secrets: [{file: open}, a-secret-in-this-file]\n",
		      &settings),
		 "", "doubtful");
	if (!settings)
		bail_out("no settings");
	want = xprintf("secret file %s is open to others than its owner; chmod 600",
		       scratch("open"));
	same_str(settings->warnings[0], want, "open to others");
	same_str(settings->warnings[1],
		 "a hook's secret has only 10 bytes; 16 or more are hard to "
		 "guess",
		 "short");
	ok(strstr(settings->warnings[2], "d.yml holds secrets and is open to others"),
	   "the settings themselves");
	same_str(settings->warnings[3], NULL, "their end");
	free(take(want));
	want = xprintf("d.yml:3:16: secret file %s does not exist\n"
		       "d.yml:3:30: secret file %s is empty\n"
		       "d.yml:3:45: secret file %s is not a regular file\n"
		       "d.yml:3:56: a hook's secret has 7 bytes and could be guessed; expected at "
		       "least 8 (such as the output of 'openssl rand -hex 32')\n",
		       scratch("none"), scratch("empty"), scratch("."));
	same_str(load("hooks:\n  - path: /h\n"
		      "    secrets: [ {file: none}, {file: empty}, {file: .}, {file: weak}]\n",
		      &settings),
		 want, "files that can't be used");
	ok(!settings, "no settings");
	same_str(load("tokens:\n  - {name: a, secret: {file: good}, may: read}\n"
		      "  - {name: b, secret: {file: same}, may: read}\n",
		      &settings),
		 "d.yml:3:23: token 'b' is the same as token 'a'; give each its own\n",
		 "two tokens of one value");
	same_str(load("hooks: [{path: /h, secrets: {file: good}}]\ngithub: {app: {id: x, key: "
		      "{file: "
		      "good}}}\nrepositories: {a/b: {secrets: {X: {file: good}}}}\n",
		      &settings),
		 "d.yml:1:29: 'secrets': expected a list, found a mapping\n"
		 "d.yml:2:28: 'key': expected the App's private key (-----BEGIN RSA PRIVATE "
		 "KEY-----), found something else in the file\n",
		 "a key that is none");
}

static void missing_file(void)
{
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("none.yml");
	struct settings *settings;
	struct err err = ERR_INIT;

	same_int(settings_load(&settings, scratch("none.yml"), arena, &mistakes, &err), -1,
		 "no file");
	same_int(err.kind, ERR_ABSENT, "is absent");
	same_int(mistakes.count, 0, "and no mistake in it");
}

static void documents(void)
{
	cleanup(buf_free) struct buf out = BUF_INIT(65536);
	json_auto json_t *schema = settings_schema();

	settings_markdown(&out);
	ok(strstr(buf_text(&out), "| `hooks[].secrets` | list of secrets |"), "hooks");
	ok(strstr(buf_text(&out), "| `repositories.<name>.source` | `github`, or a group |"),
	   "source");
	ok(strstr(buf_text(&out), "| `repositories.<name>.source.git` | text | required |"), "git");
	same_int((int64_t)json_array_size(
			 json_at(schema, "properties.repositories.additionalProperties.properties."
					 "source.anyOf")),
		 2, "source: a text or an object");
}

int main(void)
{
	scratch_begin();
	arena = arena_new();
	whole();
	defaults();
	top();
	listens();
	hooks();
	tokens();
	github();
	dealings();
	dealings_wrong();
	repositories();
	rules();
	secret_files();
	missing_file();
	documents();
	arena_free(arena);
	return tap_done();
}
