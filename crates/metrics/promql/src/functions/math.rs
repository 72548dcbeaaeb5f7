//! Functions of one number.

/// The function with this name.
pub(crate) fn find(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        "exp" => gomath::exp,
        "ln" => gomath::ln,
        "log2" => gomath::log2,
        "log10" => gomath::log10,
        "sqrt" => f64::sqrt,
        "sgn" => sign,
        "sin" => gomath::sin,
        "cos" => gomath::cos,
        "tan" => gomath::tan,
        "asin" => gomath::asin,
        "acos" => gomath::acos,
        "atan" => gomath::atan,
        "sinh" => gomath::sinh,
        "cosh" => gomath::cosh,
        "tanh" => gomath::tanh,
        "asinh" => gomath::asinh,
        "acosh" => gomath::acosh,
        "atanh" => gomath::atanh,
        // Both multiply by one constant, as in Prometheus 3.
        "deg" => f64::to_degrees,
        "rad" => f64::to_radians,
        _ => return None,
    })
}

/// -1, 0, 1 or NaN.
fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// The minimum of two numbers. NaN if one is NaN, unless the other is -∞; -0 is less than +0.
pub(crate) fn least(left: f64, right: f64) -> f64 {
    if left == f64::NEG_INFINITY || right == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if left.is_nan() || right.is_nan() {
        f64::NAN
    } else if left == 0.0 && right == 0.0 {
        if left.is_sign_negative() { left } else { right }
    } else {
        left.min(right)
    }
}

/// The maximum of two numbers, symmetric to [`least`].
pub(crate) fn greatest(left: f64, right: f64) -> f64 {
    -least(-left, -right)
}

/// The nearest multiple of `to`; halves round up.
pub(crate) fn round(value: f64, to: f64) -> f64 {
    // Dividing by the inverse gives exact results for 0.1 and similar numbers.
    let inverse = 1.0 / to;
    (value * inverse + 0.5).floor() / inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_up() {
        assert_eq!(round(2.5, 1.0), 3.0);
        assert_eq!(round(-2.5, 1.0), -2.0);
        assert_eq!(round(5.25, 0.1), 5.3);
        assert_eq!(round(7.0, 5.0), 5.0);
    }

    #[test]
    fn the_least_number_wins_over_none() {
        assert_eq!(greatest(f64::NAN, f64::INFINITY), f64::INFINITY);
        assert!(greatest(f64::NAN, 1.0).is_nan() && least(f64::INFINITY, f64::NAN).is_nan());
        assert_eq!(greatest(2.0, 3.0), 3.0);
        assert!(least(0.0, -0.0).is_sign_negative() && greatest(0.0, -0.0).is_sign_positive());
    }

    #[test]
    fn the_sign_of_nothing_is_nothing() {
        assert_eq!(sign(-3.0), -1.0);
        assert_eq!(sign(0.0), 0.0);
        assert!(sign(f64::NAN).is_nan());
    }
}
