// The code under test, with its mutants.
#include "mutants.hpp"
//
#include "pits/hosting/durable/durable_pit.cpp"
#include "pits/hosting/durable/durable_replay.cpp"
