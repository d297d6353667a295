#include "base/buf.h"

#include <stdint.h>

#include "base/mem.h"
#include "tap.h"

static void grows(void)
{
	cleanup(buf_free) struct buf buf = BUF_INIT(100000);
	autofree char *taken = NULL;
	bool ended = true;

	same_str(buf_text(&buf), "", "nothing yet is an empty text");
	for (int i = 0; i < 50000; i++) {
		buf_addc(&buf, 'x');
		ended &= buf.data[buf.size] == '\0';
	}
	same_int((intmax_t)buf.size, 50000, "bytes add up");
	ok(ended, "a NUL follows always");
	buf_clear(&buf);
	same_str(buf_text(&buf), "", "buf_clear()");
	buf_add(&buf, "a\0b", 3);
	buf_adds(&buf, "c");
	buf_addf(&buf, "%d", 12);
	ok(buf.size == 6 && memcmp(buf.data, "a\0bc12", 7) == 0, "bytes, text and numbers");
	taken = buf_take(&buf);
	ok(memcmp(taken, "a\0bc12", 7) == 0 && buf.size == 0 && !buf.data, "buf_take() hands on");
	buf_adds(&buf, "again");
	same_str(buf_text(&buf), "again", "and leaves it usable");
}

static void limits(void)
{
	cleanup(buf_free) struct buf buf = BUF_INIT(10);
	autofree char *taken = NULL;

	buf_adds(&buf, "12345");
	buf_addf(&buf, "%s", "67890");
	ok(!buf_full(&buf) && buf.size == 10, "just the limit fits");
	buf_adds(&buf, "");
	ok(!buf_full(&buf), "nothing more, too");
	buf_addc(&buf, 'x');
	ok(buf_full(&buf), "one more doesn't");
	same_str(buf_text(&buf), "1234567890", "what is there stays");
	buf_clear(&buf);
	ok(!buf_full(&buf), "a cleared one isn't full");
	buf_adds(&buf, "12345678");
	buf_addf(&buf, "%s", "9abc");
	buf_addc(&buf, 'x');
	same_str(buf_text(&buf), "12345678", "an add is whole or not at all, and none follows it");
	taken = buf_take(&buf);
	ok(!buf_full(&buf), "after buf_take() it isn't full");
}

static void html(void)
{
	cleanup(buf_free) struct buf buf = BUF_INIT(1000);

	buf_add_html(&buf, "<a href=\"x\" b='y'>&amp;</a>é");
	same_str(buf_text(&buf), "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;é",
		 "HTML is escaped");
	buf_clear(&buf);
	buf_add_html(&buf, "");
	buf_add_html(&buf, "plain");
	same_str(buf_text(&buf), "plain", "plain text is not");
}

int main(void)
{
	cleanup(buf_free) struct buf none = BUF_INIT(5);
	autofree char *empty = buf_take(&none);

	same_str(empty, "", "buf_take() is never NULL");
	grows();
	limits();
	html();
	return tap_done();
}
