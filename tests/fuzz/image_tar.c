/* An image's tar: its index, and the manifests in it. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "image/manifest.h"
#include "image/tar_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_saved(const struct tar_index *tar, struct arena *arena)
{
	struct saved saved = {.fd = -1};
	struct err err = ERR_INIT;

	if (saved_read(&saved, tar, arena, &err) == 0) {
		assert(text_starts(saved.digest, "sha256:"));
		for (size_t i = 0; i < saved.layer_count; i++)
			assert(saved.layers[i] && saved.diff_ids[i]);
	} else {
		assert(*err.text && !strchr(err.text, '\n'));
	}
	saved_free(&saved);
}

static void check_layout(const struct tar_index *tar, struct arena *arena)
{
	cleanup(buf_free) struct buf bytes = BUF_INIT(MANIFEST_MAX);
	struct err err = ERR_INIT;
	struct manifest_part root, *parts;
	size_t count;

	if (manifest_root(&root, tar, "latest", arena, &err)
	    || tar_index_read(tar, manifest_blob_path(root.digest, arena), &bytes, &err)
	    || manifest_parts(&bytes, &parts, &count, arena, &err)) {
		assert(*err.text && !strchr(err.text, '\n'));
		return;
	}
	for (size_t i = 0; i < count; i++)
		assert(parts[i].digest && parts[i].type);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"manifest.json", "a", "a/layer.tar", "./a/../b"};
	cleanup(arena_freep) struct arena *arena = arena_new();
	cleanup(tar_index_freep) struct tar_index *tar = NULL;
	struct err err = ERR_INIT;
	struct tar_entry entry;
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	if (tar_index_new(&tar, fd, &err) == 0) {
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			if (tar_index_find(tar, names[i], &entry))
				assert(entry.offset >= 0 && entry.size >= 0
				       && entry.offset + entry.size <= (int64_t)size);
		check_saved(tar, arena);
		check_layout(tar, arena);
	} else {
		assert(*err.text && !strchr(err.text, '\n'));
	}
	close(fd);
	return 0;
}
