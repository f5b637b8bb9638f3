#pragma once

// Functions of float64 by single operations, which IEEE 754 rounds alike everywhere; the C library's differ in the last
// bits from system to system. Their error is below a thousandth of what rounding to float32 makes.
namespace node_vae::plain {

double Exponential(double x);
double Logarithm(double x);
// The error function.
double Erf(double x);

}  // namespace node_vae::plain
