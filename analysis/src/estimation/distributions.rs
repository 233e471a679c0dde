//! Tails and quantiles of the normal, t, F, chi-square and beta distributions, to about 1e-13.
//!
//! statrs finds the quantiles of t and beta by bisection to a fixed absolute step, which is not enough
//! for figures compared at 1e-9; so the incomplete beta function stands here (continued fraction,
//! Lentz), quantiles by Newton's steps inside a bracket. Gamma and erf are those of statrs.

use statrs::function::erf::erfc;
use statrs::function::gamma::{gamma_ur, ln_gamma};

/// P(Z ≤ x).
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * erfc(-x / std::f64::consts::SQRT_2)
}

/// The normal quantile.
pub fn normal_quantile(p: f64) -> f64 {
    if p.is_nan() || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return if p == 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    if p > 0.5 {
        return -lower_normal_quantile(1.0 - p);
    }
    lower_normal_quantile(p)
}

/// For 0 < p ≤ ½: a start good to 5e-4 (Abramowitz and Stegun 26.2.23), then Halley's steps.
fn lower_normal_quantile(p: f64) -> f64 {
    let t = (-2.0 * p.ln()).sqrt();
    let above = 2.515517 + t * (0.802853 + t * 0.010328);
    let below = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308));
    let mut x = -(t - above / below);
    for _ in 0..4 {
        let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let step = (normal_cdf(x) - p) / density;
        x -= step / (1.0 + 0.5 * x * step);
    }
    x
}

/// The regularised incomplete beta function I_x(a, b).
pub fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if x.is_nan() || a.is_nan() || b.is_nan() || a < 0.0 || b < 0.0 {
        return f64::NAN;
    }
    if x <= 0.0 || b == 0.0 {
        return 0.0;
    }
    if x >= 1.0 || a == 0.0 {
        return 1.0;
    }
    let front = ln_beta_density_times(x, a, b);
    if x < (a + 1.0) / (a + b + 2.0) {
        front.exp() * continued_fraction(x, a, b) / a
    } else {
        1.0 - front.exp() * continued_fraction(1.0 - x, b, a) / b
    }
}

/// The upper tail 1 − I_x(a, b), without loss when it is tiny.
pub fn beta_upper(x: f64, a: f64, b: f64) -> f64 {
    beta_cdf(1.0 - x, b, a)
}

fn ln_beta_density_times(x: f64, a: f64, b: f64) -> f64 {
    ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()
}

fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    let tiny = 1e-300;
    let guard = |v: f64| if v.abs() < tiny { tiny } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..100_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    h
}

/// The beta quantile; 0 at a = 0 and 1 at b = 0, as R has it.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    if p.is_nan() || a.is_nan() || b.is_nan() || a < 0.0 || b < 0.0 {
        return f64::NAN;
    }
    if a == 0.0 || p <= 0.0 {
        return 0.0;
    }
    if b == 0.0 || p >= 1.0 {
        return 1.0;
    }
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    let mut x = a / (a + b);
    for _ in 0..400 {
        let gap = beta_cdf(x, a, b) - p;
        if gap > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let density = (ln_beta_density_times(x, a, b) - x.ln() - (-x).ln_1p()).exp();
        let next = x - gap / density;
        let next = if next > low && next < high { next } else { 0.5 * (low + high) };
        if (next - x).abs() <= 1e-16 * x || next == x {
            return next;
        }
        x = next;
    }
    x
}

/// P(T > t) for t ≥ 0; infinite `df` is the normal.
fn t_upper(t: f64, df: f64) -> f64 {
    if df.is_infinite() {
        return 0.5 * erfc(t / std::f64::consts::SQRT_2);
    }
    let x = df / (df + t * t);
    if x > 0.5 {
        0.5 * beta_upper(t * t / (df + t * t), 0.5, df / 2.0)
    } else {
        0.5 * beta_cdf(x, df / 2.0, 0.5)
    }
}

/// The two-sided p-value of a t statistic.
pub fn t_two_sided(t: f64, df: f64) -> f64 {
    if t.is_nan() || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    2.0 * t_upper(t.abs(), df)
}

