#pragma once

// The normal distribution and Wilson's interval: what intervals and tests are made of.
//
//   double z = metric::normal_quantile(0.975);                    // 1.959964
//   metric::Interval i = metric::wilson(0.8, 50, 0.95);
//
// Thread safety: pure functions.

namespace cromford::metric {

double normal_cdf(double x);

// The x with normal_cdf(x) = p; p in (0, 1), exact to about 1e-15. Outside: -infinity, infinity.
double normal_quantile(double p);

struct Interval {
  double lower = 0;
  double upper = 0;
};

// Wilson's score interval for a share seen among `count` independent rows (Wilson 1927). `count`
// may be an effective, fractional number; 0 gives [0, 1].
Interval wilson(double share, double count, double confidence);

}  // namespace cromford::metric
