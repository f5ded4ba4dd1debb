// Functions are found in workers by their places in the program and its libraries, whatever lies
// on the disk by then: the right one is called, or none.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "../support/child_program.hpp"
#include "../support/nothing_left.hpp"

namespace plait::test {
namespace {

namespace fs = std::filesystem;

constexpr char all_right[] =
    "10 10 20 31 40 40 50 12 60 \n"
    "15 15 25 36 45 45 55 17 65 \n"
    "11 12 12\n";

fs::path programs() { return fs::read_symlink("/proc/self/exe").parent_path(); }

// A folder beside the programs, and copies of them within and beside it; gone with the scope.
class Copies {
 public:
  Copies() : folder_((programs() / "process_code_XXXXXX").string()) {
    if (!::mkdtemp(folder_.data())) {
      throw std::system_error(errno, std::generic_category(), "mkdtemp()");
    }
  }
  ~Copies() {
    fs::remove_all(folder_);
    fs::remove(program());
  }
  Copies(const Copies&) = delete;
  Copies& operator=(const Copies&) = delete;

  const std::string& folder() const { return folder_; }
  // Beside the others, where it finds its libraries.
  std::string program() const { return folder_ + "_program"; }
  std::string copy_program(const char* name) const {
    fs::copy_file(programs() / name, program(), fs::copy_options::overwrite_existing);
    return program();
  }
  std::string copy(const std::string& name, const std::string& to) const {
    fs::copy_file(programs() / name, fs::path(folder_) / to);
    return folder_ + "/" + to;
  }

 private:
  std::string folder_;
};

// Programs that are started look for libraries there first, until the end of the scope.
class LibraryPath {
 public:
  explicit LibraryPath(const std::string& folder) {
    if (const char* const before = std::getenv(name)) before_ = before;
    ::setenv(name, (before_.empty() ? folder : folder + ":" + before_).c_str(), 1);
  }
  ~LibraryPath() {
    if (before_.empty()) {
      ::unsetenv(name);
    } else {
      ::setenv(name, before_.c_str(), 1);
    }
  }
  LibraryPath(const LibraryPath&) = delete;
  LibraryPath& operator=(const LibraryPath&) = delete;

 private:
  static constexpr char name[] = "LD_LIBRARY_PATH";
  std::string before_;
};

void check_says(const std::string& program, const std::vector<std::string>& arguments,
                const std::string& output) {
  CAPTURE(program);
  CAPTURE(arguments[0]);
  const auto result = run_program(program, arguments);
  CHECK(result.out == output);
  CHECK(result.err == "");
  CHECK(result.exit_status == 0);
}

// Libraries that the program loads, and other versions of them: with build ids and without.
struct Plugin {
  std::string file;
  std::string newer;
  std::string results;
};
const Plugin plugins[] = {
    {"libprocess_library_3.so", "libprocess_library_4.so", "31 32"},
    {"libprocess_library_5.so", "libprocess_library_6.so", "51 52"},
};

TEST_SUITE_BEGIN("executors/process_code_addresses");

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: of functions with the same name in two files, each its own") {
  check_says("process_code", {"names_are_not_enough"}, all_right);
}

TEST_CASE_FIXTURE(NothingLeft, "submit: functions are found however the program was linked") {
  for (const char* const program : {"process_code_lto", "process_code_no_pie"}) {
    if (!fs::exists(programs() / program)) continue;  // this compiler cannot
    check_says(program, {"names_are_not_enough"}, all_right);
  }
}

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: workers run the program that runs, not the file's new one") {
  for (const char* const scenario :
       {"program_is_replaced_by_copy", "program_is_replaced_by_rename"}) {
    const Copies copies;
    const auto other = copies.copy("pool_scenarios", "other");
    check_says(copies.copy_program("process_code"), {scenario, other}, all_right);
  }
}

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: a function of a library that was replaced is refused, and others run") {
  const Copies copies;
  copies.copy("libprocess_library_1.so", "libprocess_library_1.so");
  const auto newer = copies.copy("libprocess_library_2.so", "newer.so");
  const LibraryPath path(copies.folder());
  check_says("process_code", {"library_is_replaced", newer}, "refused refused\n10\n");
}

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: a function of a library that was loaded later is refused until the "
                  "worker has loaded it") {
  for (const Plugin& plugin : plugins) {
    const Copies copies;
    const auto file = copies.copy(plugin.file, "plugin.so");
    check_says("process_code", {"plugin_is_loaded_after_start", file},
               "10\nrefused refused\n" + plugin.results + "\n");
    check_says("process_code", {"plugin_is_loaded_by_initializer", file}, plugin.results + "\n");
  }
}

TEST_CASE_FIXTURE(NothingLeft,
                  "submit: a function of a library of which the worker has loaded another version "
                  "is refused") {
  for (const Plugin& plugin : plugins) {
    CAPTURE(plugin.file);
    const Copies copies;
    const auto file = copies.copy(plugin.file, "plugin.so");
    const auto newer = copies.copy(plugin.newer, "newer.so");
    check_says("process_code", {"plugin_is_replaced", file, newer}, "refused refused\n10\n");
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace plait::test
