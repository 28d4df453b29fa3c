// The parts of Boost.Asio and Beast that are not templates, compiled once: the folder is built with
// BOOST_ASIO_SEPARATE_COMPILATION and BOOST_BEAST_SEPARATE_COMPILATION.

#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
