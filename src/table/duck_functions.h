#pragma once

// The functions of DuckDB's C interface that this folder calls. The library is large, and most
// commands never read a table: it is loaded with the first engine (docs/adr/0007), and the
// functions stand here as pointers under their own names, which hide the declarations of duckdb.h.
// A function that is missing in the list below fails to link.
//
//   TRY(load_duckdb());
//   duckdb_open_ext(nullptr, &database, config, &error);
//
// Thread safety: load_duckdb() may be called by several threads at once; whoever has an Engine has
// the functions.

#include <absl/status/status.h>
#include <duckdb.h>

#define CROMFORD_DUCKDB_FUNCTIONS(X)             \
  X(duckdb_append_int64)                         \
  X(duckdb_append_varchar_length)                \
  X(duckdb_appender_close)                       \
  X(duckdb_appender_create)                      \
  X(duckdb_appender_destroy)                     \
  X(duckdb_appender_end_row)                     \
  X(duckdb_bind_add_result_column)               \
  X(duckdb_bind_get_extra_info)                  \
  X(duckdb_close)                                \
  X(duckdb_column_count)                         \
  X(duckdb_column_name)                          \
  X(duckdb_column_type)                          \
  X(duckdb_connect)                              \
  X(duckdb_create_config)                        \
  X(duckdb_create_data_chunk)                    \
  X(duckdb_create_logical_type)                  \
  X(duckdb_create_scalar_function)               \
  X(duckdb_create_table_function)                \
  X(duckdb_data_chunk_get_column_count)          \
  X(duckdb_data_chunk_get_size)                  \
  X(duckdb_data_chunk_get_vector)                \
  X(duckdb_data_chunk_set_size)                  \
  X(duckdb_destroy_config)                       \
  X(duckdb_destroy_data_chunk)                   \
  X(duckdb_destroy_logical_type)                 \
  X(duckdb_destroy_pending)                      \
  X(duckdb_destroy_prepare)                      \
  X(duckdb_destroy_result)                       \
  X(duckdb_destroy_scalar_function)              \
  X(duckdb_destroy_table_function)               \
  X(duckdb_disconnect)                           \
  X(duckdb_execute_pending)                      \
  X(duckdb_fetch_chunk)                          \
  X(duckdb_free)                                 \
  X(duckdb_function_get_extra_info)              \
  X(duckdb_function_set_error)                   \
  X(duckdb_init_set_max_threads)                 \
  X(duckdb_interrupt)                            \
  X(duckdb_library_version)                      \
  X(duckdb_open_ext)                             \
  X(duckdb_pending_error)                        \
  X(duckdb_pending_prepared_streaming)           \
  X(duckdb_prepare)                              \
  X(duckdb_prepare_error)                        \
  X(duckdb_query)                                \
  X(duckdb_register_scalar_function)             \
  X(duckdb_register_table_function)              \
  X(duckdb_result_error)                         \
  X(duckdb_result_error_type)                    \
  X(duckdb_row_count)                            \
  X(duckdb_scalar_function_add_parameter)        \
  X(duckdb_scalar_function_get_extra_info)       \
  X(duckdb_scalar_function_set_error)            \
  X(duckdb_scalar_function_set_extra_info)       \
  X(duckdb_scalar_function_set_function)         \
  X(duckdb_scalar_function_set_name)             \
  X(duckdb_scalar_function_set_return_type)      \
  X(duckdb_scalar_function_set_special_handling) \
  X(duckdb_scalar_function_set_volatile)         \
  X(duckdb_set_config)                           \
  X(duckdb_table_function_set_bind)              \
  X(duckdb_table_function_set_extra_info)        \
  X(duckdb_table_function_set_function)          \
  X(duckdb_table_function_set_init)              \
  X(duckdb_table_function_set_name)              \
  X(duckdb_validity_set_row_invalid)             \
  X(duckdb_value_int64)                          \
  X(duckdb_value_varchar)                        \
  X(duckdb_vector_assign_string_element_len)     \
  X(duckdb_vector_ensure_validity_writable)      \
  X(duckdb_vector_get_data)                      \
  X(duckdb_vector_get_validity)                  \
  X(duckdb_vector_reference_vector)              \
  X(duckdb_vector_size)

namespace cromford::table {

// NOLINTBEGIN(readability-identifier-naming): the names are the library's.
#define CROMFORD_FUNCTION_POINTER(name) inline decltype(&::name) name = nullptr;
CROMFORD_DUCKDB_FUNCTIONS(CROMFORD_FUNCTION_POINTER)
#undef CROMFORD_FUNCTION_POINTER
// NOLINTEND(readability-identifier-naming)

// Loads the library and sets the pointers, the first time it is called. INTERNAL when the library
// is missing or of another version; no pointer may be used then.
absl::Status load_duckdb();

}  // namespace cromford::table
