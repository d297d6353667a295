#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cloud/aws/profile.h"
#include "cloud_play.h"
#include "scratch.h"

static struct err err;

static struct profiles *of(const char *credentials, const char *config)
{
	return profiles_parse(credentials, credentials ? strlen(credentials) : 0, config,
			      config ? strlen(config) : 0);
}

static const char *got(const struct profiles *profiles, const char *profile, const char *key)
{
	const char *value = profiles_get(profiles, profile, key);

	return value ? value : "(none)";
}

static void test_parse(void)
{
	static const char credentials[] = "\xef\xbb\xbf# keys\r\n[default]\r\n"
					  "aws_access_key_id = AKID\r\n"
					  "aws_secret_access_key=a/b+c=d#e\r\n"
					  "  [ shop ]  \n"
					  "[shop]\n"
					  "AWS_ACCESS_KEY_ID = AK2 ; a comment\n"
					  "aws_session_token =\n"
					  "nothing\n = x\n[broken\nregion = nowhere\n";
	static const char config[] = "[default]\nregion = eu-west-1\n"
				     "s3 =\n  max_concurrent_requests = 20\n  region = no\n"
				     "[profile shop]\nregion=us-west-2 # here\n"
				     "aws_access_key_id = other\naws_session_token = tok\n"
				     "[profile \"my shop\"]\nregion = a-1\n"
				     "[shop2]\nregion = b\n[sso-session x]\nregion = c\n"
				     "[profile last]\nregion=first\nregion = second";
	cleanup(profiles_freep) struct profiles *profiles = of(credentials, config);

	same_str(got(profiles, "default", "aws_access_key_id"), "AKID", "a byte order mark, CRLF");
	same_str(got(profiles, "default", "aws_secret_access_key"), "a/b+c=d#e",
		 "aws edge 24: a secret with / + = #");
	same_str(got(profiles, "shop", "aws_access_key_id"), "AK2",
		 "the credentials file first; a comment after a space");
	same_str(got(profiles, "shop", "aws_session_token"), "tok",
		 "an empty value counts as none");
	same_str(got(profiles, "shop", "region"), "us-west-2", "the config file");
	same_str(got(profiles, "default", "region"), "eu-west-1", "what is indented is another's");
	same_str(got(profiles, "my shop", "region"), "a-1", "a quoted name");
	same_str(got(profiles, "last", "region"), "second", "the later line, without an end");
	ok(!profiles_has(profiles, "shop2") && !profiles_has(profiles, "x"),
	   "sections that are no profiles");
	ok(profiles_has(profiles, "shop") && !profiles_has(profiles, "none"), "has");
	same_str(got(profiles, "broken", "region"), "(none)", "a broken section");
}

static void test_nothing(void)
{
	cleanup(profiles_freep) struct profiles *profiles = of(NULL, "");

	ok(!profiles_has(profiles, "default"), "no files, no profiles");
	same_str(got(profiles, "default", "region"), "(none)", "and no values");
}

static void write_file(const char *path, const char *text)
{
	if (file_write(path, text, strlen(text), 0600, &err) < 0)
		bail_out(err.text);
}

static void test_files(void)
{
	autofree char *one = xprintf("AWS_SHARED_CREDENTIALS_FILE=%s", scratch("one"));
	autofree char *home = xprintf("HOME=%s", scratch("home"));
	cleanup(profiles_freep) struct profiles *profiles = NULL;

	if (mkdir(scratch("home"), 0700) < 0 || mkdir(scratch("home/.aws"), 0700) < 0)
		bail_out("mkdir");
	write_file(scratch("one"), "[a]\naws_access_key_id = 1\n");
	write_file(scratch("home/.aws/config"), "[profile a]\nregion = eu-west-1\n");
	site.env = ENV(one, home);
	same_int(profiles_load(&profiles, &site, &err), 0, "the files are read");
	same_str(got(profiles, "a", "aws_access_key_id"), "1", "the one that a variable names");
	same_str(got(profiles, "a", "region"), "eu-west-1", "and the one at home");
	profiles_free(take(profiles));
	site.env = NULL;
	same_int(profiles_load(&profiles, &site, &err), 0, "without HOME there are none");
	profiles_free(take(profiles));
	free(one);
	one = xprintf("AWS_SHARED_CREDENTIALS_FILE=%s", scratch("home"));
	site.env = ENV(one);
	ok(profiles_load(&profiles, &site, &err) < 0 && err.kind == ERR_USAGE,
	   "a folder is a mistake");
}

static void test_chosen(void)
{
	site.env = ENV("AWS_PROFILE=a", "AWS_DEFAULT_PROFILE=b");
	same_str(profiles_chosen("c", &site), "c", "the setting");
	same_str(profiles_chosen(NULL, &site), "a", "AWS_PROFILE");
	site.env = ENV("AWS_PROFILE=", "AWS_DEFAULT_PROFILE=b");
	same_str(profiles_chosen(NULL, &site), "b", "AWS_DEFAULT_PROFILE");
	site.env = NULL;
	same_str(profiles_chosen(NULL, &site), "default", "default");
}

int main(void)
{
	scratch_begin();
	play_begin(NULL, 0, NULL);
	test_parse();
	test_nothing();
	test_files();
	test_chosen();
	play_end();
	return tap_done();
}
