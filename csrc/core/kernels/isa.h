// Which instruction set the kernels use, chosen at run time.
#pragma once

namespace seq2seq_kit::kernels {

/// In ascending order: a processor that has one has those before it. Beside x86-64 there is only `portable`.
///
/// - `avx2`: with FMA.
/// - `avx512`: F, DQ, BW and VL.
/// - `avx512_vnni`: with dot products of bytes.
/// - `avx512_bf16`: with dot products of bfloat16.
enum class Isa { portable, avx2, avx512, avx512_vnni, avx512_bf16 };

/// The best that this processor has.
Isa best_isa();

/// The one in use: the best, unless a test has chosen another.
Isa isa();

/// For tests: from now on, in all threads. At most `best_isa()`.
void use_isa(Isa isa);

}  // namespace seq2seq_kit::kernels
