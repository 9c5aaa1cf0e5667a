// wake_all in place of bus/wait's: no system call, and only our own bell may be rung.
#include "tests/proof/hostile/channel_session.hpp"

namespace symphony::detail {

bool wake_all(const std::uint32_t* word) noexcept {
  hostile::waking->wake(word);
  return true;
}

}  // namespace symphony::detail
