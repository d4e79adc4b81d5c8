// Max pooling over 2 x 2 values, forward and backward. libtorch's own stores the position of each maximum, in 8 bytes
// per value; here the backward pass finds it again, which needs less memory bandwidth.
//
// Values are the output of a ReLU. Numbers that are not negative have the same order as their bits, read as integers.
// (Negative zeros come before others, but no gradient passes through a ReLU's zeros.)

#include <algorithm>
#include <cstdint>

#include <ATen/Parallel.h>

namespace {

// The shape of channels-last pictures.
struct Shape {
  int64_t pictures, height, width, channels;
};

// The functions for a row are compiled for several instruction sets; the best that the processor has is selected at run
// time.
#if defined(__x86_64__) && defined(__ELF__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define FOR_EACH_PROCESSOR
#endif

// Calls `work` with the index of each output row and of the first of its two input rows, counted over all pictures.
template <typename Work>
void for_each_row(const Shape& shape, const Work& work) {
  const int64_t rows = shape.height / 2;
  at::parallel_for(0, shape.pictures * rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      work(row, row / rows * shape.height + row % rows * 2);
    }
  });
}

// Computes an output row from two input rows.
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

// Computes two input rows of the gradient. The gradient goes to the first maximum, if that is not one of the ReLU's
// zeros.
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

// Rows and columns that are not pooled, at the ends of odd sizes, are not written.
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
