// The search of one sentence: its live hypotheses, and the rules by which they go on and end. Torch-free.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/backpointers.h"
#include "core/candidate.h"
#include "core/coverage.h"
#include "core/processors/processor.h"
#include "seq2seq_kit/hypothesis.h"
#include "seq2seq_kit/search_options.h"
#include "seq2seq_kit/sentence_input.h"

namespace seq2seq_kit {

class SentenceScores;

/// One sentence's search. What all semantics share is here: live slots, backpointers, the sequences that processors
/// read. Whose rules apply is in the classes of `core/semantics`; other ways to search are in `core/methods`.
class Beam {
 public:
  /// `options` and `sentence` must outlive the beam.
  Beam(const SearchOptions& options, const SentenceInput& sentence);
  virtual ~Beam() = default;

  /// The attention of the next step's rows, [live slots, positions]; given only where `coverage_penalty` asks for it.
  void see_attention(std::span<const float> attention, int64_t positions) { coverage_.see(attention, positions); }

  /// Keeps the likeliest tokens of each live slot, where `top_tokens` asks for them.
  void see_top_tokens(SentenceScores& scores);

  /// One time step: chooses among the continuations of the live slots. `first_row` is the row of this sentence's slot 0
  /// in the step's output. By default, the best `wanted()` candidates are taken.
  virtual void step(SentenceScores& scores, int64_t first_row);

  /// How many candidates the next `advance` takes at most.
  virtual int64_t wanted() const = 0;

  /// Takes a step's best candidates, best first, at most `wanted()` of them.
  virtual void advance(std::span<const Candidate> candidates, int64_t first_row) = 0;

  /// True when `step` asks for nothing but the best `wanted()` candidates, so that they may be found elsewhere (on an
  /// accelerator).
  virtual bool takes_only_best() const { return true; }

  /// True while the next token is one of a prompt, which is given: then `step` chooses nothing.
  virtual bool in_prompt() const { return false; }

  /// What the semantics itself bars at the next step: EOS before the least length, all but EOS at the limit.
  virtual Allowed allowed() const { return Allowed::all; }

  /// Says that scores may be above 0, so that a sum may rise: a caller's own processors do what they like.
  virtual void expect_rising_sums() {}

  virtual bool done() const = 0;

  /// The `n_best` best finished hypotheses, best first.
  virtual std::vector<Hypothesis> hypotheses() const = 0;

  /// Ends the live slots that `ended` says, as they are. Where the semantics knows no such thing, the sentence is
  /// `stopped` once `ended` says so of its likeliest live slot.
  virtual void stop(std::span<const bool> ended);

  /// True when the sentence's search is over: by its rules, or because it is stopped, and its results are
  /// `best_so_far`.
  bool over() const { return stopped_ || done(); }
  bool stopped() const { return stopped_; }

  /// The tokens that every hypothesis which may still come first begins with: once here, they are never taken back.
  /// When the beam is done, the best hypothesis.
  std::vector<int64_t> settled() const;

  /// As `hypotheses`, and where these are fewer than `n_best`, the best live ones, marked with what has cut them short.
  virtual std::vector<Hypothesis> best_so_far(Finish cut) const;

  /// The live slots, and what the next step is fed.
  struct Slot {
    float sum;       // of token log-probabilities
    int64_t token;   // the last one
    int64_t parent;  // the slot of the step before that it continues
    int64_t node;    // its last backpointer
    int64_t state;   // of the sentence's automaton
  };
  std::span<const Slot> slots() const { return slots_; }

  /// One live slot as processors see it.
  HypothesisView view(int64_t slot) const;

  /// The same as processors see it.
  virtual HypothesisView processors_view(int64_t slot) const { return view(slot); }

  /// Tokens generated so far by every live hypothesis.
  int64_t length() const { return length_; }
  int64_t limit() const { return limit_; }
  const SearchOptions& options() const { return *options_; }
  const SentenceInput& sentence() const { return *sentence_; }

 protected:
  /// Between these two, `keep` lists the slots of the next step, in order, and `record` gives backpointers to
  /// candidates of this one.
  void begin(int64_t first_row);
  void end();

  /// Removes live slots, and what they hold in a step's order.
  void drop(std::span<const bool> gone);

  int64_t record(const Candidate& candidate);
  void keep(const Candidate& candidate, int64_t node);

  /// A hypothesis of `node`, with its sum, score and end.
  Hypothesis write_out(int64_t node, float sum, double score, Finish finish) const;

  /// The coverage penalty of the hypothesis that a candidate of this step makes, to be added to its score.
  double coverage_penalty(const Candidate& candidate) const { return coverage_.penalty(candidate.slot); }

  /// The coverage of the live hypotheses starts anew.
  void forget_attention() { coverage_.forget(); }

  /// True for a live slot that only takes up a place: what it holds has ended before, and is never returned.
  virtual bool is_over(int64_t /*slot*/) const { return false; }

  /// The score of a live hypothesis as it is, coverage included.
  double score_so_far(int64_t slot) const { return score_so_far(slot, length_); }

  /// The same where `length` of its tokens are scored.
  double score_so_far(int64_t slot, int64_t length) const;

  /// The score by which a live or finished hypothesis is ranked, at `length` tokens, but for coverage.
  virtual double score(float sum, int64_t length) const;

 private:
  const SearchOptions* options_;
  const SentenceInput* sentence_;
  int64_t limit_;
  int64_t length_ = 0;
  int64_t first_row_ = 0;
  bool stopped_ = false;

  Backpointers backpointers_;
  std::vector<int64_t> tops_;  // [live slots] what `backpointers_` calls their likeliest tokens; empty: not asked for
  Coverage coverage_;
  std::vector<Slot> slots_, next_slots_;
  std::vector<int64_t> sequences_, next_sequences_;  // [slots, 1 + length]
};

/// The beam of a sentence under `options`.
std::unique_ptr<Beam> make_beam(const SearchOptions& options, const SentenceInput& sentence);

}  // namespace seq2seq_kit
