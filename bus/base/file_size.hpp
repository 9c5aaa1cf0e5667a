// How large a file of this process may become.   Layer: base. Threads: any.
#pragma once

#include <cstdint>

namespace symphony::detail {

// Asked before a file or a memfd is made larger: beyond RLIMIT_FSIZE the kernel does not only refuse, it ends the
// process by SIGXFSZ, which is not a library's to ignore. false: it may not be that large; errno is EFBIG.
[[nodiscard]] bool may_grow_to(std::uint64_t size) noexcept;

}  // namespace symphony::detail
