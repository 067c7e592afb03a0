/* Who may do what: agencies, sites and their keys, queues, agents, tokens; and how agencies work:
 * playbooks.
 *
 * A registry in memory, read from records and changed by them only. The loop and the
 * writer have one each (a change is applied to both), so there is no lock; each is
 * for its own thread. Numbers are small and never used again; names never change.
 *
 * Each version of a playbook is an entity of its own that never changes and is never taken away,
 * because people are on it; it is opened when it is applied, and lives as long as the registry.
 * Removing a playbook is one more version, with nothing in it. */
#ifndef HOTLEAD_SERVER_SITE_H
#define HOTLEAD_SERVER_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/json.h"
#include "proto/slice.h"
#include "proto/status.h"
#include "server/playbook.h"
#include "server/record.h"

#define SITE_NUMBER_MAX    65535 /* sites, and as many queues, agencies, agents and tokens */
#define SITE_NAME_MAX      64
#define SITE_ORIGINS_MAX   32
#define SITE_COUNTRIES_MAX 32
#define SITE_KEYS_MAX      2    /* live ones of a kind: the old and the new of a rotation */
#define SITE_URL_MAX       1024 /* of `redirects`, and of the `_redirect` of a form */
#define SITE_SETTINGS_MAX  16384

/* Versions of all playbooks together. Opened, one takes some four to
 * five times its length of memory: 70 KiB for one like the default, in each of the two registries.
 */
#define SITE_PLAYBOOK_NUMBER_MAX   2000
#define SITE_DEFAULT_PLAYBOOK      "default" /* the shipped one: no agency's, so without a dot */
#define SITE_PLAYBOOK_SETTINGS_MAX (RECORD_PAYLOAD_MAX - 4096) /* beside it: robots' queues */

#define SITE_ROBOTS_MAX 8 /* queues that an agency has for its robots: one a channel, but calls */
#define SITE_ALONG_MAX  (SITE_ROBOTS_MAX + 1)

struct registry;

struct agency {
    uint32_t number;
    char id[SITE_NAME_MAX + 1];
    struct slice name;
    uint32_t playbook;    /* number of its first version; 0: the shipped default */
    uint32_t first_agent; /* the lowest number of its agents; 0: it has none */
};

enum queue_shape { QUEUE_ZSET, QUEUE_LIST };
struct queue {
    uint32_t number, agency;
    char id[SITE_NAME_MAX + 1]; /* <agency>.<name> */
    enum queue_shape shape;
    uint64_t report_within_ms, claim_holds_ms, overdue_after_ms; /* 0: as the playbook says */
    uint8_t assign; /* enum playbook_assign_mode; 0: as the playbook says */
};

/* A token bucket that holds what one second brings. */
struct site_bucket {
    double tokens;
    uint64_t filled_ms; /* monotonic; 0: never used, full */
};

