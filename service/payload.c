#include "service/payload.h"

#include <string.h>
#include <strings.h>

static const char *const names[] = {
	[PAYLOAD_NONE] = "",
	[PAYLOAD_JSON] = "application/json",
	[PAYLOAD_FORM] = "application/x-www-form-urlencoded",
};

static const char field[] = "payload";

enum payload_type payload_type(const char *content_type)
{
	size_t size = content_type ? strcspn(content_type, "; \t") : 0;

	for (enum payload_type type = PAYLOAD_JSON; type <= PAYLOAD_FORM; type++)
		if (size == strlen(names[type])
		    && strncasecmp(content_type, names[type], size) == 0)
			return type;
	return PAYLOAD_NONE;
}

const char *payload_type_name(enum payload_type type)
{
	return names[type];
}

struct decoded {
	char bytes[1024];
	size_t size;
};

static void put(struct payload_check *check, struct decoded *decoded, unsigned char byte)
{
	if (decoded->size == sizeof decoded->bytes) {
		json_check_add(&check->json, decoded->bytes, decoded->size);
		decoded->size = 0;
	}
	decoded->bytes[decoded->size++] = (char)byte;
}

static int hex_value(unsigned char c)
{
	unsigned char lower = c | 0x20;

	return c >= '0' && c <= '9'           ? c - '0'
	       : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10
					      : -1;
}

static void escaped(struct payload_check *check, struct decoded *decoded, unsigned char c)
{
	int value = hex_value(c);

	if (value < 0) {
		check->bad_escape = true;
		return;
	}
	check->byte = (unsigned char)(check->byte << 4 | value);
	if (--check->escape == 0)
		put(check, decoded, check->byte);
}

static bool is_payload(const struct payload_check *check)
{
	return check->name_size == sizeof field - 1
	       && memcmp(check->name, field, sizeof field - 1) == 0;
}

static void end_field(struct payload_check *check)
{
	check->bad_escape = check->bad_escape || check->escape > 0;
	check->name_size = 0;
	check->in_value = false;
}

static void form_byte(struct payload_check *check, struct decoded *decoded, unsigned char c)
{
	if (c == '&') {
		end_field(check);
	} else if (!check->in_value && c == '=') {
		check->in_value = true;
		check->fields += is_payload(check);
	} else if (!check->in_value) {
		if (check->name_size < sizeof check->name)
			check->name[check->name_size++] = (char)c;
	} else if (!is_payload(check)) {
		return;
	} else if (check->escape) {
		escaped(check, decoded, c);
	} else if (c == '%') {
		check->escape = 2;
		check->byte = 0;
	} else {
		put(check, decoded, c == '+' ? ' ' : c);
	}
}

void payload_check_add(struct payload_check *check, const void *bytes, size_t size)
{
	const unsigned char *text = bytes;
	struct decoded decoded;

	if (check->type == PAYLOAD_JSON) {
		json_check_add(&check->json, bytes, size);
		return;
	}
	decoded.size = 0;
	for (size_t i = 0; i < size && !check->bad_escape; i++)
		form_byte(check, &decoded, text[i]);
	json_check_add(&check->json, decoded.bytes, decoded.size);
}

int payload_check_end(struct payload_check *check, struct err *err)
{
	if (check->type == PAYLOAD_FORM) {
		end_field(check);
		if (check->fields != 1)
			return err_set(err, ERR_USAGE, 0,
				       "the form has %u fields named payload, expected one",
				       check->fields);
		if (check->bad_escape)
			return err_set(err, ERR_USAGE, 0,
				       "the form's field payload is not percent-encoded");
	}
	return json_check_end(&check->json, err);
}
