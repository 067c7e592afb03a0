/* For who runs it: health, metrics, the contract, the tag and the demo page. */
#include "server/api_internal.h"
#include "server/embedded.h"

void api_livez(struct api *api, const struct api_call *call)
{
    api_reply(api, call->request->ticket, 200, "text/plain; charset=utf-8", SLICE("ok\n"),
              (struct slice){0});
}

/* Between here and the queues, or back. NULL: nothing. */
static const char *trouble_of(const struct api *api)
{
    const char *trouble = publish_trouble(api->publish);

    if (!trouble && stats_value(api->options.stats, STATS_GAUGE_STREAMS_REFUSED) > 0)
        trouble = "reports cannot be read from Redis: the log says why";
    return trouble;
}

/* Opt-ins are taken while Redis is away and while state is rebuilt, so both are ready, only
 * degraded. */
void api_readyz(struct api *api, const struct api_call *call)
{
    char bytes[512];
    struct text body = text_over(bytes, sizeof(bytes));
    bool redis = publish_is_up(api->publish);
    bool ready = writer_is_ready(api->writer);
    bool tight = journal_is_tight(writer_journal(api->writer));
    bool held = clock_is_held(api->options.clock);
    const char *trouble = trouble_of(api);
    const char *status = !trouble && ready && !tight && !held ? "ok" : "degraded";

    text_printf(
        &body,
        "{\"status\":\"%s\",\"redis\":\"%s\",\"state\":\"%s\",\"disk\":\"%s\",\"clock\":\"%s\"",
        api->draining ? "draining" : status, redis ? "up" : "down", ready ? "ready" : "rebuilding",
        tight ? "tight" : "ok", held ? "held" : "ok");
    if (trouble) {
        text_string(&body, ",\"reason\":");
        text_json_string(&body, slice_of(trouble));
    }
    if (held)
        text_string(&body, ",\"advice\":\"" CLOCK_ADVICE "\"");
    text_string(&body, ",\"node\":");
    text_json_string(&body, slice_of(api->options.node));
    if (clock_is_test(api->options.clock))
        text_string(&body, ",\"warning\":\"the clock is a test file's\"");
    text_char(&body, '}');
    api_json(api, call->request->ticket, api->draining ? 503 : 200, &body);
}

/* --- the clock ------------------------------------------------------------------------- */

static void answer_clock(struct api *api, const struct api_call *call)
{
    struct clock *clock = api->options.clock;
    char bytes[256];
    struct text body = text_over(bytes, sizeof(bytes));
    int64_t jump_ms = clock_jump_ms(clock);

    text_printf(&body, "{\"held\":%s,\"jump_ms\":%s", clock_is_held(clock) ? "true" : "false",
                jump_ms < 0 ? "-" : "");
    text_uint(&body, (uint64_t)(jump_ms < 0 ? -jump_ms : jump_ms));
    text_string(&body, ",\"engine_ms\":");
    text_uint(&body, clock_now_ms(clock));
    text_string(&body, ",\"wall_ms\":");
    text_uint(&body, clock_wall_ms());
    text_char(&body, '}');
    api_json(api, call->request->ticket, 200, &body);
}

void api_clock_get(struct api *api, const struct api_call *call)
{
    answer_clock(api, call);
}

/* Also when nothing is held: who asks twice gets the same answer. */
void api_clock_accept(struct api *api, const struct api_call *call)
{
    struct clock *clock = api->options.clock;

    if (clock_is_held(clock))
        log_write(api->options.log, LOG_WARN, "the wall clock was accepted",
                  LOG_INT("jump_ms", clock_jump_ms(clock)), LOG_END);
    clock_accept(clock);
    answer_clock(api, call);
}

/* --- metrics, the contract, pages -------------------------------------------------------- */

#define LOOKS_ALL 1024 /* at tasks, of all queues together */

static void write_queue(struct api *api, struct text *out, const char *metric, uint32_t queue)
{
    struct slice name = registry_name(api->options.registry, ENTITY_QUEUE, queue);

    text_printf(out, "%s{queue=\"%.*s\"} ", metric, (int)name.length, name.bytes);
}

/* A name stays, at 0, as long as its queue does: what is not there yet cannot be seen to rise.
 * Where no site leads there are no calls: with the first breach is soon enough. */
static void write_breaches(struct api *api, struct text *out)
{
    static const char metric[] = "hotlead_sla_breaches_total";
    uint32_t count = registry_count(api->options.registry, ENTITY_QUEUE);

    stats_write_head(out, metric, "counter", "Deadlines that passed without contact.");
    for (uint32_t queue = 1; queue <= count && queue < STATS_QUEUES_MAX; queue++) {
        uint64_t breaches = stats_breaches(api->options.stats, queue);
        if (breaches == 0 && !registry_is_needed(api->options.registry, queue))
            continue;
        write_queue(api, out, metric, queue);
        text_printf(out, "%llu\n", (unsigned long long)breaches);
    }
}

