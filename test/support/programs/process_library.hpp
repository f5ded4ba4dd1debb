// Shared libraries that process_code is linked with, or loads: each has its own number.
#pragma once

extern "C" int process_library_one();
extern "C" int process_library_two();
