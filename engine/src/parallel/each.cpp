// Several pieces of work at once, on the threads of libtorch's own operations: more threads would compete with them.

#include <cstdint>

#include <ATen/Parallel.h>

extern "C" void style_engine_parallel_each(int64_t count, void (*work)(void* state, int64_t piece), void* state) {
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      work(state, piece);
    }
  });
}
