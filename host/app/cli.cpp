#include "app/cli.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "app/command_consume.hpp"
#include "app/command_crashes.hpp"
#include "app/command_deadletters.hpp"
#include "app/command_migrate.hpp"
#include "app/command_parked.hpp"
#include "app/command_plugin.hpp"
#include "app/command_produce.hpp"
#include "app/command_reload.hpp"
#include "app/command_reset.hpp"
#include "app/command_run.hpp"
#include "app/command_state.hpp"
#include "app/command_status.hpp"
#include "app/command_validate.hpp"
#include "app/command_version.hpp"
#include "app/command_words.hpp"
#include "app/exit_code.hpp"
#include "app/output.hpp"
#include "reload/probe.hpp"

namespace weir::host {
namespace {

constexpr std::size_t help_column = 30;

/// Every command, its options, and what runs when it was chosen.
class CommandLine {
 public:
  CommandLine() : root_("Weir feeds records to resolvers and keeps their State.", "weir") {
    root_.get_formatter()->column_width(help_column);
    root_.get_formatter()->label("REQUIRED", "(required)");
    root_.footer(
        "Start here:\n"
        "  weir validate -c app.yaml               what is wrong with an app, all at once\n"
        "  weir produce visits -c app.yaml f.jsonl lines of a file become records of a topic\n"
        "  weir run -c app.yaml --until-end        work through what is there, then stop\n"
        "  weir status app.yaml                    how the running app stands\n"
        "  weir state get ana -c app.yaml          the State of one key, as JSON\n"
        "\n"
        "`weir COMMAND --help` shows options and examples. Data goes to stdout, talk to stderr.\n"
        "Exit codes: 0 done, 1 a check failed or nothing found, 64 command line, 65 input data,\n"
        "69 not there, 70 a bug, 73 no state directory, 74 input or output, 75 try again,\n"
        "76 every task halted, 77 refused, 78 configuration.");
    add_run();
    add_status();
    add_reload();
    add_crashes();
    add_validate();
    add_state();
    add_plugin();
    add_produce();
    add_consume();
    add_deadletters();
    add_parked();
    add_reset();
    add_version();
  }

  ExitCode run(const std::vector<std::string>& arguments) {
    CLI::App* command = &root_;
    std::size_t first = 0;
    const auto wrong_command = find_command(arguments, command, first);
    const std::string path = path_of(*command);  // parse() forgets the parent
    if (wrong_command) return usage(path, *wrong_command);
    const std::vector<std::string> rest(arguments.begin() + static_cast<std::ptrdiff_t>(first),
                                        arguments.end());
    if (asks_for_help(*command, rest)) {
      const CLI::App* parent = command->get_parent();
      print_line(trimmed(command->help(parent == nullptr ? "" : path_of(*parent))));
      return flush_data() ? ExitCode::ok : ExitCode::io;
    }
    if (first == 0 && rest == std::vector<std::string>{"--version"}) {
      return finish(command_version(OutputFormat::text));
    }
    if (!command->get_subcommands({}).empty()) return usage(path, "a command is missing");
    if (const auto wrong = find_unknown_option(*command, rest)) return usage(path, *wrong);
    try {
      // CLI11 takes them from the back.
      std::vector<std::string> reversed(rest.rbegin(), rest.rend());
      command->parse(std::move(reversed));
    } catch (const CLI::ParseError& failure) {
      return usage(path, failure.what());
    }
    return finish(actions_.at(command)());
  }

 private:
  static ExitCode finish(ExitCode code) {
    if (flush_data()) return code;
    if (code != ExitCode::ok) return code;
    return fail(error(Errc::io, "stdout did not take all of the data"));
  }

  static std::string trimmed(std::string text) {
    while (text.ends_with('\n')) text.pop_back();
    return text;
  }

  static ExitCode usage(const std::string& path, const std::string& what) {
    say("{}: {}", path, what);
    say("try: {} --help", path);
    return ExitCode::usage;
  }

  CLI::App& add(CLI::App& parent, const std::string& name, const std::string& what,
                const std::string& examples, std::function<ExitCode()> action) {
    CLI::App& command = *parent.add_subcommand(name, what);
    command.get_formatter()->column_width(help_column);
    if (!examples.empty()) command.footer(examples);
    if (action) actions_.emplace(&command, std::move(action));
    return command;
  }