enum hours_policy { HOURS_EXCEPT_FIRST_RESPONSE, HOURS_ALWAYS };
struct site {
    uint32_t number, agency, queue;
    uint32_t playbook; /* as the agency's; 0: the agency's */
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

#define SITE_AGENT_QUEUES_MAX SITE_ORIGINS_MAX

struct agent {
    uint32_t number, agency;
    uint32_t next; /* of the agency's agents, by number; 0: it is the last */
    char id[SITE_NAME_MAX + 1];
    struct slice name;
    bool available, is_manager;
    uint64_t away_until_ms;
    uint32_t capacity; /* how many tasks may be with it at once; 0: any number */
    size_t queue_count;
    uint32_t queues[SITE_AGENT_QUEUES_MAX]; /* that it works; none: see agent_works */
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

struct playbook_version {
    uint32_t number, agency;
    char id[SITE_NAME_MAX + 1];      /* <agency>.<name> */
    uint32_t version;                /* of this id, from 1 */
    uint32_t first;                  /* number of version 1, which stands for the id */
    uint32_t newest;                 /* of the first: number of the newest */
    const struct playbook *playbook; /* NULL: with this version the id was removed */
};

/* NULL: out of memory. */
struct registry *registry_open(void);
void registry_close(struct registry *registry);
void registry_clear(struct registry *registry);

/* Sets (settings: canonical JSON as made by the checks below) or removes (empty) one
 * entity; in the order of the records, so that an agency is there before its sites. Costs one
 * allocation. CORRUPT: settings that this version cannot read, or that name what is not
 * there; then nothing changed. INTERNAL: out of memory. Removing is refused nowhere here;
 * registry_check_remove has done that. A version of a playbook that is there already is not opened
 * again. */
enum status registry_apply(struct registry *registry, enum entity_kind kind, uint32_t number,
                           struct slice settings);

/* The settings as they are to be stored: `patch` over what is there (`number` 0: new; null
 * sets a key back to its default), checked: id unique and well-formed, agency, queue and
 * origins existing and sound; unknown or bad keys are INVALID and named in `field`. What says
 * who an entity is or belongs to (id, agency, a queue's shape) is set once. CONFLICT: the id
 * is taken, which `field` then says, or there are as many as numbers. NOT_FOUND: nothing has that
 * number. TOO_LARGE: over SITE_SETTINGS_MAX. Secrets come hashed (see registry_hash_secret). */
enum status registry_check(const struct registry *registry, enum entity_kind kind, uint32_t number,
                           struct json_value patch, struct text *settings_out,
                           struct slice *field_out);
/* The settings of the next version of a playbook: `playbook` under `id`, or, where that is NULL, of
 * its removal. INVALID: the id is none of this agency's, or the agency is not there (*field_out).
 * DUPLICATE: the newest version says the same. NOT_FOUND: there is none to remove. CONFLICT: a site
 * or the agency names what is to be removed. BUSY: there are as many versions as numbers.
 * TOO_LARGE: over SITE_PLAYBOOK_SETTINGS_MAX, or the room. */
enum status registry_check_playbook(const struct registry *registry, struct slice id,
                                    struct slice agency, const struct playbook *playbook,
                                    struct text *settings_out, struct slice *field_out);
/* The version that the next one of that id must have. */
uint32_t registry_next_version(const struct registry *registry, struct slice id);

/* Adds the settings of the queues for robots that an agency lacks, each behind a line feed.
 * INVALID: its id leaves no room for their names. CONFLICT: there are not so many numbers left. */
enum status registry_add_robots(const struct registry *registry, struct slice agency,
                                struct text *settings_out);
/* The same for an agent's own queue, `<agency>.a-<agent>`, and the managers', `<agency>.manager`.
 */
enum status registry_add_agents(const struct registry *registry, struct slice agency,
                                struct slice agent, struct text *settings_out);
/* Numbers of the queues that go with an entity: an agency's robots' and managers', an agent's own;
 * how many comes back. */
size_t registry_along(const struct registry *registry, enum entity_kind kind, uint32_t number,
                      uint32_t numbers_out[SITE_ALONG_MAX]);
/* 0: there is none. */
uint32_t registry_own_queue(const struct registry *registry, const struct agent *agent);
uint32_t registry_manager_queue(const struct registry *registry, uint32_t agency);
/* Takes the first line of what was put together so. False: nothing is left. */
bool registry_next_settings(struct slice *lines, struct slice *settings_out);

/* What a key takes, for whoever wrote something else; NULL: its name says it. */
const char *registry_advice(struct slice key);
/* CONFLICT: others depend on it (on an agency or an agent other than the queues that go with it).
 * NOT_FOUND. Of a playbook `number` is the first version. */
enum status registry_check_remove(const struct registry *registry, enum entity_kind kind,
                                  uint32_t number);
/* A site leads to that queue. */
bool registry_is_needed(const struct registry *registry, uint32_t queue);
/* The agency that an entity belongs to (an agency to itself); 0: none, or no such entity. */
uint32_t registry_agency_of(const struct registry *registry, enum entity_kind kind,
                            uint32_t number);

/* Next free number of a kind (1 for the first). Numbers are not used again, but for queues: */
uint32_t registry_next_number(const struct registry *registry, enum entity_kind kind);
/* one that is made again under its id has its number again, since its keys in Redis are the same,
 * and with them marks, and up to where reports were read. 0: none of that id was removed. */
uint32_t registry_former_queue(const struct registry *registry, struct slice id);
/* Of a playbook, its first version. */
uint32_t registry_number(const struct registry *registry, enum entity_kind kind, struct slice id);
uint32_t registry_number_max(enum entity_kind kind);

/* NULL when there is none (or it was removed). Valid until the next apply. */
struct agency *registry_agency(const struct registry *registry, uint32_t number);
struct site *registry_site(const struct registry *registry, uint32_t number);
/* As those who came by it are worked, also when it was removed: the site of their agency that has
 * its id now, else as it was last. NULL: there never was one. */
const struct site *registry_lasting_site(const struct registry *registry, uint32_t number);
/* Where calls to those who came by that site go (NULL: nobody knows which): its queue, and where it
 * is gone that of the first site of the agency. 0: the agency has none. */
uint32_t registry_call_queue(const struct registry *registry, uint32_t agency,
                             const struct site *site);
struct queue *registry_queue(const struct registry *registry, uint32_t number);
struct agent *registry_agent(const struct registry *registry, uint32_t number);
struct token *registry_token(const struct registry *registry, uint32_t number);
const struct playbook_version *registry_playbook_version(const struct registry *registry,
                                                         uint32_t number);
uint32_t registry_count(const struct registry *registry,
                        enum entity_kind kind); /* highest number */
/* What a person who is pinned to that version goes by; unknown: the shipped default. Never NULL,
 * and valid as long as the registry. */
const struct playbook *registry_playbook(const struct registry *registry, uint32_t number);
/* The version that a new person of the site is pinned to: the newest of the playbook that the site
 * names, else of the agency's. 0: the shipped default. */
uint32_t registry_playbook_of(const struct registry *registry, const struct site *site);

/* Versions of the shipped default are kept like all others, but are no agency's: the number of the
 * first; 0: none is kept. */
uint32_t registry_shipped(const struct registry *registry);
/* The version that this number of a person's, or a record's, means: 0, of before versions of the
 * shipped default were kept, is the first of them. */
uint32_t registry_pinned(const struct registry *registry, uint32_t number);
/* What is to be kept of the one that this release ships. DUPLICATE: it is the newest already. BUSY:
 * there are as many versions as can be. */
enum status registry_keep_shipped(const struct registry *registry, struct text *settings_out);
/* Its id, also after it was removed (members that it stands in are still rendered): empty only
 * for a number never used. */
struct slice registry_name(const struct registry *registry, enum entity_kind kind, uint32_t number);
/* Stored settings, followed by JSON_PADDING readable bytes; empty when removed, and of playbooks.
 * Valid until the entity's next apply. */
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

/* There now, and not away. */
bool agent_is_there(const struct agent *agent, uint64_t now_ms);
/* Whoever names no queues works all of the agency; a manager only what is escalated. */
bool agent_works(const struct agent *agent, uint32_t queue);

/* What rows and reports hold in place of an agent's id, as it is written in reports, whether
 * such an agent is registered or not. Never 0. */
uint64_t agent_hash(const struct hash_key *key, struct slice agent);

/* What they hold in place of an agency's source_kind or utm_campaign; 0 for an empty one. */
uint32_t source_hash(const struct hash_key *key, uint32_t agency, struct slice text);

/* Public page origin against the site's list: exact scheme, host and port. */
bool site_allows_origin(const struct site *site, struct slice origin);
/* Absolute http(s) URL on one of the site's origins or `redirects`. */
bool site_allows_redirect(const struct site *site, struct slice url);
/* One public opt-in now: OK, or RATE_LIMITED over the hard limit; *suspect over the soft. */
enum status site_take(struct site *site, uint64_t monotonic_ms, bool *suspect_out);

#endif
