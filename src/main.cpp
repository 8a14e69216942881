// The entry of `zcdp`. All is in src/modes/run.cpp: flags are read, the machine's clock, file system and randomness are
// made once and given to the command.
#include "zcdp/modes/run.hpp"

int main(int argc, char** argv) { return zcdp::modes::run(argc, argv); }