  static void add_format(CLI::App& command, OutputFormat& format) {
    command
        .add_option_function<std::string>(
            "--format",
            [&format](const std::string& word) {
              format = word == "json" ? OutputFormat::json : OutputFormat::text;
            },
            "text or json")
        ->type_name("FORMAT")
        ->check(one_of({"text", "json"}));
  }

  static void add_log(CLI::App& command, LogOptions& log) {
    command.add_option("-c,--config", log.config, "the app's YAML: finds the log and the schemas")
        ->type_name("FILE");
    command.add_option("--log", log.directory, "instead: the directory of an embedded log")
        ->type_name("DIR");
  }

  void add_run() {
    CLI::App& c =
        add(root_, "run", "Run an app until a signal, or until its input is worked through",
            "Examples:\n"
            "  weir run -c app.yaml                 until SIGTERM or ^C; a second aborts\n"
            "  weir run -c app.yaml --until-end     what is there now, then stop",
            [this] { return command_run(run_); });
    c.add_option("-c,--config", run_.config, "the app's YAML")->type_name("FILE")->required();
    c.add_flag("--until-end", run_.until_end,
               "stop when the sources are read to the ends they have now");
    c.add_flag("--no-progress", run_.no_progress, "no progress bar on a terminal");
    c.add_option("--log-format", run_.log_format, "auto, text or json")
        ->type_name("FORMAT")
        ->default_val("auto")
        ->check(one_of({"auto", "text", "json"}));
    c.add_option("--log-level", run_.log_level, "debug, info, warn or error")
        ->type_name("LEVEL")
        ->default_val("info")
        ->check(one_of({"debug", "info", "warn", "error"}));
    c.add_flag("--no-supervisor", run_.no_supervisor,
               "one process: a crash of a plugin ends it, and somebody else starts it again");
    // For tests of recovery; not for people, so not in the help.
    c.add_option("--kill-at", run_.kill_at)->group("");
    // How the supervisor starts its worker process.
    c.add_option("--worker", run_.worker)->group("");
    c.add_option("--journal", run_.journal)->group("");
    c.add_option("--restarts", run_.restarts)->group("");
  }

  void add_crashes() {
    CLI::App& c =
        add(root_, "crashes", "Crashes of plugins: where, on which record, whose code",
            "Read from files in the state directory, whether a host runs or not. What a plugin\n"
            "crashes on twice is set aside (`weir deadletters list --error crashed`); another\n"
            "build of the plugin gets a fresh chance, and so does what --forget names.\n"
            "\n"
            "Examples:\n"
            "  weir crashes -c app.yaml\n"
            "  weir crashes 20260131T101500042-4711 -c app.yaml\n"
            "  weir crashes 20260131T101500042-4711 --forget -c app.yaml",
            [this] { return command_crashes(crashes_); });
    c.add_option("ID", crashes_.id, "only this one, with everything")->type_name("");
    c.add_option("-c,--config", crashes_.config, "the app's YAML: finds the state directory")
        ->type_name("FILE");
    c.add_option("--state", crashes_.directory, "instead: the state directory")->type_name("DIR");
    c.add_flag("--forget", crashes_.forget, "delete the report, at the next start it never was");
    add_format(c, crashes_.format);
    c.add_flag_callback(
        "--json", [this] { crashes_.format = OutputFormat::json; }, "the same as --format json");
  }

  void add_status() {
    CLI::App& c =
        add(root_, "status", "How a running host stands: positions, lag, what was set aside",
            "Examples:\n"
            "  weir status app.yaml\n"
            "  weir status --state /var/lib/weir/shop --format json\n"
            "Exits with 0 when the host is ready, 1 when it runs and is not ready (stdout says\n"
            "why), 69 when no host runs here.",
            [this] { return command_status(status_); });
    c.add_option("-c,--config", status_.config, "the app's YAML: finds the state directory")
        ->type_name("FILE");
    c.add_option("FILE", status_.config, "the same, without -c")->type_name("");
    c.add_option("--state", status_.directory, "instead: the state directory")->type_name("DIR");
    add_format(c, status_.format);
  }

