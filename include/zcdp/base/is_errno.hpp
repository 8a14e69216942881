// What a system call failed with. Pure.
#pragma once

#include <boost/system/error_code.hpp>

namespace zcdp {

/// Whether it is this errno.
inline bool is_errno(const boost::system::error_code& code, int number) {
    return code.category() == boost::system::system_category() && code.value() == number;
}

}  // namespace zcdp
