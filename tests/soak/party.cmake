# What is killed: the pit, and the program that is daemon or caller. By itself, because tools/check/previous-protocol builds
# it in trees of earlier commits too.
symphony_add_pit(NAME annals MODES process SOURCES annals.cpp SCHEMAS annals.fbs USES symphony_base)

add_library(symphony_soak_checker STATIC checker.cpp)
target_include_directories(symphony_soak_checker PUBLIC "${PROJECT_SOURCE_DIR}")
target_link_libraries(symphony_soak_checker PUBLIC symphony_base)

add_executable(soak_party party.cpp caller.cpp)
target_link_libraries(soak_party PRIVATE symphony_soak_checker symphony_broker symphony_endpoint symphony_schema_annals)