  static void add_host(CLI::App& command, ReloadOptions& options) {
    command.add_option("-c,--config", options.config, "the app's YAML: finds the host")
        ->type_name("FILE");
    command.add_option("--state", options.directory, "instead: the host's state directory")
        ->type_name("DIR");
    add_format(command, options.format);
  }

  static void add_candidate(CLI::App& command, ReloadOptions& options) {
    command.add_option("--from", options.from, "this file, in place of the one the YAML names")
        ->type_name("FILE");
    command.add_option("--sha256", options.sha256, "only if the file has this hash")
        ->type_name("HEX");
  }

  void add_reload() {
    CLI::App& c = add(
        root_, "reload", "Replace a plugin of a running host by a new build, without a stop",
        "The new build is checked first, also in a process of its own; what is refused leaves the\n"
        "old one running. Then every task goes over to it between two commits: no record is lost,\n"
        "none is handled twice. For a while the host watches it, and goes back by itself when it\n"
        "rejects too much; until then a restart loads the build before.\n"
        "\n"
        "Examples:\n"
        "  weir reload -c app.yaml                         every plugin whose file has changed\n"
        "  weir reload unique_ips -c app.yaml --dry-run    what would come of it\n"
        "  weir reload unique_ips -c app.yaml --from build/unique_ips.so\n"
        "  weir reload unique_ips -c app.yaml --rollback   back to the build before\n"
        "Exits with 0 when it runs, 1 when it was refused (stderr says at which step and why).\n"
        "kill -HUP does the same as the first line; the host's log says what came of it.",
        [this] { return command_reload(reload_, ReloadRequest::What::reload); });
    c.add_option("PLUGIN", reload_.plugin, "the plugin; else all that have changed")->type_name("");
    add_candidate(c, reload_);
    c.add_flag("--dry-run", reload_.dry_run, "check it and change nothing");
    c.add_flag("--rollback", reload_.rollback, "go back to the build before");
    c.add_option("--timeout", reload_.timeout, "for the tasks to come to a commit; 10s when absent")
        ->type_name("TIME");
    add_host(c, reload_);
  }

  void add_loading(CLI::App& group) {
    CLI::App& load = add(group, "load", "Check a new build and load it beside the one that runs",
                         "Example:\n"
                         "  weir plugin load unique_ips -c app.yaml --from build/unique_ips.so\n"
                         "It runs from `weir plugin activate` on.",
                         [this] { return command_reload(reload_, ReloadRequest::What::load); });
    add_candidate(load, reload_);
    CLI::App& activate =
        add(group, "activate", "Let the tasks go over to what `weir plugin load` has loaded",
            "Example:\n  weir plugin activate unique_ips -c app.yaml",
            [this] { return command_reload(reload_, ReloadRequest::What::activate); });
    activate
        .add_option("--timeout", reload_.timeout,
                    "for the tasks to come to a commit; 10s when absent")
        ->type_name("TIME");
    CLI::App& history =
        add(group, "history", "Which builds an app has had, and which were refused, and why",
            "Examples:\n"
            "  weir plugin history -c app.yaml\n"
            "  weir plugin history unique_ips --state ./state --format json",
            [this] { return command_plugin_history(reload_); });
    CLI::App& migrate =
        add(group, "migrate", "Migrate all States of an older version, or try a build on them",
            "A State is migrated when a record touches it. This migrates the others too: beside a\n"
            "host, by its tasks, while they go on; without one here, with the build that a start\n"
            "would load. It may be ended at any time and asked for again.\n"
            "--dry-run, beside a host or without one: a process of its own reads and saves every\n"
            "State with the build that would run; no State is changed.\n"
            "\n"
            "Examples:\n"
            "  weir plugin migrate unique_ips -c app.yaml\n"
            "  weir plugin migrate unique_ips -c app.yaml --dry-run\n"
            "  weir plugin migrate -c app.yaml --dry-run --from build/unique_ips.so\n"
            "Exits with 1 when one of them cannot be read; stdout has the first such keys.",
            [this] { return command_migrate(reload_); });
    add_candidate(migrate, reload_);
    migrate.add_flag("--dry-run", reload_.dry_run, "try a build, and change nothing");
    migrate.add_option("--kill-at", reload_.kill_at)->group("");
    for (CLI::App* c : {&load, &activate, &history, &migrate}) {
      c->add_option("PLUGIN", reload_.plugin,
                    c == &history   ? "only of this plugin"
                    : c == &migrate ? "only of this plugin"
                                    : "the plugin; may be absent where the app has one")
          ->type_name("");
      add_host(*c, reload_);
    }
  }

