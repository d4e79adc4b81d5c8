// The largest of 2 x 2 values, there and back. libtorch's own remembers where each came from, in 8 bytes a value; here that is
// found again, so less memory is gone through.
//
// Values are those of a ReLU: numbers that are not negative are in the same order as their bits, read as integers. (A zero with
// a sign comes before others; nothing goes back through a ReLU's zeros.)

#include <algorithm>
#include <cstdint>

#include <ATen/Parallel.h>

namespace {

// Pictures with channels side by side.
struct Shape {
  int64_t pictures, height, width, channels;
};

// Calls `work` with each row of the halved pictures, and the first of the two rows above it, counted over all pictures.
template <typename Work>
void for_each_row(const Shape& shape, const Work& work) {
  const int64_t rows = shape.height / 2;
  at::parallel_for(0, shape.pictures * rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      work(row, row / rows * shape.height + row % rows * 2);
    }
  });
}

template <typename Bits>
void pool(const Shape& shape, const Bits* x, Bits* pooled) {
  const int64_t channels = shape.channels, stride = shape.width * channels, half = shape.width / 2 * channels;
  for_each_row(shape, [=](int64_t row, int64_t above) {
    const Bits* __restrict from = x + above * stride;
    Bits* __restrict to = pooled + row * half;
    for (int64_t column = 0; column < shape.width / 2; ++column, from += 2 * channels, to += channels) {
      for (int64_t i = 0; i < channels; ++i) {
        to[i] = std::max(std::max(from[i], from[channels + i]), std::max(from[stride + i], from[stride + channels + i]));
      }
    }
  });
}

// The gradient goes to the first of those that are largest, if the ReLU let it through; what is not pooled, at the far ends, is
// left as it is.
template <typename Bits>
void pool_back(const Shape& shape, const Bits* x, const Bits* at_pooled, Bits* at_x) {
  const int64_t channels = shape.channels, stride = shape.width * channels, half = shape.width / 2 * channels;
  for_each_row(shape, [=](int64_t row, int64_t above) {
    const Bits* __restrict from = x + above * stride;
    const Bits* __restrict gradient = at_pooled + row * half;
    Bits* __restrict to = at_x + above * stride;
    for (int64_t column = 0; column < shape.width / 2; ++column) {
      for (int64_t i = 0; i < channels; ++i) {
        const Bits a = from[i], b = from[channels + i], c = from[stride + i], d = from[stride + channels + i];
        const Bits largest = std::max(std::max(a, b), std::max(c, d));
        Bits left = largest > 0 ? gradient[i] : 0;
        to[i] = a == largest ? left : 0;
        left = a == largest ? 0 : left;
        to[channels + i] = b == largest ? left : 0;
        left = b == largest ? 0 : left;
        to[stride + i] = c == largest ? left : 0;
        to[stride + channels + i] = c == largest ? 0 : left;
      }
      from += 2 * channels, to += 2 * channels, gradient += channels;
    }
  });
}

}  // namespace

extern "C" {

void style_engine_pooling_max(const Shape* shape, int64_t bytes, const void* x, void* pooled) {
  if (bytes == 2) {
    pool(*shape, static_cast<const int16_t*>(x), static_cast<int16_t*>(pooled));
  } else {
    pool(*shape, static_cast<const int32_t*>(x), static_cast<int32_t*>(pooled));
  }
}

void style_engine_pooling_max_back(
    const Shape* shape, int64_t bytes, const void* x, const void* at_pooled, void* at_x) {
  if (bytes == 2) {
    pool_back(
        *shape, static_cast<const int16_t*>(x), static_cast<const int16_t*>(at_pooled), static_cast<int16_t*>(at_x));
  } else {
    pool_back(
        *shape, static_cast<const int32_t*>(x), static_cast<const int32_t*>(at_pooled), static_cast<int32_t*>(at_x));
  }
}

}