static void write_seconds(struct text *out, uint64_t ms)
{
    text_printf(out, "%llu.%03llu\n", (unsigned long long)(ms / 1000),
                (unsigned long long)(ms % 1000));
}

/* Returns how many there are. */
static unsigned write_depths(struct api *api, struct text *out)
{
    struct publish_backlog backlog = {0};
    unsigned queues = 0;

    stats_write_head(out, "hotlead_queue_depth", "gauge",
                     "Open tasks of a queue: those that stand in it, and those that were taken and "
                     "have no outcome yet.");
    while (publish_backlog_next(api->publish, &backlog)) {
        write_queue(api, out, "hotlead_queue_depth", backlog.queue);
        text_printf(out, "%llu\n", (unsigned long long)backlog.open_tasks);
        queues++;
    }
    return queues;
}

/* The more queues there are, the fewer tasks of each are looked at: requests wait meanwhile. */
static void write_ages(struct api *api, struct text *out, unsigned queues)
{
    unsigned looks = queues < LOOKS_ALL ? LOOKS_ALL / (queues + 1) + 1 : 1;
    struct publish_backlog backlog = {0};
    uint64_t now_ms = clock_now_ms(api->options.clock);

    stats_write_head(out, "hotlead_queue_oldest_age_seconds", "gauge",
                     "Since the oldest opt-in came whose task stands in the queue; 0: none does.");
    while (publish_backlog_next(api->publish, &backlog)) {
        uint64_t oldest_ms = publish_oldest_ms(api->publish, backlog.queue, looks);
        bool waits = oldest_ms != 0 && oldest_ms < now_ms;
        write_queue(api, out, "hotlead_queue_oldest_age_seconds", backlog.queue);
        write_seconds(out, waits ? now_ms - oldest_ms : 0);
    }
}

static void write_lag(struct api *api, struct text *out)
{
    stats_write_head(out, "hotlead_outbox_lag_seconds", "gauge",
                     "How long the oldest outbox operation that is not in Redis has waited.");
    text_string(out, "hotlead_outbox_lag_seconds ");
    write_seconds(out, publish_lag_ms(api->publish));
}

/* What is by queue, of which there are as many as an operator makes: the rest must be seen even
 * where that does not fit. */
static void write_queues(struct api *api, struct text *out)
{
    size_t before = out->length;

    write_breaches(api, out);
    write_ages(api, out, write_depths(api, out));
    publish_backlog_end(api->publish);
    if (!out->overflow)
        return;
    out->overflow = false;
    out->length = before;
    text_string(out, "# what is by queue does not fit\n");
}

void api_metrics(struct api *api, const struct api_call *call)
{
    struct stats *stats = api->options.stats;
    struct text body = text_over(api->out, API_OUT_BYTES);

    stats_set(stats, STATS_GAUGE_HTTP_OPEN, http_open_connections(api->http));
    stats_set(stats, STATS_GAUGE_REDIS_UP, publish_is_up(api->publish));
    stats_set(stats, STATS_GAUGE_OUTBOX_LAG, publish_lag(api->publish));
    stats_set(stats, STATS_GAUGE_JOURNAL_BYTES, journal_bytes(writer_journal(api->writer)));
    stats_set(stats, STATS_GAUGE_READY, writer_is_ready(api->writer));
    stats_set(stats, STATS_GAUGE_CLOCK_HELD, clock_is_held(api->options.clock));
    stats_write(stats, &body);
    write_lag(api, &body);
    write_queues(api, &body);
    if (body.overflow)
        api_problem(api, call->request->ticket, STATUS_INTERNAL, "the metrics do not fit");
    else
        api_reply(api, call->request->ticket, 200, "text/plain; version=0.0.4; charset=utf-8",
                  text_slice(&body), (struct slice){0});
}

void api_openapi(struct api *api, const struct api_call *call)
{
    api_reply(api, call->request->ticket, 200, "application/yaml",
              (struct slice){embedded_openapi_yaml, embedded_openapi_yaml_bytes},
              (struct slice){0});
}

/* Pages of other sites load it, so it may be kept by them and read across origins. */
void api_tag(struct api *api, const struct api_call *call)
{
    http_reply(api->http, call->request->ticket,
               &(struct http_reply){
                   .status = 200,
                   .content_type = "text/javascript; charset=utf-8",
                   .body = {embedded_tag_js, embedded_tag_js_bytes},
                   .headers = SLICE("Cache-Control: public, max-age=3600\r\n"
                                    "X-Content-Type-Options: nosniff\r\n"
                                    "Access-Control-Allow-Origin: *\r\n"
                                    "Cross-Origin-Resource-Policy: cross-origin\r\n"),
               });
}

void api_demo(struct api *api, const struct api_call *call)
{
    if (api->options.demo_page)
        api_page(api, call->request->ticket, 200, slice_of(api->options.demo_page),
                 (struct slice){0});
    else
        api_problem(api, call->request->ticket, STATUS_NOT_FOUND, NULL);
}