  void add_validate() {
    CLI::App& c =
        add(root_, "validate", "Say everything that is wrong with an app's YAML, all at once",
            "Examples:\n"
            "  weir validate -c app.yaml\n"
            "  weir validate apps/*.yaml --deny-warnings\n"
            "  weir validate -c app.yaml --print-effective     with every default filled in",
            [this] { return command_validate(validate_); });
    c.add_option("-c,--config", validate_.configs, "the app's YAML; may be repeated")
        ->type_name("FILE");
    c.add_option("FILE", validate_.configs, "the same, without -c")->type_name("");
    c.add_flag("--no-plugins", validate_.no_plugins,
               "leave the plugin files unread: only the YAML itself is checked");
    c.add_flag("--deny-warnings", validate_.deny_warnings, "a warning is an error");
    c.add_flag("--print-effective", validate_.print_effective,
               "print the app with its defaults; secrets are hidden");
    add_format(c, validate_.format);
  }

  void add_state() {
    CLI::App& group = add(root_, "state", "Look at State, while a host runs or not",
                          "Examples:\n"
                          "  weir state get ana -c app.yaml\n"
                          "  weir state list -c app.yaml --prefix a\n"
                          "  weir state export --state ./state > states.jsonl",
                          {});
    CLI::App& get = add(group, "get", "The State of one key, as JSON",
                        "Examples:\n"
                        "  weir state get ana -c app.yaml\n"
                        "  weir state get ana -c app.yaml -r count_ips --format json\n"
                        "Exits with 1 when no resolver has State for the key.",
                        [this] { return command_state_get(state_); });
    get.add_option("KEY", state_.key, "the key")->type_name("")->required();
    CLI::App& list = add(group, "list", "Keys and sizes",
                         "Examples:\n"
                         "  weir state list -c app.yaml\n"
                         "  weir state list -c app.yaml -r count_ips --prefix user- --limit 20",
                         [this] { return command_state_list(state_); });
    CLI::App& all = add(group, "export", "Every State as a line of JSON",
                        "Examples:\n"
                        "  weir state export -c app.yaml > states.jsonl\n"
                        "  weir state export -c app.yaml -r count_ips --prefix user-",
                        [this] { return command_state_export(state_); });
    for (CLI::App* c : {&get, &list, &all}) {
      c->add_option("-c,--config", state_.config, "the app's YAML: finds the state directory")
          ->type_name("FILE");
      c->add_option("--state", state_.directory, "instead: the state directory")->type_name("DIR");
      c->add_option("-r,--resolver", state_.resolver, "only of this resolver")->type_name("NAME");
      add_format(*c, state_.format);
    }
    for (CLI::App* c : {&list, &all}) {
      c->add_option("--prefix", state_.prefix, "only keys that begin so")->type_name("TEXT");
      c->add_option("--limit", state_.limit, "at most so many")->type_name("N");
    }
  }

  void add_plugin() {
    CLI::App& group = add(root_, "plugin", "Look into a plugin file, try it, load it into a host",
                          "Examples:\n"
                          "  weir plugin inspect build/unique_ips.so\n"
                          "  weir plugin check build/unique_ips.so\n"
                          "  weir plugin history -c app.yaml",
                          {});
    CLI::App& inspect = add(group, "inspect", "What the file says of itself; runs none of its code",
                            "Example:\n  weir plugin inspect build/unique_ips.so",
                            [this] { return command_plugin_inspect(plugin_); });
    CLI::App& check = add(
        group, "check", "Load it in a child process and call everything it has",
        "Examples:\n"
        "  weir plugin check build/unique_ips.so\n"
        "  weir plugin check build/x.so --seed 7       the same input again\n"
        "  weir plugin check build/x.so --settings 'follow={\"lateAfter\": \"60s\"}'\n"
        "  weir plugin check build/x.so --previous x-1.4.so    States of 1.4, and the way back\n"
        "Exits with 1 when a check failed.",
        [this] { return command_plugin_check(plugin_); });
    for (CLI::App* c : {&inspect, &check}) {
      c->add_option("FILE", plugin_.file, "the plugin")->type_name("")->required();
      add_format(*c, plugin_.format);
    }
    add_loading(group);
    check.add_option("--seed", plugin_.seed, "of the random input; a report prints its own")
        ->type_name("N");
    check
        .add_option("--settings", plugin_.settings,
                    "for a resolver that does not take empty ones; may be repeated")
        ->type_name("RESOLVER=JSON")
        ->expected(1)
        ->take_all();
    check
        .add_option("--previous", plugin_.previous,
                    "the build before: are its States read, and is what this one makes of them\n"
                    "read by it after a rollback, as .readable_by() says?")
        ->type_name("FILE");
  }

