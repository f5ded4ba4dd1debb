// Exceptions as bytes, and as themselves again.
#include <cxxabi.h>
#include <unistd.h>

#include <any>
#include <filesystem>
#include <functional>
#include <future>
#include <ios>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <regex>
#include <stdexcept>
#include <system_error>
#include <typeinfo>
#include <variant>
#include <vector>

#include <plait/core/cancelled_error.hpp>
#include <plait/core/exception_group.hpp>
#include <plait/executors/broken_executor.hpp>
#include <plait/executors/detail/frame_archive.hpp>
#include <plait/executors/detail/remote_error.hpp>

#include "core/describe_exception.hpp"
#include "core/mutex.hpp"

namespace plait::detail {
namespace {

constexpr int deepest_nesting = 16;

// -- the types that are known

void encode_nothing(const void*, Payload&) {}

template <class E>
std::exception_ptr rebuild_from_text(RemoteErrorText text, ByteSource&,
                                     const std::exception_ptr& nested) {
  if constexpr (std::constructible_from<E, std::string>) {
    E error(text.what);
    return make_error(Rebuilt<E>(std::move(error), std::move(text)), nested);
  } else {
    return make_error(Rebuilt<E>(E(), std::move(text)), nested);
  }
}

// Stands for one of the program's own: equal to none of this process.
class RemoteCategory final : public std::error_category {
 public:
  explicit RemoteCategory(std::string name) : name_(std::move(name)) {}
  const char* name() const noexcept override { return name_.c_str(); }
  std::string message(int value) const override { return name_ + " " + std::to_string(value); }

