/* The one file beside its own that names each library: it asks for versions and nothing else. */
#include "server/versions.h"

#include <curl/curl.h>
#include <hiredis.h>
#include <llhttp.h>
#include <lmdb.h>
#include <sodium.h>
#include <uv.h>
#include <xxhash.h>
#include <yaml.h>
#include <zlib.h>

#include "proto/zone.h"

void versions_print(FILE *out)
{
    unsigned xxhash = XXH_versionNumber();

    fprintf(out, "hotlead %s\n", HOTLEAD_VERSION);
    fprintf(out, "curl %s\n", curl_version_info(CURLVERSION_NOW)->version);
    fprintf(out, "hiredis %d.%d.%d\n", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
    fprintf(out, "libsodium %s\n", sodium_version_string());
    fprintf(out, "libuv %s\n", uv_version_string());
    fprintf(out, "libyaml %s\n", yaml_get_version_string());
    fprintf(out, "llhttp %d.%d.%d\n", LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR,
            LLHTTP_VERSION_PATCH);
    fprintf(out, "%s\n", mdb_version(NULL, NULL, NULL));
    fprintf(out, "tzdata %s\n", zone_data_version());
    fprintf(out, "xxhash %u.%u.%u\n", xxhash / 10000, xxhash / 100 % 100, xxhash % 100);
    fprintf(out, "zlib %s\n", zlibVersion());
}
