/* From words on the command line to JSON. Which settings are lists numbers or flags is known here
 * only because words do not say; everything else is a text, and the server checks all of it. */
#include <string.h>

#include "proto/must.h"
#include "server/cli.h"

#define PAIRS_MAX 128

enum shape { SHAPE_TEXT, SHAPE_NUMBER, SHAPE_FLAG, SHAPE_LIST };

static const struct known {
    const char *word, *key;
    enum shape shape;
} known[] = {
    {"origin", "origins", SHAPE_LIST},
    {"origins", "origins", SHAPE_LIST},
    {"redirect", "redirects", SHAPE_LIST},
    {"redirects", "redirects", SHAPE_LIST},
    {"countries", "countries", SHAPE_LIST},
    {"rate_limit", "rate_limit", SHAPE_NUMBER},
    {"suspect_limit", "suspect_limit", SHAPE_NUMBER},
    {"report_within", "report_within", SHAPE_NUMBER},
    {"claim_holds", "claim_holds", SHAPE_NUMBER},
    {"overdue_after", "overdue_after", SHAPE_NUMBER},
    {"available", "available", SHAPE_FLAG},
    {"away_until", "away_until", SHAPE_NUMBER},
    {"capacity", "capacity", SHAPE_NUMBER},
    {"queues", "queues", SHAPE_LIST},
};

struct pair {
    char key[64];
    struct slice value;
    enum shape shape;
};

struct pairs {
    size_t count;
    struct pair pairs[PAIRS_MAX];
};

/* --rate-limit is rate_limit, --origin is origins. False: no setting has such a name. */
static bool name_pair(struct slice word, struct pair *pair)
{
    if (word.length == 0 || word.length >= sizeof pair->key)
        return false;
    for (size_t i = 0; i < word.length; i++)
        pair->key[i] = word.bytes[i] == '-' ? '_' : word.bytes[i];
    pair->key[word.length] = '\0';
    pair->shape = SHAPE_TEXT;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].word, pair->key) == 0) {
            strcpy(pair->key, known[i].key);
            pair->shape = known[i].shape;
            break;
        }
    }
    return true;
}

/* Takes one or two words; 0: they say nothing that could be a setting. `bare`: a word alone is
 * the id. */
static int take_pair(int argc, const char *const *argv, bool bare, struct pair *pair)
{
    const char *word = argv[0];
    bool flag = strncmp(word, "--", 2) == 0;
    const char *name = flag ? word + 2 : word;
    const char *equals = strchr(name, '=');

    if (equals) {
        pair->value = slice_of(equals + 1);
        return name_pair((struct slice){name, (size_t)(equals - name)}, pair);
    }
    if (flag && argc > 1) {
        pair->value = slice_of(argv[1]);
        return name_pair(slice_of(name), pair) ? 2 : 0;
    }
    if (flag || !bare)
        return 0;
    pair->value = slice_of(word);
    return name_pair(SLICE("id"), pair);
}

static bool is_number(struct slice value)
{
    if (value.length == 0 || value.length > 18 || (value.length > 1 && value.bytes[0] == '0'))
        return false;
    for (size_t i = 0; i < value.length; i++) {
        if (value.bytes[i] < '0' || value.bytes[i] > '9')
            return false;
    }
    return true;
}

static bool is_flag(struct slice value)
{
    return slice_equal(value, SLICE("true")) || slice_equal(value, SLICE("false"));
}

static void write_value(struct text *out, const struct pair *pair)
{
    if ((pair->shape == SHAPE_NUMBER && is_number(pair->value)) ||
        (pair->shape == SHAPE_FLAG && is_flag(pair->value)))
        text_add(out, pair->value);
    else
        text_json_string(out, pair->value);
}

static bool is_repeated(const struct pairs *pairs, size_t i)
{
    for (size_t j = 0; j < pairs->count; j++) {
        if (j != i && strcmp(pairs->pairs[j].key, pairs->pairs[i].key) == 0)
            return true;
    }
    return false;
}

/* All values of a key, where it stands first. An empty list says "none", not "one that is empty".
 */
static void write_list(struct text *out, const struct pairs *pairs, size_t from)
{
    const char *between = "";

    text_char(out, '[');
    for (size_t i = from; i < pairs->count; i++) {
        if (strcmp(pairs->pairs[i].key, pairs->pairs[from].key) != 0 ||
            pairs->pairs[i].value.length == 0)
            continue;
        text_string(out, between);
        write_value(out, &pairs->pairs[i]);
        between = ",";
    }
    text_char(out, ']');
}

static bool stands_before(const struct pairs *pairs, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (strcmp(pairs->pairs[j].key, pairs->pairs[i].key) == 0)
            return true;
    }
    return false;
}

static void write_object(struct text *out, const struct pairs *pairs)
{
    const char *between = "";

    text_char(out, '{');
    for (size_t i = 0; i < pairs->count; i++) {
        const struct pair *pair = &pairs->pairs[i];
        if (stands_before(pairs, i))
            continue;
        text_string(out, between);
        text_json_string(out, slice_of(pair->key));
        text_char(out, ':');
        if (pair->shape == SHAPE_LIST || is_repeated(pairs, i))
            write_list(out, pairs, i);
        else
            write_value(out, pair);
        between = ",";
    }
    text_char(out, '}');
}

const char *cli_settings(int argc, const char *const *argv, bool with_id, struct text *out)
{
    struct pairs pairs = {0};

    for (int i = 0; i < argc;) {
        if (pairs.count == PAIRS_MAX)
            return "too many settings at once";
        int taken = take_pair(argc - i, argv + i, with_id && i == 0, &pairs.pairs[pairs.count]);
        if (taken == 0)
            return argv[i];
        pairs.count++;
        i += taken;
    }
    write_object(out, &pairs);
    return NULL;
}

/* --- the ACL line ------------------------------------------------------------------------ */

/* What a consumer may do, and with which key: selectors (Redis 7). Nothing that writes but popping
 * meets the queue's own key, so that no consumer can make it another type: an XADD there would.
 * What claim.lua calls is checked like a call of the consumer's own. A list may also be moved to
 * keys that begin with "work:", for dialers that know BLMOVE; what is moved back is an element of a
 * list again. No DEL, SET, EXPIRE, FLUSHALL, KEYS; the marks are out of reach. What an ACL cannot
 * forbid is XADD's own trimming (MAXLEN, MINID): consumers of a queue can lose each other's
 * reports, but not those of another queue. */
void cli_acl(const char *prefix, const char *queue, bool is_list, const char *user,
             const char *password, struct text *out)
{
    text_printf(out,
                "ACL SETUSER %s reset on >%s -@all +ping +auth +hello +client|setname +select "
                "+command",
                user, password);
    text_printf(out, " (~%s:{%s}:tasks +bzpopmin +zpopmin +zrange +blpop +lpop +lrange)", prefix,
                queue);
    text_printf(out, " (~%s:{%s}:reports:* +xadd)", prefix, queue);
    text_printf(out, " (~%s:{%s}:tasks ~%s:{%s}:reports:* +type +eval +evalsha)", prefix, queue,
                prefix, queue);
    if (is_list)
        text_printf(out, " (~%s:{%s}:tasks ~%s:{%s}:work:* +blmove +lmove +lrange +lrem)", prefix,
                    queue, prefix, queue);
    text_char(out, '\n');
}
