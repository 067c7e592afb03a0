/* What is sent from state, and what a put there says about the one that it moved.
 *
 * State has only the last put of a task. So while a gap is sent from there, a mark that has come as
 * far as the first put does not say that Redis had that one: it was left out if the last one had
 * taken its place when its range was read. A gap is how that is known: puts that state showed when
 * the mark stood at `from` take the place of all that came over `from`. What came later moves
 * something that was sent. So while a gap is being sent, each call that finds more in state begins
 * another gap, behind the one before.
 *
 * They stand in the mark (push.lua), for the process that comes after this one. When there is no
 * place for one more, the last one grows: what it says of too many is that they may be put again.
 */
#include <string.h>

#include "server/publish_internal.h"

void publish_gaps_note(struct publish_gaps *gaps, uint64_t mark, uint64_t until)
{
    unsigned sent = 0;

    while (sent < gaps->count && gaps->all[sent].until <= mark)
        sent++;
    gaps->count -= sent;
    memmove(gaps->all, gaps->all + sent, gaps->count * sizeof(gaps->all[0]));

    struct publish_gap *last = gaps->count > 0 ? &gaps->all[gaps->count - 1] : NULL;
    if (until <= (last != NULL ? last->until : mark))
        return;
    if (last != NULL && (last->from == mark || gaps->count == GAPS_MAX))
        last->until = until;
    else
        gaps->all[gaps->count++] = (struct publish_gap){mark, until};
}

bool publish_gaps_hide(const struct publish_gaps *gaps, uint64_t first_seq, uint64_t seq)
{
    for (unsigned i = 0; i < gaps->count; i++) {
        if (seq <= gaps->all[i].until)
            return first_seq > gaps->all[i].from;
    }
    return false;
}

void publish_gaps_write(const struct publish_gaps *gaps, uint64_t mark, struct text *out)
{
    for (unsigned i = 0; i < gaps->count; i++) {
        if (mark < gaps->all[i].until)
            text_printf(out, " %llu-%llu", (unsigned long long)gaps->all[i].from,
                        (unsigned long long)gaps->all[i].until);
    }
}
