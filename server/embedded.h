/* Files compiled into the binary by server/embed.cmake; each ends with a NUL. */
#ifndef HOTLEAD_SERVER_EMBEDDED_H
#define HOTLEAD_SERVER_EMBEDDED_H

#include <stddef.h>

extern const char embedded_push_lua[], embedded_claim_lua[], embedded_openapi_yaml[];
extern const char embedded_tag_js[], embedded_demo_html[], embedded_default_yaml[];
extern const size_t embedded_push_lua_bytes, embedded_claim_lua_bytes, embedded_openapi_yaml_bytes;
extern const size_t embedded_tag_js_bytes, embedded_demo_html_bytes, embedded_default_yaml_bytes;

#endif
