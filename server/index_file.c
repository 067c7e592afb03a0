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
#define TAG_MASK     ((1ull << INDEX_TAG_BITS) - 1)
#define UPPER_BITS   (INDEX_PLACE_BITS - INDEX_TAG_BITS) /* of a place, which no slot holds */

static const char magic[8] = "hl-index";

_Static_assert(sizeof(struct index_file_header) == 40, "stored");
_Static_assert(INDEX_TAG_BITS + INDEX_NUMBER_BITS == 64, "a slot is 8 bytes");
_Static_assert(INDEX_FILE_BITS_MAX <= INDEX_PLACE_BITS, "a home is a part of a place");

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
           header->version == INDEX_FILE_VERSION && header->bits >= INDEX_FILE_BITS_MIN &&
           header->bits <= INDEX_FILE_BITS_MAX && bytes_of(header->bits) == file->bytes &&
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

static uint64_t slot_of(uint64_t place, uint64_t number)
{
    return (place & TAG_MASK) << INDEX_NUMBER_BITS | number;
}

static uint64_t home_of(const struct index_file *file, uint64_t place)
{
    return place >> (INDEX_PLACE_BITS - file->header->bits);
}

/* How far behind its home a slot may stand. */
static uint64_t reach(const struct index_file *file)
{
    return 1ull << (file->header->bits - UPPER_BITS);
}

/* Of what stands in slot `at`. */
static uint64_t place_at(const struct index_file *file, uint64_t at)
{
    uint64_t tag = file->slots[at] >> INDEX_NUMBER_BITS;
    uint64_t home_end = tag >> (INDEX_PLACE_BITS - file->header->bits);
    uint64_t behind = (at - home_end) & (reach(file) - 1);
    uint64_t home = (at - behind) & (file_slots(file) - 1);

    return home / reach(file) << INDEX_TAG_BITS | tag;
}

/* The first slot that is looked at. What has been drained is left out, for an empty slot ends a
 * search; what stood there on its way round the end is not here any more. */
static uint64_t start(const struct index_file *file, uint64_t place)
{
    uint64_t home = home_of(file, place);

    return home < file->header->drained ? file->header->drained : home;
}

static uint64_t position(const struct index_file *file, uint64_t place, uint64_t steps)
{
    return (start(file, place) + steps) & (file_slots(file) - 1);
}

static bool is_of(const struct index_file *file, uint64_t at, uint64_t place)
{
    return file->slots[at] >> INDEX_NUMBER_BITS == (place & TAG_MASK) &&
           place_at(file, at) == place;
}

/* Where it stands or may be put. False: only out of reach, or too many have its place. */
static bool find(const struct index_file *file, uint64_t place, uint64_t number, uint64_t *at_out)
{
    uint64_t slot = slot_of(place, number), same = 0;

    for (uint64_t steps = 0; steps < reach(file) && same < reach(file) / 2; steps++) {
        uint64_t at = position(file, place, steps);
        if (file->slots[at] == 0 || file->slots[at] == slot) {
            *at_out = at;
            return true;
        }
        same += is_of(file, at, place);
    }
    return false;
}

bool file_has(const struct index_file *file, uint64_t place, uint64_t number)
{
    uint64_t at;

    return find(file, place, number, &at) && file->slots[at] != 0;
}

void file_put(struct index_file *file, uint64_t place, uint64_t number)
{
    uint64_t at;

    if (!find(file, place, number, &at) || file->slots[at] != 0)
        return;
    file->slots[at] = slot_of(place, number);
    file->header->count++;
}

void file_copy(const struct index_file *from, uint64_t at, struct index_file *to)
{
    if (from->slots[at] != 0)
        file_put(to, place_at(from, at), from->slots[at] & NUMBER_MASK);
}

uint64_t file_next(const struct index_file *file, uint64_t place, uint64_t *steps)
{
    while (*steps < reach(file)) {
        uint64_t at = position(file, place, *steps);
        if (file->slots[at] == 0)
            break;
        ++*steps;
        if (is_of(file, at, place))
            return file->slots[at] & NUMBER_MASK;
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
    uint64_t at = file->header->drained;

    file_copy(file, at, to);
    __atomic_store_n(&file->slots[at], 0, __ATOMIC_RELEASE);
    __atomic_store_n(&file->header->drained, at + 1, __ATOMIC_RELEASE);
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
