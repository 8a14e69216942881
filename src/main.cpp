// zcdp: parses, dispatches, and hands the machine (clock, file system, randomness) down.
#include "zcdp/modes/run.hpp"

int main(int argc, char** argv) { return zcdp::modes::run(argc, argv); }
