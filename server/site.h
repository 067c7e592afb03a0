/* Who may do what: agencies, sites and their keys, queues, agents, tokens.
 *
 * A registry in memory, read from records and changed by them only. The loop and the
 * writer have one each (a change is applied to both), so there is no lock; each is
 * for its own thread. Numbers are small and never used again; names never change. */
#ifndef HOTLEAD_SERVER_SITE_H
#define HOTLEAD_SERVER_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/json.h"
#include "proto/slice.h"
#include "proto/status.h"
#include "server/record.h"

#define SITE_NUMBER_MAX       65535 /* sites, and as many agencies, agents and tokens */
#define SITE_QUEUE_NUMBER_MAX 4095  /* each queue costs every commit of state a little */
#define SITE_NAME_MAX         64
#define SITE_ORIGINS_MAX      32
#define SITE_COUNTRIES_MAX    32
#define SITE_KEYS_MAX         2    /* live ones of a kind: the old and the new of a rotation */
#define SITE_URL_MAX          1024 /* of `redirects`, and of the `_redirect` of a form */
#define SITE_SETTINGS_MAX     16384

struct registry;

struct agency {
    uint32_t number;
    char id[SITE_NAME_MAX + 1];
    struct slice name;
};

enum queue_shape { QUEUE_ZSET, QUEUE_LIST };
struct queue {
    uint32_t number, agency;
    char id[SITE_NAME_MAX + 1]; /* <agency>.<name> */
    enum queue_shape shape;
    uint64_t report_within_ms; /* 120 s */
    uint64_t claim_holds_ms;   /* 30 min */
    uint64_t overdue_after_ms; /* 24 h */
};

/* A token bucket that holds what one second brings. */
struct site_bucket {
    double tokens;
    uint64_t filled_ms; /* monotonic; 0: never used, full */
};

enum hours_policy { HOURS_EXCEPT_FIRST_RESPONSE, HOURS_ALWAYS };
struct site {
    uint32_t number, agency, queue;
    char id[SITE_NAME_MAX + 1];
    char country[3];
    enum hours_policy hours_policy;
    unsigned rate_limit;    /* hard, opt-ins/s of the public key; 0: none */
    unsigned suspect_limit; /* soft; 0: none */
    size_t origin_count;
    struct slice origins[SITE_ORIGINS_MAX];
    size_t redirect_count;
    struct slice redirects[SITE_ORIGINS_MAX];
    size_t country_count;
    struct slice countries[SITE_COUNTRIES_MAX]; /* accepted phone countries; 0: all ordinary */
    size_t public_key_count;
    struct slice public_keys[SITE_KEYS_MAX]; /* oldest first */
    size_t secret_key_count;
    struct slice secret_key_hashes[SITE_KEYS_MAX]; /* SHA-256 in hex, oldest first */
    /* opt-ins with the public key against the hard and the soft limit; the loop's registry */
    struct site_bucket hard, soft;
};

struct agent {
    uint32_t number, agency;
    char id[SITE_NAME_MAX + 1];
    struct slice name;
};

enum role { ROLE_NONE, ROLE_AGENT, ROLE_MANAGER, ROLE_ADMIN };
struct token {
    uint32_t number, agency; /* agency 0: all (admin) */
    char id[SITE_NAME_MAX + 1];
    enum role role;
    char agent[SITE_NAME_MAX + 1]; /* "" unless bound to an agent */
    uint32_t agent_number;
    struct slice hash; /* SHA-256 of the token in hex */
};

/* NULL: out of memory. */
struct registry *registry_open(void);
void registry_close(struct registry *registry);
void registry_clear(struct registry *registry);

/* Sets (settings: canonical JSON as made by registry_check) or removes (empty) one
 * entity; in the order of the records, so that an agency is there before its sites. Costs one
 * allocation. CORRUPT: settings that this version cannot read, or that name what is not
 * there; then nothing changed. INTERNAL: out of memory. Removing is refused nowhere here;
 * registry_check_remove has done that. */
