/* What this program is made of, for --version and bug reports. */
#ifndef HOTLEAD_SERVER_VERSIONS_H
#define HOTLEAD_SERVER_VERSIONS_H

#include <stdio.h>

/* hotlead's version, then one library a line, as they are at run time where they tell. */
void versions_print(FILE *out);

#endif
