/* Names of form fields that mean one of hotlead's fields and are not its key. Any thread. */
#ifndef HOTLEAD_PROTO_OPTIN_ALIAS_H
#define HOTLEAD_PROTO_OPTIN_ALIAS_H

#include "proto/slice.h"

/* The key of the field that is meant; empty: none. A literal. */
struct slice optin_alias(struct slice name);

#endif
