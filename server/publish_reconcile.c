/* Bringing a queue and state together, after every sign that Redis has forgotten something or that
 * this process has missed something: first who is gone, then what should not stand there.
 *
 * A look at the head finds no pop behind something more urgent, and what stood first before a push
 * is known no more where the process that pushed has ended, or the answer is lost. So the queue is
 * asked for every put that its mark has come to: it has had each, and those that are not there were
 * popped. Pops go unsaid all the time, and state is not so quick: so first they are only counted,
 * and where there are some, looked for once more when state has all that was decided, and reported.
 * (What the mark has not come to is put by the rewind.) A list is taken from its front, and nothing
 * is put there: a look shows all.
 *
 * A Redis that forgot a pop or a withdrawal shows the member again, under a mark that may look
 * right. So the queue is paged through. A member is ours if it reports to our stream, its id was
 * made with our key, and our journal opened a task of that number at that time; then it should
 * stand there if its task is open, queued, and renders to exactly these bytes. What our journal
 * knows nothing of was put by another history of it: a copy that runs, or the life before a
 * restore. Nobody but a consumer may take that out, for it may be the only trace of an opt-in.
 *
 * State is up to 100 ms behind. So the writer is asked to commit all (a barrier) before the first
 * page: a task that was sent again because state did not know yet of its claim or its end must not
 * pass as one that should stand there. And a member that state does not know is a suspect only:
 * after another barrier the suspects are judged again. What was decided after that commit comes to
 * us after the barrier does, and any push of it goes out behind the withdrawal: nothing that was
 * put anew can be taken out.
 *
 * One queue at a time, a page a tick. */
#include <stdlib.h>
#include <string.h>

#include "server/publish_internal.h"

#define PAGE_MEMBERS 256

/* What is sent again may have been popped, and the reports that say so still wait in their stream:
 * a reconcile that comes before they are read would find nothing to take out. */
#define REPORTS_READ_MS 1000

/* --- judging a member -------------------------------------------------------------------- */

static bool find_task(struct publish *publish, uint64_t person, uint64_t number,
                      struct person_row *person_out, struct task_row *task_out)
{
    uint64_t last_seq;

    if (!state_read_person(publish->state, person, person_out, task_out, &last_seq))
        return false;
    return task_out->number == number || state_read_task(publish->state, person, number, task_out);
}

/* A member that cannot be read so far is left alone: better one too many in a queue than one too
 * few. */
static enum publish_member judge_unread(enum status status)
{
    return status == STATUS_BUSY || status == STATUS_IO ? MEMBER_UNREAD : MEMBER_FOREIGN;
}

/* Renders the task as it should stand in the queue. */
static enum publish_member compare(struct publish *publish, uint64_t person, uint64_t first_ms,
                                   const struct task_row *row, struct slice member)
{
    char bytes[TASK_BYTES_MAX];
    struct text text = text_over(bytes, sizeof(bytes));
    enum status status = render_member(&publish->renderer, person, first_ms, row, &text);

    if (status != STATUS_OK)
        return judge_unread(status);
    return slice_equal(text_slice(&text), member) ? MEMBER_OPEN : MEMBER_STRAY;
}

/* The number of the task that a member is about, and the record that opened it. NOT_FOUND: it is
 * not ours. */
static enum status own_task(struct publish_queue *queue, struct slice member, uint64_t *number_out,
                            struct record_view *opened_out)
{
    static const char begin[] = "{\"v\":1,\"id\":\"";
    struct publish *publish = queue->publish;
    size_t length = sizeof(begin) - 1;
    uint64_t opened_ms;

    if (member.length < length + ID_TEXT_LENGTH || memcmp(member.bytes, begin, length) != 0 ||
        memmem(member.bytes, member.length, queue->report_field.bytes,
               queue->report_field.length) == NULL)
        return STATUS_NOT_FOUND;
    if (!id_parse((struct slice){member.bytes + length, ID_TEXT_LENGTH}, publish->renderer.id_key,
                  ID_TASK, &opened_ms, number_out))
        return STATUS_NOT_FOUND;
    enum status status = journal_read(publish->journal, *number_out >> 3, opened_out);
    if (status == STATUS_OK && opened_out->header.now_ms != opened_ms)
        return STATUS_NOT_FOUND;
    return status;
}

