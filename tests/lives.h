/* Lives told in text. A script says what people do and how time passes; what comes of it is told
 * line by line: when by the person's own clocks, how long after the opt-in, and what.
 *
 *   playbook new-lead            of deploy/playbooks; lines that begin with | are one of its own
 *   site "hours_policy":"always" settings of the site
 *   robots off                   what they are given stays; else they take and deliver it at once
 *   start 2024-03-04 10:00 America/New_York
 *   optin dana zone=America/New_York phone=+12155550147 email=dana@example.com name=Dana
 *   report dana call no_answer   takes the task from its queue and says so; agent= value= call_at=
 *   claim dana call              takes it and claims it; a report comes later
 *   refused dana call dead       says so, and is refused
 *   again dana call sold         a second outcome of the task that ended last
 *   answer dana no_answer        from now on so is each call reported, as soon as it is put; none
 *   pass 20d 3h                  time passes: whatever comes due does so at its moment
 *   until 2024-03-10 01:30       the same, by the clocks of `start`
 *   look                         all that stands in the queues, in order
 *   kill                         the process dies, and begins again
 *
 * The story is a script as well, of what was done at which moment (lines that begin with @), with
 * all that came of it: whoever does the same with a real server must hear the same. */
#ifndef HOTLEAD_TESTS_LIVES_H
#define HOTLEAD_TESTS_LIVES_H

#include "proto/slice.h"
#include "proto/text.h"

/* Lives through it in a world of its own. A script with a mistake fails the test. */
void lives_tell(struct slice script, struct text *story);

#endif
