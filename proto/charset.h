/* Text of forms that is not UTF-8. A page in windows-1252 (iso-8859-1 is the same to browsers)
 * sends its forms so, and so do programs of that age; names of people are where it shows.
 *
 * Each of the 256 bytes means one character here, as WHATWG's Encoding Standard has it, so
 * nothing is refused and what was guessed wrongly can be turned back. Any thread. */
#ifndef HOTLEAD_PROTO_CHARSET_H
#define HOTLEAD_PROTO_CHARSET_H

#include <stdbool.h>

#include "proto/slice.h"
#include "proto/status.h"
#include "proto/text.h"

#define CHARSET_GROWTH_MAX 3 /* bytes of UTF-8 that one byte can become */

enum charset {
    CHARSET_UNSAID, /* taken as UTF-8, and as windows-1252 where it cannot be that */
    CHARSET_UTF8,
    CHARSET_WINDOWS_1252,
    CHARSET_UNKNOWN
};

/* By its label, in any case: UNSAID when it is empty. us-ascii counts as UTF-8. */
enum charset charset_of_label(struct slice label);

/* By the `charset` parameter of a media type. */
enum charset charset_of_type(struct slice content_type);

/* How the texts of one form are to be read, and whether that had to be guessed. */
struct charset_reader {
    enum charset declared;
    bool guessed;
};

/* One text as UTF-8: itself, or converted into scratch. What is UTF-8 neither by its bytes nor
 * by declaration is taken for windows-1252, and `guessed` is set. MALFORMED: it holds a NUL;
 * TOO_LARGE: it does not fit the scratch. */
enum status charset_read(struct charset_reader *reader, struct slice bytes, struct text *scratch,
                         struct slice *out);

#endif
