/* People and people: who is another one, who referred whom, who may be another one. */
#include "server/state_internal.h"

int state_get_edge_from(const struct state *state, MDB_txn *txn, uint64_t person, uint8_t kind,
                        uint64_t from, struct state_edge *out)
{
    struct state_key key = key_of_edge(person, kind, from), found;
    MDB_val value;
    int code = state_get_from(state, txn, TABLE_EDGE, &key, &found, &value);

    *out = (struct state_edge){0};
    if (code == 0 && memcmp(found.bytes, key.bytes, sizeof(uint64_t) + 1) != 0)
        code = MDB_NOTFOUND;
    if (code == 0)
        code = state_row_copy(value, &out->seq, sizeof out->seq);
    if (code == 0)
        out->other = key_part64(found.bytes, sizeof(uint64_t) + 1);
    return code;
}

enum status state_edge_put(struct state *state, uint64_t person, enum edge_kind kind,
                           const struct state_edge *edge)
{
    return state_put_row(state, TABLE_EDGE, key_of_edge(person, (uint8_t)kind, edge->other),
                         &edge->seq, sizeof edge->seq);
}

enum status state_edge_delete(struct state *state, uint64_t person, enum edge_kind kind,
                              uint64_t other)
{
    return state_delete_row(state, TABLE_EDGE, key_of_edge(person, (uint8_t)kind, other));
}

enum status state_review_put(struct state *state, uint32_t agency, const struct state_review *row)
{
    return state_put_row(state, TABLE_REVIEW, key_of_review(agency, row->seq, row->other),
                         &row->person, sizeof row->person);
}

enum status state_review_delete(struct state *state, uint32_t agency,
                                const struct state_review *row)
{
    return state_delete_row(state, TABLE_REVIEW, key_of_review(agency, row->seq, row->other));
}

bool state_read_edge_next(struct state_reader *reader, uint64_t person, enum edge_kind kind,
                          uint64_t from, struct state_edge *out)
{
    *out = (struct state_edge){0};
    if (state_reader_begin(reader) != STATUS_OK)
        return false;
    int code =
        state_get_edge_from(reader->state, reader->snapshot, person, (uint8_t)kind, from, out);
    (void)state_reader_note(reader, "edge", code);
    return code == 0;
}

bool state_read_review_next(struct state_reader *reader, uint32_t agency,
                            const struct state_review *before, struct state_review *out)
{
    bool starts = before->seq == UINT64_MAX;
    struct state_key key = key_of_review(agency, before->seq, starts ? 0 : before->other + 1);
    struct state_key found;
    MDB_val value;

    *out = (struct state_review){0};
    if (state_reader_begin(reader) != STATUS_OK)
        return false;
    int code = state_get_from(reader->state, reader->snapshot, TABLE_REVIEW, &key, &found, &value);
    if (code == 0 && key_part32(found.bytes, 0) != agency)
        code = MDB_NOTFOUND;
    if (code == 0)
        code = state_row_copy(value, &out->person, sizeof out->person);
    if (code == 0) {
        out->seq = ~key_part64(found.bytes, 4);
        out->other = key_part64(found.bytes, 12);
    }
    (void)state_reader_note(reader, "review", code);
    return code == 0;
}
