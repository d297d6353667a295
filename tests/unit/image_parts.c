/* What a push is made of: challenges, places, tars, layers, manifests. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/text.h"
#include "image/challenge.h"
#include "image/layer.h"
#include "image/manifest.h"
#include "image/reference.h"
#include "image/talk.h"
#include "image/tar_index.h"
#include "scratch.h"
#include "tap.h"

static struct arena *arena;
static struct err err;

/* ---- challenges ---- */

static void test_challenges(void)
{
	struct challenge list[CHALLENGES_MAX];

	same_int((intmax_t)challenge_parse("Basic realm=\"a \\\"b\\\", c\"", list, arena), 1,
		 "one challenge");
	same_str(list[0].scheme, "basic", "its scheme in lower case");
	same_str(list[0].realm, "a \"b\", c", "its realm");
	same_int((intmax_t)challenge_parse("Bearer realm=\"https://x/token\" , service=\"s\","
					   "scope=\"repository:a/b:pull,push\",error=invalid_token",
					   list, arena),
		 1, "a bearer challenge");
	same_str(list[0].scope, "repository:a/b:pull,push", "its scope");
	same_str(list[0].error, "invalid_token", "a value without quotes");
	same_int((intmax_t)challenge_parse("Negotiate dGVz/A==, , NTLM, BASIC realm = \"r\"", list,
					   arena),
		 3, "three in one header");
	same_str(list[2].realm, "r", "the third one's realm");
	same_int((intmax_t)challenge_parse("", list, arena), 0, "nothing");
	same_int((intmax_t)challenge_parse("Basic realm=\"open", list, arena), 1,
		 "a quote that isn't closed");
	ok(!list[0].realm, "has no realm");
	same_int((intmax_t)challenge_parse("a,b,c,d,e,f,g,h,i,j", list, arena), CHALLENGES_MAX,
		 "more than there is room for");
	same_int((intmax_t)challenge_parse("=x", list, arena), 0, "no scheme");
}

static void test_found_challenge(void)
{
	char name[] = "www-authenticate", other[] = "Server", basic[] = "Basic realm=\"r\"",
	     bearer[] = "Negotiate, Bearer realm=\"t\"";
	struct http_header headers[] = {{other, bearer}, {name, basic}, {name, bearer}};
	const struct http_response response = {.headers = headers, .header_count = 3};
	struct challenge challenge;

	ok(challenge_find(&response, "bearer", &challenge, arena)
		   && text_same(challenge.realm, "t"),
	   "found in the second header of that name");
	ok(challenge_find(&response, "basic", &challenge, arena), "and in the first");
	ok(!challenge_find(&response, "digest", &challenge, arena), "what isn't there");
}

