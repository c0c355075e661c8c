# Code that other programs write: the scanner, the parser and embedded files. Generated sources lie
# in the build folder and find the headers of ours as if they stood beside their input.
add_executable(gact_embed ${PROJECT_SOURCE_DIR}/cmake/embed.c)
target_link_libraries(gact_embed PRIVATE gact_flags)
set_target_properties(gact_embed PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/cmake)

# gact_scanner(sources FILE.re): adds the C file that re2c makes of it to the list.
function(gact_scanner sources input)
  cmake_path(GET input STEM name)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${name}.c)
  add_custom_command(OUTPUT ${output}
    COMMAND ${RE2C} -W -Wno-useless-escape --no-generation-date -o ${output} ${input}
    DEPENDS ${input} COMMENT "re2c ${name}.re" VERBATIM)
  set(${sources} ${${sources}} ${output} PARENT_SCOPE)
endfunction()

# gact_parser(sources FILE.y): the same for Bison; the header is NAME.tab.h beside NAME.tab.c.
function(gact_parser sources input)
  cmake_path(GET input STEM name)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${name}.tab.c)
  set(header ${CMAKE_CURRENT_BINARY_DIR}/${name}.tab.h)
  add_custom_command(OUTPUT ${output} ${header}
    COMMAND ${BISON} -Wall -Werror --header=${header} -o ${output} ${input}
    DEPENDS ${input} COMMENT "bison ${name}.y" VERBATIM)
  set(${sources} ${${sources}} ${output} ${header} PARENT_SCOPE)
endfunction()

# gact_text(sources NAME FILE…): adds a C file that defines NAME as the text of the files.
function(gact_text sources name)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${name}.c)
  add_custom_command(OUTPUT ${output}
    COMMAND gact_embed --text ${name} ${output} ${ARGN}
    DEPENDS gact_embed ${ARGN} COMMENT "embedding ${name}" VERBATIM)
  set(${sources} ${${sources}} ${output} PARENT_SCOPE)
endfunction()
