#include "base/crypto.h"

#include "tap.h"

static void check_sha256(void)
{
	char hex[SHA256_HEX_SIZE];
	uint8_t whole[SHA256_SIZE], pieces[SHA256_SIZE];
	struct sha256_stream *stream = sha256_begin();

	sha256_hex("abc", 3, hex);
	same_str(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		 "SHA-256 of abc (FIPS 180)");
	sha256_hex("", 0, hex);
	same_str(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		 "SHA-256 of nothing");
	sha256("hello world", 11, whole);
	sha256_add(stream, "hello", 5);
	sha256_add(stream, "", 0);
	sha256_add(stream, " world", 6);
	sha256_end(stream, pieces);
	ok(memcmp(whole, pieces, SHA256_SIZE) == 0, "pieces give the digest of the whole");
}

/* RFC 4231, and GitHub's own example. */
static void check_hmac(const char *key, const char *data, const char *want, const char *name)
{
	cleanup(hmac_key_freep) struct hmac_key *prepared = hmac_key_new(key, strlen(key));
	uint8_t out[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	for (int round = 0; round < 2; round++) {
		struct hmac *hmac = hmac_begin(prepared);
		struct hmac *other = hmac_begin(prepared);

		hmac_add(other, "something else", 14);
		for (const char *c = data; *c; c++)
			hmac_add(hmac, c, 1);
		hmac_add(hmac, NULL, 0);
		hmac_end(other, round ? out : NULL);
		hmac_end(hmac, out);
		hex_encode(out, sizeof out, hex);
		same_str(hex, want, name);
	}
}

static void check_hmacs(void)
{
	check_hmac(
		"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
		"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
		"HMAC: RFC 4231 case 1");
	check_hmac("Jefe", "what do ya want for nothing?",
		   "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		   "HMAC: RFC 4231 case 2");
	check_hmac("It's a Secret to Everybody", "Hello, World!",
		   "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
		   "HMAC: GitHub's documented example");
	check_hmac("", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
		   "HMAC: empty key, empty text");
}

static void check_hex(void)
{
	uint8_t out[3];
	char text[7];

	hex_encode("\x00\xab\xff", 3, text);
	same_str(text, "00abff", "hex of three bytes");
	ok(hex_decode("00abff", 6, out, 3) && memcmp(out, "\x00\xab\xff", 3) == 0, "and back");
	ok(!hex_decode("00ABff", 6, out, 3), "upper-case digits are refused");
	ok(!hex_decode("00abf", 5, out, 3) && !hex_decode("00abff0", 7, out, 3),
	   "another length is refused");
	for (int c = 0, bad = 0; c < 256; c++) {
		char digits[2] = {'a', (char)c};
		bool valid = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');

		bad += hex_decode(digits, 2, out, 1) != valid;
		if (c == 255)
			same_int(bad, 0, "every byte is a digit or not, as it should");
	}
}

static void check_base64_bad(const char *text, const char *name)
{
	size_t size;
	autofree char *out = base64_decode(text, &size);

	ok(out == NULL, name);
}

static void check_base64(void)
{
	static const char bytes[] = "\xfb\xff\xbe"
				    "foobar";
	static const char *const want[] = {"", "+w==", "+/8=", "+/++", "+/++Zg=="};

	for (size_t i = 0; i < 5; i++) {
		autofree char *text = base64_encode(bytes, i, false);

		same_str(text, want[i], "base64");
	}
	for (size_t i = 0; i < sizeof bytes; i++) {
		autofree char *plain = base64_encode(bytes, i, false);
		autofree char *url = base64_encode(bytes, i, true);
		size_t size = 99, other = 99;
		autofree char *a = base64_decode(plain, &size), *b = base64_decode(url, &other);

		ok(!strpbrk(url, "+/=") && a && b && size == i && other == i && !memcmp(a, bytes, i)
			   && !memcmp(b, bytes, i),
		   "both alphabets come back");
	}
	check_base64_bad("a", "one digit is no base64");
	check_base64_bad("ab=", "nor is half a padding");
	check_base64_bad("ab===", "nor too much of it");
	check_base64_bad("ab==cd", "nor padding inside");
	check_base64_bad("a b=", "nor a space");
	check_base64_bad("ab\n=", "nor a line end");
	check_base64_bad("ab", "nor bits that stand for nothing");
	check_base64_bad("====", "nor padding alone");
}

static void check_rest(void)
{
	char a[34], b[34];

	memset(a, 'x', sizeof a);
	crypto_random_hex(a, 31);
	crypto_random_hex(b, 31);
	same_int((intmax_t)strlen(a), 31, "random digits: as many as asked for");
	same_int((intmax_t)strspn(a, "0123456789abcdef"), 31, "all of them hex");
	ok(strcmp(a, b) != 0, "and not the same twice");
	ok(a[32] == 'x', "nothing is written behind them");
	ok(crypto_same("abc", "abd", 2) && !crypto_same("abc", "abd", 3)
		   && crypto_same("a", "b", 0),
	   "comparison looks at as many bytes as said");
	crypto_wipe_text(NULL);
	crypto_wipe_text(b);
	ok(b[0] == '\0' && b[30] == '\0', "wiped");
}

int main(void)
{
	check_sha256();
	check_hmacs();
	check_hex();
	check_base64();
	check_rest();
	return tap_done();
}
