#include "resolve/manifest.hpp"

#include <algorithm>
#include <concepts>
#include <optional>

#include "base/bytes.hpp"
#include "base/counted.hpp"
#include "base/number.hpp"

namespace weir::host {

namespace {

constexpr std::size_t name_bytes_max = 63;
constexpr std::size_t type_bytes_max = 512;
constexpr std::size_t resolvers_max = 1000;
constexpr std::size_t features_max = 1000;
constexpr std::string_view first_line = "weir.manifest/1";

bool is_name(std::string_view text) {
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto fits = [&](char c) { return is_lower(c) || (c >= '0' && c <= '9') || c == '_'; };
  return !text.empty() && text.size() <= name_bytes_max && is_lower(text.front()) &&
         std::ranges::all_of(text, fits);
}

bool is_version(std::string_view text) {
  return !text.empty() && text.size() <= name_bytes_max &&
         std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_type(std::string_view text) {
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (text.empty() || text.size() > type_bytes_max) return false;
  bool starts = true;  // a word of the dotted name starts here
  for (const char c : text) {
    if (c == '.') {
      if (starts) return false;
      starts = true;
    } else {
      if (!is_word(c) || (starts && c >= '0' && c <= '9')) return false;
      starts = false;
    }
  }
  return !starts;
}

template <std::unsigned_integral T>
std::optional<T> to_canonical_number(std::string_view text) {
  const bool canonical = text == "0" || !text.starts_with('0');
  return canonical ? to_number<T>(text) : std::nullopt;
}

/// Walks the lines; the grammar has no choice that needs more than the line's first word.
class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) { advance(); }

  Result<Manifest> parse() {
    if (line_ != first_line) return unexpected(first_line);
    advance();
    WEIR_CHECK(parse_abi());
    WEIR_CHECK(parse_words("sdk", 1));
    if (!is_version(words_[1])) return bad_word("sdk", "a version", words_[1]);
    manifest_.sdk_version = words_[1];
    advance();
    WEIR_CHECK(parse_words("protobuf", 1));
    const auto protobuf = to_canonical_number<std::uint32_t>(words_[1]);
    if (!protobuf) return bad_word("protobuf", "GOOGLE_PROTOBUF_VERSION or 0", words_[1]);
    manifest_.protobuf_version = *protobuf;
    advance();
    WEIR_CHECK(parse_words("plugin", 2));
    if (!is_name(words_[1])) return bad_name("plugin", words_[1]);
    if (!is_version(words_[2])) return bad_word("plugin", "a version", words_[2]);
    manifest_.plugin = words_[1];
    manifest_.version = words_[2];
    advance();
    do {
      WEIR_CHECK(parse_resolver());
    } while (!at_end_);
    return std::move(manifest_);
  }

 private:
  Result<void> parse_abi() {
    WEIR_CHECK(parse_words("abi", 1));
    const std::string_view version = words_[1];
    const std::size_t dot = version.find('.');
    const auto major = to_canonical_number<std::uint32_t>(version.substr(0, dot));
    const auto minor = dot == std::string_view::npos
                           ? std::nullopt
                           : to_canonical_number<std::uint32_t>(version.substr(dot + 1));
    if (!major || !minor) return bad_word("abi", "a version such as 1.0", version);
    manifest_.abi_major = *major;
    manifest_.abi_minor = *minor;
    advance();
    return {};
  }

