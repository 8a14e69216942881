// Test hooks, compiled in only with ZCDP_TEST_HOOKS: a release has none of them.
//
// ZCDP_BREAK=NAME[,NAME]   switches a defence off by name (the name stands in docs/defences.md); its test must then
// fail. ZCDP_CRASH_AT=N          kills the process (SIGKILL) at the Nth crash point; every Fs call that changes
// something has
//                          one before and one after it, and so has every SQLite commit.
// ZCDP_CRASH_COUNT=FILE    writes the number of crash points passed to FILE at exit.
#pragma once

namespace zcdp::faults {

#ifdef ZCDP_TEST_HOOKS
/// Whether the defence `name` is switched off in this run.
bool broken(const char* name);
/// One step of the crash counter.
void crash_point(const char* where);
#else
inline constexpr bool broken(const char*) { return false; }
inline void crash_point(const char*) {}
#endif

}  // namespace zcdp::faults
