#include "action/guard.h"

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

static char *notes_path(const char *data)
{
	return file_join(data, "guard.json");
}

static void note(json_t *notes, const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0 || S_ISLNK(st.st_mode))
		return;
	json_array_append_new(notes, json_pack("{s:s, s:I, s:I, s:I}", "path", path, "uid",
					       (json_int_t)st.st_uid, "gid", (json_int_t)st.st_gid,
					       "mode", (json_int_t)(st.st_mode & 07777)));
}

/* What checkout writes: git-credentials-<uuid>.config. */
static void note_credentials(json_t *notes, const char *temp)
{
	DIR *folder = opendir(temp);
	const struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		autofree char *path = file_join(temp, entry->d_name);

		if (text_starts(entry->d_name, "git-credentials"))
			note(notes, path);
	}
	if (folder)
		closedir(folder);
}

static void shut(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0 || S_ISLNK(st.st_mode))
		return;
	if (lchown(path, 0, 0) == 0)
		chmod(path, S_ISDIR(st.st_mode) ? 0700 : 0600);
}

void guard_shut(const char *data, const char *temp, const char *files)
{
	autofree char *path = notes_path(data);
	cleanup(buf_free) struct buf text = BUF_INIT(1024 * 1024);
	json_auto json_t *notes = json_array();
	struct err err = ERR_INIT;
	json_t *one;
	size_t i;

	if (file_exists(path))
		return; /* they are shut */
	if (files)
		note(notes, files);
	if (temp)
		note_credentials(notes, temp);
	buf_add_json(&text, notes);
	/* Without the notes nobody could put it back. */
	if (file_write(path, buf_text(&text), text.size, 0600, &err))
		return;
	json_array_foreach(notes, i, one) shut(json_text(one, "path"));
}

void guard_open(const char *data)
{
	autofree char *path = notes_path(data);
	cleanup(buf_free) struct buf text = BUF_INIT(1024 * 1024);
	json_auto json_t *notes = NULL;
	struct err err = ERR_INIT;
	json_t *one;
	size_t i;

	if (!file_exists(path) || file_read(path, &text, &err)
	    || json_parse(&notes, text.data, text.size, &err))
		return;
	json_array_foreach(notes, i, one)
	{
		const char *name = json_text(one, "path");
		struct stat st;

		if (!name || lstat(name, &st) < 0 || S_ISLNK(st.st_mode))
			continue;
		chmod(name, (mode_t)json_integer_at(one, "mode", 0700));
		if (lchown(name, (uid_t)json_integer_at(one, "uid", 0),
			   (gid_t)json_integer_at(one, "gid", 0)))
			continue;
	}
	unlink(path);
}
