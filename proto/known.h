/* What was found out about a person beside what its opt-ins say: answers to the playbook's
 * questions, and findings. All of it together, each by its newest word, so that nobody has to go
 * through a history to know it.
 *
 *   (kind u8 | length of name u8 | length of value u16 little endian | name | value) ...
 *
 * Stored: kinds are append only. Slices live as long as their source. Any thread. */
#ifndef HOTLEAD_PROTO_KNOWN_H
#define HOTLEAD_PROTO_KNOWN_H

#include <stdbool.h>

#include "proto/optin.h"
#include "proto/slice.h"
#include "proto/text.h"

#define KNOWN_NAME_MAX  64
#define KNOWN_VALUE_MAX 256
#define KNOWN_BYTES_MAX 8192

enum known_kind { KNOWN_ANSWER = 1, KNOWN_FINDING = 2 };

struct known_item {
    enum known_kind kind;
    struct slice name, value; /* an empty value: it is known no more */
};

/* Takes the first item. False: none is left, or what is left is no item. */
bool known_next(struct slice *rest, struct known_item *out);
/* Empty: it is not known. */
struct slice known_of(struct slice known, enum known_kind kind, struct slice name);

/* Appends one item; names and values that are too long are cut between characters. */
void known_add(struct text *out, const struct known_item *item);
/* What was known with the news over it. Where both do not fit, what was known first goes. */
void known_merge(struct slice known, struct slice news, struct text *out);

/* `,"answers":{...}`: those of a kind as members of an object; `{}` where there are none. */
void known_write(struct text *out, const char *key, struct slice known, enum known_kind kind);

/* Findings that say who somebody is: where the opt-in is silent, or says what nobody can be
 * reached or addressed by (optin_give_way), they speak. */
void known_identify(struct optin *optin, struct slice known);
/* As the renderer of a task has it, which says what is a name (name.h). */
void known_identify_by(unsigned renderer, struct optin *optin, struct slice known);

#endif