enum publish_member publish_judge(struct publish_queue *queue, struct slice member,
                                  struct task_row *row_out)
{
    struct publish *publish = queue->publish;
    struct record_view opened;
    struct person_row person;
    uint64_t number;

    enum status status = own_task(queue, member, &number, &opened);
    if (status != STATUS_OK)
        return judge_unread(status);
    bool found = find_task(publish, opened.header.person, number, &person, row_out);
    if (!found && state_reader_failure(publish->state) != STATUS_OK)
        return MEMBER_UNREAD;
    if (!found || row_out->state != TASK_QUEUED || row_out->queue != queue->number ||
        row_out->put_seq == 0)
        return MEMBER_STRAY;
    return compare(publish, opened.header.person, person.first_ms, row_out, member);
}

/* --- suspects ---------------------------------------------------------------------------- */

bool publish_reconcile_open(struct publish *publish)
{
    publish->reconcile.members = malloc((size_t)SUSPECTS_MAX * TASK_BYTES_MAX);
    return publish->reconcile.members != NULL;
}

void publish_reconcile_close(struct publish *publish)
{
    free(publish->reconcile.members);
}

static struct slice suspect(const struct publish *publish, unsigned index)
{
    return (struct slice){publish->reconcile.members + (size_t)index * TASK_BYTES_MAX,
                          publish->reconcile.lengths[index]};
}

static void add_suspect(struct publish *publish, struct slice member)
{
    unsigned index = publish->reconcile.suspects;

    if (index == SUSPECTS_MAX) {
        publish->reconcile.overflow = true;
        return;
    }
    memcpy(publish->reconcile.members + (size_t)index * TASK_BYTES_MAX, member.bytes,
           member.length);
    publish->reconcile.lengths[index] = member.length;
    publish->reconcile.suspects++;
}

/* --- begin and end ----------------------------------------------------------------------- */

/* Still wanted: begins anew when the queue is well. */
static void give_up(struct publish *publish)
{
    publish->reconcile.queue->reconcile = true;
    publish->reconcile.queue = NULL;
}

void publish_reconcile_anew(struct publish_queue *queue)
{
    struct publish *publish = queue->publish;

    if (publish->reconcile.queue == queue)
        give_up(publish);
    queue->reconcile = true;
    queue->reconcile_from_ms = uv_now(publish->options.loop) + REPORTS_READ_MS;
}

static bool ask_commit(struct publish_queue *queue)
{
    struct command barrier = {.kind = COMMAND_BARRIER};
    bool asked = publish_submit(queue, PURPOSE_RECONCILE, &barrier);

    queue->publish->reconcile.committing = asked;
    return asked;
}

static void finish(struct publish *publish)
{
    struct publish_queue *queue = publish->reconcile.queue;

    publish->reconcile.queue = NULL;
    stats_add(publish->options.stats, STATS_REDIS_RECONCILES, 1);
    log_write(publish->options.log, LOG_INFO, "queue reconciled", LOG_INT("queue", queue->number),
              LOG_INT("withdrawn", publish->reconcile.withdrawn),
              LOG_INT("popped", publish->reconcile.popped), LOG_END);
    publish_tick_soon(publish);
}

/* --- who is gone ------------------------------------------------------------------------- */

static void on_found(void *owner, const struct redis_reply *reply)
{
    struct publish_queue *queue = owner;
    struct publish *publish = queue->publish;
    struct redis_reply word = {0}, missing = {0};

    publish->reconcile.asking = false;
    if (publish->reconcile.queue != queue)
        return;
    if (reply->type == REDIS_ARRAY && reply->count == 2) {
        word = redis_item(reply, 0);
        missing = redis_item(reply, 1);
    }
    if (!slice_equal(word.text, SLICE("OK"))) {
        give_up(publish); /* whatever it is, the next look finds out */
    } else if (missing.integer > 0 && !publish->reconcile.reporting) {
        if (!ask_commit(queue))
            give_up(publish);
    } else {
        publish->reconcile.popped += (unsigned)missing.integer;
        publish->reconcile.found_seq = publish->reconcile.finding_seq;
        publish->reconcile.waiting = false;
        publish_tick_soon(publish);
    }
}

