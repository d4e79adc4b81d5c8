// A pool for the CPU memory of libtorch's tensors. Each step needs tensors of the same sizes as the last one, and
// memory from the system is slow, since the system must clear it.

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <unordered_map>

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/Exception.h>

namespace {

// Smaller blocks are left to malloc, which reuses them well.
constexpr size_t kMinSize = size_t{1} << 16;

// The size of the header before each block, which keeps the alignment that vector instructions need.
constexpr size_t kHeader = 64;

// Blocks of the same bin are interchangeable.
struct Bin {
  // 0 for a block from malloc.
  size_t size;
  uint32_t arena;
  bool operator==(const Bin&) const = default;
};

struct Hash {
  size_t operator()(const Bin& bin) const {
    return std::hash<size_t>()(bin.size + bin.arena);
  }
};

// Pieces of work that run concurrently use different arenas: otherwise the number of blocks would depend on thread
// timing.
thread_local uint32_t arena = 0;

// Blocks that were not used for this many frames are returned to the system.
constexpr uint64_t kFramesKept = 32;

struct Idle {
  void* block;
  uint64_t since;
};

// `bytes`, rounded up by at most an eighth, so that similar sizes use the same bin.
size_t rounded(size_t bytes) {
  size_t step = kMinSize;
  while (step * 16 <= bytes) {
    step *= 2;
  }
  return (bytes + step - 1) / step * step;
}

class Pool final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* data = bytes == 0 ? nullptr : take(bytes);
    return {data, data, &deallocate, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override {
    return &deallocate;
  }

  void copy_data(void* to, const void* from, size_t bytes) const final {
    default_copy_data(to, from, bytes);
  }

  void next_frame() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++frame_;
    release(kFramesKept);
  }

  void release_all() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++frame_;
    release(0);
  }

  uint64_t taken() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return taken_;
  }

 private:
  // Returns blocks that were not used for more than `frames` frames. The caller must hold the lock.
  void release(uint64_t frames) {
    for (auto& [bin, blocks] : idle_) {
      while (!blocks.empty() && blocks.front().since + frames < frame_) {
        munmap(blocks.front().block, kHeader + bin.size);
        blocks.pop_front();
      }
    }
  }

  void* take(size_t bytes) {
    const Bin bin{bytes < kMinSize ? 0 : rounded(bytes), arena};
    void* block = bin.size == 0 ? nullptr : reuse(bin);
    if (block == nullptr) {
      block = bin.size == 0 ? c10::alloc_cpu(kHeader + bytes) : map(kHeader + bin.size);
    }
    *static_cast<Bin*>(block) = bin;
    return static_cast<char*>(block) + kHeader;
  }

  // Memory is mapped instead of taken from malloc, whose heap would be fragmented by blocks of changing sizes.
  static void* map(size_t bytes) {
    void* block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TORCH_CHECK(block != MAP_FAILED, "not enough memory: ", bytes, " bytes are needed");
    return block;
  }

  // The most recently freed block is reused first, since it may still be in caches.
  void* reuse(const Bin& bin) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto& blocks = idle_[bin];
    if (blocks.empty()) {
      ++taken_;
      return nullptr;
    }
    void* block = blocks.back().block;
    blocks.pop_back();
    return block;
  }

  static void deallocate(void* data);

  void keep(void* block, const Bin& bin) {
    const std::lock_guard<std::mutex> lock(mutex_);
    idle_[bin].push_back({block, frame_});
  }

  std::mutex mutex_;
  std::unordered_map<Bin, std::deque<Idle>, Hash> idle_;
  uint64_t frame_ = 0;
  uint64_t taken_ = 0;
};

// Never destroyed: tensors may outlive everything else.
Pool& pool() {
  static Pool* pool = new Pool();
  return *pool;
}

void Pool::deallocate(void* data) {
  if (data == nullptr) {
    return;
  }
  void* block = static_cast<char*>(data) - kHeader;
  const Bin bin = *static_cast<Bin*>(block);
  if (bin.size == 0) {
    c10::free_cpu(block);
  } else {
    pool().keep(block, bin);
  }
}

}  // namespace

extern "C" {

void style_engine_memory_install() {
  c10::SetCPUAllocator(&pool(), 1);
}

void style_engine_memory_use_arena(uint32_t number) {
  arena = number;
}

void style_engine_memory_next_frame() {
  pool().next_frame();
}

void style_engine_memory_release_all() {
  pool().release_all();
}

uint64_t style_engine_memory_taken() {
  return pool().taken();
}

}
