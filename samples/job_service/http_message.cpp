// How responses are put together.
#include "http_message.hpp"

#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace job_service {
namespace {

constexpr unsigned version_1_1 = 11;

}  // namespace

Response make_response(std::string_view type, std::string body) {
  Response response(http::status::ok, version_1_1, std::move(body));
  response.set(http::field::content_type, type);
  return response;
}

HttpError::HttpError(http::status status, const std::string& what)
    : std::runtime_error(what), status_(status) {}

HttpError::HttpError(http::status status, const std::string& what, http::field field,
                     std::string value)
    : std::runtime_error(what), status_(status), field_(field), value_(std::move(value)) {}

Response HttpError::response() const {
  const boost::json::object body{{"error", what()}};
  Response response = make_response("application/json", boost::json::serialize(body) + "\n");
  response.result(status_);
  if (field_ != http::field::unknown) response.set(field_, value_);
  return response;
}

}  // namespace job_service
