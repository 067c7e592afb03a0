#include "server/recovery_chain.h"

#include <stdlib.h>

#include "server/recovery.h"

#define ADMIN_CHAIN_STEP 4096

enum status recovery_admin_chain(struct journal_reader *reader, uint64_t admin_seq,
                                 uint64_t **seqs_out, size_t *count_out)
{
    uint64_t *seqs = NULL;
    size_t count = 0;

    for (uint64_t seq = admin_seq; seq != 0;) {
        struct record_view record;
        enum status result = journal_read(reader, seq, &record);

        if (result == STATUS_OK && count % ADMIN_CHAIN_STEP == 0) {
            uint64_t *more = realloc(seqs, (count + ADMIN_CHAIN_STEP) * sizeof(*seqs));
            if (more == NULL)
                result = STATUS_BUSY;
            else
                seqs = more;
        }
        if (result != STATUS_OK) {
            free(seqs);
            return result;
        }
        seqs[count++] = seq;
        seq = record.header.admin_prev;
    }
    for (size_t i = 0; i < count / 2; i++) {
        uint64_t swapped = seqs[i];
        seqs[i] = seqs[count - 1 - i];
        seqs[count - 1 - i] = swapped;
    }
    *seqs_out = seqs;
    *count_out = count;
    return STATUS_OK;
}

static enum status apply_settings(const struct record_view *record, struct registry *registry)
{
    enum status result = STATUS_OK;
    struct slice body, settings;
    size_t offset = 0;
    enum effect_kind kind;

    while (result == STATUS_OK && (kind = effect_next(record, &offset, &body)) != 0) {
        struct effect_admin effect;

        if (kind != EFFECT_ADMIN)
            continue;
        effect_copy(body, &effect, sizeof(effect));
        result =
            effect_settings(record, &effect, &settings)
                ? registry_apply(registry, (enum entity_kind)effect.entity, effect.number, settings)
                : STATUS_CORRUPT;
    }
    return result;
}

enum status recovery_read_registry(struct journal_reader *reader, uint64_t admin_seq,
                                   struct registry *registry)
{
    uint64_t *seqs = NULL;
    size_t count = 0;
    enum status result = recovery_admin_chain(reader, admin_seq, &seqs, &count);

    for (size_t i = 0; result == STATUS_OK && i < count; i++) {
        struct record_view record;

        result = journal_read(reader, seqs[i], &record);
        if (result == STATUS_OK)
            result = apply_settings(&record, registry);
    }
    free(seqs);
    return result;
}
