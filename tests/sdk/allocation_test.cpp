// In steady state a record costs no allocation: messages are parsed into memory they already have.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "allocation_count.hpp"
#include "kitchen.pb.h"
#include "loaded_plugin.hpp"

using namespace weir::test;

TEST_SUITE_BEGIN("sdk");

TEST_CASE("a batch that is like the one before it allocates nothing for its records") {
  if (!counts_allocations) return;  // a sanitizer brings its own operator new
  LoadedPlugin plugin(KITCHEN_SO);
  Instance many(plugin, "many");
  kitchen::Item item;
  item.set_user("a name that is too long for a string without memory of its own");
  // No submessage: Protobuf 3.21 deletes those of proto3 in Clear(), one allocation each.
  const std::vector<Input> inputs(500, Input{.value = item.SerializeAsString()});
  std::vector<weir_record> records;
  for (const Input& input : inputs) records.push_back(input.raw());
  const weir_records run{sizeof(weir_records), sizeof(weir_record), records.data(), records.size()};
  std::vector<weir_prepared> entries(inputs.size());
  const auto allocated_by_a_batch = [&] {
    const std::size_t before = allocation_count();
    weir_batch* batch = nullptr;
    REQUIRE(many.slots.prepare(many.self, &run, entries.data(), sizeof(weir_prepared), &batch,
                               plugin.host.begin()) == WEIR_OK);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      weir_call* call = plugin.host.begin();
      call->record = &records[i];
      many.slots.resolve(many.self, entries[i].message, nullptr, call);
    }
    many.slots.batch_free(many.self, batch);
    return allocation_count() - before;
  };

  CHECK(allocated_by_a_batch() > inputs.size());
  allocated_by_a_batch();
  CHECK(allocated_by_a_batch() < 10);
}