  void add_produce() {
    CLI::App& c =
        add(root_, "produce", "Append the lines of a file, or of stdin, to a topic",
            "Each line is one record, a JSON object of which all parts may be absent:\n"
            "  {\"key\": \"ana\", \"value\": {\"ip\": \"a\"}, \"timestamp\": 1767225600000}\n"
            "value: an object, list, number or bool is sent as its JSON text, a string as its\n"
            "characters, null as no value. timestamp: milliseconds or RFC 3339, now when absent.\n"
            "partition: that of the key (murmur2) when absent. headers: {\"name\": \"text\"}.\n"
            "key_base64, value_base64: for bytes that are not text.\n"
            "\n"
            "Examples:\n"
            "  weir produce visits -c app.yaml visits.jsonl\n"
            "  weir produce visits -c app.yaml --raw --key userId < events.jsonl\n"
            "  weir produce visits --log ./state/log --partitions 4 --rate 100 visits.jsonl",
            [this] { return command_produce(produce_); });
    c.add_option("TOPIC", produce_.topic, "the topic; made when it is not there")
        ->type_name("")
        ->required();
    c.add_option("FILE", produce_.file, "lines; stdin when absent")->type_name("");
    add_log(c, produce_.log);
    c.add_flag("--raw", produce_.raw, "each line is a value, as it stands");
    c.add_option("--key", produce_.key_field, "take the key from this field of the value")
        ->type_name("FIELD");
    c.add_option("--partitions", produce_.partitions,
                 "of a topic that is made; else as the app says, else 1")
        ->type_name("N")
        ->check(CLI::Range(1, 10000).description(""));
    c.add_option("--rate", produce_.rate, "records per second; else as fast as possible")
        ->type_name("N");
  }

  void add_consume() {
    CLI::App& c =
        add(root_, "consume", "Print the records of a topic as JSON lines",
            "Bytes that are not text come as key_base64 and value_base64. Protobuf values\n"
            "are shown as JSON where the app's plugins say their type.\n"
            "\n"
            "Examples:\n"
            "  weir consume visits -c app.yaml --limit 3\n"
            "  weir consume unique-ips -c app.yaml --from latest --follow\n"
            "  weir consume visits --log ./state/log --from 2026-01-31T00:00:00Z",
            [this] { return command_consume(consume_); });
    c.add_option("TOPIC", consume_.topic, "the topic")->type_name("")->required();
    add_log(c, consume_.log);
    c.add_option("--from", consume_.from, "earliest, latest, an offset or a time (RFC 3339)")
        ->type_name("WHERE");
    c.add_option("--partition", consume_.partition, "only this one")->type_name("N");
    c.add_option("--limit", consume_.limit, "at most so many records")->type_name("N");
    c.add_flag("--follow", consume_.follow, "wait for more at the end");
  }

