#include "model/math.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace cromford::model {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLog2E = 1.4426950408889634;
// ln 2 as a sum whose first term has 21 trailing zero bits, so that k * kLn2High is exact.
constexpr double kLn2High = 6.93147180369123816490e-01;
constexpr double kLn2Low = 1.90821492927058770002e-10;
constexpr double kTwoPi = 6.283185307179586477;

// 2^exponent for -1022 <= exponent <= 1023.
double power_of_two(int exponent) {
  return std::bit_cast<double>(static_cast<uint64_t>(exponent + 1023) << 52U);
}

// Taylor series on [-pi/4, pi/4].
double sine_near_zero(double y) {
  const double s = y * y;
  double sum = -1.0 / 1307674368000.0;
  sum = sum * s + 1.0 / 6227020800.0;
  sum = sum * s - 1.0 / 39916800.0;
  sum = sum * s + 1.0 / 362880.0;
  sum = sum * s - 1.0 / 5040.0;
  sum = sum * s + 1.0 / 120.0;
  sum = sum * s - 1.0 / 6.0;
  return y + y * s * sum;
}

double cosine_near_zero(double y) {
  const double s = y * y;
  double sum = 1.0 / 20922789888000.0;
  sum = sum * s - 1.0 / 87178291200.0;
  sum = sum * s + 1.0 / 479001600.0;
  sum = sum * s - 1.0 / 3628800.0;
  sum = sum * s + 1.0 / 40320.0;
  sum = sum * s - 1.0 / 720.0;
  sum = sum * s + 1.0 / 24.0;
  return 1.0 - 0.5 * s + s * s * sum;
}

}  // namespace

double portable_exp(double x) {
  if (std::isnan(x)) {
    return x;
  }
  if (x > 709.782712893384) {
    return kInfinity;
  }
  if (x < -745.2) {
    return 0.0;
  }
  // x = k ln 2 + r with |r| <= ln 2 / 2; exp(r) by its Taylor series.
  const double k = std::floor(x * kLog2E + 0.5);
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double sum = 1.0 / 6227020800.0;
  sum = sum * r + 1.0 / 479001600.0;
  sum = sum * r + 1.0 / 39916800.0;
  sum = sum * r + 1.0 / 3628800.0;
  sum = sum * r + 1.0 / 362880.0;
  sum = sum * r + 1.0 / 40320.0;
  sum = sum * r + 1.0 / 5040.0;
  sum = sum * r + 1.0 / 720.0;
  sum = sum * r + 1.0 / 120.0;
  sum = sum * r + 1.0 / 24.0;
  sum = sum * r + 1.0 / 6.0;
  sum = sum * r + 0.5;
  const double power = 1.0 + (r + r * r * sum);
  const int exponent = static_cast<int>(k);
  if (exponent < -1021) {
    return power * power_of_two(exponent + 200) * power_of_two(-200);  // subnormal: rounded once
  }
  return exponent > 1023 ? power * 2.0 * power_of_two(1023) : power * power_of_two(exponent);
}

double portable_log(double x) {
  if (std::isnan(x) || x < 0.0) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (x == 0.0) {
    return -kInfinity;
  }
  if (x == kInfinity) {
    return x;
  }
  // x = m 2^e with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh((m - 1) / (m + 1)).
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752) {
    m *= 2.0;
    --exponent;
  }
  const double s = (m - 1.0) / (m + 1.0);
  const double q = s * s;
  double sum = 1.0 / 23.0;
  for (int odd = 21; odd >= 3; odd -= 2) {
    sum = sum * q + 1.0 / odd;
  }
  const double log_m = 2.0 * s + 2.0 * s * q * sum;
  const double e = exponent;
  return e * kLn2High + (log_m + e * kLn2Low);
}

double portable_log1p(double x) {
  const double u = 1.0 + x;
  if (u == kInfinity || std::isnan(u)) {
    return u;
  }
  // What the rounding of 1 + x lost, to first order.
  return portable_log(u) + (x - (u - 1.0)) / u;
}

double sine_of_turn(double turns) {
  const double r = turns - std::floor(turns);
  const double quarter = std::floor(4.0 * r + 0.5);
  const double y = kTwoPi * (r - 0.25 * quarter);
  switch (static_cast<int>(quarter) & 3) {
    case 0:
      return sine_near_zero(y);
    case 1:
      return cosine_near_zero(y);
    case 2:
      return -sine_near_zero(y);
    default:
      return -cosine_near_zero(y);
  }
}

double cosine_of_turn(double turns) {
  const double r = turns - std::floor(turns);
  return sine_of_turn(r + 0.25);
}

}  // namespace cromford::model
