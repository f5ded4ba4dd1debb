// What the resolver says and which families of addresses there are, for one program: to be
// included by one file of it, as it stands in for the C library's functions.
#pragma once

#include <dlfcn.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace plait::test {

// Names that only this program knows, each with its addresses in figures. Any thread.
class Names {
 public:
  static Names& get() {
    static Names names;
    return names;
  }
  void add(const std::string& name, std::vector<std::string> addresses) {
    const std::scoped_lock lock(mutex_);
    known_[name] = std::move(addresses);
  }
  std::vector<std::string> find(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    const auto found = known_.find(name);
    return found == known_.end() ? std::vector<std::string>() : found->second;
  }
  // From now on this name is looked up until release().
  void hold(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    held_ = name;
  }
  void release() {
    const std::scoped_lock lock(mutex_);
    held_.clear();
    released_.notify_all();
  }
  void wait_if_held(const std::string& name) {
    std::unique_lock lock(mutex_);
    if (name != held_ || name.empty()) return;
    ++waiting;
    released_.wait(lock, [&] { return name != held_; });
    --waiting;
  }

  std::atomic<int> lookups{0};
  std::atomic<int> waiting{0};
  std::atomic<int> missing_family{AF_UNSPEC};  // the kernel has none of these sockets

 private:
  std::mutex mutex_;
  std::condition_variable released_;
  std::map<std::string, std::vector<std::string>> known_;
  std::string held_;
};

}  // namespace plait::test

extern "C" {

int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** result) {
  // SAFETY: what dlsym() finds by this name is this function.
  static const auto real =
      reinterpret_cast<decltype(&::getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  auto& names = plait::test::Names::get();
  const std::string name = host ? host : "";
  ++names.lookups;
  names.wait_if_held(name);
  const auto addresses = names.find(name);
  if (addresses.empty()) return real(host, service, hints, result);
  addrinfo** next = result;
  for (const std::string& address : addresses) {
    const int error = real(address.c_str(), service, hints, next);
    if (error != 0) return error;
    while (*next) next = &(*next)->ai_next;
  }
  return 0;
}

int socket(int family, int type, int protocol) noexcept {
  if (family != plait::test::Names::get().missing_family) {
    return static_cast<int>(::syscall(SYS_socket, family, type, protocol));
  }
  errno = EAFNOSUPPORT;
  return -1;
}

}  // extern "C"
