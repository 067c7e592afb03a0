/* What stands by itself: secrets and their hashes, origins, redirects, limits. */
#include <sodium.h>
#include <string.h>

#include "proto/must.h"
#include "server/site_settings.h"

/* --- secrets ------------------------------------------------------------------------------ */

#define SECRET_LETTERS 52 /* of 5 bits */

size_t registry_make_secret(char out[SECRET_TEXT_MAX], const char *prefix, const char *agency)
{
    static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";
    struct text text = text_over(out, SECRET_TEXT_MAX - 1);
    uint8_t random[SECRET_LETTERS];

    text_string(&text, prefix);
    text_char(&text, '_');
    if (agency) {
        text_string(&text, agency);
        text_char(&text, '_');
    }
    randombytes_buf(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        text_char(&text, alphabet[random[i] & 31]);
    sodium_memzero(random, sizeof(random));
    MUST(!text.overflow);
    out[text.length] = '\0';
    return text.length;
}

void registry_hash_secret(struct slice secret, char out[SECRET_HASH_TEXT])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char hex[SECRET_HASH_TEXT + 1];

    crypto_hash_sha256(digest, (const unsigned char *)secret.bytes, secret.length);
    sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
    memcpy(out, hex, SECRET_HASH_TEXT);
}

bool agent_is_there(const struct agent *agent, uint64_t now_ms)
{
    return agent->available && agent->away_until_ms <= now_ms;
}

bool agent_works(const struct agent *agent, uint32_t queue)
{
    for (size_t i = 0; i < agent->queue_count; i++)
        if (agent->queues[i] == queue)
            return true;
    return agent->queue_count == 0 && !agent->is_manager;
}

uint64_t agent_hash(const struct hash_key *key, struct slice agent)
{
    uint64_t place = hash_place(hash_of(key, HASH_REPORT, 0, agent));

    return place != 0 ? place : 1; /* 0 says nobody */
}

uint32_t source_hash(const struct hash_key *key, uint32_t agency, struct slice text)
{
    uint32_t place;

    if (text.length == 0)
        return 0;
    place = (uint32_t)hash_place(hash_of(key, HASH_SOURCE, agency, text));
    return place != 0 ? place : 1;
}

/* --- a site's rules ----------------------------------------------------------------------- */

bool site_allows_origin(const struct site *site, struct slice origin)
{
    for (size_t i = 0; i < site->origin_count; i++)
        if (slice_equal(site->origins[i], origin))
            return true;
    return false;
}

/* An entry without a path (or with an empty one) opens its whole origin, one with a path only
 * itself. */
static bool opens_origin(struct slice entry, struct slice origin)
{
    if (entry.length == origin.length + 1 && entry.bytes[origin.length] == '/')
        entry.length--;
    return slice_equal_ignoring_case(entry, origin);
}

bool site_allows_redirect(const struct site *site, struct slice url)
{
    struct slice origin = settings_url_origin(url);

    if (origin.length == 0)
        return false;
    for (size_t i = 0; i < site->origin_count; i++)
        if (slice_equal_ignoring_case(site->origins[i], origin))
            return true;
    for (size_t i = 0; i < site->redirect_count; i++)
        if (slice_equal(site->redirects[i], url) || opens_origin(site->redirects[i], origin))
            return true;
    return false;
}

static bool bucket_take(struct site_bucket *bucket, unsigned limit, uint64_t monotonic_ms)
{
    if (bucket->filled_ms == 0)
        bucket->tokens = limit;
    else
        bucket->tokens += (double)(monotonic_ms - bucket->filled_ms) * limit / 1000;
    if (bucket->tokens > limit)
        bucket->tokens = limit;
    bucket->filled_ms = monotonic_ms;
    if (bucket->tokens < 1)
        return false;
    bucket->tokens -= 1;
    return true;
}

enum status site_take(struct site *site, uint64_t monotonic_ms, bool *suspect_out)
{
    *suspect_out = false;
    if (site->rate_limit != 0 && !bucket_take(&site->hard, site->rate_limit, monotonic_ms))
        return STATUS_RATE_LIMITED;
    *suspect_out =
        site->suspect_limit != 0 && !bucket_take(&site->soft, site->suspect_limit, monotonic_ms);
    return STATUS_OK;
}
