#include "image/reference.h"

#include "tap.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* After the table of https://github.com/distribution/reference's own tests. */
static const struct {
	const char *text, *registry, *name, *tag, *digest; /* registry NULL: refused … */
	const char *why;                                   /* … with this in it */
} table[] = {
	{"nginx", "docker.io", "library/nginx", NULL, NULL, NULL},
	{"nginx:1.25", "docker.io", "library/nginx", "1.25", NULL, NULL},
	{"acme/shop", "docker.io", "acme/shop", NULL, NULL, NULL},
	{"ghcr.io/acme/shop:v1.2_3-x", "ghcr.io", "acme/shop", "v1.2_3-x", NULL, NULL},
	{"localhost/shop", "localhost", "shop", NULL, NULL, NULL},
	{"localhost:5000/shop:x", "localhost:5000", "shop", "x", NULL, NULL},
	{"127.0.0.1:5000/a/b", "127.0.0.1:5000", "a/b", NULL, NULL, NULL},
	{"[::1]:5000/a", "[::1]:5000", "a", NULL, NULL, NULL},
	{"123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app@" DIGEST,
	 "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "team/app", NULL, DIGEST, NULL},
	{"r.test/a:t@" DIGEST, "r.test", "a", "t", DIGEST, NULL},
	{"index.docker.io/nginx", "docker.io", "library/nginx", NULL, NULL, NULL},
	{"docker.io/nginx", "docker.io", "library/nginx", NULL, NULL, NULL},
	{"a__b/c--d.e_f", "docker.io", "a__b/c--d.e_f", NULL, NULL, NULL},
	{"TEST.example/a", "TEST.example", "a", NULL, NULL, NULL},
	{"", NULL, NULL, NULL, NULL, "no name"},
	{":tag", NULL, NULL, NULL, NULL, "no name"},
	{"Shop", NULL, NULL, NULL, NULL, "capitals in 'library/Shop'"},
	{"r.test/Acme/shop", NULL, NULL, NULL, NULL, "capitals"},
	{"a:", NULL, NULL, NULL, NULL, "no tag"},
	{"a:-x", NULL, NULL, NULL, NULL, "no tag"},
	{"a:b:c", NULL, NULL, NULL, NULL, ""},
	{"a@sha256:12", NULL, NULL, NULL, NULL, "no digest"},
	{"a@" DIGEST "0", NULL, NULL, NULL, NULL, "no digest"},
	{"a@SHA256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", NULL, NULL,
	 NULL, NULL, "no digest"},
	{"a//b", NULL, NULL, NULL, NULL, "no name"},
	{"/a", NULL, NULL, NULL, NULL, "no name"},
	{"a/", NULL, NULL, NULL, NULL, "no name"},
	{"a..b", NULL, NULL, NULL, NULL, "no name"},
	{"a___b", NULL, NULL, NULL, NULL, "no name"},
	{"-a", NULL, NULL, NULL, NULL, "no name"},
	{"a-", NULL, NULL, NULL, NULL, "no name"},
	{"a b", NULL, NULL, NULL, NULL, "no name"},
	{"r.test:x/a", NULL, NULL, NULL, NULL, "no registry"},
	{"https://r.test/a", NULL, NULL, NULL, NULL, "no registry"},
	{"r.test:/a", NULL, NULL, NULL, NULL, "no registry"},
};

int main(void)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	char longest[300], tag[200];
	struct image_reference out;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		int result = image_reference_parse(&out, table[i].text, arena, &err);

		if (!table[i].registry) {
			if (!ok(result < 0 && err.kind == ERR_USAGE
					&& strstr(err.text, table[i].why),
				table[i].text))
				tap_note("%d: %s", result, err.text);
			continue;
		}
		same_int(result, 0, table[i].text);
		same_str(out.registry, table[i].registry, "registry");
		same_str(out.name, table[i].name, "name");
		same_str(out.tag, table[i].tag, "tag");
		same_str(out.digest, table[i].digest, "digest");
	}
	memset(longest, 'a', sizeof longest);
	longest[255 - strlen("docker.io/library/")] = '\0';
	same_int(image_reference_parse(&out, longest, arena, &err), 0, "255 bytes");
	longest[255 - strlen("docker.io/library/")] = 'a';
	longest[299] = '\0';
	ok(image_reference_parse(&out, longest, arena, &err) < 0, "over 255 bytes");
	snprintf(tag, sizeof tag, "a:%0128d", 1);
	same_int(image_reference_parse(&out, tag, arena, &err), 0, "a tag of 128");
	snprintf(tag, sizeof tag, "a:%0129d", 1);
	ok(image_reference_parse(&out, tag, arena, &err) < 0, "a tag of 129");
	if (image_reference_parse(&out, "r.test/a:t@" DIGEST, arena, &err))
		bail_out(err.text);
	same_str(image_reference_text(&out, arena), "r.test/a:t@" DIGEST, "and back");
	ok(!image_is_digest(NULL) && !image_is_digest("") && image_is_digest(DIGEST), "digests");
	return tap_done();
}
