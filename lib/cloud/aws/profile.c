#include "cloud/aws/profile.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/text.h"

#define FILE_LIMIT ((size_t)1024 * 1024)

struct entry {
	struct entry *next;
	char *profile, *key, *value; /* key NULL: the section itself */
};

/* In the order in which they are looked at: newest of the credentials file first. */
struct profiles {
	struct entry *credentials, *config;
};

struct line {
	char *at, *end; /* without white space around it */
};

static void trim(struct line *line)
{
	while (line->at < line->end && isspace((unsigned char)*line->at))
		line->at++;
	while (line->end > line->at && isspace((unsigned char)line->end[-1]))
		line->end--;
}

/* A comment begins the line, or follows white space. */
static void cut_comment(struct line *line)
{
	for (char *c = line->at; c < line->end; c++)
		if ((*c == '#' || *c == ';') && (c == line->at || isspace((unsigned char)c[-1]))) {
			line->end = c;
			break;
		}
	trim(line);
}

static char *copy(const struct line *line)
{
	return xmemdup(line->at, (size_t)(line->end - line->at));
}

static struct entry *add(struct entry **list, const char *profile)
{
	struct entry *entry = xalloc(sizeof *entry);

	entry->profile = xstrdup(profile);
	entry->next = *list;
	*list = entry;
	return entry;
}

/* "[profile shop]", "[profile 'my shop']", "[default]"; in the credentials file just "[shop]". NULL
 * for a section that is something else ("[sso-session …]", "[services …]"). */
static char *section_name(struct line line, bool is_config)
{
	static const char word[] = "profile";
	size_t size = strlen(word);
	bool named = false;

	line.at++;
	line.end = memchr(line.at, ']', (size_t)(line.end - line.at));
	if (!line.end)
		return NULL;
	trim(&line);
	if (is_config && (size_t)(line.end - line.at) > size && memcmp(line.at, word, size) == 0
	    && isspace((unsigned char)line.at[size])) {
		line.at += size;
		trim(&line);
		named = true;
	}
	if (line.end - line.at >= 2 && strchr("'\"", *line.at) && line.end[-1] == *line.at) {
		line.at++;
		line.end--;
	}
	if (line.at == line.end)
		return NULL;
	if (is_config && !named
	    && ((size_t)(line.end - line.at) != 7 || memcmp(line.at, "default", 7) != 0))
		return NULL;
	return copy(&line);
}

static void read_line(struct line line, bool is_config, char **section, struct entry **list)
{
	/* What is indented belongs to the key above it ("s3 =" and its own settings). */
	bool indented = line.at < line.end && isspace((unsigned char)*line.at);
	struct entry *entry;
	struct line key;
	char *equals;

	cut_comment(&line);
	if (line.at == line.end)
		return;
	if (*line.at == '[' && !indented) {
		free(*section);
		*section = section_name(line, is_config);
		if (*section)
			add(list, *section);
		return;
	}
	equals = memchr(line.at, '=', (size_t)(line.end - line.at));
	if (!equals || !*section || indented)
		return;
	key = (struct line){line.at, equals};
	line.at = equals + 1;
	trim(&key);
	trim(&line);
	if (key.at == key.end)
		return;
	entry = add(list, *section);
	entry->key = copy(&key);
	entry->value = copy(&line);
}

static void parse(const char *text, size_t size, bool is_config, struct entry **list)
{
	char *bytes = xmemdup(text ? text : "", text ? size : 0), *at = bytes;
	char *end = bytes + (text ? size : 0);
	autofree char *section = NULL;

	if (end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
		at += 3;
	while (at < end) {
		char *stop = memchr(at, '\n', (size_t)(end - at));

		stop = stop ? stop : end;
		/* A NUL would end our texts early: such a line is nothing. */
		if (!memchr(at, '\0', (size_t)(stop - at)))
			read_line((struct line){at, stop}, is_config, &section, list);
		at = stop < end ? stop + 1 : end;
	}
	crypto_wipe(bytes, (size_t)(end - bytes));
	free(bytes);
}

struct profiles *profiles_parse(const char *credentials, size_t credentials_size,
				const char *config, size_t config_size)
{
	struct profiles *profiles = xalloc(sizeof *profiles);

	parse(credentials, credentials_size, false, &profiles->credentials);
	parse(config, config_size, true, &profiles->config);
	return profiles;
}

static void free_entries(struct entry *entry)
{
	while (entry) {
		struct entry *next = entry->next;

		crypto_wipe_text(entry->value);
		free(entry->value);
		free(entry->key);
		free(entry->profile);
		free(entry);
		entry = next;
	}
}

void profiles_free(struct profiles *profiles)
{
	if (!profiles)
		return;
	free_entries(profiles->credentials);
	free_entries(profiles->config);
	free(profiles);
}

/* "~/x" with HOME; the caller frees. NULL without HOME. */
static char *path_of(const struct cloud_site *site, const char *name, const char *fallback)
{
	const char *path = cloud_env(site, name), *home = cloud_env(site, "HOME");

	if (path && !text_starts(path, "~/"))
		return xstrdup(path);
	if (!home)
		return NULL;
	return file_join(home, path ? path + 2 : fallback);
}

static int read_file(const struct cloud_site *site, const char *name, const char *fallback,
		     struct buf *out, struct err *err)
{
	autofree char *path = path_of(site, name, fallback);

	if (!path || file_read(path, out, err) == 0 || err->kind == ERR_ABSENT)
		return 0;
	err->kind = ERR_USAGE;
	return err_within(err, "read AWS's shared file");
}

int profiles_load(struct profiles **out, const struct cloud_site *site, struct err *err)
{
	cleanup(buf_free) struct buf credentials = BUF_INIT(FILE_LIMIT);
	cleanup(buf_free) struct buf config = BUF_INIT(FILE_LIMIT);
	int rc = 0;

	*out = NULL;
	if (read_file(site, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", &credentials, err)
		    < 0
	    || read_file(site, "AWS_CONFIG_FILE", ".aws/config", &config, err) < 0)
		rc = -1;
	else
		*out = profiles_parse(credentials.data, credentials.size, config.data, config.size);
	if (credentials.data)
		crypto_wipe(credentials.data, credentials.size);
	if (config.data)
		crypto_wipe(config.data, config.size);
	return rc;
}

static const struct entry *find(const struct entry *entry, const char *profile, const char *key)
{
	for (; entry; entry = entry->next)
		if (text_same(entry->profile, profile)
		    && (!key || (entry->key && text_same_nocase(entry->key, key))))
			return entry;
	return NULL;
}

bool profiles_has(const struct profiles *profiles, const char *profile)
{
	return find(profiles->credentials, profile, NULL) || find(profiles->config, profile, NULL);
}

const char *profiles_get(const struct profiles *profiles, const char *profile, const char *key)
{
	const struct entry *found = find(profiles->credentials, profile, key);

	if (!found || !*found->value)
		found = find(profiles->config, profile, key);
	return found && *found->value ? found->value : NULL;
}

const char *profiles_chosen(const char *setting, const struct cloud_site *site)
{
	if (!setting)
		setting = cloud_env(site, "AWS_PROFILE");
	if (!setting)
		setting = cloud_env(site, "AWS_DEFAULT_PROFILE");
	return setting ? setting : "default";
}
