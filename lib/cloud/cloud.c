#include "cloud/cloud.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/crypto.h"
#include "base/text.h"

#define SKEW  300 /* seconds: what AWS bears with */
#define PIECE 500 /* milliseconds between two looks whether we are cancelled */

static void wipe(char **text)
{
	crypto_wipe_text(*text);
	free(*text);
	*text = NULL;
}

void credential_clear(struct credential *credential)
{
	wipe(&credential->id);
	wipe(&credential->secret);
	wipe(&credential->token);
	*credential = (struct credential){0};
}

const char *cloud_env(const struct cloud_site *site, const char *name)
{
	size_t size = strlen(name);

	for (const char *const *at = site->env; at && *at; at++)
		if (strncmp(*at, name, size) == 0 && (*at)[size] == '=')
			return (*at)[size + 1] ? *at + size + 1 : NULL;
	return NULL;
}

bool cloud_env_flag(const struct cloud_site *site, const char *name)
{
	const char *value = cloud_env(site, name);

	return value && (text_same_nocase(value, "true") || text_same(value, "1"));
}

bool cloud_skewed(const struct cloud_site *site, const struct http_response *response,
		  int64_t *skew)
{
	const char *date = http_response_header(response, "Date");
	struct tm tm = {0};
	int64_t offset;

	/* RFC 9110 5.6.7; the day's name is of no use. */
	date = date ? strchr(date, ',') : NULL;
	if (!date || !strptime(date, ", %d %b %Y %H:%M:%S", &tm))
		return false;
	offset = (int64_t)timegm(&tm) - clock_now(site->clock);
	if (llabs(offset - *skew) < SKEW)
		return false;
	*skew = offset;
	return true;
}

int64_t cloud_time(const char *text)
{
	struct tm tm = {0};

	return text && strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) ? (int64_t)timegm(&tm) : 0;
}

void cloud_mask(const struct cloud_site *site, const char *secret)
{
	if (site->mask && secret && *secret)
		site->mask(site->self, secret);
}

int cloud_wait(const struct cloud_site *site, int64_t until, struct err *err)
{
	for (;;) {
		int64_t left = until - clock_ticks(site->clock);

		if (site->tick && site->tick(site->self))
			return err_set(err, ERR_CANCELLED, 0, "cancelled");
		if (left <= 0)
			return 0;
		clock_sleep(site->clock, left < PIECE ? left : PIECE);
	}
}
