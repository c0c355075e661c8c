# One interface target carries the flags of all our code; generated code gets them without the
# warnings that generators cannot avoid.
add_library(gact_flags INTERFACE)
target_compile_options(gact_flags INTERFACE
  -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes
  -ffp-contract=off -fno-strict-aliasing)
target_compile_definitions(gact_flags INTERFACE
  _GNU_SOURCE GACT_VERSION="${PROJECT_VERSION}")
target_include_directories(gact_flags INTERFACE ${PROJECT_SOURCE_DIR})

if(GACT_SANITIZE)
  target_compile_options(gact_flags INTERFACE
    -fsanitize=${GACT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(gact_flags INTERFACE -fsanitize=${GACT_SANITIZE})
endif()
