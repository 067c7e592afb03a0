#include "bench/output.h"

bool output_file(const char *path, output_fn *write_result, const struct result *result)
{
    if (!path)
        return true;
    FILE *file = fopen(path, "we");
    bool written = file && write_result(result, file) == STATUS_OK && !ferror(file);
    if (file && fclose(file) != 0)
        written = false;
    if (!written)
        fprintf(stderr, "hotlead-bench: %s could not be written: %m\n", path);
    return written;
}
