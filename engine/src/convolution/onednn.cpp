// Convolutions by oneDNN, libtorch's library for the CPU. These operators have no C++ function, so they are called
// through the dispatcher.

#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include <ATen/ATen.h>
#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>

namespace {

// Stride, padding and dilation of a 3 x 3 convolution that keeps the size.
constexpr int64_t kOnes[] = {1, 1};

// Runs `work` and returns its error message, which the caller must free, or null.
template <typename Work>
char* error_of(const Work& work) {
  try {
    work();
    return nullptr;
  } catch (const std::exception& error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("an unknown error");
  }
}

}  // namespace

extern "C" {

bool style_engine_onednn_is_available() {
  return at::globalContext().hasMKLDNN();
}

char* style_engine_onednn_pack(const at::Tensor* weight, const at::Tensor* input, at::Tensor** packed) {
  return error_of([&] {
    static const auto op =
        c10::Dispatcher::singleton()
            .findSchemaOrThrow("mkldnn::_reorder_convolution_weight", "")
            .typed<at::Tensor(
                const at::Tensor&, at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, int64_t, at::OptionalIntArrayRef)>();
    *packed = new at::Tensor(op.call(*weight, kOnes, kOnes, kOnes, 1, input->sizes()));
  });
}

char* style_engine_onednn_convolve(
    const at::Tensor* input, const at::Tensor* packed, const at::Tensor* bias, bool rectified, at::Tensor** output) {
  return error_of([&] {
    static const auto op =
        c10::Dispatcher::singleton()
            .findSchemaOrThrow("mkldnn::_convolution_pointwise", "")
            .typed<at::Tensor(
                const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, at::IntArrayRef, at::IntArrayRef,
                at::IntArrayRef, int64_t, std::string_view, at::List<std::optional<at::Scalar>>,
                std::optional<std::string_view>)>();
    const std::optional<at::Tensor> shift = bias == nullptr ? std::nullopt : std::optional(*bias);
    const char* activation = rectified ? "relu" : "none";
    const at::List<std::optional<at::Scalar>> no_scalars;
    *output = new at::Tensor(
        op.call(*input, *packed, shift, kOnes, kOnes, kOnes, 1, activation, no_scalars, std::string_view()));
  });
}

}
