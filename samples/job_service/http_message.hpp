// Requests, responses, and errors that say which response they become.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include <boost/beast/http/field.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>

namespace job_service {

namespace http = boost::beast::http;

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

// A response whose body is `body`, of the media type `type`.
Response make_response(std::string_view type, std::string body);

// What a client did wrong, or cannot have now. Thrown anywhere below a request, it ends that
// request only.
class HttpError : public std::runtime_error {
 public:
  HttpError(http::status status, const std::string& what);
  // As above, with one header field that tells the client what to do about it.
  HttpError(http::status status, const std::string& what, http::field field, std::string value);

  // {"error": what()}
  Response response() const;

 private:
  http::status status_;
  http::field field_ = http::field::unknown;
  std::string value_;
};

}  // namespace job_service
