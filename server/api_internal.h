/* What the api's files share. Nobody outside includes this.
 *
 * A request that is answered at once needs nothing kept. One that waits for the writer or for
 * Redis takes a `pending` from a table of fixed size, whose place and generation make the
 * ticket; what it keeps are numbers, and slices of the request only where api_is_waiting is
 * asked before they are read (they live as long as the peer waits). */
#ifndef HOTLEAD_SERVER_API_INTERNAL_H
#define HOTLEAD_SERVER_API_INTERNAL_H

#include "proto/id.h"
#include "proto/json.h"
#include "proto/optin.h"
#include "proto/report.h"
#include "proto/text.h"
#include "server/api.h"
#include "server/figures.h"
#include "server/intake/intake.h"

/* The longest answer: the metrics of as many queues as there can be. */
#define API_OUT_BYTES     ((size_t)2 * 1024 * 1024)
#define API_BODY_MAX      65536
#define API_PLAYBOOK_MAX  (256 * 1024) /* a body: YAML with its comments, escaped */
#define API_CORS_MAX      (SITE_URL_MAX + 256)
#define API_CLAIM_LOOK_MS 250 /* between looks for claimers that hung up */

/* Who may use a route. */
enum who { WHO_ANYONE = 1, WHO_KEY = 2, WHO_AGENT = 4, WHO_MANAGER = 8, WHO_ADMIN = 16 };

struct caller {
    enum who who;
    uint32_t agency;           /* 0: all */
    const struct token *token; /* or */
    const struct site *site;   /* whose secret key it is */
};

struct api_call;
struct batch;
struct hand_page;
struct waking;
struct pending;
typedef void route_fn(struct api *api, const struct api_call *call);

struct route {
    enum http_method method;
    const char *pattern; /* {} stands for one segment */
    const char *name;    /* in metrics */
    route_fn *run;
    unsigned who;
    unsigned argument; /* what tells routes of one function apart */
    unsigned body_max; /* bytes */
    bool is_public;    /* served on the listener for the public too */
};

/* A request and what was found out about it; lives as long as the callback. */
struct api_call {
    const struct http_request *request;
    const struct route *route;
    struct slice names[2]; /* what stood for the {} of the pattern */
    uint64_t before;       /* of a history */
    struct caller caller;
};

/* --- waiting requests -------------------------------------------------------- */

typedef void settled_fn(struct api *api, struct pending *pending,
                        const struct settlement *settlement, unsigned item);

struct reading;
typedef enum status read_fn(struct reading *reading, struct pending *pending, struct text *out);

/* FORM_JSON is like ID, for a form's address: bodies are taken in every shape. */
enum optin_answer_shape { ANSWER_FULL, ANSWER_ID, ANSWER_FORM_JSON, ANSWER_PAGE };

struct pending {
    uint64_t http_ticket;
    settled_fn *on_settled;
    uint32_t generation;
    uint32_t next_free; /* place + 1 */
    bool used;
    union {
        struct {
            struct slice origin; /* to be echoed; of the request */
            enum optin_answer_shape shape;
            bool redirects; /* to what stands in api.redirects */
        } optin;
        struct batch *batch;
        struct waking *waking;
        struct {
            uint64_t task, opened_ms;
            enum report_op op;
            struct slice body; /* of the request */
        } report;
        struct {
            uint64_t person, first_ms;
            bool undo;
            struct hand_page *page; /* of many people */
        } hand;
        struct {
            struct pending *next; /* of api.claims */
            uint32_t agency;
            uint64_t agent; /* its hash */
            struct held_claim *held;
        } claim;
        struct {
            read_fn *run;
            uint64_t number, at_ms; /* of the id asked for */
            uint64_t before;        /* of a history or a list */
            uint32_t site, limit;   /* of a list; site 0: all */
            uint64_t person;        /* that COMMAND_FIND found; PERSON_NONE: nobody */
            uint32_t agency;        /* the caller's; 0: all */
            struct figures_query figures;
        } read;
        struct {
            uint64_t number, at_ms; /* of the person's id */
            uint32_t to;            /* agent; 0: nobody */
        } assign;
        struct {
            unsigned waiting, done; /* people */
            bool at_end;
            enum status failed; /* OK: nothing has */
        } hand_over;
    };
};

