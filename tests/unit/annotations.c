/* Places in files that tools complain about, as annotations. */
#include "action/annotations.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "tap.h"

static bool exists(void *self, const char *path)
{
	static const char *const files[] = {
		"apps/shop/shop.py", "apps/shop/test_shop.py", "apps/shop/src/main.c",
		"apps/shop/main.go", "apps/shop/src/a.ts",     "apps/shop/server.js",
		"apps/lib/lib.py",   "apps/shop/src/main.rs",  "slipway.yml"};

	(void)self;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (strcmp(files[i], path) == 0)
			return true;
	return false;
}

static void read_all(int fd, struct buf *out)
{
	char piece[65536];
	ssize_t got;

	lseek(fd, 0, SEEK_SET);
	while ((got = read(fd, piece, sizeof piece)) > 0)
		buf_add(out, piece, (size_t)got);
}

/* The annotations of a step that printed these lines. */
static const char *show(const char *lines, bool failed)
{
	static struct buf out = BUF_INIT(1 << 20);
	struct annotations *annotations = annotations_new(
		&(struct annotations_options){.workspace = "/github/workspace", .exists = exists});
	int fd = memfd_create("output", MFD_CLOEXEC);
	struct workflow *workflow = workflow_new(fd, false);

	buf_clear(&out);
	annotations_from(annotations, "/srv/checkout", "apps", "shop");
	for (const char *at = lines; *at;) {
		size_t size = strcspn(at, "\n");

		annotations_line(annotations, at, size);
		at += size + (at[size] == '\n');
	}
	annotations_step(annotations, failed);
	annotations_print(annotations, workflow);
	annotations_free(annotations);
	workflow_free(workflow);
	read_all(fd, &out);
	close(fd);
	return buf_text(&out);
}

static void test_compilers(void)
{
	same_str(show("src/main.c: In function 'main':\n"
		      "src/main.c:3:9: warning: unused variable 'x' [-Wunused-variable]\n"
		      "src/main.c:4:5: error: expected ';'\n"
		      "src/main.c:4:5: note: here\n",
		      true),
		 "::error file=apps/shop/src/main.c,line=4,col=5::expected ';'\n"
		 "::warning file=apps/shop/src/main.c,line=3,col=9::unused variable 'x' "
		 "[-Wunused-variable]\n"
		 "::notice file=apps/shop/src/main.c,line=4,col=5::here\n",
		 "gcc and clang");
	same_str(show("\033[1msrc/main.c:4:5: \033[31merror: \033[0mred\n", false),
		 "::error file=apps/shop/src/main.c,line=4,col=5::red\n", "with colours");
	same_str(show("# shop\n./main.go:7:2: undefined: x\n", true),
		 "::error file=apps/shop/main.go,line=7,col=2::undefined: x\n", "go, that failed");
	same_str(show("./main.go:7:2: undefined: x\n", false), "",
		 "what no tool calls an error is none in a step that went well");
	same_str(show("src/a.ts(12,5): error TS2304: Cannot find name 'x'.\n"
		      "src/a.ts:13:6 - error TS2322: Type 'a'.\n",
		      true),
		 "::error file=apps/shop/src/a.ts,line=12,col=5::TS2304: Cannot find name 'x'.\n"
		 "::error file=apps/shop/src/a.ts,line=13,col=6::TS2322: Type 'a'.\n",
		 "tsc, both ways");
	same_str(show("error[E0425]: cannot find value\n  --> src/main.rs:2:5\n", true),
		 "::error file=apps/shop/src/main.rs,line=2,col=5::error[E0425]: cannot find "
		 "value\n",
		 "rustc");
}

