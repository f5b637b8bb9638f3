#include "kernels/plain.h"

#include <algorithm>
#include <cmath>

#include "core/clones.h"
#include "kernels/plain_functions.h"

namespace node_vae::plain {

namespace {

// The product of two floats is exact in float64, so that it makes no difference whether it is fused with the sum.
NODE_VAE_CLONES void AddScaled(double* NODE_VAE_RESTRICT sums, const float* NODE_VAE_RESTRICT x, double factor,
                               int64_t count) {
  for (int64_t i = 0; i < count; ++i) sums[i] += factor * static_cast<double>(x[i]);
}

int64_t Places(const int64_t (&lengths)[3]) { return lengths[0] * lengths[1] * lengths[2]; }

// The stretch of i in [0, count) whose i * step + offset lies in [0, length).
struct Stretch {
  int64_t from, to;
};
Stretch Inside(int64_t offset, int64_t step, int64_t count, int64_t length) {
  const int64_t from = offset >= 0 ? 0 : (-offset + step - 1) / step;
  const int64_t last = length - 1 - offset;
  const int64_t to = last < 0 ? 0 : std::min(count, last / step + 1);
  return {from, std::max(from, to)};
}

void Round(const std::vector<double>& sums, double bias, float* to) {
  for (size_t i = 0; i < sums.size(); ++i) to[i] = static_cast<float>(sums[i] + bias);
}

}  // namespace

int64_t Count(const Dims& dims) {
  int64_t count = 1;
  for (const int64_t length : dims) count *= length;
  return count;
}

void Multiply(const MatrixProduct& shape, const float* left, const float* right, double* out, Parallel& parallel) {
  const int64_t m = shape.m, n = shape.n, k = shape.k;
  std::vector<float> turned;
  if (shape.right_transposed) {
    const auto& of = shape.right_of;
    const int64_t matrices = of.empty() ? 0 : *std::max_element(of.begin(), of.end()) + 1;
    turned.resize(static_cast<size_t>(matrices * n * k));
    for (int64_t matrix = 0; matrix < matrices; ++matrix) {
      const float* from = right + matrix * n * k;
      float* to = turned.data() + matrix * n * k;
      for (int64_t j = 0; j < n; ++j) {
        for (int64_t i = 0; i < k; ++i) to[i * n + j] = from[j * k + i];
      }
    }
    right = turned.data();
  }
  const auto body = [&](size_t index) {
    const int64_t batch = static_cast<int64_t>(index) / m;
    const int64_t row = static_cast<int64_t>(index) % m;
    const float* a = left + shape.left_of[static_cast<size_t>(batch)] * m * k;
    const float* b = right + shape.right_of[static_cast<size_t>(batch)] * k * n;
    double* sums = out + static_cast<int64_t>(index) * n;
    std::fill(sums, sums + n, 0.0);
    for (int64_t i = 0; i < k; ++i) AddScaled(sums, b + i * n, shape.left_transposed ? a[i * m + row] : a[row * k + i], n);
  };
  parallel.For(shape.left_of.size() * static_cast<size_t>(m), body);
}

void Convolve(const Convolution& s, const float* x, const float* weight, const float* bias, float* y,
              Parallel& parallel) {
  const int64_t in_group = s.in_channels / s.groups;
  const int64_t out_group = s.out_channels / s.groups;
  const int64_t places = Places(s.out);
  const int64_t image = Places(s.in);
  const Window& w = s.window;
  parallel.For(static_cast<size_t>(s.batch * s.out_channels), [&](size_t index) {
    const int64_t n = static_cast<int64_t>(index) / s.out_channels;
    const int64_t channel = static_cast<int64_t>(index) % s.out_channels;
    std::vector<double> sums(static_cast<size_t>(places), 0.0);
    const float* weights = weight + channel * in_group * Places(w.kernel);
    for (int64_t c = 0; c < in_group; ++c) {
      const float* from = x + (n * s.in_channels + channel / out_group * in_group + c) * image;
      for (int64_t t0 = 0; t0 < w.kernel[0]; ++t0) {
        for (int64_t t1 = 0; t1 < w.kernel[1]; ++t1) {
          for (int64_t t2 = 0; t2 < w.kernel[2]; ++t2) {
            const double factor = *weights++;
            const Stretch d0 = Inside(t0 * w.dilation[0] - w.pad[0], w.stride[0], s.out[0], s.in[0]);
            const Stretch d1 = Inside(t1 * w.dilation[1] - w.pad[1], w.stride[1], s.out[1], s.in[1]);
            const int64_t offset = t2 * w.dilation[2] - w.pad[2];
            const Stretch d2 = Inside(offset, w.stride[2], s.out[2], s.in[2]);
            for (int64_t i = d0.from; i < d0.to; ++i) {
              const int64_t plane = i * w.stride[0] + t0 * w.dilation[0] - w.pad[0];
              for (int64_t j = d1.from; j < d1.to; ++j) {
                const int64_t line = j * w.stride[1] + t1 * w.dilation[1] - w.pad[1];
                const float* row = from + (plane * s.in[1] + line) * s.in[2] + offset;
                double* to = sums.data() + (i * s.out[1] + j) * s.out[2];
                if (w.stride[2] == 1) {
                  AddScaled(to + d2.from, row + d2.from, factor, d2.to - d2.from);
                } else {
                  for (int64_t l = d2.from; l < d2.to; ++l) to[l] += factor * static_cast<double>(row[l * w.stride[2]]);
                }
              }
            }
          }
        }
      }
    }
    Round(sums, bias == nullptr ? 0.0 : bias[channel], y + static_cast<int64_t>(index) * places);
  });
}

void ConvolveTransposed(const Convolution& s, const float* x, const float* weight, const float* bias, float* y,
                        Parallel& parallel) {
  const int64_t in_group = s.in_channels / s.groups;
  const int64_t out_group = s.out_channels / s.groups;
  const int64_t places = Places(s.out);
  const int64_t image = Places(s.in);
  const Window& w = s.window;
  parallel.For(static_cast<size_t>(s.batch * s.out_channels), [&](size_t index) {
    const int64_t n = static_cast<int64_t>(index) / s.out_channels;
    const int64_t channel = static_cast<int64_t>(index) % s.out_channels;
    const int64_t group = channel / out_group;
    std::vector<double> sums(static_cast<size_t>(places), 0.0);
    for (int64_t c = group * in_group; c < (group + 1) * in_group; ++c) {
      const float* from = x + (n * s.in_channels + c) * image;
      const float* weights = weight + (c * out_group + channel % out_group) * Places(w.kernel);
      for (int64_t t0 = 0; t0 < w.kernel[0]; ++t0) {
        for (int64_t t1 = 0; t1 < w.kernel[1]; ++t1) {
          for (int64_t t2 = 0; t2 < w.kernel[2]; ++t2) {
            const double factor = *weights++;
            const Stretch d0 = Inside(t0 * w.dilation[0] - w.pad[0], w.stride[0], s.in[0], s.out[0]);
            const Stretch d1 = Inside(t1 * w.dilation[1] - w.pad[1], w.stride[1], s.in[1], s.out[1]);
            const int64_t offset = t2 * w.dilation[2] - w.pad[2];
            const Stretch d2 = Inside(offset, w.stride[2], s.in[2], s.out[2]);
            for (int64_t i = d0.from; i < d0.to; ++i) {
              const int64_t plane = i * w.stride[0] + t0 * w.dilation[0] - w.pad[0];
              for (int64_t j = d1.from; j < d1.to; ++j) {
                const int64_t line = j * w.stride[1] + t1 * w.dilation[1] - w.pad[1];
                const float* row = from + (i * s.in[1] + j) * s.in[2];
                double* to = sums.data() + (plane * s.out[1] + line) * s.out[2] + offset;
                for (int64_t l = d2.from; l < d2.to; ++l) to[l * w.stride[2]] += factor * static_cast<double>(row[l]);
              }
            }
          }
        }
      }
    }
    Round(sums, bias == nullptr ? 0.0 : bias[channel], y + static_cast<int64_t>(index) * places);
  });
}

void AveragePool(const Convolution& s, const float* x, float* y, Parallel& parallel) {
  const Window& w = s.window;
  const auto size = static_cast<double>(Places(w.kernel));
  parallel.For(static_cast<size_t>(s.batch * s.in_channels), [&](size_t index) {
    const float* from = x + static_cast<int64_t>(index) * Places(s.in);
    float* to = y + static_cast<int64_t>(index) * Places(s.out);
    for (int64_t i = 0; i < s.out[0]; ++i) {
      for (int64_t j = 0; j < s.out[1]; ++j) {
        for (int64_t l = 0; l < s.out[2]; ++l) {
          double sum = 0;
          for (int64_t t0 = 0; t0 < w.kernel[0]; ++t0) {
            for (int64_t t1 = 0; t1 < w.kernel[1]; ++t1) {
              const int64_t line = (i * w.stride[0] + t0) * s.in[1] + j * w.stride[1] + t1;
              for (int64_t t2 = 0; t2 < w.kernel[2]; ++t2) sum += from[line * s.in[2] + l * w.stride[2] + t2];
            }
          }
          *to++ = static_cast<float>(sum / size);
        }
      }
    }
  });
}

void Reduce(Reduction kind, const Dims& dims, const std::vector<bool>& reduced, const float* x, float* y,
            Parallel& parallel) {
  Dims kept, kept_strides, summed, summed_strides;
  int64_t stride = Count(dims);
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    stride = dims[axis] == 0 ? 0 : stride / dims[axis];
    (reduced[axis] ? summed : kept).push_back(dims[axis]);
    (reduced[axis] ? summed_strides : kept_strides).push_back(stride);
  }
  const int64_t count = Count(summed);
  parallel.For(static_cast<size_t>(Count(kept)), [&](size_t index) {
    int64_t base = 0;
    auto rest = static_cast<int64_t>(index);
    for (size_t axis = kept.size(); axis-- > 0;) {
      base += rest % kept[axis] * kept_strides[axis];
      rest /= kept[axis];
    }
    const auto each = [&](const auto& take) {
      Dims at(summed.size(), 0);
      int64_t place = base;
      for (int64_t i = 0; i < count; ++i) {
        take(static_cast<double>(x[place]));
        for (size_t axis = summed.size(); axis-- > 0;) {
          place += summed_strides[axis];
          if (++at[axis] < summed[axis]) break;
          place -= summed[axis] * summed_strides[axis];
          at[axis] = 0;
        }
      }
    };
    double sum = 0;
    switch (kind) {
      case Reduction::kSum:
      case Reduction::kMean:
      case Reduction::kLogSum:
        each([&](double value) { sum += value; });
        if (kind == Reduction::kMean) sum /= static_cast<double>(count);
        if (kind == Reduction::kLogSum) sum = Logarithm(sum);
        break;
      case Reduction::kL1:
        each([&](double value) { sum += std::fabs(value); });
        break;
      case Reduction::kSumSquare:
      case Reduction::kL2:
        each([&](double value) { sum += value * value; });
        if (kind == Reduction::kL2) sum = std::sqrt(sum);
        break;
      case Reduction::kLogSumExp: {
        double most = -HUGE_VAL;
        each([&](double value) { most = std::max(most, value); });
        if (std::isinf(most)) {
          sum = most;
          break;
        }
        each([&](double value) { sum += Exponential(value - most); });
        sum = Logarithm(sum) + most;
        break;
      }
    }
    y[index] = static_cast<float>(sum);
  });
}

