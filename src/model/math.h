#pragma once

// exp, log, sine and cosine from additions, multiplications and divisions alone. The C library
// picks among implementations by processor, whose last bits differ; a model must answer the same
// bits everywhere, so these are used wherever a result enters a feature or a prediction. Errors are
// below 2 units in the last place (sine and cosine: below 3e-16).
//
//   const double p = 1.0 / (1.0 + portable_exp(-margin));
//
// Thread safety: pure functions.

namespace cromford::model {

// Infinity above 709.78, 0 below -745.2, NaN for NaN.
double portable_exp(double x);

// Natural logarithm; -infinity at 0, NaN for negative values and NaN.
double portable_log(double x);

// log(1 + x), exact also for small x. x > -1.
double portable_log1p(double x);

// Sine and cosine of an angle in turns (1.0 is the whole circle). Finite arguments.
double sine_of_turn(double turns);
double cosine_of_turn(double turns);

}  // namespace cromford::model