static void find(struct publish_queue *queue, bool report)
{
    struct publish *publish = queue->publish;

    publish->reconcile.reporting = report;
    publish->reconcile.waiting = true;
    publish->reconcile.asking =
        publish_find(queue, publish->reconcile.found_seq, publish->reconcile.find_until_seq, report,
                     on_found, &publish->reconcile.finding_seq);
    if (!publish->reconcile.asking)
        give_up(publish);
}

/* The next puts, once all can be read. */
static void find_on(struct publish_queue *queue)
{
    struct publish *publish = queue->publish;

    publish->reconcile.finding = publish->reconcile.found_seq < publish->reconcile.find_until_seq;
    if (publish->reconcile.finding && publish_has_stored(queue, publish->reconcile.find_until_seq))
        find(queue, false);
    else
        publish_tick_soon(publish);
}

/* --- page by page ------------------------------------------------------------------------ */

/* A page with more suspects than can be held is read again, if some of them are out by now. */
static void page_done(struct publish *publish)
{
    bool again = publish->reconcile.overflow && publish->reconcile.withdrawn_of_page > 0;

    if (!again)
        publish->reconcile.cursor = publish->reconcile.next_cursor;
    publish->reconcile.waiting = false;
    if (!again && publish->reconcile.cursor == 0)
        finish(publish);
    else
        publish_tick_soon(publish);
}

static void on_withdrawn(void *owner, const struct redis_reply *reply)
{
    struct publish_queue *queue = owner;
    struct publish *publish = queue->publish;

    publish->reconcile.asking = false;
    if (publish->reconcile.queue != queue)
        return;
    struct redis_reply word = {0};
    if (reply->type == REDIS_ARRAY && reply->count == 2)
        word = redis_item(reply, 0);
    if (slice_equal(word.text, SLICE("OK"))) {
        publish->reconcile.withdrawn += publish->reconcile.withdrawn_of_page;
        page_done(publish);
    } else {
        give_up(publish); /* whatever it is, the next look finds out */
    }
}

static void withdraw_strays(struct publish_queue *queue)
{
    struct publish *publish = queue->publish;
    struct slice strays[SUSPECTS_MAX];
    unsigned count = 0;
    bool unread = false;
    struct task_row row;

    for (unsigned i = 0; i < publish->reconcile.suspects; i++) {
        enum publish_member judged = publish_judge(queue, suspect(publish, i), &row);
        unread = unread || judged == MEMBER_UNREAD;
        if (judged == MEMBER_STRAY)
            strays[count++] = suspect(publish, i);
    }
    publish_release(publish);
    publish->reconcile.withdrawn_of_page = count;
    if (!unread && count == 0) {
        page_done(publish);
        return;
    }
    publish->reconcile.asking = !unread && publish_withdraw(queue, strays, count, on_withdrawn);
    if (!publish->reconcile.asking)
        give_up(publish);
}

void publish_reconcile_settled(struct publish_queue *queue, enum status status)
{
    struct publish *publish = queue->publish;

    publish->reconcile.committing = false;
    if (publish->reconcile.queue != queue)
        return;
    if (status != STATUS_OK) {
        give_up(publish);
    } else if (publish->reconcile.finding && publish->reconcile.begun) {
        find(queue, true);
    } else if (publish->reconcile.begun) {
        withdraw_strays(queue);
    } else {
        publish->reconcile.begun = true;
        publish->reconcile.waiting = false;
        publish_tick_soon(publish);
    }
}

/* Notes the suspects of a page. False: one of its members cannot be judged now. */
static bool judge_page(struct publish_queue *queue, const struct redis_reply *members)
{
    struct task_row row;
    bool unread = false;

    for (size_t i = 0; i < members->count; i += queue->is_list ? 1 : 2) {
        struct slice member = redis_item(members, i).text;
        if (member.length > TASK_BYTES_MAX)
            continue;
        enum publish_member judged = publish_judge(queue, member, &row);
        unread = unread || judged == MEMBER_UNREAD;
        if (judged == MEMBER_STRAY)
            add_suspect(queue->publish, member);
    }
    publish_release(queue->publish);
    return !unread;
}

