#include "cloud/aws/settings.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

int aws_valid_region(const char *text, struct err *err)
{
	size_t size = strlen(text);

	/* It becomes part of a host's name. */
	for (size_t i = 0; i < size; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("- ", text[i]))
			size = 0;
	if (size >= 4 && size <= 40 && strchr(text, '-'))
		return 0;
	return err_set(err, ERR_USAGE, 0, "'%.60s': expected a region, as eu-west-1", text);
}

/* Digits of an account: exactly twelve. */
static bool is_account(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!isdigit((unsigned char)text[i]))
			return false;
	return size == 12;
}

int aws_valid_account(const char *text, struct err *err)
{
	if (is_account(text, strlen(text)))
		return 0;
	return err_set(err, ERR_USAGE, 0, "'%.60s': expected an account id of 12 digits", text);
}

int aws_valid_role(const char *text, struct err *err)
{
	const char *at = text_starts(text, "arn:aws") ? strstr(text, ":iam::") : NULL;
	const char *account = at ? at + strlen(":iam::") : NULL;

	if (account && strlen(account) > 12 && is_account(account, 12)
	    && text_starts(account + 12, ":role/") && account[12 + 6] && strlen(text) <= 2048
	    && !text[strcspn(text, " \t\r\n\"'<>")])
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "'%.100s': expected a role's ARN, as arn:aws:iam::123456789012:role/deploy",
		       text);
}

int aws_valid_session_name(const char *text, struct err *err)
{
	if (strlen(text) >= 2)
		return 0;
	return err_set(err, ERR_USAGE, 0, "'%.60s': expected at least 2 characters", text);
}

int aws_valid_external_id(const char *text, struct err *err)
{
	size_t size = strlen(text);

	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_+=,.@:/-\\", *c))
			size = 0;
	if (size >= 2 && size <= 1224)
		return 0;
	return err_set(err, ERR_USAGE, 0,
		       "'%.60s': expected 2 to 1224 letters, digits or any of _+=,.@:/-", text);
}

static bool is_given(const struct secret *secret)
{
	return secret->text || secret->file;
}

int aws_settings_check(const struct aws_settings *settings, struct err *err)
{
	bool id = is_given(&settings->access_key_id);
	bool secret = is_given(&settings->secret_access_key);

	if (id != secret)
		return err_set(err, ERR_USAGE, 0,
			       "%s is given, but %s isn't: an access key has both",
			       id ? "aws-access-key-id" : "aws-secret-access-key",
			       id ? "aws-secret-access-key" : "aws-access-key-id");
	if (is_given(&settings->session_token) && !id)
		return err_set(err, ERR_USAGE, 0,
			       "aws-session-token is given without the access key that it's for");
	if (id && settings->profile)
		return err_set(err, ERR_USAGE, 0,
			       "both an access key and profile '%.60s' are given: choose one",
			       settings->profile);
	return 0;
}