/// The t quantile; infinite `df` is the normal, `df` ≤ 0 has none.
pub fn t_quantile(p: f64, df: f64) -> f64 {
    if p.is_nan() || df.is_nan() || df <= 0.0 || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if df.is_infinite() {
        return normal_quantile(p);
    }
    if p == 0.5 {
        return 0.0;
    }
    if p > 0.5 {
        return -t_quantile(1.0 - p, df);
    }
    // p < ½: the lower tail at −t is p.
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    while t_upper(high, df) > p && high < 1e300 {
        low = high;
        high *= 2.0;
    }
    let mut t = (-normal_quantile(p)).clamp(low, high);
    let constant = ln_gamma((df + 1.0) / 2.0) - ln_gamma(df / 2.0) - 0.5 * (df * std::f64::consts::PI).ln();
    for _ in 0..400 {
        let gap = t_upper(t, df) - p;
        if gap > 0.0 {
            low = t;
        } else {
            high = t;
        }
        let density = (constant - (df + 1.0) / 2.0 * (t * t / df).ln_1p()).exp();
        let next = t + gap / density;
        let next = if next > low && next < high { next } else { 0.5 * (low + high) };
        if (next - t).abs() <= 1e-16 * t || next == t {
            return -next;
        }
        t = next;
    }
    -t
}

/// P(F > x) with `numerator` and `denominator` degrees of freedom; infinite ones are the limits.
pub fn f_upper(x: f64, numerator: f64, denominator: f64) -> f64 {
    if x.is_nan() || numerator.is_nan() || denominator.is_nan() || numerator <= 0.0 || denominator <= 0.0 {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 1.0;
    }
    if denominator.is_infinite() {
        return chi_square_upper(x * numerator, numerator);
    }
    beta_cdf(denominator / (denominator + numerator * x), denominator / 2.0, numerator / 2.0)
}

/// P(χ² > x).
pub fn chi_square_upper(x: f64, df: f64) -> f64 {
    if x.is_nan() || df.is_nan() || df <= 0.0 {
        f64::NAN
    } else if x <= 0.0 {
        1.0
    } else {
        gamma_ur(df / 2.0, x / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(got: f64, expected: f64) {
        assert!((got - expected).abs() <= 1e-11 * expected.abs(), "{got} is not {expected}");
    }

    /// R 4.2.2: qnorm, qt, pt, pf, pchisq, qbeta, 15 digits.
    #[test]
    fn quantiles_and_tails_are_those_of_r() {
        assert_near(normal_quantile(0.975), 1.95996398454005);
        assert_near(normal_quantile(1e-10), -6.36134090240406);
        assert_near(t_quantile(0.975, 14.0), 2.1447866879169273);
        assert_near(t_quantile(0.975, 1.0), 12.706204736174698);
        assert_near(t_two_sided(2.0, 10.0), 0.0733880347707404);
        assert_near(chi_square_upper(3.84145882069412, 1.0), 0.05);
        assert_near(f_upper(4.964602743730711, 1.0, 10.0), 0.05);
    }

    /// I_x(1, b) = 1 − (1 − x)^b and I_x(a, 1) = x^a.
    #[test]
    fn beta_with_a_one_is_a_power() {
        assert_near(beta_cdf(0.3, 1.0, 4.0), 1.0 - 0.7_f64.powi(4));
        assert_near(beta_cdf(0.3, 2.5, 1.0), 0.3_f64.powf(2.5));
        assert_near(beta_quantile(0.3_f64.powf(2.5), 2.5, 1.0), 0.3);
        assert_near(beta_quantile(0.5, 80.0, 80.0), 0.5);
    }

    /// A quantile put into its distribution gives the probability back.
    #[test]
    fn quantile_and_tail_are_inverse() {
        for df in [1.0, 3.5, 31.0, 400.0] {
            for p in [0.001, 0.2, 0.4] {
                assert_near(t_upper(-t_quantile(p, df), df), p);
            }
        }
        for (a, b) in [(0.4, 3.0), (12.0, 7.0), (350.5, 90.0)] {
            for p in [0.005, 0.5, 0.975] {
                assert_near(beta_cdf(beta_quantile(p, a, b), a, b), p);
            }
        }
    }
}
