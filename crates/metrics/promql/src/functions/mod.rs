//! PromQL's functions, by their arguments.

pub(crate) mod classic;
pub(crate) mod clock;
pub(crate) mod histogram_rate;
pub(crate) mod histogram_total;
pub(crate) mod label;
pub(crate) mod math;
pub(crate) mod numeric;
pub(crate) mod over_time;
pub(crate) mod rate;
pub(crate) mod regression;
pub(crate) mod sliding;

use timeseries::Sample;

use crate::{
    annotation::{Notes, Position},
    eval::window::{Frame, Window},
    value::{Column, Steps, Track},
};

/// How a function is computed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Function {
    /// For each float of a vector.
    Math(fn(f64) -> f64),
    /// A part of a date: of each float of a vector, or of the evaluation time.
    Clock(fn(clock::Moment) -> f64),
    /// For each window of a range vector.
    Window(WindowFunction),
    /// With its own implementation.
    Special(Special),
}

/// A function of the samples in a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowFunction {
    pub(crate) compute: fn(&Window, &mut Inputs) -> Option<Sample>,
    /// A faster implementation for all windows of a series of floats, if there is one.
    pub(crate) sliding: Option<Sliding>,
    /// Index of the range vector argument; the others are scalars.
    pub(crate) range_argument: usize,
    /// Whether the metric name is preserved.
    pub(crate) keeps_name: bool,
}

/// Additional input of a window function.
pub(crate) struct Inputs<'a> {
    /// The scalar arguments at the step.
    pub(crate) scalars: [f64; 2],
    /// The series' metric name.
    pub(crate) metric: &'a str,
    /// Position of the range vector in the query.
    pub(crate) position: Position,
    /// Position of the first scalar argument in the query.
    pub(crate) scalar_position: Position,
    pub(crate) notes: &'a mut Notes,
    /// Set by the function if the query cannot be evaluated.
    pub(crate) error: Option<String>,
}

impl Inputs<'_> {
    /// Adds an info that histograms beside floats were ignored.
    pub(crate) fn note_ignored_histograms(&mut self) {
        let text = format!(
            "ignored histograms in a range containing both floats and histograms for metric name {:?}",
            self.metric
        );
        self.notes.info(self.position, text);
    }

    /// Adds a warning that there is no result, because the window contains both kinds.
    pub(crate) fn warn_of_mix(&mut self) {
        let text = format!("encountered a mix of histograms and floats for metric name {:?}", self.metric);
        self.notes.warn(self.position, text);
    }
}

/// Functions with their own implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Special {
    Absent,
    AbsentOverTime,
    Clamp,
    ClampMax,
    ClampMin,
    Round,
    LabelReplace,
    LabelJoin,
    Sort { descending: bool },
    SortByLabel { descending: bool },
    Scalar,
    Vector,
    Time,
    Timestamp,
    StartTimestamp,
    Pi,
    Start,
    End,
    Step,
    Range,
    MinOf,
    MaxOf,
    HistogramQuantile,
    HistogramQuantiles,
    HistogramFraction,
    HistogramCount,
    HistogramSum,
    HistogramAvg,
    HistogramStddev,
    HistogramStdvar,
    Info,
}

impl Function {
    /// True if it yields one number per step.
    pub(crate) fn returns_scalar(self) -> bool {
        use Special::{End, MaxOf, MinOf, Pi, Range, Scalar, Start, Step, Time};
        matches!(self, Function::Special(Scalar | Time | Pi | Start | End | Step | Range | MinOf | MaxOf))
    }

    /// True if its result may change from step to step even with constant arguments.
    pub(crate) fn uses_step_time(self) -> bool {
        match self {
            Function::Clock(_) | Function::Special(Special::Time | Special::Timestamp) => true,
            Function::Window(window) => {
                std::ptr::fn_addr_eq(window.compute, regression::predict_linear as WindowCompute)
            }
            Function::Math(_) | Function::Special(_) => false,
        }
    }
}

