// What could go wrong: a broker serves its pits out of a directory that others can enter or replace, or a caller takes
// somebody else's socket for its broker's.
#include "bus/control/rendezvous.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/control/socket.hpp"

namespace symphony::detail::control {
namespace {

namespace fs = std::filesystem;

class Rendezvous : public testing::Test {
 protected:
  Rendezvous() {
    char name[] = "/tmp/symphony-test-XXXXXX";
    root_ = ::mkdtemp(name);
    if (const char* old = std::getenv("XDG_RUNTIME_DIR"); old != nullptr) old_ = old;
    ::setenv("XDG_RUNTIME_DIR", root_.c_str(), 1);
  }
  ~Rendezvous() override {
    if (old_) {
      ::setenv("XDG_RUNTIME_DIR", old_->c_str(), 1);
    } else {
      ::unsetenv("XDG_RUNTIME_DIR");
    }
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  std::string root_;
  std::optional<std::string> old_;
};

TEST_F(Rendezvous, PutsARealmsSocketBelowTheRuntimeDirectory) {
  EXPECT_EQ(*default_socket_path("blue-1"), root_ + "/symphony/blue-1/broker.sock");
}

TEST_F(Rendezvous, FallsBackToADirectoryOfThisUser) {
  ::unsetenv("XDG_RUNTIME_DIR");
  const auto path = *default_socket_path(default_realm);
  const auto uid = std::to_string(::geteuid());
  const std::string run = "/run/user/" + uid;
  EXPECT_EQ(path, (fs::exists(run) ? run : "/tmp/symphony-" + uid) + "/symphony/default/broker.sock");
}

TEST_F(Rendezvous, RefusesNamesThatAreNoNameOfADirectory) {
  for (const char* bad : {"", ".", "..", "a/b", "A", "-a", "a b", "a.b", "012345678901234567890123456789012"}) {
    EXPECT_FALSE(default_socket_path(bad)) << bad;
  }
  EXPECT_TRUE(default_socket_path("01234567890123456789012345678901"));
}

TEST_F(Rendezvous, MakesTheDirectoryForOneUserOnly) {
  const auto path = *default_socket_path("r");
  ASSERT_TRUE(prepare_socket_directory(path));
  ASSERT_TRUE(prepare_socket_directory(path)) << "a second time finds it in place";
  for (const auto& d : {root_ + "/symphony", root_ + "/symphony/r"}) {
    struct stat s {};
    ASSERT_EQ(::lstat(d.c_str(), &s), 0);
    EXPECT_EQ(s.st_mode & 0777U, 0700U);
  }
}

TEST_F(Rendezvous, RefusesADirectoryThatOthersMayEnterOrReplace) {
  const auto path = *default_socket_path("r");
  ASSERT_TRUE(prepare_socket_directory(path));
  ASSERT_EQ(::chmod((root_ + "/symphony/r").c_str(), 0755), 0);
  EXPECT_EQ(prepare_socket_directory(path).error().code, errc::refused);
  ASSERT_EQ(::chmod((root_ + "/symphony/r").c_str(), 0700), 0);
  ASSERT_TRUE(prepare_socket_directory(path));
  ASSERT_EQ(::chmod((root_ + "/symphony").c_str(), 0777), 0);
  EXPECT_EQ(prepare_socket_directory(path).error().code, errc::refused);
  ASSERT_EQ(::chmod((root_ + "/symphony").c_str(), 01777), 0) << "sticky: only the owner renames";
  EXPECT_TRUE(prepare_socket_directory(path));
}

TEST_F(Rendezvous, RefusesALinkInPlaceOfTheDirectory) {
  fs::create_directories(root_ + "/elsewhere");
  fs::create_directories(root_ + "/symphony");
  fs::create_directory_symlink(root_ + "/elsewhere", root_ + "/symphony/r");
  EXPECT_EQ(prepare_socket_directory(*default_socket_path("r")).error().code, errc::refused);
}

TEST_F(Rendezvous, BringsCallerAndBrokerTogether) {
  const auto path = *default_socket_path("r");
  ASSERT_TRUE(prepare_socket_directory(path));
  const auto listener = listen_at(path);
  ASSERT_TRUE(listener);
  EXPECT_FALSE(*accept_at(listener->get())) << "nobody has connected yet";
  const ControlSocket caller(connect_to(path, now_ns()).value());
  const ControlSocket broker(accept_at(listener->get()).value());
  ASSERT_TRUE(broker);
  ASSERT_TRUE(caller.send(Close{5}));
  EXPECT_EQ(std::get<Close>(broker.wait_receive(FdPolicy::refuse, no_deadline_ns)->message).link, 5U);
}

TEST_F(Rendezvous, ReplacesTheSocketOfADeadBrokerButNotAFile) {
  const auto path = *default_socket_path("r");
  ASSERT_TRUE(prepare_socket_directory(path));
  { ASSERT_TRUE(listen_at(path)); }
  EXPECT_TRUE(fs::exists(path)) << "closing a socket leaves its name";
  const auto again = listen_at(path);
  ASSERT_TRUE(again);
  EXPECT_TRUE(connect_to(path, now_ns()));
  fs::remove(path);
  std::ofstream(path) << "mine";
  EXPECT_EQ(listen_at(path).error().code, errc::refused);
}

TEST_F(Rendezvous, SaysThatNoBrokerIsThereWhenTheDeadlineIsOver) {
  const auto path = *default_socket_path("r");
  EXPECT_EQ(connect_to(path, now_ns()).error().code, errc::unreachable);
  ASSERT_TRUE(prepare_socket_directory(path));
  { ASSERT_TRUE(listen_at(path)); }
  EXPECT_EQ(connect_to(path, now_ns() + ms_ns).error().code, errc::unreachable) << "a stale socket is no broker";
}

TEST_F(Rendezvous, RefusesAPathThatDoesNotFitASocketAddress) {
  const std::string path = root_ + "/" + std::string(120, 'x');
  EXPECT_EQ(listen_at(path).error().code, errc::invalid_argument);
  EXPECT_EQ(connect_to(path, now_ns()).error().code, errc::invalid_argument);
}

}  // namespace
}  // namespace symphony::detail::control