enum status registry_apply(struct registry *registry, enum entity_kind kind, uint32_t number,
                           struct slice settings);

/* The settings as they are to be stored: `patch` over what is there (`number` 0: new; null
 * sets a key back to its default), checked: id unique and well-formed, agency, queue and
 * origins existing and sound; unknown or bad keys are INVALID and named in `field`. What says
 * who an entity is or belongs to (id, agency, a queue's shape) is set once. CONFLICT: the id
 * is taken, or there are as many as numbers. NOT_FOUND: nothing has that number. TOO_LARGE:
 * over SITE_SETTINGS_MAX. Secrets come hashed (see registry_hash_secret). */
enum status registry_check(const struct registry *registry, enum entity_kind kind, uint32_t number,
                           struct json_value patch, struct text *settings_out,
                           struct slice *field_out);
/* What a key takes, for whoever wrote something else; NULL: its name says it. */
const char *registry_advice(struct slice key);
/* CONFLICT: others depend on it. NOT_FOUND. */
enum status registry_check_remove(const struct registry *registry, enum entity_kind kind,
                                  uint32_t number);
/* The agency that an entity belongs to (an agency to itself); 0: none, or no such entity. */
uint32_t registry_agency_of(const struct registry *registry, enum entity_kind kind,
                            uint32_t number);

/* Next free number of a kind (1 for the first). */
uint32_t registry_next_number(const struct registry *registry, enum entity_kind kind);
uint32_t registry_number(const struct registry *registry, enum entity_kind kind, struct slice id);

/* NULL when there is none (or it was removed). Valid until the next apply. */
struct agency *registry_agency(const struct registry *registry, uint32_t number);
struct site *registry_site(const struct registry *registry, uint32_t number);
struct queue *registry_queue(const struct registry *registry, uint32_t number);
struct agent *registry_agent(const struct registry *registry, uint32_t number);
struct token *registry_token(const struct registry *registry, uint32_t number);
uint32_t registry_count(const struct registry *registry,
                        enum entity_kind kind); /* highest number */
/* Its id, also after it was removed (members that it stands in are still rendered): empty only
 * for a number never used. */
struct slice registry_name(const struct registry *registry, enum entity_kind kind, uint32_t number);
/* Stored settings, followed by JSON_PADDING readable bytes; empty when removed. Valid until
 * the entity's next apply. */
struct slice registry_settings(const struct registry *registry, enum entity_kind kind,
                               uint32_t number);

/* Credentials. Secrets are found and compared by their hash, in constant time; one that was found
 * is known again by a keyed hash until the next apply. */
struct site *registry_site_by_public_key(const struct registry *registry, struct slice pk);
struct site *registry_site_by_secret_key(const struct registry *registry, struct slice sk);
struct token *registry_token_by_secret(const struct registry *registry, struct slice token);

/* 260 random bits as 52 letters and digits behind "<prefix>_<agency>_" (or, with NULL,
 * "<prefix>_"), and what is kept of a secret: SHA-256 in hex. The length comes back; the text
 * is terminated too. */
#define SECRET_TEXT_MAX  160
#define SECRET_HASH_TEXT 64
size_t registry_make_secret(char out[SECRET_TEXT_MAX], const char *prefix, const char *agency);
void registry_hash_secret(struct slice secret, char out[SECRET_HASH_TEXT]);

/* What rows and reports hold in place of an agent's id, as it is written in reports, whether
 * such an agent is registered or not. Never 0. */
uint64_t agent_hash(const struct hash_key *key, struct slice agent);

/* Public page origin against the site's list: exact scheme, host and port. */
bool site_allows_origin(const struct site *site, struct slice origin);
/* Absolute http(s) URL on one of the site's origins or `redirects`. */
bool site_allows_redirect(const struct site *site, struct slice url);
/* One public opt-in now: OK, or RATE_LIMITED over the hard limit; *suspect over the soft. */
enum status site_take(struct site *site, uint64_t monotonic_ms, bool *suspect_out);

#endif
