// Bicubic warping: one pass over the pixels for all channels. The weights depend on the flow alone; libtorch computes them
// again for each channel.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include <ATen/Parallel.h>

namespace {

constexpr int TAPS = 4;
// The parameter of the cubic kernel, as libtorch has it (R. Keys, IEEE ASSP 1981).
constexpr float SHARPNESS = -0.75f;
constexpr int64_t ROWS_AT_ONCE = 8;

// Four values. (Gathering those of several pixels at once takes longer on most processors.)
using Four = float __attribute__((vector_size(TAPS * sizeof(float))));

// The four nearest pixels to a position on a line, and their weights.
struct Taps {
  int32_t pixels[TAPS];
  float weights[TAPS];
};

// The shape of planes of values, one after the other.
struct Shape {
  int64_t channels, height, width;
};

// The functions for a row are compiled for several instruction sets; the best that the processor has is selected at run
// time.
#if defined(__x86_64__) && defined(__ELF__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define FOR_EACH_PROCESSOR
#endif

// Finds taps on a line of `length` pixels, whose numbers are multiplied by `stride`, for the positions
// `pixel + step * i + motion[i]`. Beyond its ends the line is mirrored, once.
FOR_EACH_PROCESSOR void find_taps(
    int64_t count, int32_t length, int32_t stride, float pixel, float step, const float* __restrict motion, Taps* __restrict taps) {
  const float last = static_cast<float>(length - 1);
  const auto near = [](float x) { return ((SHARPNESS + 2) * x - (SHARPNESS + 3)) * x * x + 1; };
  const auto far = [](float x) { return ((SHARPNESS * x - 5 * SHARPNESS) * x + 8 * SHARPNESS) * x - 4 * SHARPNESS; };
  for (int64_t i = 0; i < count; ++i) {
    // In this order, a position that is not a number becomes the first pixel.
    const float position = std::min(2.0f * last, std::max(-last, pixel + step * static_cast<float>(i) + motion[i]));
    const float floor = std::floor(position);
    const float distance = position - floor;
    const int32_t first = static_cast<int32_t>(floor) - 1;
    for (int tap = 0; tap < TAPS; ++tap) {
      int32_t at = first + tap;
      at = at < 0 ? -1 - at : at;
      at = at >= length ? 2 * length - 1 - at : at;
      taps[i].pixels[tap] = stride * std::min(length - 1, std::max(0, at));
    }
    taps[i].weights[0] = far(1 + distance);
    taps[i].weights[1] = near(distance);
    taps[i].weights[2] = near(1 - distance);
    taps[i].weights[3] = far(2 - distance);
  }
}

// Computes a row of a plane.
FOR_EACH_PROCESSOR void sample_row(
    int64_t width, const float* __restrict plane, const Taps* __restrict across, const Taps* __restrict down, float* __restrict result) {
  for (int64_t x = 0; x < width; ++x) {
    const int32_t* columns = across[x].pixels;
    const bool is_inside = columns[3] - columns[0] == 3;
    Four sums = {};
    for (int tap = 0; tap < TAPS; ++tap) {
      const float* row = plane + down[x].pixels[tap];
      Four values;
      if (is_inside) {
        std::memcpy(&values, row + columns[0], sizeof(values));
      } else {
        values = Four{row[columns[0]], row[columns[1]], row[columns[2]], row[columns[3]]};
      }
      sums += down[x].weights[tap] * values;
    }
    Four weights;
    std::memcpy(&weights, across[x].weights, sizeof(weights));
    sums *= weights;
    result[x] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
}

}  // namespace

extern "C" void style_engine_warp_bicubic(const Shape* shape, const float* values, const float* flow, float* warped) {
  const auto [channels, height, width] = *shape;
  const int64_t pixels = height * width;
  at::parallel_for(0, height, ROWS_AT_ONCE, [=](int64_t begin, int64_t end) {
    std::vector<Taps> across(width), down(width);
    for (int64_t y = begin; y < end; ++y) {
      const float* motion = flow + y * width;
      find_taps(width, static_cast<int32_t>(width), 1, 0, 1, motion, across.data());
      find_taps(
          width, static_cast<int32_t>(height), static_cast<int32_t>(width), static_cast<float>(y), 0, motion + pixels,
          down.data());
      for (int64_t channel = 0; channel < channels; ++channel) {
        const float* plane = values + channel * pixels;
        sample_row(width, plane, across.data(), down.data(), warped + channel * pixels + y * width);
      }
    }
  });
}
