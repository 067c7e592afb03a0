/* What a put says, to the byte. The bytes of a member are a form of their own, the same whenever
 * and wherever it is rendered (render.h, and the samples in its tests), so it is rendered as the
 * server does it; but from what the journal says of the task, in which neither state nor Redis has
 * a part.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "server/audit_internal.h"

bool audit_member_open(struct audit *audit)
{
    audit->renderer = (struct renderer){.registry = audit->registry,
                                        .id_key = &audit->id_key,
                                        .node = audit->options->node,
                                        .prefix = audit->options->redis_prefix,
                                        .optin = malloc(sizeof *audit->renderer.optin)};
    return audit->renderer.optin != NULL;
}

void audit_member_close(struct audit *audit)
{
    free(audit->renderer.optin);
}

/* 0: none is named. */
static bool read_payload(struct audit *audit, MDB_txn *txn, uint64_t seq, struct slice *out)
{
    struct audit_record record;

    if (seq == 0)
        return true;
    bool is_whole = audit_read_record(audit, txn, seq, &record) && record.is_whole;
    *out = record.payload;
    return is_whole;
}

static bool render(struct audit *audit, MDB_txn *txn, const struct audit_row *expected,
                   struct text *out)
{
    struct audit_record record;
    struct task_row task;
    struct render_words words = {0};

    return audit_read_record(audit, txn, expected->seq, &record) &&
           audit_find_task(&record, expected->task, &task) &&
           read_payload(audit, txn, task.optin_seq, &words.said) &&
           read_payload(audit, txn, task.more_seq, &words.more) &&
           read_payload(audit, txn, task.known_seq, &words.known) &&
           render_member_of(&audit->renderer, expected->person, expected->first_ms, &task, &words,
                            out) == STATUS_OK &&
           !out->overflow;
}

bool audit_is_as_put(struct audit *audit, const struct audit_row *expected, uint64_t hash)
{
    char bytes[TASK_BYTES_MAX];
    struct text text = text_over(bytes, sizeof bytes);

    if (audit->registry_torn)
        return true;
    MDB_txn *txn = audit_begin_reading(audit);
    bool known = txn && render(audit, txn, expected, &text);
    if (txn)
        mdb_txn_abort(txn);
    return !known || XXH3_64bits(text.bytes, text.length) == hash;
}
