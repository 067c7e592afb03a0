#include "server/index_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/must.h"

#define HEADER_BYTES 4096
#define NUMBER_MASK  ((1ull << INDEX_NUMBER_BITS) - 1)

static const char magic[8] = "hl-index";

_Static_assert(sizeof(struct index_file_header) == 40, "stored");
_Static_assert(INDEX_TAG_BITS + INDEX_NUMBER_BITS == 64, "a slot is 8 bytes");

static enum status status_of(int code)
{
    switch (code) {
    case 0:
        return STATUS_OK;
    case ENOENT:
        return STATUS_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return STATUS_DISK_FULL;
    default:
        return STATUS_IO;
    }
}

/* --- make, open, close ---------------------------------------------------- */

static size_t bytes_of(uint32_t bits)
{
    return HEADER_BYTES + (sizeof(uint64_t) << bits);
}

/* The mapping outlives the descriptor. */
static enum status map(struct index_file *file, int fd, size_t bytes)
{
    void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (mapped == MAP_FAILED)
        return STATUS_IO;
    *file = (struct index_file){mapped, (uint64_t *)((char *)mapped + HEADER_BYTES), bytes};
    return STATUS_OK;
}

enum status file_make(struct index_file *file, const char *path, uint32_t bits)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return status_of(errno);
    enum status status = status_of(posix_fallocate(fd, 0, (off_t)bytes_of(bits)));
    if (status == STATUS_OK)
        status = map(file, fd, bytes_of(bits));
    close(fd);
    if (status != STATUS_OK) {
        unlink(path);
        return status;
    }
    memcpy(file->header->magic, magic, sizeof magic);
    file->header->version = INDEX_FILE_VERSION;
    file->header->bits = bits;
    return STATUS_OK;
}

static bool is_sound(const struct index_file *file)
{
    const struct index_file_header *header = file->header;

    return memcmp(header->magic, magic, sizeof magic) == 0 &&
           header->version == INDEX_FILE_VERSION && header->bits > 0 &&
           header->bits <= INDEX_TAG_BITS && bytes_of(header->bits) == file->bytes &&
           header->complete == 1 && header->count < file_slots(file) &&
           header->drained <= file_slots(file);
}

enum status file_open(struct index_file *file, const char *path)
{
    struct stat entry;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return status_of(errno);
    enum status status = fstat(fd, &entry) == 0 ? STATUS_OK : status_of(errno);
    if (status == STATUS_OK && entry.st_size < HEADER_BYTES)
        status = STATUS_CORRUPT;
    if (status == STATUS_OK)
        status = map(file, fd, (size_t)entry.st_size);
    close(fd);
    if (status == STATUS_OK && !is_sound(file)) {
        file_close(file);
        status = STATUS_CORRUPT;
    }
    return status;
}

void file_close(struct index_file *file)
{
    if (file->header)
        munmap(file->header, file->bytes);
    *file = (struct index_file){0};
}

bool file_is_open(const struct index_file *file)
{
    return file->header != NULL;
}

enum status file_sync(const struct index_file *file)
{
    return msync(file->header, file->bytes, MS_SYNC) == 0 ? STATUS_OK : status_of(errno);
}

uint64_t file_slots(const struct index_file *file)
{
    return 1ull << file->header->bits;
}

uint64_t file_eighths(const struct index_file *file)
{
    return file->header->count * 8 / file_slots(file);
}

/* --- slots ---------------------------------------------------------------- */

uint64_t file_place(uint64_t slot)
{
    return slot & ~NUMBER_MASK;
}

uint64_t file_number(uint64_t slot)
{
    return slot & NUMBER_MASK;
}

/* The first slot that is looked at. What has been drained is left out, for an empty slot ends a
 * search; what stood there on its way round the end is not here any more. */
static uint64_t start(const struct index_file *file, uint64_t place)
{
    uint64_t home = place >> (64 - file->header->bits);

    return home < file->header->drained ? file->header->drained : home;
}

static uint64_t position(const struct index_file *file, uint64_t place, uint64_t steps)
{
    return (start(file, place) + steps) & (file_slots(file) - 1);
}

/* Where it stands or has to be put. The file has room. */
static uint64_t find(const struct index_file *file, uint64_t slot)
{
    uint64_t steps = 0, at = position(file, slot, 0);

    while (file->slots[at] != 0 && file->slots[at] != slot)
        at = position(file, slot, ++steps);
    return at;
}

bool file_has(const struct index_file *file, uint64_t slot)
{
    return file->slots[find(file, slot)] == slot;
}

void file_put(struct index_file *file, uint64_t slot)
{
    uint64_t at = find(file, slot);

    if (file->slots[at] == slot)
        return;
    file->slots[at] = slot;
    file->header->count++;
}

uint64_t file_next(const struct index_file *file, uint64_t place, uint64_t *steps)
{
    while (*steps < file_slots(file)) {
        uint64_t slot = file->slots[position(file, place, *steps)];
        if (slot == 0)
            break;
        ++*steps;
        if (file_place(slot) == file_place(place))
            return slot;
    }
    return 0;
}

void file_prefetch(const struct index_file *file, uint64_t place)
{
    __builtin_prefetch(&file->slots[position(file, place, 0)], 1);
}

/* --- drain ---------------------------------------------------------------- */

void file_begin_drain(struct index_file *file)
{
    MUST(file->header->drained == 0);
    file->header->draining = 1;
}

/* A process that is killed leaves the entry in one of the files or in both, and one that is in both
 * is moved once more: so the order of these stores is kept. */
static void drain_one(struct index_file *file, struct index_file *to)
{
    uint64_t *slot = &file->slots[file->header->drained];

    if (*slot != 0)
        file_put(to, *slot);
    __atomic_store_n(slot, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&file->header->drained, file->header->drained + 1, __ATOMIC_RELEASE);
}

bool file_drain(struct index_file *file, struct index_file *to, unsigned slots)
{
    for (; slots > 0 && file->header->drained < file_slots(file); slots--)
        drain_one(file, to);
    if (file->header->drained < file_slots(file))
        return false;
    file->header->count = 0;
    file->header->drained = 0;
    __atomic_store_n(&file->header->draining, 0, __ATOMIC_RELEASE);
    return true;
}
