#include "github/link.h"

#include "base/mem.h"
#include "tap.h"

static void finds(const char *header, const char *url, const char *name)
{
	autofree char *found = link_find(header, "next");

	same_str(found, url, name);
}

int main(void)
{
	finds(NULL, NULL, "no header");
	finds("", NULL, "an empty one");
	finds("<https://a/b?c=1>; rel=\"next\"", "https://a/b?c=1", "one link");
	finds("<https://a/1>; rel=\"prev\", <https://a/2>; rel=\"next\", <https://a/3>; "
	      "rel=\"last\"",
	      "https://a/2", "the right one of several");
	finds("<https://a/1>; rel=\"last\"", NULL, "none of that relation");
	finds("<https://a/1>;rel=next", "https://a/1", "without quotes and blanks");
	finds("<https://a/1>; REL=\"Next\"", "https://a/1", "in any case");
	finds("<https://a/1>; rel=\"prev next\"", "https://a/1", "two relations in one");
	finds("<https://a/1>; title=\"a, b; rel=\\\"next\\\"\"; rel=prev", NULL,
	      "what only looks like one, within quotes");
	finds("<https://a/1>; rel=prev; rel=next", NULL, "only the first rel counts");
	finds("<https://a/1,2;3>; rel=next", "https://a/1,2;3", "commas within the URL");
	finds("<https://a/1>; nothing; rel=\"next\"", "https://a/1", "a parameter without a value");
	finds("https://a/1; rel=next", NULL, "no brackets");
	finds("<https://a/1; rel=next", NULL, "no end");
	finds("<https://a/1>; rel=\"next", "https://a/1", "no closing quote");
	finds("<https://a/1> rel=next", NULL, "no semicolon");
	finds(",, <https://a/1>; rel=next", "https://a/1", "empty links");
	finds("<https://a/1>; rel=nextx", NULL, "a longer word");
	return tap_done();
}
