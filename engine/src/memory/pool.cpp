// The CPU memory of libtorch's tensors, kept for the next ones: a step's are of the same sizes as the last one's, and what is
// given back to the system must be cleared by it before it is lent again.

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

// What is smaller is left to malloc, which keeps it as well.
constexpr size_t kLeast = size_t{1} << 16;

// Before each block, as far as vector instructions want it aligned.
constexpr size_t kHeader = 64;

// Blocks that serve each other.
struct Shelf {
  // 0 for a small one.
  size_t size;
  uint32_t arena;
  bool operator==(const Shelf&) const = default;
};

struct Hash {
  size_t operator()(const Shelf& shelf) const {
    return std::hash<size_t>()(shelf.size + shelf.arena);
  }
};

// What threads work on at the same time has an arena each: else it were chance how many blocks are in use at once.
thread_local uint32_t arena = 0;

// What was not wanted for so many frames is given back.
constexpr uint64_t kFramesKept = 32;

struct Idle {
  void* block;
  uint64_t since;
};

// `bytes`, and at most an eighth more, so that sizes that differ a little share blocks.
size_t rounded(size_t bytes) {
  size_t step = kLeast;
  while (step * 16 <= bytes) {
    step *= 2;
  }
  return (bytes + step - 1) / step * step;
}

class Pool final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* data = bytes == 0 ? nullptr : take(bytes);
    return {data, data, &give_back, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override {
    return &give_back;
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
  // What was not wanted for more than so many frames. The caller holds the lock.
  void release(uint64_t frames) {
    for (auto& [shelf, blocks] : idle_) {
      while (!blocks.empty() && blocks.front().since + frames < frame_) {
        munmap(blocks.front().block, kHeader + shelf.size);
        blocks.pop_front();
      }
    }
  }

  void* take(size_t bytes) {
    const Shelf shelf{bytes < kLeast ? 0 : rounded(bytes), arena};
    void* block = shelf.size == 0 ? nullptr : reuse(shelf);
    if (block == nullptr) {
      block = shelf.size == 0 ? c10::alloc_cpu(kHeader + bytes) : map(kHeader + shelf.size);
    }
    *static_cast<Shelf*>(block) = shelf;
    return static_cast<char*>(block) + kHeader;
  }

  // From the system, not from malloc: blocks of ever other sizes would leave its heap in pieces.
  static void* map(size_t bytes) {
    void* block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TORCH_CHECK(block != MAP_FAILED, "not enough memory: ", bytes, " bytes are wanted");
    return block;
  }

  // The block given back last is the one that caches may still hold.
  void* reuse(const Shelf& shelf) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto& blocks = idle_[shelf];
    if (blocks.empty()) {
      ++taken_;
      return nullptr;
    }
    void* block = blocks.back().block;
    blocks.pop_back();
    return block;
  }

  static void give_back(void* data);

  void keep(void* block, const Shelf& shelf) {
    const std::lock_guard<std::mutex> lock(mutex_);
    idle_[shelf].push_back({block, frame_});
  }

  std::mutex mutex_;
  std::unordered_map<Shelf, std::deque<Idle>, Hash> idle_;
  uint64_t frame_ = 0;
  uint64_t taken_ = 0;
};

// Never destroyed: tensors may outlive everything else.
Pool& pool() {
  static Pool* pool = new Pool();
  return *pool;
}

void Pool::give_back(void* data) {
  if (data == nullptr) {
    return;
  }
  void* block = static_cast<char*>(data) - kHeader;
  const Shelf shelf = *static_cast<Shelf*>(block);
  if (shelf.size == 0) {
    c10::free_cpu(block);
  } else {
    pool().keep(block, shelf);
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