 private:
  std::string name_;
};
const std::error_category& remote_category(std::string_view name) {
  static Mutex& mutex = *new Mutex;
  static auto& known = *new std::map<std::string, RemoteCategory, std::less<>>;
  MutexLock lock(mutex);
  const auto found = known.find(name);
  if (found != known.end()) return found->second;
  return known.try_emplace(std::string(name), std::string(name)).first->second;
}

const std::error_category& category_of(std::string_view name) {
  for (const auto* known :
       {&std::system_category(), &std::iostream_category(), &std::future_category()}) {
    if (name == known->name()) return *known;
  }
  if (name == std::generic_category().name()) return std::generic_category();
  return remote_category(name);
}

template <class E>
void encode_code(const void* error, Payload& payload) {
  const std::error_code code = static_cast<const E*>(error)->code();
  FrameWriter out(payload);
  out(std::string(code.category().name()), code.value());
  if constexpr (std::is_same_v<E, std::filesystem::filesystem_error>) {
    out(static_cast<const E*>(error)->path1(), static_cast<const E*>(error)->path2());
  }
}
template <class E>
std::exception_ptr rebuild_code(RemoteErrorText text, ByteSource& source,
                                const std::exception_ptr& nested) {
  FrameReader in(source);
  std::string category;
  int value = 0;
  in(category, value);
  const std::error_code code(value, category_of(category));
  if constexpr (std::is_same_v<E, std::filesystem::filesystem_error>) {
    std::filesystem::path path1, path2;
    in(path1, path2);
    return make_error(Rebuilt<E>(E(std::string(), path1, path2, code), std::move(text)), nested);
  } else if constexpr (std::is_same_v<E, std::system_error>) {
    return make_error(Rebuilt<E>(E(code), std::move(text)), nested);
  } else if constexpr (std::is_same_v<E, std::future_error>) {
    return make_error(Rebuilt<E>(E(static_cast<std::future_errc>(value)), std::move(text)), nested);
  } else {
    return make_error(Rebuilt<E>(E(std::string(), code), std::move(text)), nested);
  }
}

void encode_regex(const void* error, Payload& payload) {
  FrameWriter out(payload);
  out(static_cast<int>(static_cast<const std::regex_error*>(error)->code()));
}
std::exception_ptr rebuild_regex(RemoteErrorText text, ByteSource& source,
                                 const std::exception_ptr& nested) {
  FrameReader in(source);
  int code = 0;
  in(code);
  const auto type = static_cast<std::regex_constants::error_type>(code);
  return make_error(Rebuilt<std::regex_error>(std::regex_error(type), std::move(text)), nested);
}

void encode_death(const void* error, Payload& payload) {
  const auto& death = *static_cast<const WorkerDied*>(error);
  FrameWriter out(payload);
  out(death.pid(), death.signal(), death.exit_status());
}
std::exception_ptr rebuild_death(RemoteErrorText text, ByteSource& source,
                                 const std::exception_ptr& nested) {
  FrameReader in(source);
  int pid = 0, signal = 0, exit_status = 0;
  in(pid, signal, exit_status);
  WorkerDied error(text.what, pid, signal, exit_status);
  return make_error(Rebuilt<WorkerDied>(std::move(error), std::move(text)), nested);
}

// Each of its errors by its own type.
void encode_group(const void* error, Payload& payload) {
  const auto& errors = static_cast<const ExceptionGroup*>(error)->exceptions();
  FrameWriter out(payload);
  out(static_cast<std::uint64_t>(errors.size()));
  for (const std::exception_ptr& each : errors) encode_error(each, payload);
}
std::exception_ptr rebuild_group(RemoteErrorText text, ByteSource& source,
                                 const std::exception_ptr& nested) {
  FrameReader in(source);
  std::uint64_t left = 0;
  std::vector<std::exception_ptr> errors;
  for (in(left); left > 0; --left) errors.push_back(decode_error(source));
  ExceptionGroup error(text.what, std::move(errors));
  return make_error(Rebuilt<ExceptionGroup>(std::move(error), std::move(text)), nested);
}

// Not a std::exception; its future counts as cancelled.
std::exception_ptr rebuild_cancelled(RemoteErrorText text, ByteSource&, const std::exception_ptr&) {
  return std::make_exception_ptr(CancelledError(text.what));
}

// By the compiler's name of the type: both processes run the same program.
using ErrorTypes = std::map<std::string, ErrorType, std::less<>>;

template <class... E>
void add_texts(ErrorTypes& types) {
  (..., types.try_emplace(typeid(E).name(), ErrorType{encode_nothing, rebuild_from_text<E>}));
}
template <class... E>
void add_codes(ErrorTypes& types) {
  (..., types.try_emplace(typeid(E).name(), ErrorType{encode_code<E>, rebuild_code<E>}));
}

ErrorTypes known_types() {
  ErrorTypes types;
  add_texts<std::exception, std::logic_error, std::domain_error, std::invalid_argument,
            std::length_error, std::out_of_range, std::runtime_error, std::range_error,
            std::overflow_error, std::underflow_error, std::bad_alloc, std::bad_array_new_length,
            std::bad_cast, std::bad_any_cast, std::bad_typeid, std::bad_function_call,
            std::bad_optional_access, std::bad_variant_access, std::bad_weak_ptr,
            std::bad_exception>(types);
  add_texts<Error, InvalidStateError, TimeoutError, RuntimeError, DeadlockError, SerializationError,
            BrokenExecutor, BrokenThreadPool, BrokenProcessPool, RemoteError>(types);
  add_codes<std::system_error, std::filesystem::filesystem_error, std::ios_base::failure,
            std::future_error>(types);
  types.try_emplace(typeid(std::regex_error).name(), ErrorType{encode_regex, rebuild_regex});
  types.try_emplace(typeid(WorkerDied).name(), ErrorType{encode_death, rebuild_death});
  types.try_emplace(typeid(ExceptionGroup).name(), ErrorType{encode_group, rebuild_group});
  types.try_emplace(typeid(CancelledError).name(), ErrorType{encode_nothing, rebuild_cancelled});
  return types;
}

// Never destroyed: pools may outlive static destruction.
Mutex& types_mutex() {
  static Mutex& mutex = *new Mutex;
  return mutex;
}
// Guarded by types_mutex().
ErrorTypes& error_types() {
  static ErrorTypes& types = *new ErrorTypes(known_types());
  return types;
}

std::optional<ErrorType> find_type(std::string_view name) {
  MutexLock lock(types_mutex());
  const auto found = error_types().find(name);
  if (found == error_types().end()) return {};
  return found->second;
}

// What throw_with_nested() throws, and what was rebuilt in a pool of this worker's own, derives
// from E first; here is E again. Not by the name: how that spells E depends on what stands before
// it.
const std::type_info& own_type(const std::type_info& type) {
  const std::string_view name = type.name();
  const bool wrapped =
      name.starts_with("St17_Nested_exceptionI") || name.starts_with("N5plait6detail7RebuiltI");
  const auto* const bases = dynamic_cast<const abi::__vmi_class_type_info*>(&type);
  if (wrapped && bases) return own_type(*bases->__base_info[0].__base_type);
  if (name == "St13__ios_failure") return typeid(std::ios_base::failure);  // what streams throw
  return type;
}

// -- what travels

struct ErrorRecord {
  std::string type;       // the compiler's name; empty: not known there
  std::string type_name;  // as the source spells it
  std::string what;
  std::string content;  // what ErrorType::encode wrote
  bool has_nested = false;
};

std::string spelled(const std::string& mangled) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : mangled;
}

// Runs in: a handler of `error`, a std::exception or a CancelledError, or nothing that is known.
ErrorRecord describe_current(const void* error, const char* what) {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  ErrorRecord record;
  const std::string name = type ? own_type(*type).name() : "unknown";
  record.type_name = spelled(name);
  record.what = what ? what : "";
  if (const auto known = error ? find_type(name) : std::nullopt) {
    Payload content;
    known->encode(error, content);
    content.for_each_piece([&](std::string_view piece) { record.content += piece; });
    record.type = name;
  }
  return record;
}

// Where the most derived object of a std::exception begins is where what was caught begins.
ErrorRecord describe(const std::exception_ptr& error, std::exception_ptr& nested) {
  try {
    std::rethrow_exception(error);
  } catch (const CancelledError& e) {
    // Whatever is derived from it: its future counts as cancelled.
    return {.type = typeid(CancelledError).name(),
            .type_name = "plait::CancelledError",
            .what = e.message(),
            .content = {}};
  } catch (const std::exception& e) {
    if (const auto* const chain = dynamic_cast<const std::nested_exception*>(&e)) {
      nested = chain->nested_ptr();
    }
    return describe_current(dynamic_cast<const void*>(&e), e.what());
  } catch (...) {
    return describe_current(nullptr, "");
  }
}

void encode(const std::exception_ptr& error, Payload& payload, int depth) {
  std::exception_ptr nested;
  ErrorRecord record = describe(error, nested);
  record.has_nested = nested && depth < deepest_nesting;
  FrameWriter out(payload);
  out(record);
  if (record.has_nested) encode(nested, payload, depth + 1);
}

std::exception_ptr rebuild_unknown(RemoteErrorText text, const std::exception_ptr& nested) {
  text.what = text.type_name + (text.what.empty() ? "" : ": " + text.what) +
              ", thrown in the worker process " + std::to_string(text.pid);
  RemoteError error(text.what);
  return make_error(Rebuilt<RemoteError>(std::move(error), std::move(text)), nested);
}

}  // namespace

