/* The page of a report, compiled in as text; made from bench/report.html. */
#ifndef HOTLEAD_BENCH_EMBEDDED_H
#define HOTLEAD_BENCH_EMBEDDED_H

#include <stddef.h>

extern const char embedded_report_html[];
extern const size_t embedded_report_html_bytes;

#endif
