#include "app/control.hpp"

#include <chrono>
#include <future>

#include "app/parked_command.hpp"
#include "app/reload_json.hpp"

namespace weir::host {

namespace {
constexpr const char* plain_text = "text/plain; charset=utf-8";
constexpr const char* socket_file = "control.sock";
/// Between two looks at probations and at what is to be unloaded.
constexpr std::chrono::milliseconds tick{20};
}  // namespace

ListenAddress control_address(const std::filesystem::path& state) {
  ListenAddress address;
  address.kind = ListenAddress::Kind::unix_socket;
  std::error_code ignored;
  address.path = std::filesystem::absolute(state / socket_file, ignored).string();
  return address;
}

Result<std::unique_ptr<Control>> Control::start(Reloader& reloader, FindTasks tasks,
                                                const std::filesystem::path& state,
                                                Logger& logger) {
  WEIR_TRY(Listener listener, Listener::open(control_address(state), state));
  std::unique_ptr<Control> self(new Control(reloader, std::move(tasks)));
  Control* const raw = self.get();
  raw->thread_ = std::thread([raw] { raw->run(); });
  WEIR_TRY(self->server_,
           Server::start(std::move(listener),
                         {.post = [raw](std::string_view path,
                                        std::string_view body) { return raw->answer(path, body); }},
                         {}, logger));
  return self;
}

Control::~Control() {
  stopping_.store(true);
  reloader_.stop();
  server_.reset();  // its thread may wait for a job, so the jobs go on until then
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  arrived_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Control::post(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  arrived_.notify_all();
}

void Control::reload_changed() {
  post([this] { reloader_.reload_changed(ReloadRequest{}.timeout); });
}

HttpAnswer Control::answer(std::string_view path, std::string_view body) {
  if (path == "/reload") return reload(body);
  if (path == "/migrate") return migrate(body);
  if (path == "/parked") return parked(body);
  return {404, plain_text, "there is /reload, /migrate and /parked\n"};
}

HttpAnswer Control::reload(std::string_view body) {
  const auto request = read_reload_request(body);
  if (!request) return {400, plain_text, request.error().message + "\n"};
  std::promise<std::vector<ReloadAnswer>> done;
  post([&] {
    if (request->every) {
      done.set_value(reloader_.reload_changed(request->one.timeout));
    } else {
      std::vector<ReloadAnswer> answers;
      answers.push_back(reloader_.run(request->one));
      done.set_value(std::move(answers));
    }
  });
  return {200, "application/json", reload_answers_json(done.get_future().get())};
}

HttpAnswer Control::migrate(std::string_view body) {
  const auto request = read_migrate_request(body);
  if (!request) return {400, plain_text, request.error().message + "\n"};
  std::promise<MigrateAnswer> done;
  post([&] {
    const auto last = request->begin ? std::nullopt : reloader_.migration();
    const bool is_it = last && (request->plugin.empty() || request->plugin == last->plugin);
    done.set_value(is_it ? MigrateAnswer(*last) : reloader_.migrate(request->plugin));
  });
  return {200, "application/json", migrate_answer_json(done.get_future().get())};
}

HttpAnswer Control::parked(std::string_view body) {
  const auto command = read_parked_command_json(body);
  if (!command) return {400, plain_text, command.error().message + "\n"};
  std::promise<std::vector<ParkedAnswer>> done;
  post([&] { done.set_value(change_parked(tasks_(), *command, stopping_)); });
  return {200, "application/json", parked_answers_json(done.get_future().get())};
}

void Control::run() {
  std::unique_lock lock(mutex_);
  bool busy = true;
  while (true) {
    if (!jobs_.empty()) {
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      lock.lock();
      busy = true;
      continue;
    }
    if (ending_) return;
    lock.unlock();
    busy = reloader_.turn();
    lock.lock();
    const auto wanted = [this] { return ending_ || !jobs_.empty(); };
    if (busy) {
      arrived_.wait_for(lock, tick, wanted);
    } else {
      arrived_.wait(lock, wanted);
    }
  }
}

}  // namespace weir::host
