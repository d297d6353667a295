#include "net/url.h"

#include "tap.h"

struct sample {
	const char *text, *scheme, *user, *password, *host;
	int port;
	const char *path, *query;
};

static void check_good(void)
{
	static const struct sample samples[] = {
		{"https://api.github.com", "https", NULL, NULL, "api.github.com", 443, "", NULL},
		{"HTTP://Example.COM:8080/A/b?x=1&y#frag", "http", NULL, NULL, "example.com", 8080,
		 "/A/b", "x=1&y"},
		{"https://a%40b:p%3aw@h/", "https", "a@b", "p:w", "h", 443, "/", NULL},
		{"https://u@x@h/", "https", "u@x", NULL, "h", 443, "/", NULL},
		{"http://[2001:DB8::1]:81/x", "http", NULL, NULL, "2001:db8::1", 81, "/x", NULL},
		{"http://h?q", "http", NULL, NULL, "h", 80, "", "q"},
		{"http://h/p?q?r#s?t", "http", NULL, NULL, "h", 80, "/p", "q?r"},
		{"http://h/#?q", "http", NULL, NULL, "h", 80, "/", NULL},
		{"http://h:/", "http", NULL, NULL, "h", 80, "/", NULL},
		{"file:///srv/x.git", "file", NULL, NULL, "", 0, "/srv/x.git", NULL},
		{"ssh://git@h/x", "ssh", "git", NULL, "h", 22, "/x", NULL},
		{"postgres://u:@db/x", "postgres", "u", "", "db", 0, "/x", NULL},
	};
	cleanup(arena_freep) struct arena *arena = arena_new();

	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		const struct sample *want = &samples[i];
		struct err err = ERR_INIT;
		struct url url;

		if (!ok(url_parse(&url, want->text, arena, &err) == 0, want->text)) {
			tap_note("%s", err.text);
			continue;
		}
		same_str(url.scheme, want->scheme, "  scheme");
		same_str(url.user, want->user, "  user");
		same_str(url.password, want->password, "  password");
		same_str(url.host, want->host, "  host");
		same_int(url.port, want->port, "  port");
		same_str(url.path, want->path, "  path");
		same_str(url.query, want->query, "  query");
	}
}

static void check_refused(void)
{
	static const char *const texts[] = {
		"",
		"example.com",
		"://h/",
		"ht tp://h/",
		"1http://h/",
		"http:///x",
		"http://:80/",
		"http://h:0/",
		"http://h:65536/",
		"http://h:8a/",
		"http://h:+8/",
		"http://h/a b",
		"http://h/\n",
		"http://h/%zz",
		"http://h/%4",
		"http://h\\x/",
		"http://[::1",
		"http://[::1]x/",
		"http://[zz]/",
		"http://a%00b@h/",
		"http://h%41/",
		"http://h\xc3\xa9/",
		"http://h/\x7f",
		"http://a:s3cret@/",
		"http://a:s3cret@h:x/",
		"-http://h/",
		"http://h,i/",
		"http://[::1%25lo]/",
	};
	cleanup(arena_freep) struct arena *arena = arena_new();

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct err err = ERR_INIT;
		struct url url;

		if (!ok(url_parse(&url, texts[i], arena, &err) == -1 && err.kind == ERR_USAGE,
			"refused"))
			tap_note("'%s'", texts[i]);
		ok(!strstr(err.text, "s3cret"), "  and no password in the message");
	}
}

static void check_coding(void)
{
	cleanup(buf_free) struct buf out = BUF_INIT(1000);
	char form[] = "a%20b+c%2B%c3%A9%00", cut[] = "a%2", bad[] = "%g0";

	url_encode(&out, "a b/c~-._\xc3\xa9&=+%", false);
	same_str(buf_text(&out), "a%20b%2Fc~-._%C3%A9%26%3D%2B%25", "all but the unreserved");
	buf_clear(&out);
	url_encode(&out, "/a b/c", true);
	same_str(buf_text(&out), "/a%20b/c", "a path keeps its slashes");
	same_int(url_form_decode(form, sizeof form - 1), 9, "decoded in place");
	ok(memcmp(form, "a b c+\xc3\xa9", 9) == 0, "to the bytes it stands for");
	same_int(url_form_decode(cut, 3), -1, "cut short");
	same_int(url_form_decode(bad, 3), -1, "not hex");
	same_int(url_form_decode(bad, 0), 0, "nothing");
}

static void check_loopback(void)
{
	static const char *const yes[] = {
		"localhost", "LOCALHOST.", "shop.localhost", "127.0.0.1",        "127.9.9.9",
		"::1",       "127.1",      "0x7f000001",     "::ffff:127.0.0.1", "2130706433"};
	static const char *const no[] = {
		"",    "localhost.com", "notlocalhost", "128.0.0.1",      "10.0.0.1",
		"::2", "127.0.0.1.com", "127",          "::ffff:10.0.0.1"};

	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		ok(url_is_loopback(yes[i]), yes[i]);
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		if (!ok(!url_is_loopback(no[i]), "not loopback"))
			tap_note("%s", no[i]);
}

int main(void)
{
	check_good();
	check_refused();
	check_coding();
	check_loopback();
	return tap_done();
}
