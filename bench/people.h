/* The opt-ins that are sent: who they are and how their requests look on the wire.
 *
 * Opt-in number n is a pure function of (options, n): its person, its site, its kind of body. Each
 * new one has an e-mail address and a phone number that no other number has; a returning one is
 * somebody sent before, with another event id; a duplicate repeats an earlier request, event id
 * and all. So two runs with one seed send the same bytes, and a peer gets the body that hotlead
 * would have got. */
#ifndef HOTLEAD_BENCH_PEOPLE_H
#define HOTLEAD_BENCH_PEOPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/target.h"

#define PEOPLE_REQUEST_BYTES_MAX 4096

struct people_options {
    uint64_t seed;
    /* Weights of the kinds of body; those that are 0 are not sent. All 0 is all JSON, as is what
     * goes to a peer or to a site without a public key. */
    unsigned json, form, multipart;
    double returning;  /* share of opt-ins, 0..1, by somebody known */
    double duplicates; /* share, 0..1, that repeat a request; the two together are at most 1 */
    uint64_t first;    /* number of the first opt-in: several loads of one store do not overlap */
    const struct target *target; /* sites and how to ask; lives longer */
};

struct people;

/* NULL: out of memory. */
struct people *people_open(const struct people_options *options);
void people_close(struct people *people);

enum people_what { PEOPLE_NEW, PEOPLE_RETURNING, PEOPLE_DUPLICATE };

struct people_request {
    const char *bytes; /* head and body, until the next call */
    size_t length;
    enum people_what what;
    uint64_t key; /* what its task will be known by where the answer does not name it: the number
                     at which its person came first */
};

/* The request of opt-in number n. */
void people_request(struct people *people, uint64_t n, bool keep_alive, struct people_request *out);

#endif