void Softmax(bool logarithm, int64_t outer, int64_t length, int64_t inner, const float* x, float* y,
             Parallel& parallel) {
  parallel.For(static_cast<size_t>(outer * inner), [&](size_t index) {
    const int64_t base = static_cast<int64_t>(index) / inner * length * inner + static_cast<int64_t>(index) % inner;
    double most = -HUGE_VAL;
    for (int64_t i = 0; i < length; ++i) most = std::max(most, static_cast<double>(x[base + i * inner]));
    double sum = 0;
    for (int64_t i = 0; i < length; ++i) sum += Exponential(x[base + i * inner] - most);
    const double log = logarithm ? Logarithm(sum) : 0;
    for (int64_t i = 0; i < length; ++i) {
      const double value = x[base + i * inner] - most;
      y[base + i * inner] = static_cast<float>(logarithm ? value - log : Exponential(value) / sum);
    }
  });
}

void Normalise(int64_t groups, int64_t size, int64_t scale_groups, double epsilon, const float* x, const float* scale,
               const float* shift, float* y, float* mean, float* inverse, Parallel& parallel) {
  parallel.For(static_cast<size_t>(groups), [&](size_t index) {
    const auto group = static_cast<int64_t>(index);
    const float* from = x + group * size;
    float* to = y + group * size;
    double sum = 0;
    for (int64_t i = 0; i < size; ++i) sum += from[i];
    const double middle = sum / static_cast<double>(size);
    double squares = 0;
    for (int64_t i = 0; i < size; ++i) squares += (from[i] - middle) * (from[i] - middle);
    const double deviation = 1.0 / std::sqrt(squares / static_cast<double>(size) + epsilon);
    for (int64_t i = 0; i < size; ++i) {
      const int64_t at = scale_groups > 0 ? group % scale_groups : i;
      const double value = (from[i] - middle) * deviation * scale[at];
      to[i] = static_cast<float>(shift == nullptr ? value : value + shift[at]);
    }
    if (mean != nullptr) mean[index] = static_cast<float>(middle);
    if (inverse != nullptr) inverse[index] = static_cast<float>(deviation);
  });
}

void Apply(Function function, double alpha, int64_t count, const float* x, float* y, Parallel& parallel) {
  constexpr int64_t kPiece = 1024;
  parallel.For(static_cast<size_t>((count + kPiece - 1) / kPiece), [&](size_t index) {
    const int64_t from = static_cast<int64_t>(index) * kPiece;
    const int64_t to = std::min(count, from + kPiece);
    for (int64_t i = from; i < to; ++i) y[i] = static_cast<float>(function(x[i], alpha));
  });
}

}  // namespace node_vae::plain
