// Linked into each program with --wrap=main: runs before main(), after all static objects were
// made.
#include <plait/executors/process_pool_executor.hpp>

// The linker's names for the program's own main() and for what is called in its stead.
extern "C" int plait_real_main(int argc, char** argv, char** environment) __asm__("__real_main");
extern "C" int plait_wrap_main(int argc, char** argv, char** environment) __asm__("__wrap_main");

extern "C" int plait_wrap_main(int argc, char** argv, char** environment) {
  plait::process_bootstrap(argc, argv);
  return plait_real_main(argc, argv, environment);
}