static void test_interpreters(void)
{
	same_str(show("    def test_page():\n"
		      ">       assert 1 == 2\n"
		      "E       assert 1 == 2\n"
		      "E        +  where 1 = f()\n"
		      "\n"
		      "test_shop.py:12: AssertionError\n",
		      true),
		 "::error file=apps/shop/test_shop.py,line=12::assert 1 == 2\n", "pytest");
	same_str(show("Traceback (most recent call last):\n"
		      "  File \"/srv/checkout/lib/lib.py\", line 3, in f\n"
		      "    g()\n"
		      "  File \"/usr/lib/python3/json.py\", line 9, in g\n"
		      "    raise\n"
		      "shop.errors.BrokenError: it broke\n",
		      true),
		 "::error file=apps/lib/lib.py,line=3::shop.errors.BrokenError: it broke\n",
		 "a Python traceback: the deepest frame that is ours");
	same_str(show("/srv/checkout/shop/server.js:4\n"
		      "  throw new Error('no')\n"
		      "  ^\n"
		      "\n"
		      "Error: no\n"
		      "    at f (/srv/checkout/shop/server.js:4:9)\n",
		      true),
		 "::error file=apps/shop/server.js,line=4::Error: no\n", "node");
	same_str(show("TypeError: x is not a function\n"
		      "    at node:internal/main:1:1\n"
		      "    at g (/srv/checkout/shop/server.js:8:3)\n",
		      true),
		 "::error file=apps/shop/server.js,line=8,col=3::TypeError: x is not a function\n",
		 "a stack of node's");
}

static void test_elsewhere(void)
{
	same_str(show("2026-11-24 12:30:45: error: nothing\n"
		      "http://shop.localhost:8080: error: nothing\n"
		      "/etc/passwd:3:1: error: nothing\n"
		      "../../../etc/passwd:3:1: error: nothing\n"
		      "missing.c:3:1: error: nothing\n"
		      "shop.py:0:1: error: nothing\n"
		      "shop.py:99999999999:1: error: nothing\n"
		      ":3: error: nothing\n"
		      "shop.py:3:\n",
		      true),
		 "", "what isn't a place in a file of the workspace is none");
	same_str(show("/github/workspace/slipway.yml:3:1: error: a\n"
		      "/srv/checkout/shop/./src/../shop.py:4: warning: b\n",
		      true),
		 "::error file=slipway.yml,line=3,col=1::a\n"
		 "::warning file=apps/shop/shop.py,line=4::b\n",
		 "absolute paths and roundabout ones");
}

static void test_many(void)
{
	cleanup(buf_free) struct buf lines = BUF_INIT(1 << 20);
	const char *got;
	size_t count = 0;

	for (int i = 1; i <= 40; i++)
		buf_addf(&lines, "shop.py:%d:1: error: number %d\n", i, i);
	buf_adds(&lines, "shop.py:3:1: error: number 3\n");
	got = show(buf_text(&lines), true);
	for (const char *at = got; (at = strstr(at, "::error ")); at++)
		count++;
	same_int((intmax_t)count, 9, "at most nine are printed: with one of GitHub's own, ten");
	ok(strstr(got, "::number 9%0A… and 31 more\n") != NULL, "the rest is counted, each once");
}

static void test_own(void)
{
	struct annotations *annotations = annotations_new(
		&(struct annotations_options){.workspace = "/github/workspace", .exists = exists});
	cleanup(buf_free) struct buf out = BUF_INIT(1 << 20);
	int fd = memfd_create("output", MFD_CLOEXEC);
	struct workflow *workflow = workflow_new(fd, false);

	annotations_from(annotations, "/github/workspace", ".", "apps/shop");
	for (int i = 1; i <= 12; i++) {
		autofree char *line = xprintf("shop.py:%d:1: error: number", i);

		annotations_line(annotations, line, strlen(line));
	}
	annotations_step(annotations, true);
	annotations_add(annotations, &(struct workflow_annotation){.kind = WORKFLOW_ERROR,
								   .title = "not live",
								   .message = "why"});
	annotations_print(annotations, workflow);
	annotations_free(annotations);
	workflow_free(workflow);
	read_all(fd, &out);
	close(fd);
	ok(strstr(buf_text(&out), "::error title=not live::why%0A… and 4 more\n") != NULL,
	   "why it isn't live is always among them");
}

int main(void)
{
	test_compilers();
	test_interpreters();
	test_elsewhere();
	test_many();
	test_own();
	return tap_done();
}