/* ZSCAN: cursor, then members and scores. LRANGE: members. */
static void on_page(void *owner, const struct redis_reply *reply)
{
    struct publish_queue *queue = owner;
    struct publish *publish = queue->publish;
    struct redis_reply members = *reply;

    publish->reconcile.asking = false;
    if (publish->reconcile.queue != queue)
        return;
    if (reply->type == REDIS_ARRAY && !queue->is_list && reply->count == 2) {
        members = redis_item(reply, 1);
        publish->reconcile.next_cursor = strtoull(redis_item(reply, 0).text.bytes, NULL, 10);
    }
    if (members.type != REDIS_ARRAY || !judge_page(queue, &members)) {
        give_up(publish);
        return;
    }
    if (queue->is_list)
        publish->reconcile.next_cursor =
            members.count < PAGE_MEMBERS
                ? 0
                : publish->reconcile.cursor + members.count - publish->reconcile.suspects;
    if (publish->reconcile.suspects == 0)
        page_done(publish);
    else if (!ask_commit(queue))
        give_up(publish);
}

/* A list is read from its end: pops at its front do not move what is still to be read, and what
 * is put at the end meanwhile only makes some be read twice. */
static bool ask_page(struct publish_queue *queue)
{
    uint64_t cursor = queue->publish->reconcile.cursor;
    char first[24], last[24];
    struct text from = text_over(first, sizeof(first)), to = text_over(last, sizeof(last));

    if (!queue->is_list) {
        text_uint(&from, cursor);
        text_uint(&to, PAGE_MEMBERS);
        return redis_command(queue->publish->redis,
                             (struct slice[]){SLICE("ZSCAN"), queue->tasks, text_slice(&from),
                                              SLICE("COUNT"), text_slice(&to)},
                             5, 0, on_page, queue);
    }
    text_int(&from, -(int64_t)(cursor + PAGE_MEMBERS));
    text_int(&to, -(int64_t)(cursor + 1));
    return redis_command(
        queue->publish->redis,
        (struct slice[]){SLICE("LRANGE"), queue->tasks, text_slice(&from), text_slice(&to)}, 4, 0,
        on_page, queue);
}

static bool is_well(const struct publish_queue *queue)
{
    return queue->known && queue->taken && !queue->stopped && queue->acked >= queue->rewind_until;
}

/* The next queue that wants it and holds again what it should. */
static struct publish_queue *choose(struct publish *publish)
{
    uint64_t now_ms = uv_now(publish->options.loop);

    for (uint32_t number = 1; number <= publish->highest; number++) {
        struct publish_queue *queue = publish->queues[number];
        if (queue != NULL && queue->reconcile && queue->reconcile_from_ms <= now_ms &&
            is_well(queue))
            return queue;
    }
    return NULL;
}

static void begin(struct publish_queue *queue)
{
    struct publish *publish = queue->publish;

    queue->reconcile = false; /* whoever wants one from now on wants another */
    publish->reconcile.queue = queue;
    publish->reconcile.cursor = 0;
    publish->reconcile.withdrawn = publish->reconcile.popped = 0;
    publish->reconcile.finding = !queue->is_list;
    publish->reconcile.found_seq = 0;
    publish->reconcile.find_until_seq = queue->acked;
    publish->reconcile.begun = false;
    publish->reconcile.waiting = true;
    if (!ask_commit(queue))
        give_up(publish);
}

void publish_reconcile(struct publish *publish)
{
    struct publish_queue *queue = publish->reconcile.queue;

    if (!publish->ready)
        return;
    if (queue != NULL && !is_well(queue))
        give_up(publish);
    if (publish->reconcile.queue == NULL) {
        queue = publish->reconcile.committing || publish->reconcile.asking ? NULL : choose(publish);
        if (queue != NULL)
            begin(queue);
        return;
    }
    if (publish->reconcile.waiting)
        return;
    if (publish->reconcile.finding) {
        find_on(queue);
        return;
    }
    publish->reconcile.suspects = publish->reconcile.withdrawn_of_page = 0;
    publish->reconcile.overflow = false;
    publish->reconcile.waiting = true;
    publish->reconcile.asking = ask_page(queue);
    if (!publish->reconcile.asking)
        give_up(publish);
}
