#include "app/command_words.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/bytes.hpp"
#include "config/suggest.hpp"

namespace weir::host {

std::string path_of(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent == nullptr ? command.get_name() : path_of(*parent) + " " + command.get_name();
}

bool asks_for_help(const CLI::App& command, const std::vector<std::string>& rest) {
  const bool is_group = !command.get_subcommands({}).empty();
  if (rest.empty()) return is_group && command.get_parent() == nullptr;
  for (const std::string& argument : rest) {
    if (argument == "--") return false;
    if (argument == "--help" || argument == "-h") return true;
  }
  return is_group && rest.front() == "help";
}

std::optional<std::string> find_command(const std::vector<std::string>& arguments,
                                        CLI::App*& command, std::size_t& first) {
  for (; first < arguments.size(); ++first) {
    const std::vector<CLI::App*> commands = command->get_subcommands({});
    const std::string& word = arguments[first];
    if (commands.empty() || word.starts_with('-') || word == "help") return std::nullopt;
    const auto found = std::find_if(commands.begin(), commands.end(),
                                    [&](const CLI::App* c) { return c->get_name() == word; });
    if (found == commands.end()) {
      std::vector<std::string> names;
      for (const CLI::App* c : commands) {
        if (!c->get_group().empty()) names.push_back(c->get_name());
      }
      return fmt::format("unknown command \"{}\"; {}", printable(word),
                         suggestion(word, names, "commands"));
    }
    command = *found;
  }
  return std::nullopt;
}

std::optional<std::string> find_unknown_option(const CLI::App& command,
                                               const std::vector<std::string>& rest) {
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const std::string& argument = rest[i];
    if (argument == "--") return std::nullopt;
    if (argument.size() < 2 || argument[0] != '-') continue;
    const bool is_long = argument[1] == '-';
    const std::string name =
        is_long ? argument.substr(0, argument.find('=')) : argument.substr(0, 2);
    const CLI::Option* option = command.get_option_no_throw(name);
    if (option == nullptr) {
      std::vector<std::string> names;
      for (const CLI::Option* known : command.get_options()) {
        if (known->get_group().empty()) continue;
        for (const std::string& long_name : known->get_lnames()) {
          names.push_back("--" + long_name);
        }
      }
      std::string hint = is_long ? suggestion(name, names, "options") : "";
      if (!hint.empty()) hint = "; " + hint;
      return fmt::format("unknown option {}{}", printable(name), hint);
    }
    const bool has_value_in_it =
        is_long ? argument.find('=') != argument.npos : argument.size() > 2;
    if (option->get_items_expected_max() > 0 && !has_value_in_it) ++i;
  }
  return std::nullopt;
}

std::function<std::string(const std::string&)> one_of(std::vector<std::string> words) {
  return [words = std::move(words)](const std::string& word) -> std::string {
    if (std::find(words.begin(), words.end(), word) != words.end()) return {};
    return fmt::format("\"{}\" is not one of {}; {}", printable(word), fmt::join(words, ", "),
                       suggestion(word, words, "they are"));
  };
}

}  // namespace weir::host
