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

// Each row's work is compiled for several instruction sets, of which the processor's best is taken.
#if defined(__x86_64__) && defined(__ELF__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define FOR_EACH_PROCESSOR
#endif

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

// A row of the halved picture, of so many columns, from two rows.
template <typename Bits>
FOR_EACH_PROCESSOR void pool_row(
    int64_t columns, int64_t channels, const Bits* __restrict upper, const Bits* __restrict lower, Bits* __restrict to) {
  for (int64_t column = 0; column < columns; ++column) {
    const Bits *__restrict upper_right = upper + channels, *__restrict lower_right = lower + channels;
    for (int64_t i = 0; i < channels; ++i) {
      to[i] = std::max(std::max(upper[i], upper_right[i]), std::max(lower[i], lower_right[i]));
    }
    upper += 2 * channels, lower += 2 * channels, to += channels;
  }
}

// The gradient goes to the first of those that are largest, if the ReLU let it through.
template <typename Bits>
FOR_EACH_PROCESSOR void pool_row_back(
    int64_t columns,
    int64_t channels,
    const Bits* __restrict upper,
    const Bits* __restrict lower,
    const Bits* __restrict gradient,
    Bits* __restrict at_upper,
    Bits* __restrict at_lower) {
  for (int64_t column = 0; column < columns; ++column) {
    const Bits *__restrict upper_right = upper + channels, *__restrict lower_right = lower + channels;
    Bits *__restrict at_upper_right = at_upper + channels, *__restrict at_lower_right = at_lower + channels;
    for (int64_t i = 0; i < channels; ++i) {
      const Bits a = upper[i], b = upper_right[i], c = lower[i], d = lower_right[i];
      const Bits largest = std::max(std::max(a, b), std::max(c, d));
      Bits left = largest > 0 ? gradient[i] : 0;
      at_upper[i] = a == largest ? left : 0;
      left = a == largest ? 0 : left;
      at_upper_right[i] = b == largest ? left : 0;
      left = b == largest ? 0 : left;
      at_lower[i] = c == largest ? left : 0;
      at_lower_right[i] = c == largest ? 0 : left;
    }
    upper += 2 * channels, lower += 2 * channels, gradient += channels;
    at_upper += 2 * channels, at_lower += 2 * channels;
  }
}

template <typename Bits>
void pool(const Shape& shape, const Bits* x, Bits* pooled) {
  const int64_t columns = shape.width / 2, channels = shape.channels, stride = shape.width * channels;
  for_each_row(shape, [=](int64_t row, int64_t above) {
    const Bits* upper = x + above * stride;
    pool_row(columns, channels, upper, upper + stride, pooled + row * columns * channels);
  });
}

// What is not pooled, at the far ends, is left as it is.
template <typename Bits>
void pool_back(const Shape& shape, const Bits* x, const Bits* at_pooled, Bits* at_x) {
  const int64_t columns = shape.width / 2, channels = shape.channels, stride = shape.width * channels;
  for_each_row(shape, [=](int64_t row, int64_t above) {
    const Bits* upper = x + above * stride;
    const Bits* gradient = at_pooled + row * columns * channels;
    Bits* at_upper = at_x + above * stride;
    pool_row_back(columns, channels, upper, upper + stride, gradient, at_upper, at_upper + stride);
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
