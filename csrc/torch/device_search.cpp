#include "torch/device_search.h"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <numeric>

#include "torch/device_beams.h"
#include "torch/device_step.h"

namespace seq2seq_kit {
namespace {

/// How many steps the device may be ahead of the host: enough to have work while the host looks, few to be in vain.
constexpr size_t kAhead = 2;

/// Steps that run as they are before one is recorded: what a library prepares at its first call is then prepared.
constexpr int64_t kWarmUp = 2;

/// Tensors on their way from a device to the host, in order.
class Crossing {
 public:
  explicit Crossing(at::Device device) : device_(device) {}

  size_t size() const { return under_way_.size(); }

  void send(const at::Tensor& tensor) {
    if (device_.is_cpu()) {
      under_way_.push_back({tensor, std::nullopt});
      return;
    }
    const c10::impl::VirtualGuardImpl impl(device_.type());
    at::Tensor landed = at::empty(tensor.sizes(), tensor.options().device(at::kCPU).pinned_memory(true));
    landed.copy_(tensor, /*non_blocking=*/true);
    c10::Event arrived(device_.type());
    arrived.record(impl.getStream(device_));
    under_way_.push_back({landed, std::move(arrived)});
  }

  /// The first that was sent, once it is there.
  at::Tensor receive() {
    Sent sent = std::move(under_way_.front());
    under_way_.pop_front();
    if (sent.arrived) sent.arrived->synchronize();
    return sent.tensor;
  }

 private:
  struct Sent {
    at::Tensor tensor;
    std::optional<c10::Event> arrived;
  };

  at::Device device_;
  std::deque<Sent> under_way_;
};

/// Lets the sentences that are not over take what was chosen for them at `position`.
void follow(const PackedChoice& choice, int64_t position, int64_t width, SearchedSentences& all) {
  std::vector<BadScores> bad;
  std::vector<int64_t> sentences(all.size());
  std::iota(sentences.begin(), sentences.end(), 0);
  for (const int64_t b : sentences) {
    Beam& beam = all.beam(b);
    if (beam.over()) continue;
    if (choice.fault(b) != RowFault::none) {
      bad.push_back({b, choice.fault(b)});
    } else {
      beam.advance(choice.candidates(b, beam.wanted()), b * width);
    }
  }
  all.check(bad, sentences, position);
  for (const int64_t b : sentences) all.tell_settled(b);
}

}  // namespace

std::optional<std::string> why_on_host(const SearchOptions& options, const std::vector<SentenceInput>& sentences,
                                       const Processors& processors, const SearchControl& control) {
  const bool constrained = std::any_of(sentences.begin(), sentences.end(),
                                       [](const SentenceInput& sentence) { return !sentence.constraints.empty(); });
  const std::pair<bool, const char*> reasons[] = {
      {options.semantics != Semantics::kit, "semantics other than kit"},
      {options.sampling != Sampling::off, "sampling"},
      {options.temperature != 1, "temperature"},
      {options.groups > 1, "groups"},
      {options.sibling_penalty > 0, "sibling_penalty"},
      {options.alternatives, "alternatives"},
      {options.coverage_penalty > 0, "coverage_penalty"},
      {options.top_tokens > 0, "top_tokens"},
      {constrained, "constraints"},
      {!processors.empty(), "an option or a prefix that bars or biases tokens"},
      {!control.processors.empty(), "a processor"},
      {control.stop != nullptr, "a stop criterion"},
  };
  for (const auto& [asked, what] : reasons) {
    if (asked) return what;
  }
  return std::nullopt;
}

void search_on_device(const FunctionStepModel& model, const SearchOptions& options,
                      const std::vector<SentenceInput>& sentences, SearchControl& control, SearchedSentences& all) {
  const int64_t batch = all.size();
  DeviceStep step = model.on_device(batch, options.beam_size);
  DeviceBeams beams(options, sentences, step.device());
  int64_t vocab = 0, longest = 0;
  for (int64_t b = 0; b < batch; ++b) longest = std::max(longest, all.beam(b).limit());
  if (!options.eos_ids.empty()) ++longest;  // EOS comes after the limit

  // One time step of the first `width` slots: all that is enqueued on the device.
  at::Tensor chosen, attention;
  const auto enqueue = [&](int64_t width) {
    const StepScores scores = step(beams.tokens(width), beams.position());
    if (vocab == 0) options.validate_tokens(vocab = scores.scores.size(2));
    chosen = beams.advance(scores).pack();
    attention = scores.attention;
    step.select(beams.parents());
    beams.feed();
  };

  Crossing crossing(step.device());
  int64_t followed = 0;  // steps that the host knows
  const auto catch_up = [&](size_t ahead) {
    for (; crossing.size() > ahead; ++followed) {
      follow({crossing.receive(), vocab}, followed, followed == 0 ? 1 : options.beam_size, all);
    }
  };
  const auto over = [&] {
    for (int64_t b = 0; b < batch; ++b) {
      if (!all.beam(b).over()) return false;
    }
    return true;
  };

  bool records = control.record && step.is_fixed();
  std::function<void()> recorded;
  int64_t alike = 0;  // steps so far that saw the same shapes
  for (int64_t position = 0; position < longest && !over() && !all.out_of_time(); ++position) {
    control.before_step();
    const int64_t width = position == 0 ? 1 : options.beam_size;
    if (step.begin(position) || position == 1) {
      recorded = nullptr;
      alike = 0;
    }
    if (records && !recorded && alike == kWarmUp) {
      recorded = control.record([&] { enqueue(options.beam_size); });
      records = recorded != nullptr;
    }
    if (recorded) {
      recorded();
    } else {
      enqueue(width);
      ++alike;
    }
    crossing.send(chosen);
    // What is recorded writes its attention to the same place each time.
    all.keep_attention(recorded && attention.defined() ? attention.clone() : attention);
    catch_up(kAhead);
  }
  catch_up(0);
}

}  // namespace seq2seq_kit