type Sliding = fn(&Track, Frame, Steps) -> Column;
type WindowCompute = fn(&Window, &mut Inputs) -> Option<Sample>;

/// The function with this name.
pub(crate) fn find(name: &str) -> Option<Function> {
    if let Some(compute) = math::find(name) {
        return Some(Function::Math(compute));
    }
    if let Some(part) = clock::find(name) {
        return Some(Function::Clock(part));
    }
    match windowed(name) {
        Some(compute) => Some(Function::Window(WindowFunction {
            compute,
            sliding: sliding_form(name),
            range_argument: usize::from(name == "quantile_over_time"),
            keeps_name: matches!(name, "first_over_time" | "last_over_time"),
        })),
        None => special(name).map(Function::Special),
    }
}

fn sliding_form(name: &str) -> Option<Sliding> {
    Some(match name {
        "rate" => sliding::rate,
        "increase" => sliding::increase,
        "min_over_time" => sliding::min,
        "max_over_time" => sliding::max,
        _ => return None,
    })
}

fn windowed(name: &str) -> Option<WindowCompute> {
    Some(match name {
        "rate" => rate::rate,
        "increase" => rate::increase,
        "delta" => rate::delta,
        "irate" => rate::irate,
        "idelta" => rate::idelta,
        "resets" => rate::resets,
        "changes" => rate::changes,
        "sum_over_time" => over_time::sum,
        "avg_over_time" => over_time::avg,
        "min_over_time" => over_time::min,
        "max_over_time" => over_time::max,
        "count_over_time" => over_time::count,
        "present_over_time" => over_time::present,
        "stddev_over_time" => over_time::stddev,
        "stdvar_over_time" => over_time::stdvar,
        "mad_over_time" => over_time::mad,
        "quantile_over_time" => over_time::quantile,
        "first_over_time" => over_time::first,
        "last_over_time" => over_time::last,
        "ts_of_first_over_time" => over_time::time_of_first,
        "ts_of_last_over_time" => over_time::time_of_last,
        "ts_of_min_over_time" => over_time::time_of_min,
        "ts_of_max_over_time" => over_time::time_of_max,
        "deriv" => regression::deriv,
        "predict_linear" => regression::predict_linear,
        "double_exponential_smoothing" => regression::double_exponential_smoothing,
        _ => return None,
    })
}

fn special(name: &str) -> Option<Special> {
    Some(match name {
        "absent" => Special::Absent,
        "absent_over_time" => Special::AbsentOverTime,
        "clamp" => Special::Clamp,
        "clamp_max" => Special::ClampMax,
        "clamp_min" => Special::ClampMin,
        "round" => Special::Round,
        "label_replace" => Special::LabelReplace,
        "label_join" => Special::LabelJoin,
        "sort" => Special::Sort { descending: false },
        "sort_desc" => Special::Sort { descending: true },
        "sort_by_label" => Special::SortByLabel { descending: false },
        "sort_by_label_desc" => Special::SortByLabel { descending: true },
        "scalar" => Special::Scalar,
        "vector" => Special::Vector,
        "time" => Special::Time,
        "timestamp" => Special::Timestamp,
        "start_timestamp" => Special::StartTimestamp,
        "pi" => Special::Pi,
        "start" => Special::Start,
        "end" => Special::End,
        "step" => Special::Step,
        "range" => Special::Range,
        "min_of" => Special::MinOf,
        "max_of" => Special::MaxOf,
        "histogram_quantile" => Special::HistogramQuantile,
        "histogram_quantiles" => Special::HistogramQuantiles,
        "histogram_fraction" => Special::HistogramFraction,
        "histogram_count" => Special::HistogramCount,
        "histogram_sum" => Special::HistogramSum,
        "histogram_avg" => Special::HistogramAvg,
        "histogram_stddev" => Special::HistogramStddev,
        "histogram_stdvar" => Special::HistogramStdvar,
        "info" => Special::Info,
        _ => return None,
    })
}
