//! Results of Go's functions, as printed by Debian's Prometheus. Many more are compared with a running one in
//! `server/tests/integration/differential`.

#![allow(clippy::approx_constant)] // They are what was printed.

use gomath::*;

type Recorded = (fn(f64) -> f64, &'static [(f64, f64)]);

const OF_ONE: [(&str, Recorded); 16] = [
    (
        "exp",
        (exp, &[(1.0, 2.718281828459045), (-0.1, 0.9048374180359595), (10.0, 22026.465794806718), (-740.0, 4.2e-322)]),
    ),
    ("ln", (ln, &[(10.0, 2.302585092994046), (0.1, -2.3025850929940455), (1e-300, -690.7755278982137)])),
    ("log2", (log2, &[(10.0, 3.321928094887362), (0.3, -1.736965594166206), (5e-324, -1074.0)])),
    ("log10", (log10, &[(1000.0, 3.0), (0.001, -3.0), (7.0, 0.8450980400142568)])),
    (
        "sin",
        (
            sin,
            &[
                (1.0, 0.8414709848078965),
                (10.0, -0.5440211108893699),
                (1e22, -0.8522008497671889),
                (-2.5e15, -0.8462676043361338),
                (3.141592653589793, 1.2246467991473515e-16),
            ],
        ),
    ),
    (
        "cos",
        (cos, &[(10.0, -0.8390715290764524), (1e22, 0.5232147853951389), (1.5707963267948966, 6.123233995736757e-17)]),
    ),
    ("tan", (tan, &[(10.0, 0.6483608274590867), (1e22, -1.6287782256068992), (-0.7, -0.8422883804630794)])),
    ("asin", (asin, &[(0.3, 0.3046926540153975), (-0.9, -1.1197695149986342), (1.0, 1.5707963267948966)])),
    ("acos", (acos, &[(0.3, 1.266103672779499), (-0.9, 2.6905658417935308), (-1.0, 3.141592653589793)])),
    ("atan", (atan, &[(0.5, 0.4636476090008061), (1.0, 0.7853981633974483), (-20.0, -1.5208379310729538)])),
    ("sinh", (sinh, &[(0.3, 0.3045202934471426), (2.0, 3.626860407847019), (-30.0, -5343237290762.23)])),
    ("cosh", (cosh, &[(0.3, 1.0453385141288605), (2.0, 3.7621956910836314), (30.0, 5343237290762.23)])),
    ("tanh", (tanh, &[(0.3, 0.2913126124515909), (-2.0, -0.9640275800758169)])),
    ("asinh", (asinh, &[(1e-3, 0.0009999998333334083), (1.0, 0.881373587019543), (-5.0, -2.3124383412727525)])),
    ("acosh", (acosh, &[(1.1, 0.4435682543851154), (3.0, 1.7627471740390859), (1e10, 23.7189981105004)])),
    ("atanh", (atanh, &[(0.1, 0.10033534773107558), (-0.7, -0.8673005276940531)])),
];

#[test]
fn values_are_those_of_go() {
    for (name, (function, values)) in OF_ONE {
        for (x, value) in values {
            assert_eq!(function(*x), *value, "{name}({x})");
        }
    }
    for (x, y, value) in [
        (10.0, -3.0, 0.001),
        (1.1, 10.0, 2.593742460100002),
        (2.0, 0.1, 1.0717734625362931),
        (1e-300, 1.05, 1e-315),
        (-1.7, 301.0, -2.318063533093477e69),
        (0.9999999, -1e9, 2.6881304756099507e43),
        (7.0, 1.0 / 3.0, 1.912931182772389),
    ] {
        assert_eq!(pow(x, y), value, "{x} ^ {y}");
    }
    assert_eq!(atan2(1.0, -2.0), 2.677945044588987);
    assert_eq!(atan2(-3.0, 0.1), -1.5374753309166493);
    // Not the nearest, which is 1.4142135623730951.
    assert_eq!(exp2(0.5), 1.414213562373095);
    assert_eq!((exp2(-3.0), exp2(-1074.0), exp2(1024.0)), (0.125, 5e-324, f64::INFINITY));
}

/// Where Go's assembly differs from mathematics.
#[test]
fn what_is_peculiar_is_so_here() {
    assert_eq!(ln(5e-324), -709.0895657128241);
    assert_eq!(exp(709.7), f64::INFINITY);
}

#[test]
fn what_is_no_number_stays_so() {
    for (name, (function, _)) in OF_ONE {
        assert!(function(f64::NAN).is_nan(), "{name}");
    }
    for (name, function) in [("ln", ln as fn(f64) -> f64), ("sin", sin), ("tan", tan), ("asin", asin), ("atanh", atanh)]
    {
        assert!(function(f64::NEG_INFINITY).is_nan(), "{name}");
    }
    assert!(pow(-8.0, 1.0 / 3.0).is_nan());
    assert_eq!((pow(f64::NAN, 0.0), pow(1.0, f64::NAN)), (1.0, 1.0));
}

#[test]
fn zeros_keep_their_sign() {
    for (name, function) in [
        ("sin", sin as fn(f64) -> f64),
        ("tan", tan),
        ("asin", asin),
        ("atan", atan),
        ("sinh", sinh),
        ("tanh", tanh),
        ("asinh", asinh),
        ("atanh", atanh),
    ] {
        for zero in [0.0_f64, -0.0] {
            assert_eq!(function(zero).to_bits(), zero.to_bits(), "{name}");
        }
    }
    assert_eq!(pow(-0.0, 3.0).to_bits(), (-0.0_f64).to_bits());
    assert_eq!(pow(f64::NEG_INFINITY, -3.0).to_bits(), (-0.0_f64).to_bits());
    assert_eq!(pow(-0.0, -3.0), f64::NEG_INFINITY);
    assert_eq!(atan2(-0.0, -1.0), -std::f64::consts::PI);
}
