# Everything comes from Debian's packages (tools/debian-packages.txt); nothing is downloaded.
find_package(Threads REQUIRED)
find_package(Boost 1.74 REQUIRED)           # Interprocess, headers only; used in bus/memory/*.cpp
find_package(FlatBuffers 2.0.8 REQUIRED)   # payload and control messages
find_program(SYMPHONY_FLATC flatc REQUIRED)
find_path(SYMPHONY_CONCURRENTQUEUE_DIR concurrentqueue/concurrentqueue.h REQUIRED)

add_library(symphony_flatbuffers INTERFACE)
add_library(Symphony::flatbuffers ALIAS symphony_flatbuffers)
set_target_properties(symphony_flatbuffers PROPERTIES EXPORT_NAME flatbuffers)
# System include: its headers are not ours to keep free of warnings.
find_path(SYMPHONY_FLATBUFFERS_DIR flatbuffers/flatbuffers.h REQUIRED)
target_include_directories(symphony_flatbuffers SYSTEM INTERFACE "${SYMPHONY_FLATBUFFERS_DIR}")

add_library(symphony_concurrentqueue INTERFACE)
target_include_directories(symphony_concurrentqueue SYSTEM INTERFACE "${SYMPHONY_CONCURRENTQUEUE_DIR}")
