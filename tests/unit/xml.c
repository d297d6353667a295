#include "cloud/xml.h"

#include <string.h>

#include "base/mem.h"
#include "tap.h"

static void gives(const char *xml, const char *name, const char *want)
{
	autofree char *got = xml_text(xml, strlen(xml), name);

	same_str(got ? got : "(none)", want ? want : "(none)", xml);
}

static void gives_in(const char *xml, const char *outer, const char *name, const char *want)
{
	autofree char *got = xml_text_in(xml, strlen(xml), outer, name);

	same_str(got ? got : "(none)", want ? want : "(none)", xml);
}

static void test_entities(void)
{
	gives("<a>&lt;&gt;&amp;&quot;&apos;</a>", "a", "<>&\"'");
	gives("<a>&#65;&#x42;&#x1F600;&#xe9;</a>", "a", "AB\xf0\x9f\x98\x80\xc3\xa9");
	gives("<a>&amp;lt;</a>", "a", "&lt;");
	gives("<a>&nbsp;&;&#;&#x;&#xzz;&</a>", "a", "&nbsp;&;&#;&#x;&#xzz;&");
	gives("<a>&#0;&#55296;&#x110000;</a>", "a", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	gives("<a>&#99999999;</a>", "a", "\xef\xbf\xbd");
	gives("<a>&#999999999999;</a>", "a", "&#999999999999;");
	gives("<a><![CDATA[<b>&amp;]]>c</a>", "a", "<b>&amp;c");
}

static void test_names(void)
{
	gives("<x:Code xmlns:x='urn:y'>z</x:Code>", "Code", "z");
	gives("<Code xmlns=\"a>b\" b = '>'>z</Code >", "Code", "z");
	gives("<Codes>y</Codes><Code>z</Code>", "Code", "z");
	gives("<code>z</code>", "Code", NULL);
	gives("<a><b>x</b></a>", "a", "x");
	gives("<a>  x \t</a>", "a", "x");
	gives("<a/>", "a", "");
	gives("<a b='c' />", "a", "");
	gives("<a></a>", "a", "");
	gives("<a><a>x</a>y</a>z", "a", "xy");
	gives("<?xml version=\"1.0\"?><!DOCTYPE a><!-- <a>no</a> --><a>yes</a>", "a", "yes");
	gives_in("<r><Type>1</Type><Error><Type>2</Type></Error></r>", "Error", "Type", "2");
	gives_in("<r><Type>1</Type></r>", "Error", "Type", NULL);
}

static void test_broken(void)
{
	gives("", "a", NULL);
	gives("<", "a", NULL);
	gives("<a", "a", NULL);
	gives("<a>", "a", NULL);
	gives("<a>x</b>", "a", NULL);
	gives("</a>x", "a", NULL);
	gives("<a>x</a", "a", "x");
	gives("<![CDATA[", "a", NULL);
	gives("<!--", "a", NULL);
	gives("<a b='>x</a>", "a", NULL);
	gives("<html><body><h1>503 Service Unavailable</h1>", "Code", NULL);
	gives("{\"Code\": 1}", "Code", NULL);
}

/* Each beginning of an answer: nothing must be read behind its end. */
static void test_cut(void)
{
	static const char whole[] =
		"<r><Credentials><AccessKeyId>A&#x41;<![CDATA[x]]></AccessKeyId>"
		"</Credentials><!-- x --></r>";
	size_t found = 0;

	for (size_t size = 0; size < sizeof whole; size++) {
		autofree char *copy = xmemdup(whole, size);
		autofree char *exact = xresize(NULL, size ? size : 1, 1);
		autofree char *text = NULL;

		memcpy(exact, copy, size);
		text = xml_text_in(exact, size, "Credentials", "AccessKeyId");
		found += text != NULL;
	}
	ok(found > 0 && found < 30, "a text that ends early gives nothing");
}

int main(void)
{
	test_entities();
	test_names();
	test_broken();
	test_cut();
	return tap_done();
}
