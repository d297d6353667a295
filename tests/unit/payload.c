/* The checker of bodies in constant memory agrees with the reader of payloads. */
#include "service/payload.h"

#include "base/json.h"
#include "github/event.h"
#include "tap.h"

static bool check_in(enum payload_type type, const char *body, size_t size, size_t piece)
{
	struct payload_check check = {.type = type};
	struct err err = ERR_INIT;

	for (size_t at = 0; at < size; at += piece)
		payload_check_add(&check, body + at, size - at < piece ? size - at : piece);
	return payload_check_end(&check, &err) == 0;
}

static bool reads(enum payload_type type, const char *body, size_t size)
{
	struct err err = ERR_INIT;
	json_auto json_t *json = NULL;

	return event_payload(&json, payload_type_name(type), body, size, &err) == 0
	       && json_is_object(json);
}

static const char *const forms[] = {
	"payload=%7B%7D",
	"payload={}",
	"payload=%7b%22a%22%3a1%7d",
	"payload=+%7B+%7D+",
	"payload=",
	"payload",
	"",
	"=",
	"&",
	"&&payload=%7B%7D&",
	"a=b&payload=%7B%7D&c=d",
	"payload=%7B%7D&payload=%7B%7D",
	"payload=%7B%7D&payload",
	"xpayload=%7B%7D",
	"payloadx=%7B%7D",
	"payload%3D%7B%7D",
	"Payload=%7B%7D",
	"payload=%7B%7",
	"payload=%7B%",
	"payload=%7B%7D%zz",
	"payload=%7B%7D&a=%zz",
	"a=%zz&payload=%7B%7D",
	"payload=%7B%7D=",
	"payload=%7B%22a%3Db%22%3A1%7D",
	"payload=%7B%22a=b%22%3A1%7D",
	"payload=%00",
	"payload=%7B%22a%22%3A%22%C3%A9%22%7D",
	"payload=%7B%22a%22%3A%22%C3%22%7D",
	"payload=%5B%5D",
	"payload=%7B%22a%22%3A%22%26%22%7D&b",
	"payload=%7B%7D\n",
};

int main(void)
{
	char big[6000] = "payload=%7B%22a%22%3A%22";
	size_t used = strlen(big);
	unsigned differ = 0;

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		size_t size = strlen(forms[i]);

		for (size_t cut = 0; cut <= size; cut++) {
			bool want = reads(PAYLOAD_FORM, forms[i], cut);

			if (check_in(PAYLOAD_FORM, forms[i], cut, 1) == want
			    && check_in(PAYLOAD_FORM, forms[i], cut, 5) == want)
				continue;
			differ++;
			tap_note("differ on: %.*s", (int)cut, forms[i]);
		}
	}
	same_int(differ, 0, "both say the same of each form, and of its beginnings");
	memset(big + used, 'x', 5000);
	memcpy(big + used + 5000, "%22%7D", 7);
	ok(check_in(PAYLOAD_FORM, big, strlen(big), strlen(big)),
	   "a form larger than the piece it is decoded in");
	ok(check_in(PAYLOAD_JSON, "{}", 2, 1), "JSON is as it is");
	same_int(payload_type("application/json"), PAYLOAD_JSON, "types are known");
	same_int(payload_type("Application/X-WWW-Form-Urlencoded; charset=utf-8"), PAYLOAD_FORM,
		 "in any case, with parameters");
	same_int(payload_type("application/jsonp"), PAYLOAD_NONE, "and no others");
	same_int(payload_type(""), PAYLOAD_NONE, "not the empty one");
	same_int(payload_type(NULL), PAYLOAD_NONE, "nor none");
	return tap_done();
}
