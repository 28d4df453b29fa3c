# Writes the commit that is built into a source file, only when it has changed, so that a new commit
# compiles one file and links: cmake -DSOURCE_DIR=... -DOUTPUT=... -P build_commit.cmake
# An archive has no commit, not even where it was unpacked inside of another repository.
set(commit "")
execute_process(
  COMMAND git -C ${SOURCE_DIR} rev-parse --show-toplevel
  OUTPUT_VARIABLE top
  OUTPUT_STRIP_TRAILING_WHITESPACE
  ERROR_QUIET)
if("${top}" STREQUAL "${SOURCE_DIR}")
  execute_process(
    COMMAND git -C ${SOURCE_DIR} rev-parse --verify HEAD
    OUTPUT_VARIABLE commit
    OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_QUIET)
  execute_process(
    COMMAND git --no-optional-locks -C ${SOURCE_DIR} status --porcelain --untracked-files=no
    OUTPUT_VARIABLE changes
    ERROR_QUIET)
  if(commit AND changes)
    string(APPEND commit "-changed")
  endif()
endif()
set(text "#include \"main/build_commit.h\"

namespace cromford::main_program {

std::string_view build_commit() {
  return \"${commit}\";
}

}  // namespace cromford::main_program
")
set(before "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} before)
endif()
if(NOT before STREQUAL text)
  file(WRITE ${OUTPUT} "${text}")
endif()
