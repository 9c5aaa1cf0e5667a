#include "tests/proof/explorer/mutants.hpp"

#include "tests/proof/explorer/site_names.hpp"

namespace symphony::proof {
namespace {

constexpr auto load = Access::load;
constexpr auto store = Access::store;

}  // namespace

std::vector<Mutant> order_mutants() {
  std::vector<Mutant> all;
  const auto add = [&](Site site, Access access, Order from, Order to, const char* caught_by) {
    all.push_back(
        {site_name(site) + (access == load ? " load " : " store ") + order_name(from) + " -> " + order_name(to),
         {Mutation::Kind::weaker, {site, access, from}, to},
         caught_by});
  };
  const auto add_both = [&](Site site, Access access, const char* caught_by) {
    add(site, access, Order::seq_cst, access == load ? Order::acquire : Order::release, caught_by);
    add(site, access, Order::seq_cst, Order::relaxed, caught_by);
  };
  add(Site::header, store, Order::release, Order::relaxed, "push_pop");
  add(Site::header, load, Order::acquire, Order::relaxed, "push_pop");
  add(Site::freed, store, Order::release, Order::relaxed, "full_ring");
  add(Site::freed, load, Order::acquire, Order::relaxed, "full_ring");
  add(Site::begun, store, Order::release, Order::relaxed, "progress_of_the_living");
  add(Site::begun, load, Order::acquire, Order::relaxed, "progress_of_the_living");
  add(Site::handled, store, Order::release, Order::relaxed, "progress_of_the_living");
  add(Site::handled, load, Order::acquire, Order::relaxed, "progress_of_the_living");
  add(Site::bell, store, Order::release, Order::relaxed, "unconditional_ring");
  add(Site::bell, load, Order::acquire, Order::relaxed, "unconditional_ring");
  add_both(Site::header, store, "sleep_one_link");
  add_both(Site::header, load, "sleep_one_link");
  add_both(Site::sleeping, store, "sleep_one_link");
  add_both(Site::sleeping, load, "sleep_one_link");
  add_both(Site::freed, store, "sleep_on_full");
  add_both(Site::freed, load, "sleep_on_full");
  add_both(Site::want_space, store, "sleep_on_full");
  add_both(Site::want_space, load, "sleep_on_full");
  const auto add_light = [&](Site site, Access access, const char* caught_by) {
    add(site, access, Order::light, access == load ? Order::acquire : Order::release, caught_by);
    add(site, access, Order::light, Order::relaxed, caught_by);
  };
  add_light(Site::header, store, "sleep_light");
  add_light(Site::sleeping, load, "sleep_light");
  add_light(Site::freed, store, "sleep_on_full_light");
  add_light(Site::want_space, load, "sleep_on_full_light");
  add_both(Site::state, store, "both_close");
  add_both(Site::state, load, "both_close");
  add(Site::slot_begun, store, Order::release, Order::relaxed, "dead_board");
  add(Site::slot_word, store, Order::release, Order::relaxed, "board");
  add(Site::slot_word, load, Order::acquire, Order::relaxed, "board");
  add(Site::latest, store, Order::release, Order::relaxed, "board");
  add(Site::latest, load, Order::acquire, Order::relaxed, "board");
  return all;
}

std::vector<Mutant> code_mutants() {
  using Kind = Mutation::Kind;
  const auto at = [](Site site) { return OrderedAccess{site, store, Order::relaxed}; };
  return {
      {"the next header is not zeroed", {Kind::no_zero_store, at(Site::next_header)}, "trimmed_claim"},
      {"no line is kept for the next header", {Kind::no_spare_line}, "full_ring"},
      {"the header goes before the payload", {Kind::payload_late}, "push_pop"},
      {"headers inside a batch are not stored", {Kind::no_store, at(Site::batch_header)}, "batch"},
      {"space is given back before the record is read", {Kind::free_before_read}, "wrap_pad"},
      {"space is never given back", {Kind::no_store, at(Site::freed)}, "full_ring"},
      {"a line is written back after it was given back", {Kind::write_back_late}, "write_back"},
      {"a line is written back before its request is handled", {Kind::write_back_early}, "write_back_and_dead"},
      {"the records of a batch go out one by one", {Kind::batch_unbatched}, "batch"},
      {"the sleeper says that it sleeps after its look", {Kind::store_late, at(Site::sleeping)}, "sleep_one_link"},
      {"the sleeper never says that it sleeps", {Kind::no_store, at(Site::sleeping)}, "sleep_one_link"},
      {"the sleeper does not look again", {Kind::look_once}, "sleep_one_link"},
      {"the sleeper makes no heavy barrier", {Kind::no_heavy_barrier}, "sleep_light"},
      {"the sleeper for space makes no heavy barrier", {Kind::no_heavy_barrier}, "sleep_on_full_light"},
      {"the sleeper takes the bell's value after its look", {Kind::bell_late}, "sleep_one_link"},
      {"the bell is not counted up", {Kind::no_store, at(Site::bell)}, "sleep_one_link"},
      {"the waker wakes nobody", {Kind::no_wake}, "sleep_one_link"},
      {"the waker looks for sleepers before it publishes", {Kind::store_late, at(Site::header)}, "sleep_one_link"},
      {"the sleeper looks at one of its two links", {Kind::look_at_one_link}, "two_links_one_sleeper"},
      {"the sleeper for space does not ask for it", {Kind::no_want_space}, "sleep_on_full"},
      {"closing is said before the last message", {Kind::close_before_send}, "caller_closes"},
      {"handled is stored before the reply", {Kind::finish_before_reply}, "dead_consumer"},
      {"begun is stored when the handler is done", {Kind::begin_after_reply}, "dead_consumer"},
      {"a dead producer's ring is not drained again", {Kind::drain_before_death}, "dead_producer"},
      {"a dead caller's ring is not drained", {Kind::no_drain}, "dead_caller"},
      {"a dead pit's replies are not drained", {Kind::no_drain}, "next_epoch"},
      {"what was answered is sent again", {Kind::send_all_again}, "next_epoch"},
      {"a dead caller's full ring is not drained", {Kind::no_drain}, "full_and_dead_caller"},
      {"a dead pit's replies are not drained from a full ring", {Kind::no_drain}, "reply_ring_full_and_dead_pit"},
      {"closing is said before the last message by one who dies", {Kind::close_before_send}, "close_and_dead_pit"},
      {"the sleeper looks at the dead one's link only", {Kind::look_at_one_link}, "one_of_two_dead"},
      {"a dying pit's handled overtakes its reply",
       {Kind::weaker, {Site::handled, store, Order::release}, Order::relaxed},
       "dead_consumer"},
      {"a dying producer's header overtakes its payload",
       {Kind::weaker, {Site::header, store, Order::release}, Order::relaxed},
       "dead_producer"},
      {"a slot is not marked before it is written", {Kind::no_store, at(Site::slot_begun)}, "board"},
      {"a slot is marked when it has been written", {Kind::begin_after_value}, "board"},
      {"a dying writer's number overtakes its value",
       {Kind::weaker, {Site::latest, store, Order::release}, Order::relaxed},
       "dead_board"},
      {"a value is written over the one before", {Kind::one_slot}, "dead_board"},
  };
}

}  // namespace symphony::proof
