/* A second writer: another process pushes under this node and epoch (a virtual machine was cloned,
 * a disk was copied block by block), or a mark is ahead of the journal (an older one was put in its
 * place). The two number different operations alike, so they must not share marks. Whoever notices
 * begins a new epoch: the writer journals it, each queue gets a mark of that name, and all open
 * tasks are put again. The other one goes on under the old marks and need not even know.
 *
 * Queues change over one by one, each once nothing of it is in flight, so that no answer that
 * belongs to the old mark is taken for one about the new.
 *
 * Only one side has to move, so a second fence soon after is something else (somebody writes marks
 * by hand): then a minute is waited, or two servers would chase each other. */
#include "proto/must.h"
#include "server/publish_internal.h"

#define EPOCHS_APART_MS 60000
#define ALARM_SHOWN_MS  600000

static uint64_t now_of(const struct publish *publish)
{
    return uv_now(publish->options.loop);
}

/* The journal has one for each life, and 0 stands for none. */
static uint64_t random_epoch(void)
{
    uint64_t epoch = 0;

    while (epoch == 0)
        MUST(uv_random(NULL, NULL, &epoch, sizeof(epoch), 0, NULL) == 0);
    return epoch;
}

/* A fence that comes late, about a mark that was given up, means nothing. */
void publish_want_epoch(struct publish_queue *queue)
{
    struct publish *publish = queue->publish;

    if (queue->epoch != publish->epoch.present)
        return;
    publish->epoch.wanted = true;
    publish->epoch.alarm_until_ms = now_of(publish) + ALARM_SHOWN_MS;
    publish_begin_epoch(publish);
}

bool publish_epoch_alarm(const struct publish *publish)
{
    return now_of(publish) < publish->epoch.alarm_until_ms;
}

void publish_begin_epoch(struct publish *publish)
{
    struct command command = {.kind = COMMAND_EPOCH,
                              .ticket = PUBLISH_TICKET | (uint64_t)PURPOSE_EPOCH << 32};

    if (!publish->epoch.wanted || publish->epoch.submitted ||
        now_of(publish) < publish->epoch.not_before_ms)
        return;
    publish->epoch.next = random_epoch();
    command.epoch = publish->epoch.next;
    command.now_ms = clock_now_ms(publish->options.clock);
    publish->epoch.submitted = writer_submit(publish->options.writer, &command) == STATUS_OK;
}

void publish_epoch_settled(struct publish *publish, enum status status)
{
    publish->epoch.submitted = false;
    if (status != STATUS_OK)
        return; /* tried again with the next watch */
    publish->epoch.present = publish->epoch.next;
    publish->epoch.wanted = false;
    publish->epoch.not_before_ms = now_of(publish) + EPOCHS_APART_MS;
    stats_add(publish->options.stats, STATS_EPOCHS, 1);
    log_write(publish->options.log, LOG_WARN, "a new epoch begins: all open tasks are put again",
              LOG_END);
    publish_watch(publish);
    publish_tick_soon(publish);
}

/* As if this process had just started, but for what it knows of the journal. */
static void start_anew(struct publish_queue *queue)
{
    publish_buffer_forget(queue, queue->newest + 1);
    queue->known = queue->learned = queue->taken = false;
    queue->stopped = queue->refused = queue->head_settled = queue->has_before = false;
    queue->acked = 0;
    queue->again_until = queue->newest;
    queue->rewind_until = 0;
    publish_reconcile_anew(queue);
}

bool publish_follow_epoch(struct publish_queue *queue)
{
    if (queue->epoch == queue->publish->epoch.present)
        return true;
    if (queue->call.running || queue->look.running || !publish_name_keys(queue))
        return false;
    start_anew(queue);
    return true;
}
