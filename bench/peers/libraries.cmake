# The peers that need a package of their own; each is left out, with a line that says so, where it is not installed.
find_package(PkgConfig QUIET)

function(symphony_peer_missing name package)
  message(STATUS "bench/peers: symphony-peer-${name} is left out; install ${package}")
endfunction()

find_path(SYMPHONY_READERWRITERQUEUE_DIR readerwriterqueue/readerwriterqueue.h)
if(SYMPHONY_READERWRITERQUEUE_DIR)
  symphony_peer(readerwriterqueue readerwriterqueue.cpp)
  target_include_directories(symphony-peer-readerwriterqueue SYSTEM PRIVATE "${SYMPHONY_READERWRITERQUEUE_DIR}")
else()
  symphony_peer_missing(readerwriterqueue libreaderwriterqueue-dev)
endif()

if(PkgConfig_FOUND)
  pkg_check_modules(SYMPHONY_ZEROMQ QUIET IMPORTED_TARGET libzmq)
endif()
if(TARGET PkgConfig::SYMPHONY_ZEROMQ)
  symphony_peer(zeromq zeromq.cpp PkgConfig::SYMPHONY_ZEROMQ)
else()
  symphony_peer_missing(zeromq libzmq3-dev)
endif()

find_library(SYMPHONY_NNG_LIBRARY nng)
find_path(SYMPHONY_NNG_DIR nng/nng.h)
if(SYMPHONY_NNG_LIBRARY AND SYMPHONY_NNG_DIR)
  symphony_peer(nng nng.cpp "${SYMPHONY_NNG_LIBRARY}")
else()
  symphony_peer_missing(nng libnng-dev)
endif()

if(PkgConfig_FOUND)
  pkg_check_modules(SYMPHONY_SDBUS QUIET IMPORTED_TARGET libsystemd)
endif()
if(TARGET PkgConfig::SYMPHONY_SDBUS)
  symphony_peer(sdbus sdbus.cpp PkgConfig::SYMPHONY_SDBUS)
else()
  symphony_peer_missing(sdbus libsystemd-dev)
endif()

# Code that others generate knows nothing of our warnings; it lies in the build tree only.
function(symphony_peer_generated name sources)
  set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS "-w")
  target_sources(symphony-peer-${name} PRIVATE ${sources})
  target_include_directories(symphony-peer-${name} SYSTEM PRIVATE "${CMAKE_CURRENT_BINARY_DIR}")
endfunction()

# Not its CMake package: that ends the configuration where libatomic.so lies with the compiler only, as in Debian.
find_program(SYMPHONY_CAPNP capnp)
find_program(SYMPHONY_CAPNPC_CXX capnpc-c++)
if(PkgConfig_FOUND)
  pkg_check_modules(SYMPHONY_CAPNP_RPC QUIET IMPORTED_TARGET capnp-rpc)
endif()
if(TARGET PkgConfig::SYMPHONY_CAPNP_RPC AND SYMPHONY_CAPNP AND SYMPHONY_CAPNPC_CXX)
  set(capnp_sources "${CMAKE_CURRENT_BINARY_DIR}/echo.capnp.c++" "${CMAKE_CURRENT_BINARY_DIR}/echo.capnp.h")
  add_custom_command(OUTPUT ${capnp_sources}
    COMMAND "${SYMPHONY_CAPNP}" compile "-o${SYMPHONY_CAPNPC_CXX}:${CMAKE_CURRENT_BINARY_DIR}"
      "--src-prefix=${CMAKE_CURRENT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}/echo.capnp"
    DEPENDS echo.capnp VERBATIM)
  symphony_peer(capnp capnp.cpp PkgConfig::SYMPHONY_CAPNP_RPC)
  symphony_peer_generated(capnp "${capnp_sources}")
  target_compile_options(symphony-peer-capnp PRIVATE -Wno-non-virtual-dtor)  # its servers are owned as what they are
else()
  symphony_peer_missing(capnp "libcapnp-dev and capnproto")
endif()

find_program(SYMPHONY_PROTOC protoc)
find_program(SYMPHONY_GRPC_PLUGIN grpc_cpp_plugin)
if(PkgConfig_FOUND)
  pkg_check_modules(SYMPHONY_GRPC QUIET IMPORTED_TARGET grpc++ protobuf)
endif()
if(TARGET PkgConfig::SYMPHONY_GRPC AND SYMPHONY_PROTOC AND SYMPHONY_GRPC_PLUGIN)
  set(grpc_sources echo.pb.cc echo.pb.h echo.grpc.pb.cc echo.grpc.pb.h)
  list(TRANSFORM grpc_sources PREPEND "${CMAKE_CURRENT_BINARY_DIR}/")
  add_custom_command(OUTPUT ${grpc_sources}
    COMMAND "${SYMPHONY_PROTOC}" --cpp_out=. --grpc_out=. "--plugin=protoc-gen-grpc=${SYMPHONY_GRPC_PLUGIN}"
      "-I${CMAKE_CURRENT_SOURCE_DIR}" echo.proto
    WORKING_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}" DEPENDS echo.proto VERBATIM)
  symphony_peer(grpc grpc.cpp PkgConfig::SYMPHONY_GRPC)
  symphony_peer_generated(grpc "${grpc_sources}")
else()
  symphony_peer_missing(grpc "libgrpc++-dev, libprotobuf-dev and protobuf-compiler-grpc")
endif()

find_program(SYMPHONY_IOX_ROUDI iox-roudi)
find_package(iceoryx_posh CONFIG QUIET)
if(iceoryx_posh_FOUND AND SYMPHONY_IOX_ROUDI)
  symphony_peer(iceoryx iceoryx.cpp iceoryx_posh::iceoryx_posh)
  target_sources(symphony-peer-iceoryx PRIVATE roudi.cpp)
  target_compile_definitions(symphony-peer-iceoryx PRIVATE SYMPHONY_IOX_ROUDI="${SYMPHONY_IOX_ROUDI}")
else()
  symphony_peer_missing(iceoryx "libiceoryx-posh-dev and iceoryx")
endif()