static void test_places(void)
{
	static const struct {
		const char *location, *want;
	} cases[] = {
		{"https://other:1/x?y=z", "https://other:1/x?y=z"},
		{"//other/x", "https://other/x"},
		{"/v2/up?a=b", "https://r.example:5000/v2/up?a=b"},
		{"up/2", "https://r.example:5000/v2/a/up/2"},
		{"?s=1", "https://r.example:5000/v2/a/b?s=1"},
		{"", NULL},
		{"#x", NULL},
		{"ftp://x/y", NULL},
		{"javascript:1", NULL},
		{"https://user@other/", NULL},
		{"/a b", NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		same_str(
			talk_resolve("https://r.example:5000/v2/a/b?q=/", cases[i].location, arena),
			cases[i].want, cases[i].location);
	same_str(talk_resolve("https://r.example", "x", arena), "https://r.example/x",
		 "below a base without a path");
}

/* ---- tars ---- */

static char tar[65536];
static size_t tar_size;

static void add_entry(char type, const char *name, const char *link, const char *bytes, size_t size)
{
	char *block = tar + tar_size;
	unsigned sum = 0;

	memset(block, 0, 512);
	snprintf(block, 100, "%s", name);
	snprintf(block + 124, 12, "%08o", (unsigned)size & 077777777);
	memcpy(block + 257,
	       "ustar\0"
	       "00",
	       8);
	block[156] = type;
	if (link)
		snprintf(block + 157, 100, "%s", link);
	memset(block + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)block[i];
	snprintf(block + 148, 8, "%06o", sum & 0777777);
	tar_size += 512;
	if (size > 0) {
		memset(tar + tar_size, 0, (size + 511) / 512 * 512);
		memcpy(tar + tar_size, bytes, size);
		tar_size += (size + 511) / 512 * 512;
	}
}

static void add_file(const char *name, const char *text)
{
	add_entry('0', name, NULL, text, strlen(text));
}

static int memory(const void *bytes, size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		bail_out("memfd");
	return fd;
}

/* The index of the tar so far (with its end); NULL with err. */
static struct tar_index *index_of(int *fd)
{
	struct tar_index *index = NULL;

	err = (struct err)ERR_INIT;
	memset(tar + tar_size, 0, 1024);
	*fd = memory(tar, tar_size + 1024);
	if (tar_index_new(&index, *fd, &err))
		close(*fd);
	tar_size = 0;
	return index;
}

static const char *content(const struct tar_index *index, const char *name)
{
	cleanup(buf_free) struct buf out = BUF_INIT(100);

	if (tar_index_read(index, name, &out, &err))
		return err.kind == ERR_ABSENT ? NULL : "error";
	return arena_strdup(arena, buf_text(&out));
}

static void test_tar(void)
{
	struct tar_index *index;
	struct tar_entry entry;
	int fd;

	add_file("./a/x", "one");
	add_entry('5', "a/", NULL, NULL, 0);
	add_entry('2', "a/s", "../b//y", NULL, 0);
	add_entry('1', "h", "a/x", NULL, 0);
	add_file("b/y", "two");
	add_file("b/y", "three");
	add_entry('2', "loop", "loop", NULL, 0);
	add_entry('2', "out", "../../../b/y", NULL, 0);
	add_entry('g', "pax_global", NULL, "20 comment=whatever\n", 20);
	add_entry('x', "pax", NULL, "13 path=long\n", 13);
	add_file("short", "four");
	add_entry('L', "././@LongLink", NULL, "longer", 7);
	add_file("short", "five");
	index = index_of(&fd);
	if (!index)
		bail_out(err.text);
	same_str(content(index, "a/x"), "one", "a file");
	same_str(content(index, "./a/./x"), "one", "under another spelling");
	same_str(content(index, "a/s"), "three", "a symbolic link, and the last of two files");
	same_str(content(index, "h"), "one", "a hard link");
	same_str(content(index, "out"), "three", "a link doesn't leave the tar");
	ok(!tar_index_find(index, "loop", &entry), "a link to itself");
	ok(!tar_index_find(index, "a", &entry), "a folder is no file");
	ok(!content(index, "none"), "what isn't there");
	same_str(content(index, "longer"), "five", "GNU's long name");
	tar_index_free(index);
	close(fd);
}

static void fails(const char *name)
{
	int fd;
	struct tar_index *index = index_of(&fd);

	ok(!index && err.kind == ERR_USAGE, name);
	tar_index_free(index);
}

static void test_odd_tars(void)
{
	struct tar_index *index;
	int fd;

	add_file("a", "x");
	tar[0] = 'b';
	fails("a wrong checksum");
	add_entry('0', "a", NULL, NULL, 0);
	memcpy(tar + 124, "00000100000", 11);
	memcpy(tar + 148, "        ", 8);
	{
		unsigned sum = 0;

		for (int i = 0; i < 512; i++)
			sum += (unsigned char)tar[i];
		snprintf(tar + 148, 8, "%06o", sum & 0777777);
	}
	fails("an entry that is longer than the tar");
	add_entry('3', "dev", NULL, NULL, 0);
	fails("a device");
	add_entry('x', "pax", NULL, "99 path=x\n", 10);
	add_file("a", "x");
	fails("a pax record that is longer than its header");
	add_entry('x', "pax", NULL, "path=x\n", 7);
	add_file("a", "x");
	fails("a pax record without its length");
	add_entry('x', "pax", NULL, "9 size=4\n", 9);
	add_file("a", "xxxx");
	index = index_of(&fd);
	same_str(index ? content(index, "a") : "no", "xxxx", "a size in a pax header");
	tar_index_free(index);
	if (index)
		close(fd);
}

/* ---- layers ---- */

static void test_layers(void)
{
	static const char bytes[] = "some bytes of a tar, some bytes of a tar, some bytes";
	unsigned char packed[200];
	char unpacked[200] = "";
	struct layer layer, again;
	int fd = memory(bytes, sizeof bytes);
	int before = scratch_descriptors();
	z_stream zlib = {0};
	ssize_t size;

	same_int(layer_read(&layer, fd, 5, 10, NULL, NULL, &err), 0, "read as it is");
	ok(layer.form == LAYER_TAR && layer.size == 10 && image_is_digest(layer.digest),
	   "a part of a file");
	layer_close(&layer);
	same_int(layer_pack(&layer, fd, 0, sizeof bytes, scratch_folder, NULL, NULL, &err), 0,
		 "packed");
	ok(layer.form == LAYER_GZIP && layer.offset == 0, "to gzip");
	size = pread(layer.fd, packed, sizeof packed, 0);
	same_int(size, layer.size, "its size");
	inflateInit2(&zlib, MAX_WBITS + 16);
	zlib.next_in = packed;
	zlib.avail_in = (unsigned)size;
	zlib.next_out = (unsigned char *)unpacked;
	zlib.avail_out = sizeof unpacked;
	same_int(inflate(&zlib, Z_FINISH), Z_STREAM_END, "which unpacks");
	inflateEnd(&zlib);
	same_str(unpacked, bytes, "to what it was");
	same_int(layer_pack(&again, layer.fd, 0, layer.size, scratch_folder, NULL, NULL, &err), 0,
		 "gzip stays as it is");
	ok(text_same(again.digest, layer.digest) && !*again.unpacked && again.file == -1,
	   "under its digest");
	layer_close(&again);
	same_int(layer_pack(&again, fd, 0, sizeof bytes, NULL, NULL, NULL, &err), 0, "once more");
	same_str(again.digest, layer.digest, "the same bytes give the same digest");
	layer_close(&again);
	layer_close(&layer);
	ok(layer_pack(&layer, fd, 0, 4096, scratch_folder, NULL, NULL, &err) == -1
		   && err.kind == ERR_USAGE,
	   "a file that is too short");
	ok(layer_pack(&layer, fd, 0, 10, "/nonexistent", NULL, NULL, &err) == -1
		   && err.kind == ERR_SYSTEM,
	   "a folder that isn't there");
	same_int(scratch_descriptors(), before, "no descriptor is left open");
	close(fd);
}

static int stop(void *self)
{
	(void)self;
	return 1;
}

static void test_cancelled(void)
{
	int fd = memory("abcdefgh", 8);
	struct layer layer;

	ok(layer_pack(&layer, fd, 0, 8, scratch_folder, stop, NULL, &err) == -1
		   && err.kind == ERR_CANCELLED,
	   "packing is cancelled");
	close(fd);
}

/* ---- manifests ---- */

#define D "sha256:3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea"

static void saved_is(const char *manifest, const char *config, const char *want)
{
	struct saved saved = {.fd = -1};
	struct tar_index *index;
	int fd;

	add_file("manifest.json", manifest);
	add_file("c.json", config);
	index = index_of(&fd);
	if (!index)
		bail_out(err.text);
	err = (struct err)ERR_INIT;
	if (saved_read(&saved, index, arena, &err) == 0)
		ok(!want, "a saved image");
	else
		ok(want && err.kind == ERR_USAGE && strstr(err.text, want), want ? want : err.text);
	saved_free(&saved);
	tar_index_free(index);
	close(fd);
}

static void test_saved(void)
{
	static const char good[] = "[{\"Config\":\"c.json\",\"Layers\":[\"a\",\"b\"]}]";

	saved_is(good, "{\"rootfs\":{\"diff_ids\":[\"" D "\",\"" D "\"]}}", NULL);
	saved_is(good, "{\"rootfs\":{\"diff_ids\":[\"" D "\"]}}", "doesn't name its 2 layers");
	saved_is(good, "{", "the image's configuration");
	saved_is("[]", "{}", "0 images");
	saved_is("[{},{}]", "{}", "2 images");
	saved_is("[{\"Config\":\"c.json\",\"Layers\":[1]}]", "{}", "expected Config and Layers");
	saved_is("{", "{}", "the image's manifest.json");
}

static void test_manifest(void)
{
	struct saved saved = {.layer_count = 1, .config = BUF_INIT(10), .digest = D};
	struct manifest_layer layer = {.digest = D, .size = 7, .form = LAYER_GZIP};
	cleanup(buf_free) struct buf out = BUF_INIT(10000);
	cleanup(buf_free) struct buf zstd = BUF_INIT(10000);

	same_str(manifest_write(&saved, &layer, &out),
		 "application/vnd.docker.distribution.manifest.v2+json", "Docker's own");
	same_str(buf_text(&out),
		 "{\"schemaVersion\":2,\"mediaType\":\"application/"
		 "vnd.docker.distribution.manifest.v2+json\",\"config\":{\"mediaType\":"
		 "\"application/"
		 "vnd.docker.container.image.v1+json\",\"size\":0,\"digest\":\"" D
		 "\"},\"layers\":[{"
		 "\"mediaType\":\"application/vnd.docker.image.rootfs.diff.tar.gzip\",\"size\":7,"
		 "\"digest\":\"" D "\"}]}",
		 "its text");
	layer.form = LAYER_ZSTD;
	same_str(manifest_write(&saved, &layer, &zstd),
		 "application/vnd.oci.image.manifest.v1+json", "OCI's for zstd");
	ok(strstr(buf_text(&zstd), "application/vnd.oci.image.layer.v1.tar+zstd") != NULL,
	   "which it can name");
}

int main(void)
{
	arena = arena_new();
	scratch_begin();
	test_challenges();
	test_found_challenge();
	test_places();
	test_tar();
	test_odd_tars();
	test_layers();
	test_cancelled();
	test_saved();
	test_manifest();
	arena_free(arena);
	return tap_done();
}
