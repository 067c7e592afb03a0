/* Numbers that fit nothing. simdjson refuses a document for one integer over 64 bits, or one number
 * over what a double holds, though both are valid JSON. Such a document is read a second time,
 * with those numbers as strings of their digits: nobody computes with them, and nothing of them is
 * lost. Which of the strings they are is told by the document. For json.cpp only. */
#ifndef HOTLEAD_PROTO_JSON_NUMBER_H
#define HOTLEAD_PROTO_JSON_NUMBER_H

extern "C" {
#include "proto/text.h"
}

/* The document into `out`, with such numbers as strings; empty when it has none, or `out` is too
 * small. */
slice json_quote_numbers(slice document, struct text *out);

/* Steps over the next string, or number that fits nothing, of a document that is sound but for such
 * numbers; true: it was such a number. */
bool json_next_is_number(slice *document);

#endif