  void add_parked() {
    CLI::App& group = add(
        root_, "parked", "Keys that wait because a record cannot be handled yet",
        "The first record of such a key is tried again; its later ones wait behind it, in order.\n"
        "\n"
        "Examples:\n"
        "  weir parked list -c app.yaml\n"
        "  weir parked retry ana -c app.yaml\n"
        "  weir parked drop ana -c app.yaml",
        {});
    CLI::App& list = add(group, "list", "One line each: key, records, tries, next try, reason",
                         "Examples:\n"
                         "  weir parked list -c app.yaml\n"
                         "  weir parked list --state /var/lib/weir/shop --format json",
                         [this] { return command_parked_list(parked_); });
    CLI::App& retry =
        add(group, "retry", "Try keys now, with all their tries again",
            "Beside a host that runs at once; else as soon as one runs. What fails again waits\n"
            "again.\n"
            "\n"
            "Examples:\n"
            "  weir parked retry ana ben -c app.yaml\n"
            "  weir parked retry --all -c app.yaml -r count_ips",
            [this] { return command_parked_retry(parked_); });
    CLI::App& drop = add(
        group, "drop", "Delete the first record of keys; the next one is tried then",
        "Beside a host that runs, or without one. Prints what is deleted, with --format json as\n"
        "lines that `weir produce` takes. A key that has gone on since it was looked at loses\n"
        "nothing; it is named, and the exit code is 1.\n"
        "\n"
        "Examples:\n"
        "  weir parked drop ana -c app.yaml                 the one that is in the way\n"
        "  weir parked drop ana -c app.yaml --whole         all that wait of this key\n"
        "  weir parked drop ana -c app.yaml --format json > dropped.jsonl",
        [this] { return command_parked_drop(parked_); });
    for (CLI::App* c : {&list, &retry, &drop}) {
      c->add_option("-c,--config", parked_.config, "the app's YAML: finds the state directory")
          ->type_name("FILE");
      c->add_option("-r,--resolver", parked_.resolver, "only in this resolver")->type_name("NAME");
      add_format(*c, parked_.format);
    }
    list.add_option("--state", parked_.directory, "instead: the state directory")->type_name("DIR");
    for (CLI::App* c : {&retry, &drop}) {
      c->add_option("KEY", parked_.keys, "the keys")->type_name("");
      c->add_flag("--all", parked_.all, "every key that waits, and records without a key");
      c->add_flag("--dry-run", parked_.dry_run, "print what it would do, and change nothing");
    }
    drop.add_flag("--whole", parked_.whole, "all records of a key, not its first one alone");
  }

  void add_deadletters() {
    CLI::App& group =
        add(root_, "deadletters", "Records that were set aside: see them, send them back",
            "Examples:\n"
            "  weir deadletters list -c app.yaml\n"
            "  weir deadletters show 0:17 -c app.yaml\n"
            "  weir deadletters retry 0:17 -c app.yaml",
            {});
    CLI::App& list = add(group, "list", "One line each: id, error, source, position, reason",
                         "Examples:\n"
                         "  weir deadletters list -c app.yaml\n"
                         "  weir deadletters list -c app.yaml --error undecodable --limit 20",
                         [this] { return command_deadletters_list(deadletters_); });
    list.add_option(
            "--error", deadletters_.error,
            "only these: late, undecodable, rejected, crashed, misplaced, null_value, key,\n"
            "retries")
        ->type_name("KIND");
    list.add_option("--limit", deadletters_.limit, "the newest so many of each partition")
        ->type_name("N");
    CLI::App& show = add(group, "show", "Everything about one",
                         "Example:\n  weir deadletters show 0:17 -c app.yaml",
                         [this] { return command_deadletters_show(deadletters_); });
    show.add_option("ID", deadletters_.ids, "partition:offset, as list prints it")
        ->type_name("")
        ->expected(1)
        ->required();
    add_retry(group);
    for (CLI::App* c : {&list, &show}) {
      add_log(*c, deadletters_.log);
      c->add_option("--topic", deadletters_.topic, "another dead-letter topic than the app's")
          ->type_name("TOPIC");
      add_format(*c, deadletters_.format);
    }
  }

