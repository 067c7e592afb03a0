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

/* Hotlead's own fields of who somebody is and where they came from, and the names that form
 * builders give to those. What decides over an opt-in (`test`, `event_id`, `submitted_at`, `_hp`)
 * is not here: a question that happens to be labelled "Test" must not cost the call. */
struct slice optin_alias(struct slice name)
{
    static const struct {
        struct slice folded, key;
    } aliases[] = {
        {SLICE("email"), SLICE("email")},
        {SLICE("phone"), SLICE("phone")},
        {SLICE("name"), SLICE("name")},
        {SLICE("firstname"), SLICE("first_name")},
        {SLICE("lastname"), SLICE("last_name")},
        {SLICE("company"), SLICE("company")},
        {SLICE("title"), SLICE("title")},
        {SLICE("country"), SLICE("country")},
        {SLICE("postalcode"), SLICE("postal_code")},
        {SLICE("timezone"), SLICE("timezone")},
        {SLICE("sourcekind"), SLICE("source_kind")},
        {SLICE("pageurl"), SLICE("page_url")},
        {SLICE("referrer"), SLICE("referrer")},
        {SLICE("utmsource"), SLICE("utm_source")},
        {SLICE("utmmedium"), SLICE("utm_medium")},
        {SLICE("utmcampaign"), SLICE("utm_campaign")},
        {SLICE("utmterm"), SLICE("utm_term")},
        {SLICE("utmcontent"), SLICE("utm_content")},
        {SLICE("utmid"), SLICE("utm_id")},
        {SLICE("gclid"), SLICE("gclid")},
        {SLICE("fbclid"), SLICE("fbclid")},
        {SLICE("consent"), SLICE("consent")},
        {SLICE("youremail"), SLICE("email")}, /* Contact Form 7 */
        {SLICE("yourname"), SLICE("name")},
        {SLICE("yourtel"), SLICE("phone")},
        {SLICE("fullname"), SLICE("name")}, /* Unbounce, Webflow, Meta */
        {SLICE("phonenumber"), SLICE("phone")},
        {SLICE("emailaddress"), SLICE("email")},
        {SLICE("fname"), SLICE("first_name")},
        {SLICE("lname"), SLICE("last_name")},
        {SLICE("mobile"), SLICE("phone")},
        {SLICE("telephone"), SLICE("phone")},
        {SLICE("tel"), SLICE("phone")},
        {SLICE("xxtrustedformcerturl"), SLICE("consent.cert_url")}, /* TrustedForm's script */
    };
    char buffer[FOLDED_MAX];
    struct slice wanted = folded(name, buffer);

    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]) && wanted.length > 0; i++) {
        if (slice_equal(aliases[i].folded, wanted))
            return aliases[i].key;
    }
    return (struct slice){0};
}