  Result<void> parse_resolver() {
    WEIR_CHECK(parse_words("resolver", 1));
    if (!is_name(words_[1])) return bad_name("resolver", words_[1]);
    if (manifest_.find(words_[1]) != nullptr) return duplicate("resolver", words_[1]);
    if (manifest_.resolvers.size() >= resolvers_max) {
      return wrong(fmt::format("more than {} resolvers", resolvers_max));
    }
    Manifest::Resolver resolver;
    resolver.name = words_[1];
    advance();
    if (starts_with("message")) WEIR_CHECK(parse_type("message", resolver.message_type));
    if (starts_with("state")) {
      WEIR_CHECK(parse_words("state", 2, 3));
      if (!is_type(words_[1])) return bad_word("state", "a message type", words_[1]);
      const auto version = to_canonical_number<std::uint32_t>(words_[2]);
      if (!version || *version < 1 || *version > 65535) {
        return bad_word("state", "a State version from 1 to 65535", words_[2]);
      }
      resolver.state_type = words_[1];
      resolver.state_version = *version;
      resolver.state_readable_by = *version;
      if (words_.size() > 3) {
        const auto reader = to_canonical_number<std::uint32_t>(words_[3]);
        if (!reader || *reader < 1 || *reader > *version) {
          return bad_word("state", "the oldest State version that reads it, 1 to its own",
                          words_[3]);
        }
        resolver.state_readable_by = *reader;
      }
      advance();
    }
    if (starts_with("settings")) WEIR_CHECK(parse_type("settings", resolver.settings_type));
    if (starts_with("timers")) {
      WEIR_CHECK(parse_words("timers", 1));
      if (words_[1] != "arrival") return bad_word("timers", "the clock arrival", words_[1]);
      if (resolver.state_type.empty()) return wrong("timers need a \"state\" line before them");
      resolver.timers = true;
      advance();
    }
    while (starts_with("feature")) {
      WEIR_CHECK(parse_words("feature", 2));
      const std::string_view name = words_[1];
      if (!is_name(name)) return bad_name("feature", name);
      if (!is_type(words_[2])) return bad_word("feature", "a message type", words_[2]);
      const auto same_name = [&](const Manifest::Feature& other) { return other.name == name; };
      if (std::ranges::any_of(resolver.features, same_name)) return duplicate("feature", name);
      if (resolver.features.size() >= features_max) {
        return wrong(fmt::format("more than {} features of one resolver", features_max));
      }
      resolver.features.push_back({std::string(name), std::string(words_[2])});
      advance();
    }
    manifest_.resolvers.push_back(std::move(resolver));
    if (!at_end_ && !starts_with("resolver")) {
      return wrong(
          "expected the next \"resolver\" or the end; a resolver's lines are message, state, "
          "settings, timers, feature, each in this order");
    }
    return {};
  }

  Result<void> parse_type(std::string_view keyword, std::string& type) {
    WEIR_CHECK(parse_words(keyword, 1));
    if (!is_type(words_[1])) return bad_word(keyword, "a message type", words_[1]);
    type = words_[1];
    advance();
    return {};
  }

  bool starts_with(std::string_view keyword) const {
    return !at_end_ && line_.substr(0, line_.find(' ')) == keyword;
  }

  /// The line is `keyword` and `count` more words: they are in words_ afterwards.
  Result<void> parse_words(std::string_view keyword, std::size_t count) {
    return parse_words(keyword, count, count);
  }
  Result<void> parse_words(std::string_view keyword, std::size_t count, std::size_t count_max) {
    if (!starts_with(keyword)) return unexpected(keyword);
    words_.clear();
    std::string_view rest = line_;
    while (true) {
      const std::size_t space = rest.find(' ');
      words_.push_back(rest.substr(0, space));
      if (space == std::string_view::npos) break;
      rest.remove_prefix(space + 1);
    }
    if (words_.size() < count + 1 || words_.size() > count_max + 1) {
      const std::string or_more = count_max > count ? fmt::format(" or {}", count_max) : "";
      return wrong(fmt::format("expected \"{}\" and {}{} parted by single spaces", keyword,
                               counted(count, "word"), or_more));
    }
    return {};
  }

  void advance() {
    ++line_number_;
    if (rest_.empty()) {
      at_end_ = true;
      line_ = {};
      return;
    }
    const std::size_t end = rest_.find('\n');
    line_ = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);  // the last line has its end too, parse_manifest() saw to it
  }

  Error wrong(std::string_view what) const {
    const std::string found = at_end_ ? "the end of the text" : '"' + printable(line_) + '"';
    return host::error(Errc::invalid, "manifest line {}: {}, found {}", line_number_, what, found);
  }
  Error unexpected(std::string_view keyword) const {
    return wrong(fmt::format("expected \"{}\"", keyword));
  }
  Error bad_word(std::string_view keyword, std::string_view wanted, std::string_view word) const {
    return wrong(fmt::format("\"{}\" needs {}, not \"{}\"", keyword, wanted, printable(word)));
  }
  Error bad_name(std::string_view keyword, std::string_view word) const {
    return bad_word(keyword, "a name of a-z, 0-9 and _ that starts with a letter, at most 63 long",
                    word);
  }
  Error duplicate(std::string_view keyword, std::string_view word) const {
    return wrong(fmt::format("a second {} is named \"{}\"", keyword, word));
  }

  std::string_view rest_;
  std::string_view line_;
  std::size_t line_number_ = 0;
  bool at_end_ = false;
  std::vector<std::string_view> words_;
  Manifest manifest_;
};

}  // namespace

const Manifest::Resolver* Manifest::find(std::string_view resolver) const {
  const auto found = std::ranges::find(resolvers, resolver, &Resolver::name);
  return found == resolvers.end() ? nullptr : &*found;
}

Result<Manifest> parse_manifest(std::string_view text) {
  if (!text.empty() && text.back() != '\n') {
    return error(Errc::invalid, "manifest: the last line has no line end, found \"{}\"",
                 printable(text.substr(text.rfind('\n') + 1)));
  }
  return Parser(text).parse();
}

}  // namespace weir::host