  void add_retry(CLI::App& group) {
    CLI::App& c =
        add(group, "retry", "Send some back to the resolvers that refused them",
            "They go to their tasks in order, once each, with their own key and timestamp;\n"
            "nobody else sees them. A running host takes them at once, else the next one.\n"
            "Those of timers hold no record: --all leaves them out, and says how many.\n"
            "\nExamples:\n"
            "  weir deadletters retry 0:17 0:18 -c app.yaml\n"
            "  weir deadletters retry --all --error rejected -c app.yaml --dry-run",
            [this] { return command_deadletters_retry(retry_); });
    DeadLettersOptions& letters = retry_.letters;
    c.add_option("ID", letters.ids, "partition:offset, as list prints it")->type_name("");
    c.add_flag("--all", retry_.all, "every dead letter that the next options leave");
    c.add_option("--error", letters.error, "with --all: only these, such as undecodable")
        ->type_name("KIND");
    c.add_option("--resolver", retry_.resolver, "with --all: only those it refused")
        ->type_name("NAME");
    c.add_flag("--again", retry_.again, "also those that were sent back before");
    c.add_flag("--dry-run", retry_.dry_run, "say what would be sent");
    add_log(c, letters.log);
    c.add_option("--topic", letters.topic, "another dead-letter topic than the app's")
        ->type_name("TOPIC");
    c.add_option("--state", retry_.state, "another state directory than the app's")
        ->type_name("DIR");
  }

  void add_reset() {
    CLI::App& c = add(
        root_, "reset", "Set where an app that does not run goes on, and keep or drop its State",
        "WHERE: earliest, latest, an offset (1200), a time (2026-01-31T00:00:00Z, or milliseconds\n"
        "as 1769817600000ms): the first record of that time or later, else the end; or current:\n"
        "where the State stands, to write anew what the log has forgotten of this app.\n"
        "\n"
        "--state drop deletes State, timers, parked records and dead letters that were sent back\n"
        "and still wait, and makes State anew from what is read then; with --to earliest it "
        "becomes\n"
        "what it would have been. --state keep leaves all of them as they are: records that are\n"
        "read again are applied to the State A SECOND TIME, and those that are skipped never.\n"
        "Features of records that are read again are published again, either way.\n"
        "\n"
        "What an interrupted reset leaves, no host starts on; the same command again ends it.\n"
        "\n"
        "Examples:\n"
        "  weir reset app.yaml --to earliest --state drop --dry-run    what it would do\n"
        "  weir reset app.yaml --to earliest --state drop              everything once more\n"
        "  weir reset app.yaml --to latest --state keep                skip what has piled up\n"
        "  weir reset app.yaml --to 1200 --state keep --source visits --partition 3",
        [this] { return command_reset(reset_); });
    c.add_option("-c,--config", reset_.config, "the app's YAML")->type_name("FILE");
    c.add_option("FILE", reset_.config, "the same, without -c")->type_name("");
    c.add_option("--to", reset_.to, "where each task goes on")->type_name("WHERE");
    c.add_option("--state", reset_.state, "keep or drop; see below")
        ->type_name("WHAT")
        ->check(one_of({"keep", "drop"}));
    c.add_option("--source", reset_.source, "only the tasks of this source")->type_name("NAME");
    c.add_option("--topic", reset_.topic, "only those of the source that reads it")
        ->type_name("TOPIC");
    c.add_option("--partition", reset_.partition, "only this one")->type_name("N");
    c.add_flag("--dry-run", reset_.dry_run, "print what it would do, and change nothing");
    add_format(c, reset_.format);
    c.add_option("--kill-at", reset_.kill_at)->group("");
  }

  void add_version() {
    CLI::App& c = add(root_, "version", "Of the host, the plugin ABI and the libraries", "",
                      [this] { return command_version(version_format_); });
    add_format(c, version_format_);
  }

  CLI::App root_;
  std::map<const CLI::App*, std::function<ExitCode()>> actions_;
  RunOptions run_;
  CrashesOptions crashes_;
  StatusOptions status_;
  ValidateOptions validate_;
  StateOptions state_;
  PluginOptions plugin_;
  ReloadOptions reload_;
  ProduceOptions produce_;
  ConsumeOptions consume_;
  DeadLettersOptions deadletters_;
  RetryOptions retry_;
  ParkedOptions parked_;
  ResetOptions reset_;
  OutputFormat version_format_ = OutputFormat::text;
};

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  if (!arguments.empty() && arguments.front() == plugin_check_child_word) {
    return command_plugin_check_child(std::span(arguments).subspan(1));
  }
  if (!arguments.empty() && arguments.front() == probe_child_word) {
    return run_probe_child(std::span(arguments).subspan(1));
  }
  CommandLine line;
  return static_cast<int>(line.run(arguments));
}

}  // namespace weir::host
