#include "proto/optin_alias.h"

#define FOLDED_MAX 20 /* the longest of those below */
#define NAME_MAX   32

/* In small letters and without `-`, `_` and blanks: "First Name" and "first-name" are one. */
static struct slice folded(struct slice name, char out[static FOLDED_MAX])
{
    size_t length = 0;

    if (name.length > NAME_MAX)
        return (struct slice){0};
    for (size_t i = 0; i < name.length; i++) {
        char byte = name.bytes[i];
        if (byte == '-' || byte == '_' || byte == ' ')
            continue;
        if (length == FOLDED_MAX)
            return (struct slice){0};
        out[length++] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
    }
    return (struct slice){out, length};
}

#define IS(literal) (memcmp(key.bytes, (literal), sizeof(literal) - 1) == 0)
#define NONE        ((struct slice){0})

/* Hotlead's own fields of who somebody is and where they came from, and the names that form
 * builders give to those; by length first, for every unknown name of a form. What decides over an
 * opt-in (`test`, `event_id`, `submitted_at`, `_hp`) is not here: a question that happens to be
 * labelled "Test" must not cost the call. */
struct slice optin_alias(struct slice name)
{
    char buffer[FOLDED_MAX];
    struct slice key = folded(name, buffer);

    switch (key.length) {
    case 3:
        return IS("tel") ? SLICE("phone") : NONE;
    case 4:
        return IS("name") ? SLICE("name") : NONE;
    case 5:
        return IS("email")   ? SLICE("email")
               : IS("phone") ? SLICE("phone")
               : IS("title") ? SLICE("title")
               : IS("utmid") ? SLICE("utm_id")
               : IS("gclid") ? SLICE("gclid")
               : IS("fname") ? SLICE("first_name")
               : IS("lname") ? SLICE("last_name")
                             : NONE;
    case 6:
        return IS("fbclid") ? SLICE("fbclid") : IS("mobile") ? SLICE("phone") : NONE;
    case 7:
        return IS("company")   ? SLICE("company")
               : IS("country") ? SLICE("country")
               : IS("pageurl") ? SLICE("page_url")
               : IS("utmterm") ? SLICE("utm_term")
               : IS("consent") ? SLICE("consent")
               : IS("yourtel") ? SLICE("phone")
                               : NONE;
    case 8:
        return IS("lastname")   ? SLICE("last_name")
               : IS("timezone") ? SLICE("timezone")
               : IS("referrer") ? SLICE("referrer")
               : IS("yourname") ? SLICE("name")
               : IS("fullname") ? SLICE("name")
                                : NONE;
    case 9:
        return IS("firstname")   ? SLICE("first_name")
               : IS("utmsource") ? SLICE("utm_source")
               : IS("utmmedium") ? SLICE("utm_medium")
               : IS("youremail") ? SLICE("email")
               : IS("telephone") ? SLICE("phone")
                                 : NONE;
    case 10:
        return IS("postalcode")   ? SLICE("postal_code")
               : IS("sourcekind") ? SLICE("source_kind")
               : IS("utmcontent") ? SLICE("utm_content")
                                  : NONE;
    case 11:
        return IS("utmcampaign")   ? SLICE("utm_campaign")
               : IS("phonenumber") ? SLICE("phone")
                                   : NONE;
    case 12:
        return IS("emailaddress") ? SLICE("email") : NONE;
    case 20:
        return IS("xxtrustedformcerturl") ? SLICE("consent.cert_url") : NONE;
    default:
        return NONE;
    }
}

#undef IS
