#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace weir::host {

/// What the option parser cannot say well: which word of a command line is misspelt, and what was
/// meant.

/// `weir state get`. To be asked before the parser runs, which forgets a command's parent.
std::string path_of(const CLI::App& command);

/// Whether the words after a command are a question.
bool asks_for_help(const CLI::App& command, const std::vector<std::string>& rest);

/// Follows the words of the command from the front: moves `command` to the last one found and
/// `first` behind it. Returns what is wrong with the word it stopped at. The parser would say of a
/// misspelt one only that a command is missing.
std::optional<std::string> find_command(const std::vector<std::string>& arguments,
                                        CLI::App*& command, std::size_t& first);

/// What is wrong with the first option that the command does not have. The parser would complain
/// about missing ones first.
std::optional<std::string> find_unknown_option(const CLI::App& command,
                                               const std::vector<std::string>& rest);

/// A check of an option's value whose message has a did-you-mean; the parser's own would spell the
/// set into every help.
std::function<std::string(const std::string&)> one_of(std::vector<std::string> words);

}  // namespace weir::host
