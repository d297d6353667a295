#include "service/settings_valid.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "net/url.h"

/* ip:port or [ip6]:port; names are refused, because what they mean can change under a running
 * server. */
int settings_valid_listen(const char *text, struct err *err)
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
	if (text_same(text, "none"))
		return 0;
	if (inet_pton(bracketed ? AF_INET6 : AF_INET, host, parsed) == 1
	    && text_number(colon + 1, 0, 65535, &port, &why) == 0)
		return 0;
	return err_set(
		err, ERR_USAGE, 0,
		"expected an address and a port such as 127.0.0.1:8080 or [::1]:8080 (no host "
		"names), or none, found '%.80s'",
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

int settings_valid_folder(const char *text, struct err *err)
{
	if (*text == '/' && text[strspn(text, "/")] && !climbs(text) && !has_control(text)
	    && strlen(text) < 1000)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected the absolute path of a folder, without '..', found '%.80s'", text);
}

int settings_valid_socket(const char *text, struct err *err)
{
	if (*text == '/' && !climbs(text))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected the absolute path of Docker's socket, such as "
		       "/var/run/docker.sock, found '%.80s'",
		       text);
}

int settings_valid_link(const char *text, struct err *err)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	struct err why = ERR_INIT;
	struct url url;

	if (url_parse(&url, text, arena, &why) == 0 && !url.query && !url.user
	    && (text_same(url.scheme, "https") || text_same(url.scheme, "http")))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected an address such as https://deploy.example, "
		       "found '%.80s'",
		       text);
}

/* "…/hooks/123"; the rest must stand before it. */
static bool cut_hook(char *text)
{
	char *at = strstr(text, "/hooks/");
	struct err ignored;
	int64_t id;

	if (!at || text_number(at + strlen("/hooks/"), 1, INT64_MAX / 10, &id, &ignored) < 0)
		return false;
	*at = '\0';
	return true;
}

int settings_valid_deliveries(const char *text, struct err *err)
{
	autofree char *copy = xstrdup(text);
	bool hook = cut_hook(copy);

	if (text_same(text, "app") || text_same(text, "none"))
		return 0;
	if (text_starts(copy, "repos/") && text_is_repository(copy + strlen("repos/")))
		return 0;
	if (hook && text_starts(copy, "orgs/") && text_is_name(copy + strlen("orgs/")))
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected app, repos/OWNER/NAME, repos/OWNER/NAME/hooks/ID, "
		       "orgs/NAME/hooks/ID or none, found '%.80s'",
		       text);
}

int settings_valid_store(const char *text, struct err *err)
{
	if (text_same(text, "sqlite"))
		return 0;
	if (text_starts(text, "postgres://") || text_starts(text, "postgresql://"))
		return err_set(err, ERR_USAGE, 0,
			       "this build has no PostgreSQL store; expected sqlite");
	return err_set(err, ERR_USAGE, 0, "expected sqlite, found '%.80s'", text);
}

int settings_valid_hook_path(const char *text, struct err *err)
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

int settings_valid_name(const char *text, struct err *err)
{
	if (text_is_name(text))
		return 0;
	return err_set(
		err, ERR_USAGE, 0,
		"'%.80s' is not a name: up to 63 letters, digits, '.', '_' and '-', the first "
		"a letter or digit",
		text);
}

int settings_valid_variable(const char *text, struct err *err)
{
	if (text_is_variable(text))
		return 0;
	return err_set(
		err, ERR_USAGE, 0,
		"'%.80s' is no name of a variable: expected letters, digits and '_', the first "
		"not a digit",
		text);
}

int settings_valid_repository(const char *text, struct err *err)
{
	if (text_is_repository(text))
		return 0;
	return err_set(err, ERR_USAGE, 0, "expected owner/name as on GitHub, found '%.100s'", text);
}

int settings_valid_config(const char *text, struct err *err)
{
	if (*text != '/' && !climbs(text) && !has_control(text) && !text_ends(text, "/"))
		return 0;
	return err_set(err, ERR_USAGE, 0, "expected a path within the repository, found '%.80s'",
		       text);
}

int settings_valid_api(const char *text, struct err *err)
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
int settings_valid_git(const char *text, struct err *err)
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

int settings_valid_path_list(const char *text, struct err *err)
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

int settings_valid_app_id(const char *text, struct err *err)
{
	size_t good =
		strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.");

	if (!text[good] && good <= 60)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "expected the App's client id (Iv1.…) or number, found '%.80s'", text);
}