void register_error_type(const std::type_info& type, const ErrorType& how) {
  MutexLock lock(types_mutex());
  error_types().insert_or_assign(type.name(), how);
}

void encode_error(const std::exception_ptr& error, Payload& payload) {
  const auto pid = static_cast<std::int32_t>(::getpid());
  payload.append(&pid, sizeof pid);
  encode(error, payload, 0);
}

namespace {

std::exception_ptr decode(ByteSource& source, int pid) {
  FrameReader in(source);
  ErrorRecord record;
  in(record);
  std::exception_ptr nested;
  if (record.has_nested) nested = decode(source, pid);
  RemoteErrorText text{std::move(record.type_name), std::move(record.what), pid};
  const auto known = record.type.empty() ? std::nullopt : find_type(record.type);
  if (!known) return rebuild_unknown(std::move(text), nested);
  BufferedBytes content(record.content);
  return known->rebuild(std::move(text), content, nested);
}

}  // namespace

// An exception that cannot be rebuilt is an error of its own future only.
std::exception_ptr decode_error(ByteSource& source) {
  try {
    std::int32_t pid = 0;
    source.read(&pid, sizeof pid);
    return decode(source, pid);
  } catch (...) {
    const auto cause = std::current_exception();
    return make_error(
        SerializationError("an exception that a worker process has thrown could not be rebuilt: " +
                           describe_exception(cause)),
        cause);
  }
}

}  // namespace plait::detail
