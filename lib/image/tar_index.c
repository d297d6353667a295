#include "image/tar_index.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define BLOCK       512
#define ENTRIES_MAX 100000
#define NAME_MAX_   4096
#define PAX_MAX     65536
#define LINKS_MAX   8

struct item {
	const char *name, *link; /* cleaned; link NULL: a file */
	struct tar_entry entry;
};

struct tar_index {
	int fd;
	int64_t size;
	struct item *items;
	size_t count;
	struct arena *arena;
};

/* What a pax header or a GNU long name says of the entry after it. */
struct ahead {
	const char *name, *link;
	int64_t size; /* -1: nothing */
};

static int read_at(const struct tar_index *index, void *out, size_t size, int64_t at,
		   struct err *err)
{
	char *to = out;

	while (size > 0) {
		ssize_t done = pread(index->fd, to, size, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_errno(err, "read the image's tar");
		if (done == 0)
			return err_set(err, ERR_USAGE, 0, "the image's tar is cut off at byte %jd",
				       (intmax_t)at);
		to += done;
		at += done;
		size -= (size_t)done;
	}
	return 0;
}

/* "a//./b/../c" is "a/c"; nothing climbs over the top. */
static const char *clean(const char *folder, const char *name, struct arena *arena)
{
	char *out = arena_alloc(arena, strlen(folder) + strlen(name) + 3), *to = out;
	const char *parts[2] = {*name == '/' ? "" : folder, name};

	for (int i = 0; i < 2; i++) {
		for (const char *from = parts[i]; *from;) {
			size_t size = strcspn(from, "/");

			if (size == 2 && memcmp(from, "..", 2) == 0) {
				while (to > out && *--to != '/')
					;
			} else if (size > 0 && !(size == 1 && *from == '.')) {
				if (to > out)
					*to++ = '/';
				memcpy(to, from, size);
				to += size;
			}
			from += size;
			from += strspn(from, "/");
		}
	}
	*to = '\0';
	return out;
}

static const char *folder_of(const char *name, struct arena *arena)
{
	const char *slash = strrchr(name, '/');

	return slash ? arena_memdup(arena, name, (size_t)(slash - name)) : "";
}

/* Octal with blanks around it, or GNU's base 256. -1: neither. */
static int64_t number(const unsigned char *field, size_t size)
{
	int64_t value = 0;
	size_t i = 0;

	if (field[0] == 0x80) {
		for (i = 1; i < size; i++) {
			if (value > INT64_MAX >> 8)
				return -1;
			value = value << 8 | field[i];
		}
		return value;
	}
	while (i < size && field[i] == ' ')
		i++;
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
		value = value * 8 + (field[i] - '0');
	return i < size && field[i] != ' ' && field[i] != '\0' ? -1 : value;
}

static bool is_sound(const unsigned char *block)
{
	int64_t sum = 0;

	for (int i = 0; i < BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : block[i];
	return number(block + 148, 8) == sum;
}

static bool is_empty(const unsigned char *block)
{
	for (int i = 0; i < BLOCK; i++)
		if (block[i])
			return false;
	return true;
}

static const char *field_text(const unsigned char *field, size_t size, struct arena *arena)
{
	return arena_memdup(arena, field, strnlen((const char *)field, size));
}

static const char *header_name(const unsigned char *block, struct arena *arena)
{
	const char *name = field_text(block, 100, arena), *prefix;

	if (memcmp(block + 257, "ustar\0", 6) != 0 || block[345] == '\0')
		return name;
	prefix = field_text(block + 345, 155, arena);
	return arena_printf(arena, "%s/%s", prefix, name);
}

/* One record of a pax header, "27 path=some/name\n". Its length, 0 when it isn't one. */
static size_t pax_record(const char *text, size_t room, struct ahead *ahead, struct arena *arena)
{
	size_t size = 0, at = 0;
	const char *name, *equals, *value;
	struct err ignored = ERR_INIT;

	while (at < room && at < 8 && text[at] >= '0' && text[at] <= '9')
		size = size * 10 + (size_t)(text[at++] - '0');
	if (at == 0 || at >= room || text[at] != ' ' || size > room || size < at + 3
	    || text[size - 1] != '\n')
		return 0;
	name = arena_memdup(arena, text + at + 1, size - at - 2);
	equals = strchr(name, '=');
	if (!equals)
		return 0;
	value = equals + 1;
	if (text_starts(name, "path="))
		ahead->name = value;
	else if (text_starts(name, "linkpath="))
		ahead->link = value;
	else if (text_starts(name, "size=")
		 && text_number(value, 0, INT64_MAX, &ahead->size, &ignored))
		return 0;
	return size;
}

static int read_ahead(struct tar_index *index, char type, struct tar_entry entry,
		      struct ahead *ahead, struct err *err)
{
	char *text;

	if (entry.size > (type == 'x' ? PAX_MAX : NAME_MAX_))
		return err_set(err, ERR_USAGE, 0,
			       "the image's tar has a header of %jd bytes (expected at most %d)",
			       (intmax_t)entry.size, type == 'x' ? PAX_MAX : NAME_MAX_);
	text = arena_alloc(index->arena, (size_t)entry.size + 1);
	if (read_at(index, text, (size_t)entry.size, entry.offset, err))
		return -1;
	if (type == 'L')
		ahead->name = text;
	else if (type == 'K')
		ahead->link = text;
	for (size_t at = 0; type == 'x' && at < (size_t)entry.size;) {
		size_t size = pax_record(text + at, (size_t)entry.size - at, ahead, index->arena);

		if (size == 0)
			return err_set(err, ERR_USAGE, 0,
				       "the image's tar has a pax header that can't be read");
		at += size;
	}
	return 0;
}

static int add_item(struct tar_index *index, const unsigned char *block, struct tar_entry entry,
		    const struct ahead *ahead, struct err *err)
{
	char type = (char)block[156];
	struct item item = {.entry = entry};
	const char *link;

	if (!strchr("01237S", type) && type != '\0')
		return 0;
	if (type == 'S' || type == '3')
		return err_set(err, ERR_USAGE, 0,
			       "the image's tar holds a sparse file or a device: unexpected");
	if (index->count == ENTRIES_MAX)
		return err_set(err, ERR_USAGE, 0, "the image's tar has over %d entries",
			       ENTRIES_MAX);
	item.name = clean("", ahead->name ? ahead->name : header_name(block, index->arena),
			  index->arena);
	if (type == '1' || type == '2') {
		link = ahead->link ? ahead->link : field_text(block + 157, 100, index->arena);
		item.link = clean(type == '2' ? folder_of(item.name, index->arena) : "", link,
				  index->arena);
	}
	/* Room for twice as many each time. */
	if ((index->count & (index->count - 1)) == 0)
		index->items =
			xresize(index->items, index->count ? index->count * 2 : 1, sizeof item);
	index->items[index->count++] = item;
	return 0;
}

/* The entry whose header is at *at; *at moves past it. 1: the end. */
static int step(struct tar_index *index, int64_t *at, struct ahead *ahead, struct err *err)
{
	unsigned char block[BLOCK];
	struct tar_entry entry;
	char type;

	if (*at == index->size && index->count > 0)
		return 1;
	if (read_at(index, block, sizeof block, *at, err))
		return -1;
	if (is_empty(block))
		return 1;
	if (!is_sound(block))
		return err_set(err, ERR_USAGE, 0,
			       "the image's tar has no header at byte %jd: it isn't a tar, or "
			       "compressed",
			       (intmax_t)*at);
	type = (char)block[156];
	entry = (struct tar_entry){.offset = *at + BLOCK, .size = number(block + 124, 12)};
	if (ahead->size >= 0 && !strchr("xgLK", type))
		entry.size = ahead->size;
	/* Folders and links have no bytes, whatever they say. */
	if (type == '1' || type == '2' || type == '5')
		entry.size = 0;
	if (entry.size < 0 || entry.size > index->size - entry.offset)
		return err_set(
			err, ERR_USAGE, 0,
			"the image's tar is cut off: an entry at byte %jd has %jd bytes, %jd "
			"are there",
			(intmax_t)*at, (intmax_t)entry.size,
			(intmax_t)(index->size - entry.offset));
	*at = entry.offset + (entry.size + BLOCK - 1) / BLOCK * BLOCK;
	if (type != '\0' && strchr("xLK", type))
		return read_ahead(index, type, entry, ahead, err);
	if (type == 'g')
		return 0;
	if (add_item(index, block, entry, ahead, err))
		return -1;
	*ahead = (struct ahead){.size = -1};
	return 0;
}

int tar_index_new(struct tar_index **out, int fd, struct err *err)
{
	cleanup(tar_index_freep) struct tar_index *index = xalloc(sizeof *index);
	struct ahead ahead = {.size = -1};
	struct stat info;
	int64_t at = 0;
	int status;

	*out = NULL;
	if (fstat(fd, &info))
		return err_errno(err, "read the image's tar");
	*index = (struct tar_index){.fd = fd, .size = info.st_size, .arena = arena_new()};
	do
		status = step(index, &at, &ahead, err);
	while (status == 0);
	if (status < 0)
		return -1;
	*out = take(index);
	return 0;
}

void tar_index_free(struct tar_index *index)
{
	if (!index)
		return;
	arena_free(index->arena);
	free(index->items);
	free(index);
}

static const struct item *find(const struct tar_index *index, const char *name)
{
	for (size_t i = index->count; i > 0; i--)
		if (strcmp(index->items[i - 1].name, name) == 0)
			return &index->items[i - 1];
	return NULL;
}

bool tar_index_find(const struct tar_index *index, const char *name, struct tar_entry *out)
{
	cleanup(arena_freep) struct arena *arena = arena_new();
	const struct item *item = find(index, clean("", name, arena));

	for (int links = 0; item && item->link && links < LINKS_MAX; links++)
		item = find(index, item->link);
	if (!item || item->link)
		return false;
	*out = item->entry;
	return true;
}

int tar_index_read(const struct tar_index *index, const char *name, struct buf *out,
		   struct err *err)
{
	struct tar_entry entry;
	autofree char *bytes = NULL;

	if (!tar_index_find(index, name, &entry))
		return err_set(err, ERR_ABSENT, 0, "the image's tar has no %.200s", name);
	if ((uint64_t)entry.size > out->limit - out->size)
		return err_set(err, ERR_LIMIT, 0,
			       "%.200s in the image's tar has %jd bytes (expected at most %zu)",
			       name, (intmax_t)entry.size, out->limit - out->size);
	bytes = xalloc((size_t)entry.size + 1);
	if (read_at(index, bytes, (size_t)entry.size, entry.offset, err))
		return -1;
	buf_add(out, bytes, (size_t)entry.size);
	return 0;
}
