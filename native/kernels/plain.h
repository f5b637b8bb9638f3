#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/parallel.h"

// Operators that give the same bits on every processor: sums are made in a fixed order in float64 of products that
// float64 holds exactly, functions by polynomials of single operations, and results are rounded to float32 once.
namespace node_vae::plain {

using Dims = std::vector<int64_t>;

int64_t Count(const Dims& dims);

// out [batches, m, n] = left [.., m, k] x right [.., k, n]; `left_of` and `right_of` say which matrix of each goes into a
// batch. Transposed matrices lie as [k, m] and [n, k].
struct MatrixProduct {
  int64_t m = 0, n = 0, k = 0;
  bool left_transposed = false, right_transposed = false;
  std::vector<int64_t> left_of, right_of;
};
void Multiply(const MatrixProduct& shape, const float* left, const float* right, double* out, Parallel& parallel);

// One to three spatial dimensions, as three: those that are missing have length 1.
struct Window {
  int64_t kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1}, dilation[3] = {1, 1, 1}, pad[3] = {0, 0, 0};
};
struct Convolution {
  int64_t batch = 0, groups = 1, in_channels = 0, out_channels = 0;
  int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1};
  Window window;
};
// weight [out_channels, in_channels / groups, kernel]; bias may be null.
void Convolve(const Convolution& shape, const float* x, const float* weight, const float* bias, float* y,
              Parallel& parallel);
// weight [in_channels, out_channels / groups, kernel].
void ConvolveTransposed(const Convolution& shape, const float* x, const float* weight, const float* bias, float* y,
                        Parallel& parallel);
// The mean of each window, none of which reaches beyond the image.
void AveragePool(const Convolution& shape, const float* x, float* y, Parallel& parallel);

enum class Reduction { kSum, kMean, kLogSumExp, kSumSquare, kL1, kL2, kLogSum };
// `reduced` has one entry for each dimension; y has the others, in their order.
void Reduce(Reduction kind, const Dims& dims, const std::vector<bool>& reduced, const float* x, float* y,
            Parallel& parallel);

// Along the middle one of three dimensions.
void Softmax(bool logarithm, int64_t outer, int64_t length, int64_t inner, const float* x, float* y, Parallel& parallel);

// Each of `groups` stretches of `size` values: y = (x - mean) * inverse * scale + shift. Scale and shift are at
// [group % scale_groups] where `scale_groups` is not 0, else at the place in the stretch; shift may be null, and mean and
// inverse, which are [groups].
void Normalise(int64_t groups, int64_t size, int64_t scale_groups, double epsilon, const float* x, const float* scale,
               const float* shift, float* y, float* mean, float* inverse, Parallel& parallel);

// y = function(x), by the name of ONNX's operator. @throws std::invalid_argument for another name.
using Function = double (*)(double x, double alpha);
Function FunctionNamed(const std::string& name);
void Apply(Function function, double alpha, int64_t count, const float* x, float* y, Parallel& parallel);

}  // namespace node_vae::plain
