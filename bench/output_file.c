/* Files that are asked for on a command line, and stdout, which may be a full disk as well. */
#include <errno.h>
#include <string.h>

#include "bench/output.h"

static bool is_whole(const char *path, bool written)
{
    if (!written)
        fprintf(stderr, "hotlead-bench: %s could not be written: %s\n", path,
                errno ? strerror(errno) : "the result has no form for it");
    return written;
}

static FILE *open_file(const char *path)
{
    errno = 0;
    return fopen(path, "we");
}

/* What was buffered is written only now: a full disk shows here. */
static bool close_file(FILE *file, bool written)
{
    bool failed = ferror(file) != 0;

    return fclose(file) == 0 && written && !failed;
}

bool output_file_of(const char *path, output_write_fn *write, void *owner)
{
    if (!path)
        return true;
    FILE *file = open_file(path);
    return is_whole(path, file && close_file(file, write(owner, file) == STATUS_OK));
}

struct face {
    output_fn *write;
    const struct result *result;
};

static enum status write_face(void *owner, FILE *out)
{
    const struct face *face = owner;
    return face->write(face->result, out);
}

bool output_file(const char *path, output_fn *write_result, const struct result *result)
{
    return output_file_of(path, write_face, &(struct face){write_result, result});
}

static bool write_hdr(const struct output_files *files, const struct result *result)
{
    enum result_latency which = files->hdr_latency;

    if (!files->hdr)
        return true;
    if (which == RESULT_LATENCY_COUNT)
        which = hist_count(result->latency[RESULT_LEAD]) > 0 ? RESULT_LEAD : RESULT_ACK;
    FILE *file = open_file(files->hdr);
    if (file)
        output_hdr(result, which, file);
    return is_whole(files->hdr, file && close_file(file, true));
}

bool output_files(const struct output_files *files, const struct result *result)
{
    bool json = output_file(files->json, result_write_json, result);
    bool html = output_file(files->html, output_html, result);
    bool hdr = write_hdr(files, result);

    return json && html && hdr;
}

bool output_flush(void)
{
    bool written = fflush(stdout) == 0;
    int error = errno;

    /* An earlier line may have failed, when the buffer was full: then its reason is gone. */
    if (written && !ferror(stdout))
        return true;
    fprintf(stderr, "hotlead-bench: stdout could not be written: %s\n",
            written ? "not all of it was taken" : strerror(error));
    return false;
}
