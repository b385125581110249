#include "core/kernels/lanes.inl"



/// `max` is that of the scores before these. Places of scores above `least`, or of all where it is NaN, are written to
/// `found`.
Summary summarise(const float* scores, int64_t size, float max, float least, int32_t* found) {
  Lanes lanes = all(kNone);
  for (int64_t i = 0; i < size; i += kLanes) lanes = greater(lanes, load_some(scores + i, size - i, kNone));
  const float most = greatest(lanes);
  Summary summary{most > max ? most : max, 0, 0};
  const float from = summary.max == kNone ? 0 : summary.max;
  Lanes sums = all(0);
  for (int64_t i = 0; i < size; i += kLanes) {
    Lanes x = load_some(scores + i, size - i, kNone);
    for (Vector& part : x.parts) part = exp_of_negative(part - from);
    sums = sums + x;
  }
  summary.sum = sum(sums);
  if (most <= least) return summary;
  for (int64_t i = 0; i < size; ++i) {
    found[summary.found] = static_cast<int32_t>(i);
    summary.found += !(scores[i] <= least);
  }
  return summary;
}
