#include "kernels/plain_functions.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>

#include "kernels/plain.h"

namespace node_vae::plain {
namespace {

constexpr double kLog2High = 0x1.62e42feep-1;
constexpr double kLog2Low = 0x1.a39ef35793c76p-33;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// log(1 + x) for x in [0, 1], right for small ones too.
double LogarithmOfOneAnd(double x) {
  return x < 1e-4 ? x * (1.0 - x * (0.5 - x * (1.0 / 3.0))) : Logarithm(1.0 + x);
}

double Softplus(double x) { return (x > 0 ? x : 0.0) + LogarithmOfOneAnd(Exponential(-std::fabs(x))); }

double Sigmoid(double x) {
  const double e = Exponential(-std::fabs(x));
  return x >= 0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}

double ExponentialLessOne(double x) {
  return std::fabs(x) < 1e-4 ? x * (1.0 + x * (0.5 + x * (1.0 / 6.0))) : Exponential(x) - 1.0;
}

double Tanh(double x) {
  if (std::fabs(x) < 1e-3) return x * (1.0 - x * x * (1.0 / 3.0 - x * x * (2.0 / 15.0)));
  const double e = Exponential(-2.0 * std::fabs(x));
  const double value = (1.0 - e) / (1.0 + e);
  return x < 0 ? -value : value;
}

}  // namespace

double Exponential(double x) {
  if (std::isnan(x)) return x;
  // Beyond, float32 holds nothing but 0 and infinity.
  if (x > 200.0) return kInfinity;
  if (x < -200.0) return 0.0;
  const double n = std::floor(x * 0x1.71547652b82fep0 + 0.5);
  const double r = (x - n * kLog2High) - n * kLog2Low;
  // The series of exp, by Horner, for |r| up to log(2) / 2.
  double sum = 1.0;
  for (int term = 14; term > 0; --term) sum = sum * r / term + 1.0;
  return sum * std::bit_cast<double>(static_cast<uint64_t>(static_cast<int64_t>(n) + 1023) << 52);
}

double Logarithm(double x) {
  if (std::isnan(x) || x < 0) return std::numeric_limits<double>::quiet_NaN();
  if (x == 0) return -kInfinity;
  if (std::isinf(x)) return x;
  // x = m * 2^e with m in [sqrt(1/2), sqrt(2)); floats and sums of them are normal numbers of float64.
  const auto bits = std::bit_cast<uint64_t>(x);
  auto exponent = static_cast<int64_t>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xfffffffffffffull) | 0x3ff0000000000000ull);
  if (m > 0x1.6a09e667f3bcdp0) {
    m *= 0.5;
    exponent += 1;
  }
  // log(m) = 2 artanh((m - 1) / (m + 1)).
  const double f = (m - 1.0) / (m + 1.0);
  const double square = f * f;
  double sum = 0.0;
  for (int term = 23; term > 0; term -= 2) sum = sum * square + 1.0 / term;
  const auto e = static_cast<double>(exponent);
  return e * kLog2High + (e * kLog2Low + 2.0 * f * sum);
}

double Erf(double x) {
  if (std::isnan(x)) return x;
  const double a = std::fabs(x);
  // 1 - erf(4) is less than float32 can tell from 1.
  if (a >= 4.0) return x < 0 ? -1.0 : 1.0;
  // Abramowitz and Stegun, 7.1.6: all terms are positive.
  double term = a;
  double sum = a;
  for (int n = 1; n < 100 && term > sum * 1e-17; ++n) {
    term *= 2.0 * a * a / (2 * n + 1);
    sum += term;
  }
  const double value = 0x1.20dd750429b6dp0 * Exponential(-a * a) * sum;
  return x < 0 ? -value : value;
}

Function FunctionNamed(const std::string& name) {
  if (name == "Exp") return [](double x, double) { return Exponential(x); };
  if (name == "Log") return [](double x, double) { return Logarithm(x); };
  if (name == "Sigmoid") return [](double x, double) { return Sigmoid(x); };
  if (name == "Tanh") return [](double x, double) { return Tanh(x); };
  if (name == "Softplus") return [](double x, double) { return Softplus(x); };
  if (name == "Erf") return [](double x, double) { return Erf(x); };
  if (name == "Elu") return [](double x, double alpha) { return x < 0 ? alpha * ExponentialLessOne(x) : x; };
  if (name == "Sqrt") return [](double x, double) { return std::sqrt(x); };
  if (name == "Reciprocal") return [](double x, double) { return 1.0 / x; };
  throw std::invalid_argument("node_vae plain operators: no function " + name + ".");
}

}  // namespace node_vae::plain
