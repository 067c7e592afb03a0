# Writes FILES (below ROOT) into the C file OUT, each as a byte array that ends with a NUL and
# its length: proto/push.lua becomes embedded_push_lua and embedded_push_lua_bytes. HEADER declares them.
set(code "/* Made by server/embed.cmake. */\n#include \"${HEADER}\"\n")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME)
  string(MAKE_C_IDENTIFIER ${name} name)
  file(READ ${ROOT}/${file} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(APPEND code "const char embedded_${name}[] = {${bytes}0};\n"
                     "const size_t embedded_${name}_bytes = sizeof(embedded_${name}) - 1;\n")
endforeach()
file(WRITE ${OUT} "${code}")