/* --- the api ------------------------------------------------------------------- */

#define ADMIN_WAITING_MAX 64
#define SECRETS_MAX       2

/* A change of the registry on its way through the writer. One at a time: each is checked
 * against what the one before it left. */
struct admin_change {
    bool busy;
    enum entity_kind entity;
    uint32_t number;
    int answer;            /* 201, 200, 204: removed */
    struct slice settings; /* of settings_bytes; empty: it goes */
    char settings_bytes[RECORD_PAYLOAD_MAX + JSON_PADDING];
    /* of a playbook: what it says that the agency has not, as items of a JSON array */
    size_t warnings_length;
    char warnings[4096];
    /* told once, in the answer */
    size_t secret_count;
    struct {
        const char *name; /* "pk", "sk", "token" */
        char text[SECRET_TEXT_MAX];
    } secrets[SECRETS_MAX];
    char *token_file, *token_file_new; /* of the first token */
    /* changes that came meanwhile, in their order */
    struct http_request waiting[ADMIN_WAITING_MAX];
    unsigned waiting_first, waiting_count;
};

/* Which route a request took, for the metrics of its reply. */
struct routed {
    uint64_t ticket;
    unsigned route;
};

struct api {
    struct api_options options;
    struct http *http;
    struct writer *writer;
    struct publish *publish;
    struct intake *intake;
    struct json *json;     /* bodies */
    struct json *composed; /* settings with what the server adds */
    bool draining;

    struct pending *pendings;
    uint32_t pending_count; /* ever used */
    uint32_t free_first;    /* place + 1; 0: none free among the used */
    struct routed *routed;
    unsigned *route_stats; /* by place in the route table */
    unsigned stats_other;

    struct pending *claims;
    uv_timer_t claim_timer;
    struct admin_change admin;

    struct optin optin;                  /* read from a request or from the journal */
    struct optin earlier;                /* a second one */
    char (*redirects)[SITE_URL_MAX + 1]; /* by place of the pending */
    char composed_bytes[2 * SITE_SETTINGS_MAX + API_BODY_MAX + JSON_PADDING];
    char report_bytes[2 * REPORT_NOTE_MAX + 1024];
    char *out; /* API_OUT_BYTES */
};

/* --- api.c ------------------------------------------------------------------------ */

/* NULL: as many wait as there is room for; BUSY is to be said. */
struct pending *api_pend(struct api *api, uint64_t http_ticket, settled_fn *on_settled);
void api_release(struct api *api, struct pending *pending);
uint64_t api_ticket(const struct api *api, const struct pending *pending, unsigned item);
struct pending *api_pending_of(struct api *api, uint64_t ticket); /* NULL: long gone */
bool api_is_waiting(const struct api *api, const struct pending *pending);

/* Hands a command over under the pending's ticket; its now_ms, when that is 0, is now. On anything
 * but OK the pending is released and the caller answers. */
enum status api_submit(struct api *api, struct pending *pending, struct command *command);

/* The key behind "Bearer "; empty when there is none. */
struct slice api_bearer(const struct http_request *request);
bool api_may_see(const struct caller *caller, uint32_t agency);

/* Parses a body that must be a JSON object; answers itself when it is none. */
bool api_body_object(struct api *api, const struct api_call *call, struct json_value *out);

/* --- api_reply.c: answers ----------------------------------------------------------- */

#define JSON_TYPE    "application/json"
#define HTML_TYPE    "text/html; charset=utf-8"
#define PROBLEM_TYPE "application/problem+json"

void api_reply(struct api *api, uint64_t ticket, int status, const char *content_type,
               struct slice body, struct slice headers);
