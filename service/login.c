#include "service/login.h"

#include <stdlib.h>

#include "base/crypto.h"

int login_open(struct github **out, const struct settings *settings, struct http *http,
	       struct err *err)
{
	const struct settings_github *github = settings->github;
	struct github_login login = {.api = github->api};
	char *secret = NULL;

	*out = NULL;
	if (github->app && secret_read(&github->app->key, &secret, err) < 0)
		return err_within(err, "the key of the GitHub App");
	if (!github->app && (github->token.text || github->token.file)
	    && secret_read(&github->token, &secret, err) < 0)
		return err_within(err, "the GitHub token");
	login.app_id = github->app ? github->app->id : NULL;
	login.app_key = github->app ? secret : NULL;
	login.token = github->app ? NULL : secret;
	*out = github_new(&login, http, &clock_system);
	crypto_wipe_text(secret);
	free(secret);
	return 0;
}
