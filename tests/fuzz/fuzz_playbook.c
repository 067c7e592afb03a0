/* Any bytes as a playbook: refused with a complaint that has its place, or read; then it comes back
 * from its canonical form as it was, and can be shown. */
#include "server/playbook.h"
#include "tests/fuzz/fuzz.h"

static char shown[4 * PLAYBOOK_FILE_MAX];

static void on_complaint(void *owner, const struct playbook_complaint *complaint)
{
    unsigned *count = owner;

    MUST(complaint->at.line > 0 && complaint->at.column > 0 && complaint->text[0]);
    ++*count;
}

static void show(const struct playbook *playbook)
{
    struct text out = text_over(shown, sizeof(shown));

    playbook_mermaid(playbook, &out);
    out = text_over(shown, sizeof(shown));
    playbook_dot(playbook, &out);
    out = text_over(shown, sizeof(shown));
    playbook_text(playbook, &out);
}

/* Answers of nobody: every rule is asked once. */
static void use(const struct playbook *playbook)
{
    struct playbook_facts facts = {0};

    MUST(playbook_segment_of(playbook, &facts));
    for (unsigned stage = 1; stage <= playbook->stages.count; stage++)
        MUST(playbook_move(playbook, stage, UINT64_MAX, &facts) <= playbook->stages.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct playbook *playbook, *again;
    char *bytes = fuzz_copy((struct slice){(const char *)data, size}, 0);
    unsigned complaints = 0;
    enum status status =
        playbook_open((struct slice){bytes, size}, on_complaint, &complaints, &playbook);

    free(bytes);
    MUST((status == STATUS_INVALID) == (complaints > 0));
    MUST((status == STATUS_OK) == (playbook != NULL));
    if (!playbook)
        return 0;
    MUST(playbook_open(playbook->canonical, on_complaint, &complaints, &again) == STATUS_OK);
    MUST(slice_equal(playbook->canonical, again->canonical));
    MUST(hash_equal(playbook->hash, again->hash));
    show(playbook);
    use(playbook);
    playbook_close(again);
    playbook_close(playbook);
    return 0;
}
