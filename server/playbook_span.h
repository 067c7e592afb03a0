/* A length of time as people write it: "90s", "6mo". */
#ifndef HOTLEAD_SERVER_PLAYBOOK_SPAN_H
#define HOTLEAD_SERVER_PLAYBOOK_SPAN_H

#include <stdbool.h>

#include "server/playbook.h"

bool playbook_span_of(struct slice text, struct playbook_span *out);
void playbook_span_write(struct playbook_span span, struct text *out);

#endif
