// Finds the modules of this process by their build ids.
#include <plait/executors/detail/code_address.hpp>

#include <elf.h>
#include <link.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <plait/core/errors.hpp>

#include "core/mutex.hpp"

namespace plait::detail {
namespace {

struct Module {
  std::uint64_t id;
  std::uintptr_t base;
  std::uintptr_t begin, end;  // of what is loaded
};

// What was loaded when it was asked last, as to name a module may take long.
struct Modules {
  unsigned long long loaded = 0, unloaded = 0;  // how many ever were
  bool complete = false;
  std::vector<Module> all;
};

// FNV-1a
std::uint64_t hash(std::string_view bytes) {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const char byte : bytes) value = (value ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return value;
}

// Empty: there is none.
std::string_view build_id(const char* notes, std::size_t size) {
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes, sizeof note);
    const std::size_t name = (note.n_namesz + 3U) & ~std::size_t{3};
    const std::size_t content = (note.n_descsz + 3U) & ~std::size_t{3};
    if (sizeof note + name + content > size) break;
    if (note.n_type == NT_GNU_BUILD_ID) return {notes + sizeof note + name, note.n_descsz};
    notes += sizeof note + name + content;
    size -= sizeof note + name + content;
  }
  return {};
}

// Without a build id its code names it. The path does not: another version may lie there by now.
Module module_of(const dl_phdr_info* info) {
  Module module{0, info->dlpi_addr, UINTPTR_MAX, 0};
  std::string_view id, code;
  for (const auto& header : std::basic_string_view(info->dlpi_phdr, info->dlpi_phnum)) {
    const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_LOAD) {
      module.begin = std::min(module.begin, begin);
      module.end = std::max(module.end, begin + header.p_memsz);
      const bool is_code = (header.p_flags & PF_X) != 0 && (header.p_flags & PF_R) != 0;
      // SAFETY: the loader has mapped this segment of the module, which is read only.
      if (is_code) code = {reinterpret_cast<const char*>(begin), header.p_filesz};
    } else if (header.p_type == PT_NOTE) {
      // SAFETY: the loader has mapped this segment of the module, which is read only.
      const auto found = build_id(reinterpret_cast<const char*>(begin), header.p_memsz);
      if (!found.empty()) id = found;
    }
  }
  module.id = hash(id.empty() ? code : id);
  return module;
}

// Not 0: they are known.
int add_module(dl_phdr_info* info, std::size_t, void* known) {
  auto& modules = *static_cast<Modules*>(known);
  if (modules.loaded != info->dlpi_adds || modules.unloaded != info->dlpi_subs) {
    modules = {info->dlpi_adds, info->dlpi_subs, false, {}};
  }
  if (modules.complete) return 1;
  modules.all.push_back(module_of(info));
  return 0;
}

const std::vector<Module>& loaded_modules() {
  thread_local Modules modules;         // and so no lock that a fork() could find taken
  if (!modules.complete) modules = {};  // it was interrupted by an exception
  ::dl_iterate_phdr(add_module, &modules);
  modules.complete = true;
  return modules.all;
}

}  // namespace

CodeAddress address_of_code(const void* code) {
  // SAFETY: only compared and subtracted.
  const auto place = reinterpret_cast<std::uintptr_t>(code);
  for (const Module& module : loaded_modules()) {
    if (module.begin <= place && place < module.end) return {module.id, place - module.base};
  }
  throw SerializationError(
      "a function lies in no program or library that is loaded, so it has no name in another "
      "process: submit a function of the program");
}

const void* code_at(const CodeAddress& address) {
  for (const Module& module : loaded_modules()) {
    const std::uintptr_t place = module.base + address.offset;
    if (module.id != address.module || place < module.begin || place >= module.end) continue;
    // SAFETY: it lies within the same module at the same place as where it was named.
    return reinterpret_cast<const void*>(place);
  }
  return nullptr;
}

}  // namespace plait::detail
