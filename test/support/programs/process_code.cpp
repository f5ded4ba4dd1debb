// A program whose code lies in several places: run as `process_code NAME [FILE [FILE]]` by the
// tests of code addresses. Says what became of each call.
#include "process_code.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <plait/core/errors.hpp>

#include "../tsan_suppressions.hpp"
#include "process_library.hpp"

namespace plait::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto limit = 10s;
std::vector<std::string> arguments;

// -- everything here has a namesake in process_code_elsewhere.cpp

int twin() { return 10; }
struct Twin {
  int operator()() const { return 20; }
};
struct AddTo {
  int first = 30;
  int operator()(int second) const { return first + second; }
};
auto make_twin() {
  return [] { return 40; };
}
const auto twin_lambda = [] { return 50; };
template <int number>
int twin_template() {
  return number + twin();
}

// --

void say(const std::string& text) { std::puts(text.c_str()); }

// Its value, or "refused".
std::string outcome(const Future<int>& future) {
  try {
    return std::to_string(future.result(limit));
  } catch (const SerializationError& error) {
    const bool as_documented = std::string(error.what()).find("replaced") != std::string::npos;
    return as_documented ? "refused" : error.what();
  } catch (const std::exception& error) {
    return error.what();
  }
}

void say_all(ProcessPoolExecutor& pool) {
  say(run_twins(pool));
  say(run_twins_elsewhere(pool));
  say(outcome(pool.submit(process_library_one)) + " " + outcome(pool.submit(process_library_two)) +
      " " + outcome(pool.submit(remote<process_library_two>)));
}

// -- code of this program, and of the library that it is linked with

void names_are_not_enough() {
  ProcessPoolExecutor pool(1);
  say_all(pool);
}

void program_is_replaced_by_copy() {
  ProcessPoolExecutor pool({.max_workers = 1, .max_tasks_per_child = 2});
  pool.submit(twin).result(limit);
  const auto program = fs::read_symlink("/proc/self/exe");
  fs::remove(program);
  fs::copy_file(arguments.at(0), program);
  say_all(pool);
}

void program_is_replaced_by_rename() {
  ProcessPoolExecutor pool({.max_workers = 1, .max_tasks_per_child = 2});
  fs::rename(arguments.at(0), fs::read_symlink("/proc/self/exe"));
  say_all(pool);
}

std::string path_of_library() {
  Dl_info info{};
  // SAFETY: POSIX lets the address of a function be kept in a pointer to an object.
  ::dladdr(reinterpret_cast<const void*>(&process_library_one), &info);
  return info.dli_fname;
}

void library_is_replaced() {
  ProcessPoolExecutor pool(1);
  fs::rename(arguments.at(0), path_of_library());
  say(outcome(pool.submit(process_library_one)) + " " + outcome(pool.submit(process_library_two)));
  say(outcome(pool.submit(twin)));
}

// -- code that is loaded later

using Function = int();

Function* load(const char* function) {
  void* const library = ::dlopen(std::getenv("PLAIT_TEST_PLUGIN"), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(::dlerror());
  // SAFETY: the library says so.
  return reinterpret_cast<Function*>(::dlsym(library, function));
}
void load_plugin() { load("process_library_one"); }

void plugin_is_loaded_after_start() {
  ::setenv("PLAIT_TEST_PLUGIN", arguments.at(0).c_str(), 1);
  ProcessPoolExecutor pool(1);
  say(outcome(pool.submit(twin)));
  const auto one = load("process_library_one"), two = load("process_library_two");
  say(outcome(pool.submit(one)) + " " + outcome(pool.submit(two)));
  pool.submit(load_plugin).result(limit);
  say(outcome(pool.submit(one)) + " " + outcome(pool.submit(two)));
}

void plugin_is_loaded_by_initializer() {
  ::setenv("PLAIT_TEST_PLUGIN", arguments.at(0).c_str(), 1);
  const auto one = load("process_library_one"), two = load("process_library_two");
  ProcessPoolExecutor pool({.max_workers = 1, .initializer = load_plugin});
  say(outcome(pool.submit(one)) + " " + outcome(pool.submit(two)));
}

void plugin_is_replaced() {
  ::setenv("PLAIT_TEST_PLUGIN", arguments.at(0).c_str(), 1);
  const auto one = load("process_library_one"), two = load("process_library_two");
  fs::rename(arguments.at(1), arguments.at(0));
  ProcessPoolExecutor pool({.max_workers = 1, .initializer = load_plugin});
  say(outcome(pool.submit(one)) + " " + outcome(pool.submit(two)));
  say(outcome(pool.submit(twin)));
}

const std::map<std::string, void (*)()> scenarios{
    {"names_are_not_enough", names_are_not_enough},
    {"program_is_replaced_by_copy", program_is_replaced_by_copy},
    {"program_is_replaced_by_rename", program_is_replaced_by_rename},
    {"library_is_replaced", library_is_replaced},
    {"plugin_is_loaded_after_start", plugin_is_loaded_after_start},
    {"plugin_is_loaded_by_initializer", plugin_is_loaded_by_initializer},
    {"plugin_is_replaced", plugin_is_replaced},
};

}  // namespace

std::string run_twins(ProcessPoolExecutor& pool) {
  std::string results;
  for (const auto& future :
       {pool.submit(twin), pool.submit(remote<twin>), pool.submit(Twin()), pool.submit(AddTo(), 1),
        pool.submit(make_twin()), pool.submit(+make_twin()), pool.submit(twin_lambda),
        pool.submit(twin_template<2>), pool.submit([] { return 60; })}) {
    results += outcome(future) + " ";
  }
  return results;
}

}  // namespace plait::test

int main(int argc, char** argv) {
  const auto found = plait::test::scenarios.find(argc > 1 ? argv[1] : "");
  if (found == plait::test::scenarios.end()) return 127;
  plait::test::arguments.assign(argv + 2, argv + argc);
  found->second();
  return 0;
}
