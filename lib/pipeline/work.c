#include "pipeline/work.h"

#include "base/file.h"

char *work_folder(const char *data, const char *key)
{
	autofree char *all = file_join(data, "work");

	return file_join(all, key);
}
