/* Whether somebody can be addressed by what was typed as a name. Forms are filled with digits,
 * e-mail addresses and "test" by people who do not want to say who they are: nobody shall read
 * "Hi asdf,". Any thread. */
#ifndef HOTLEAD_PROTO_NAME_H
#define HOTLEAD_PROTO_NAME_H

#include <stdbool.h>

#include "proto/optin.h"
#include "proto/slice.h"

bool name_is_usable(struct slice name);
/* Name or first name: a last name alone addresses nobody. */
bool name_is_given(const struct optin *optin);

/* What to address them by: the first name, else the first word of the name that has a letter, both
 * without title and without what cannot be seen; empty just where no name is given. A slice of the
 * opt-in's text, or of the buffer, to which a name is cut that has to be cleaned. */
#define NAME_CLEAN_MAX 256
struct slice name_first(const struct optin *optin, char buffer[static NAME_CLEAN_MAX]);

/* The same as the renderer of a task has it, see task.h: older tasks keep their bytes. */
bool name_is_given_by(unsigned renderer, const struct optin *optin);
struct slice name_first_by(unsigned renderer, const struct optin *optin,
                           char buffer[static NAME_CLEAN_MAX]);

#endif
