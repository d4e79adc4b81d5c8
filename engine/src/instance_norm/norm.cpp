// Instance normalization of a channels-last picture, in place, with what follows it: two passes over the memory instead of
// libtorch's five. libtorch's own is many times slower in bf16.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <vector>

#include <ATen/Parallel.h>

namespace {

// The functions for a run of numbers are compiled for several instruction sets; the best that the processor has is selected
// at run time.
#if defined(__x86_64__) && defined(__ELF__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define FOR_EACH_PROCESSOR
#endif

// The operation on normalized values.
enum After : int64_t { kNothing, kRelu, kAdd };

// A number in bf16: the upper half of a float.
struct Bf16 {
  uint16_t bits;
};

inline float load(float value) {
  return value;
}

inline float load(Bf16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

inline void store(float value, float& to) {
  to = value;
}

// Rounds to nearest, ties to even.
inline void store(float value, Bf16& to) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  to.bits = static_cast<uint16_t>(value == value ? rounded : 0x7fc0);
}

// Adds numbers, less `origin`, and their squares to sums of their channels. All arrays but `x` repeat the channels up to
// `period`, so that the inner loop is long enough for the processor's vectors.
template <typename Number>
FOR_EACH_PROCESSOR void add_up(
    int64_t count, int64_t period, const Number* __restrict x, const float* __restrict origin, float* __restrict sums,
    float* __restrict squares) {
  for (int64_t begin = 0; begin < count; begin += period) {
    const int64_t length = std::min(period, count - begin);
    for (int64_t i = 0; i < length; ++i) {
      const float value = load(x[begin + i]) - origin[i];
      sums[i] += value;
      squares[i] += value * value;
    }
  }
}

template <int64_t after, typename Number>
FOR_EACH_PROCESSOR void scale_and_shift(
    int64_t count, int64_t period, Number* __restrict x, const float* __restrict origin, const float* __restrict scale,
    const float* __restrict shift, const Number* __restrict added) {
  for (int64_t begin = 0; begin < count; begin += period) {
    const int64_t length = std::min(period, count - begin);
    for (int64_t i = 0; i < length; ++i) {
      float value = (load(x[begin + i]) - origin[i]) * scale[i] + shift[i];
      if constexpr (after == kRelu) {
        value = value < 0 ? 0 : value;
      } else if constexpr (after == kAdd) {
        value += load(added[begin + i]);
      }
      store(value, x[begin + i]);
    }
  }
}

template <typename Number>
void normalize(
    int64_t pixels, int64_t channels, double epsilon, Number* x, const float* scale, const float* shift, int64_t after,
    const Number* added) {
  const int64_t repeats = std::max<int64_t>(1, 64 / channels), period = repeats * channels;
  // A chunk is short enough for sums in 32 bits.
  const int64_t chunk = repeats * std::max<int64_t>(1, 4096 / period), chunks = (pixels + chunk - 1) / chunk;
  // Deviations from the first pixel: sums of squares of large numbers would lose the variance.
  std::vector<float> origin(period), factors(period), offsets(period);
  for (int64_t i = 0; i < period; ++i) {
    origin[i] = load(x[i % channels]);
  }
  std::vector<double> sums(channels), squares(channels);
  std::mutex lock;
  at::parallel_for(0, chunks, 8, [&](int64_t begin, int64_t end) {
    std::vector<float> of_chunk(2 * period);
    std::vector<double> own(2 * channels);
    for (int64_t index = begin; index < end; ++index) {
      std::fill(of_chunk.begin(), of_chunk.end(), 0.0f);
      const int64_t count = std::min(chunk, pixels - index * chunk) * channels;
      add_up(count, period, x + index * chunk * channels, origin.data(), of_chunk.data(), of_chunk.data() + period);
      for (int64_t i = 0; i < period; ++i) {
        own[i % channels] += of_chunk[i];
        own[channels + i % channels] += of_chunk[period + i];
      }
    }
    const std::lock_guard guard(lock);
    for (int64_t i = 0; i < channels; ++i) {
      sums[i] += own[i];
      squares[i] += own[channels + i];
    }
  });
  for (int64_t i = 0; i < period; ++i) {
    const int64_t channel = i % channels;
    const double mean = sums[channel] / pixels, variance = std::max(0.0, squares[channel] / pixels - mean * mean);
    const double factor = (scale ? scale[channel] : 1) / std::sqrt(variance + epsilon);
    factors[i] = static_cast<float>(factor);
    offsets[i] = static_cast<float>((shift ? shift[channel] : 0) - mean * factor);
  }
  at::parallel_for(0, chunks, 8, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * chunk * channels, count = std::min(end * chunk, pixels) * channels - first;
    const auto run = after == kRelu ? scale_and_shift<kRelu, Number>
        : after == kAdd            ? scale_and_shift<kAdd, Number>
                                   : scale_and_shift<kNothing, Number>;
    run(count, period, x + first, origin.data(), factors.data(), offsets.data(), added ? added + first : nullptr);
  });
}

}  // namespace

extern "C" void style_engine_instance_norm(
    int64_t pixels, int64_t channels, double epsilon, int64_t bytes, void* x, const float* scale, const float* shift,
    int64_t after, const void* added) {
  if (bytes == 2) {
    normalize(
        pixels, channels, epsilon, static_cast<Bf16*>(x), scale, shift, after, static_cast<const Bf16*>(added));
  } else {
    normalize(
        pixels, channels, epsilon, static_cast<float*>(x), scale, shift, after, static_cast<const float*>(added));
  }
}