/* JSON, no-store. */
void api_json(struct api *api, uint64_t ticket, int status, const struct text *body);
/* A status that is the server's fault, and so worth a line in the log. */
bool api_failed(enum status status);
void api_problem(struct api *api, uint64_t ticket, enum status status, const char *detail);
void api_problem_with(struct api *api, uint64_t ticket, enum status status, const char *detail,
                      struct slice headers);
/* Names a field in the detail when that is surely a name and not a visitor's words. */
void api_problem_field(struct api *api, uint64_t ticket, enum status status, struct slice field);
const char *api_field_detail(struct slice field, char *buffer, size_t capacity);
/* Pages: only inline styles, nothing from elsewhere, forms only to here. */
void api_page(struct api *api, uint64_t ticket, int status, struct slice html,
              struct slice headers);
/* Vary, and when `origin` is not empty, what lets that page read the answer. */
void api_cors(struct text *headers, struct slice origin);

/* A JSON member for each public id: `,"name":"opt_..."` or null for number 0. */
void api_add_id(const struct api *api, struct text *out, const char *name, enum id_kind kind,
                uint64_t at_ms, uint64_t number);

/* --- the routes' functions ------------------------------------------------------------ */

route_fn api_optin_post, api_optin_preflight, api_batch_post;
route_fn api_form_post, api_form_preflight;
route_fn api_task_claim, api_task_report;
route_fn api_optin_list, api_optin_get, api_task_get, api_person_get, api_person_history,
    api_person_search;
route_fn api_people_list, api_people_move, api_person_move, api_person_merge, api_person_referrals;
route_fn api_entity_list, api_entity_create, api_entity_show, api_entity_change, api_entity_remove;
route_fn api_key_add, api_key_retire;
route_fn api_playbook_list, api_playbook_create, api_playbook_show, api_playbook_change,
    api_playbook_remove;
route_fn api_livez, api_readyz, api_metrics, api_openapi, api_tag, api_demo;
route_fn api_person_assign, api_agent_hand_over, api_agent_worklist, api_agent_availability;
route_fn api_clock_get, api_clock_accept, api_figures;
route_fn api_signal_post, api_people_cold, api_graveyard_wake, api_outcome_list;

/* --- opt-ins ------------------------------------------------------------------------------ */

/* One opt-in on its way from a request to the writer. */
struct submission {
    const struct http_request *request;
    struct site *site; /* NULL until the key is known */
    enum credential credential;
    enum optin_answer_shape shape;
    struct slice origin; /* allowed, to be echoed; empty: none */
    bool suspect;
};

/* Public senders only: the page's origin and the site's limits. */
enum status api_admit(struct submission *submission);
/* The page may read the answer; false: the site does not list its origin. */
bool api_origin_is_listed(struct submission *submission);
/* Reads the body, submits it; answers now or when it is settled. */
void api_submission_send(struct api *api, struct submission *submission);
void api_submission_refuse(struct api *api, const struct submission *submission, enum status status,
                           struct slice field);
/* Writes down with the opt-in how it came. */
void api_stamp(const struct http_request *request, struct optin *optin);
/* How long before it came it was said, by a sender who is trusted with that. */
void api_note_age(const struct optin *optin, uint64_t now_ms, struct effect_received *facts);
void api_count_settled(struct api *api, const struct settlement *settlement);
void api_preflight(struct api *api, const struct http_request *request, const struct site *site);

/* Refused before they were whole: answered as a refusal of theirs, whatever is known so far. */
void api_optin_refuse(struct api *api, const struct api_call *call, enum status status);
void api_form_refuse(struct api *api, const struct api_call *call, enum status status);

/* A form's sender is answered with pages that a person can read. */
void api_form_done(struct api *api, uint64_t ticket, const char *redirect, struct slice headers);
void api_form_refused(struct api *api, uint64_t ticket, enum status status, struct slice headers);

settled_fn api_batch_settled;
void api_batch_free(struct batch *batch);
settled_fn api_hand_page_settled;
void api_hand_page_free(struct hand_page *page);
void api_waking_free(struct waking *waking);
bool api_is_waking(const struct pending *pending);

/* --- the rest ------------------------------------------------------------------------------- */

void api_claims_end(struct api *api);

#endif
