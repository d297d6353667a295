#include "action/outputs.h"

#include <stdio.h>

#include "base/crypto.h"

int outputs_add(const char *file, const char *name, const char *value, struct err *err)
{
	char end[33];
	FILE *out = fopen(file, "ae");
	bool failed;

	if (!out)
		return err_errno(err, "write the outputs to %s", file);
	/* Nobody who writes the value can know its end, and so add outputs of their own. */
	crypto_random_hex(end, sizeof end - 1);
	failed = fprintf(out, "%s<<%s\n%s\n%s\n", name, end, value ? value : "", end) < 0;
	if (fclose(out) || failed)
		return err_errno(err, "write the outputs to %s", file);
	return 0;
}
