/* Reads the config file: YAML (libyaml, the one file that sees it) that is a flat mapping of
 * names to scalars. Every scalar is taken as the text that it is, so `no` is a fine node
 * name. Anything deeper, aliases, tags and second documents are refused. */
#ifndef HOTLEAD_SERVER_CONFIG_FILE_H
#define HOTLEAD_SERVER_CONFIG_FILE_H

#include <stddef.h>
#include <stdio.h>

#include "proto/status.h"

#define CONFIG_FILE_MAX (64 * 1024)

/* One pair; both texts live until the callback returns. */
typedef void config_pair_fn(void *owner, const char *name, const char *value, unsigned line);

/* INVALID: complaints, each with file and line, have gone to `talk`. */
enum status config_file_parse(const char *path, const char *bytes, size_t length,
                              config_pair_fn *on_pair, void *owner, FILE *talk);

#endif
