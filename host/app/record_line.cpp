#include "app/record_line.hpp"

#include <limits>

#include <fmt/format.h>
#include <simdjson.h>

#include "app/output.hpp"
#include "base/bytes.hpp"
#include "config/suggest.hpp"
#include "config/values.hpp"

namespace weir::host {
namespace {

namespace dom = simdjson::dom;

const std::vector<std::string> known_fields = {"key",          "value",     "headers",
                                               "timestamp",    "partition", "key_base64",
                                               "value_base64", "offset",    "topic"};

std::string_view kind_of(dom::element element) {
  switch (element.type()) {
    case dom::element_type::ARRAY:
      return "a list";
    case dom::element_type::OBJECT:
      return "an object";
    case dom::element_type::STRING:
      return "a string";
    case dom::element_type::BOOL:
      return "a bool";
    case dom::element_type::NULL_VALUE:
      return "null";
    default:
      return "a number";
  }
}

Result<std::string> string_of(dom::element element, std::string_view name) {
  std::string_view text;
  if (element.get_string().get(text) == simdjson::SUCCESS) return std::string(text);
  return error(Errc::invalid, "{}: expected a string, found {}", name, kind_of(element));
}

Result<std::int64_t> timestamp_of(dom::element element) {
  std::int64_t ms = 0;
  if (element.get_int64().get(ms) == simdjson::SUCCESS) return ms;
  std::string_view text;
  if (element.get_string().get(text) == simdjson::SUCCESS) {
    auto parsed = parse_time_ms(text);
    if (!parsed) return error(Errc::invalid, "timestamp: {}", parsed.error().message);
    return *parsed;
  }
  return error(Errc::invalid, "timestamp: expected milliseconds or a time, found {}",
               kind_of(element));
}

}  // namespace

struct RecordLineReader::Impl {
  dom::parser parser;
  simdjson::ondemand::parser raw_parser;
  simdjson::padded_string padded;

  /// The JSON text of a field as it stands in the line: parsing and printing would change numbers.
  Result<std::string> raw_field(std::string_view line, const std::string& name) {
    padded = simdjson::padded_string(line);
    simdjson::ondemand::document document;
    std::string_view text;
    if (raw_parser.iterate(padded).get(document) != simdjson::SUCCESS) {
      return error(Errc::invalid, "{}: not JSON", name);
    }
    simdjson::ondemand::value value;
    if (document.find_field_unordered(name).get(value) != simdjson::SUCCESS) {
      return error(Errc::invalid, "{}: not found", name);
    }
    simdjson::ondemand::object object;
    simdjson::ondemand::array array;
    simdjson::ondemand::json_type type{};
    if (value.type().get(type) != simdjson::SUCCESS)
      return error(Errc::invalid, "{}: not JSON", name);
    bool ok = false;
    if (type == simdjson::ondemand::json_type::object) {
      ok = value.get_object().get(object) == simdjson::SUCCESS &&
           object.raw_json().get(text) == simdjson::SUCCESS;
    } else if (type == simdjson::ondemand::json_type::array) {
      ok = value.get_array().get(array) == simdjson::SUCCESS &&
           array.raw_json().get(text) == simdjson::SUCCESS;
    } else {
      text = value.raw_json_token();
      ok = true;
    }
    if (!ok) return error(Errc::invalid, "{}: not JSON", name);
    const std::size_t last = text.find_last_not_of(" \t\r\n");
    return std::string(text.substr(0, last + 1));
  }

  Result<void> read_key(LineRecord& out, dom::element element, std::string_view line) {
    if (element.is_null()) return {};
    if (element.is_object() || element.is_array()) {
      return error(Errc::invalid, "key: expected a string or a number, found {}", kind_of(element));
    }
    if (element.is_string()) {
      WEIR_TRY(out.key, string_of(element, "key"));
    } else {
      WEIR_TRY(out.key, raw_field(line, "key"));
    }
    return {};
  }

  Result<void> read_value(LineRecord& out, dom::element element, std::string_view line) {
    if (element.is_null()) return {};
    if (element.is_string()) {
      WEIR_TRY(out.value, string_of(element, "value"));
    } else {
      WEIR_TRY(out.value, raw_field(line, "value"));
    }
    return {};
  }

  static Result<void> read_headers(LineRecord& out, dom::element element) {
    dom::object object;
    if (element.get_object().get(object) != simdjson::SUCCESS) {
      return error(Errc::invalid, "headers: expected an object, found {}", kind_of(element));
    }
    for (const auto [name, value] : object) {
      LineRecord::NamedHeader header{std::string(name), std::nullopt};
      if (value.is_object()) {
        std::string_view base64;
        if (value["base64"].get_string().get(base64) != simdjson::SUCCESS) {
          return error(Errc::invalid, "headers.{}: expected text or {{\"base64\": ...}}",
                       printable(name));
        }
        WEIR_TRY(header.value, from_base64(base64));
      } else if (!value.is_null()) {
        WEIR_TRY(header.value, string_of(value, "headers." + printable(name)));
      }
      out.headers.push_back(std::move(header));
    }
    return {};
  }

