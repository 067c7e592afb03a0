#include "proto/phone_slow.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <set>
#include <string>

#include <phonenumbers/phonenumberutil.h>
#include <unicode/uclean.h>

#include "proto/memory.h"

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

namespace
{

void *icu_take(const void *, size_t bytes)
{
    return memory_take(bytes);
}

void *icu_resize(const void *, void *memory, size_t bytes)
{
    return memory_resize(memory, bytes);
}

void icu_give_back(const void *, void *memory)
{
    std::free(memory);
}

/* Neither the library nor ICU, which it stands on, tells want of memory from a number that is
 * none, so they never see any. */
const PhoneNumberUtil *open_util()
{
    UErrorCode refused = U_ZERO_ERROR;

    std::set_new_handler(memory_missing);
    u_setMemoryFunctions(nullptr, icu_take, icu_resize, icu_give_back, &refused);
    return PhoneNumberUtil::GetInstance();
}

const PhoneNumberUtil &util()
{
    static const PhoneNumberUtil *const only = open_util();
    return *only;
}

/* Two numbers of an area code, far apart. Where they disagree or neither is valid,
 * the area code is left to the slow path. */
std::string area_country(unsigned area)
{
    std::string found;

    for (unsigned local : {2345678u, 8925678u}) {
        PhoneNumber number;
        std::string country;
        number.set_country_code(1);
        number.set_national_number(area * 10000000ull + local);
        util().GetRegionCodeForNumber(number, &country);
        if (country.size() != 2 || country == "ZZ")
            continue;
        if (!found.empty() && found != country)
            return "";
        found = country;
    }
    return found;
}

nanp_plan learn_nanp()
{
    nanp_plan nanp = {};
    std::set<std::string> countries;

    util().GetSupportedRegions(&countries);
    for (const std::string &country : countries)
        if (util().GetCountryCodeForRegion(country) == 1)
            nanp.member[country[0] - 'A'][country[1] - 'A'] = true;
    for (unsigned area = 200; area < 1000; area++) {
        std::string country = area_country(area);
        if (!country.empty())
            memcpy(nanp.area_country[area], country.data(), 2);
    }
    return nanp;
}

/* Of the networks that belong to no country, 870 and 881 are satellites; 882 and 883
 * are operators of several kinds, billed like satellites. */
phone_range range_of(const PhoneNumber &number)
{
    int code = number.country_code();

    if (code == 870 || (code >= 881 && code <= 883))
        return PHONE_SATELLITE;
    switch (util().GetNumberType(number)) {
    case PhoneNumberUtil::PREMIUM_RATE:
        return PHONE_PREMIUM;
    case PhoneNumberUtil::TOLL_FREE:
        return PHONE_TOLL_FREE;
    default:
        return PHONE_ORDINARY;
    }
}

/* A number that is possible but not assigned has no country of its own: it is taken
 * for the site's where the calling code agrees, else for the code's main country. */
std::string country_of(const PhoneNumber &number, const std::string &site_country)
{
    std::string country;

    util().GetRegionCodeForNumber(number, &country);
    if (country == "ZZ") {
        if (util().GetCountryCodeForRegion(site_country) == number.country_code())
            return site_country;
        util().GetRegionCodeForCountryCode(number.country_code(), &country);
    }
    return country.size() == 2 && country != "ZZ" ? country : "";
}

} // namespace

const struct nanp_plan *phone_nanp(void)
{
    static const nanp_plan nanp = learn_nanp();
    return &nanp;
}

bool phone_knows_country(struct slice country)
{
    return util().GetCountryCodeForRegion(std::string(country.bytes, country.length)) != 0;
}

enum status phone_parse_slow(struct slice as_typed, const char country[2], struct phone *out)
{
    PhoneNumber number;
    std::string site_country(country, 2), e164;

    if (as_typed.length == 0 ||
        util().Parse(std::string(as_typed.bytes, as_typed.length), site_country, &number) !=
            PhoneNumberUtil::NO_PARSING_ERROR ||
        util().IsPossibleNumberWithReason(number) != PhoneNumberUtil::IS_POSSIBLE)
        return STATUS_INVALID;
    util().Format(number, PhoneNumberUtil::E164, &e164);
    if (e164.size() > PHONE_LENGTH_MAX)
        return STATUS_INVALID;

    *out = {};
    memcpy(out->e164, e164.data(), e164.size());
    out->length = e164.size();
    std::string owner = country_of(number, site_country);
    memcpy(out->country, owner.data(), owner.size());
    out->range = range_of(number);
    return STATUS_OK;
}
