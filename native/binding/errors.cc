#include "binding/errors.h"

#include <new>
#include <string>

#include "binding/state.h"
#include "core/error.h"
#include "ort/api.h"

namespace node_vae {
namespace {

// Standard C++ and ONNX Runtime say this of threads that the system refuses to start, and hardly a word more.
std::string ExplainThreads(const std::string& message) {
  constexpr const char* kRefused = "Resource temporarily unavailable";
  if (message.find(kRefused) == std::string::npos) return message;
  return std::string("No thread could be started (") + kRefused +
         "). The process or its container may have only so many: raise the limit (ulimit -u, docker run --pids-limit, "
         "TasksMax= of systemd), or use fewer threads with NODE_VAE_THREADS=1 or the option threads.";
}

// Memory that ran out is no fault of a model, whatever ONNX Runtime was doing when it did.
bool IsOutOfMemory(const std::string& message) {
  return message.find("bad_alloc") != std::string::npos || message.find("Failed to allocate memory") != std::string::npos ||
         message.find("cannot allocate memory") != std::string::npos ||
         message.find("Cannot allocate memory") != std::string::npos;
}

napi_value MakeError(napi_env env, const char* code, const std::string& given, int ort_code) {
  std::string message = ExplainThreads(given);
  if (IsOutOfMemory(message)) {
    code = code::kRuntime;
    message = "Out of memory: " + message + (message.ends_with('.') ? "" : ".") +
              " Give the process or its container more, or use fewer threads or smaller batches.";
  }
  const Napi::FunctionReference& factory = AddonState::Of(env).error_factory;
  if (!factory.IsEmpty()) {
    const Napi::Value number = ort_code == 0 ? Napi::Env(env).Undefined() : Napi::Number::New(env, ort_code);
    return factory.Value().Call({Napi::String::New(env, code), Napi::String::New(env, message), number});
  }
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  if (ort_code != 0) error.Set("ortCode", Napi::Number::New(env, ort_code));
  return error.Value();
}

}  // namespace

napi_value ToJsError(napi_env env, const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Napi::Error& js) {
    return js.Value();
  } catch (const Error& native) {
    return MakeError(env, native.code(), native.what(), native.ort_code());
  } catch (const Ort::Exception& runtime) {
    return MakeError(env, code::kRuntime, runtime.what(), runtime.GetOrtErrorCode());
  } catch (const std::bad_alloc&) {
    return MakeError(env, code::kRuntime, "Out of memory.", 0);
  } catch (const std::exception& other) {
    return MakeError(env, code::kRuntime, other.what(), 0);
  } catch (...) {
    return MakeError(env, code::kRuntime, "Unknown failure in native code.", 0);
  }
}

void ThrowNodeApiError(napi_env env, napi_status status) {
  switch (status) {
    case napi_object_expected:
    case napi_string_expected:
    case napi_function_expected:
    case napi_number_expected:
    case napi_boolean_expected:
    case napi_array_expected:
    case napi_bigint_expected: {
      const napi_extended_error_info* info = nullptr;
      napi_get_last_error_info(env, &info);
      throw Error(code::kOption, std::string("Wrong type of argument: ") +
                                     (info != nullptr && info->error_message != nullptr ? info->error_message : "?"));
    }
    default:
      throw Napi::Error::New(env);
  }
}

}  // namespace node_vae