  Result<void> read_field(LineRecord& out, std::string_view name, dom::element element,
                          std::string_view line) {
    if (name == "key") return read_key(out, element, line);
    if (name == "value") return read_value(out, element, line);
    if (name == "headers") return read_headers(out, element);
    if (name == "offset" || name == "topic") return {};  // what consume printed beside the record
    if (name == "timestamp") {
      WEIR_TRY(out.timestamp_ms, timestamp_of(element));
      return {};
    }
    if (name == "partition") {
      std::int64_t number = 0;
      if (element.get_int64().get(number) != simdjson::SUCCESS || number < 0 ||
          number > std::numeric_limits<std::int32_t>::max()) {
        return error(Errc::invalid, "partition: expected a whole number from 0 on");
      }
      out.partition = static_cast<std::int32_t>(number);
      return {};
    }
    if (name == "key_base64" || name == "value_base64") {
      WEIR_TRY(const std::string text, string_of(element, name));
      auto bytes = from_base64(text);
      if (!bytes) return error(Errc::invalid, "{}: {}", name, bytes.error().message);
      (name == "key_base64" ? out.key : out.value) = *std::move(bytes);
      return {};
    }
    return error(Errc::invalid, "unknown field \"{}\"; {}", printable(name),
                 suggestion(name, known_fields, "known fields"));
  }
};

RecordLineReader::RecordLineReader() : impl_(std::make_unique<Impl>()) {}
RecordLineReader::~RecordLineReader() = default;

Result<LineRecord> RecordLineReader::read(std::string_view line) {
  dom::element root;
  if (const auto code = impl_->parser.parse(line.data(), line.size()).get(root);
      code != simdjson::SUCCESS) {
    return error(Errc::invalid, "not JSON: {}", simdjson::error_message(code));
  }
  dom::object object;
  if (root.get_object().get(object) != simdjson::SUCCESS) {
    return error(Errc::invalid,
                 "expected a JSON object such as {{\"key\": \"k\", \"value\": ...}}, found {}; "
                 "with --raw each line is a value",
                 kind_of(root));
  }
  LineRecord out;
  for (const auto [name, element] : object) {
    WEIR_CHECK(impl_->read_field(out, name, element, line));
  }
  return out;
}

Result<std::string> RecordLineReader::field_of(std::string_view json, const std::string& field) {
  dom::element root;
  dom::element element;
  if (impl_->parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS ||
      !root.is_object()) {
    return error(Errc::invalid, "the value is not a JSON object; --key {} needs one", field);
  }
  if (root.at_key(field).get(element) != simdjson::SUCCESS) {
    return error(Errc::invalid, "the value has no field \"{}\" for the key", printable(field));
  }
  if (element.is_string()) return string_of(element, field);
  if (element.is_null() || element.is_object() || element.is_array()) {
    return error(Errc::invalid, "the key's field \"{}\": expected a string or a number, found {}",
                 printable(field), kind_of(element));
  }
  return impl_->raw_field(json, field);
}

namespace {

/// Whether `text` can stand in a line as JSON and come back byte for byte.
bool is_json_container(std::string_view text) {
  if (text.empty() || (text.front() != '{' && text.front() != '[')) return false;
  if (text.find_first_of("\r\n") != text.npos || text.back() == ' ' || text.back() == '\t') {
    return false;
  }
  thread_local dom::parser parser;
  dom::element ignored;
  return parser.parse(text.data(), text.size()).get(ignored) == simdjson::SUCCESS;
}

}  // namespace

std::string record_line(std::int32_t partition, const Record& record,
                        const std::optional<std::string>& value_json) {
  std::string out = fmt::format(R"({{"partition":{},"offset":{},"timestamp":{},)", partition,
                                record.offset, record.timestamp_ms);
  out += json_bytes("key", record.key) + ",";
  if (value_json) {
    out += "\"value\":" + *value_json;
  } else if (record.value && is_json_container(*record.value)) {
    out += "\"value\":";
    out += *record.value;
  } else {
    out += json_bytes("value", record.value);
  }
  if (!record.headers.empty()) {
    out += ",\"headers\":{";
    for (const Header& header : record.headers) {
      if (out.back() != '{') out += ',';
      out += json_string(header.name) + ":";
      if (!header.value) {
        out += "null";
      } else if (is_utf8(*header.value)) {
        out += json_string(*header.value);
      } else {
        out += fmt::format(R"({{"base64":"{}"}})", to_base64(*header.value));
      }
    }
    out += '}';
  }
  return out + '}';
}

}  // namespace weir::host
