# Turns openapi.json into a source file: cmake -DINPUT=... -DOUTPUT=... -P embed_openapi.cmake
file(READ ${INPUT} text)
file(WRITE ${OUTPUT} "#include \"http/api.h\"

#pragma GCC diagnostic ignored \"-Woverlength-strings\"

namespace cromford::http {

std::string_view openapi_document() {
  return R\"openapi(${text})openapi\";
}

}  // namespace cromford::http
")
