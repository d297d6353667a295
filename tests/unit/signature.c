#include "github/signature.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "tap.h"

/* https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries */
#define SECRET "It's a Secret to Everybody"
#define BODY   "Hello, World!"
#define GOOD   "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

static int check(const struct signature_keys *keys, const char *body, const char *header)
{
	struct signature_check *one = signature_begin(keys);

	signature_add(one, body, strlen(body));
	return signature_end(one, header);
}

static void test_refused(const struct signature_keys *keys)
{
	static const struct {
		const char *header, *name;
	} bad[] = {
		{NULL, "no header"},
		{"", "an empty header"},
		{"sha256=", "a prefix alone"},
		{GOOD "0", "a digit too many"},
		{GOOD " ", "a blank after it"},
		{" " GOOD, "a blank before it"},
		{GOOD "," GOOD, "two values"},
		{"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1",
		 "a digit too few"},
		{"sha256=757107EA0EB2509FC211221CCE984B8A37570B6D7586C22C46F4379C8B043E17",
		 "upper-case digits"},
		{"SHA256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
		 "an upper-case prefix"},
		{"sha256:757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
		 "another separator"},
		{"sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59", "SHA-1"},
		{"757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", "no prefix"},
		{"sha256=0000000000000000000000000000000000000000000000000000000000000000",
		 "all zero"},
		{"sha256=g57107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
		 "not hex"},
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		same_int(check(keys, BODY, bad[i].header), -1, bad[i].name);
}

static void test_mutations(const struct signature_keys *keys)
{
	char header[] = GOOD;
	int accepted = 0;

	for (size_t i = 0; i < sizeof header - 1; i++)
		for (int bit = 0; bit < 8; bit++) {
			header[i] = (char)(header[i] ^ (1 << bit));
			accepted += check(keys, BODY, header) >= 0;
			header[i] = (char)(header[i] ^ (1 << bit));
		}
	same_int(accepted, 0, "no header with one bit changed is accepted");
	same_int(check(keys, "Hello, World?", GOOD), -1, "another body");
	same_int(check(keys, "", GOOD), -1, "an empty body");
}

static void test_pieces(const struct signature_keys *keys)
{
	int accepted = 0;

	for (size_t cut = 0; cut <= strlen(BODY); cut++) {
		struct signature_check *one = signature_begin(keys);

		signature_add(one, BODY, cut);
		signature_add(one, &BODY[cut], strlen(BODY) - cut);
		accepted += signature_end(one, GOOD) == 0;
	}
	same_int(accepted, (int)strlen(BODY) + 1, "a body in two pieces, wherever it is cut");
}

static void test_rotation(void)
{
	static const char *const secrets[] = {"new", SECRET, "older", SECRET};
	cleanup(signature_keys_freep) struct signature_keys *keys = signature_keys_new(secrets, 4);
	cleanup(signature_keys_freep) struct signature_keys *none = signature_keys_new(NULL, 0);

	same_int(check(keys, BODY, GOOD), 1, "the first secret that fits is named");
	same_int(check(keys, BODY, NULL), -1, "several secrets, no header");
	same_int(check(none, BODY, GOOD), -1, "no secret accepts nothing");
	signature_keys_free(NULL);
}

int main(void)
{
	static const char *const secret = SECRET;
	cleanup(signature_keys_freep) struct signature_keys *keys = signature_keys_new(&secret, 1);

	same_int(check(keys, BODY, GOOD), 0, "GitHub's own example");
	test_refused(keys);
	test_mutations(keys);
	test_pieces(keys);
	test_rotation();
	return tap_done();
}
